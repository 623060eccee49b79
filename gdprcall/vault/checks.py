"""Looks whether the vault still is what its ledger says: every entry, every header, every payload, and nothing else.

It reads only, mends nothing, and names each thing that is wrong. It may run while the vault is in use.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from gdprcall.errors import VaultError
from gdprcall.vault.binding import check_header
from gdprcall.vault.index import Index
from gdprcall.vault.keys import Keys, Slot
from gdprcall.vault.ledger import Entry, Kind, Ledger
from gdprcall.vault.objects import Objects
from gdprcall.vault.proof import Finding
from gdprcall.vault.stores import SEALS, Stores

Progress = Callable[[int, int], None]


class Open(Protocol):
    """An open vault."""

    @property
    def stores(self) -> Stores:
        """Its stores."""


def verify(vault: Open, progress: Progress = lambda _done, _all: None) -> Iterator[Finding]:
    """Yield every finding; ``progress`` is told how many entries of how many were followed up."""
    stores = vault.stores
    damaged = False
    for finding in stores.ledger.verify():
        damaged = True
        yield finding
    yield from _place(stores.index, stores.ledger)
    try:
        if not damaged:
            stores.catch_up()
        yield from _segments(stores, progress)
        yield from _strangers(stores)
    except VaultError as error:
        yield Finding("vault", "everything else", f"not checked: {error.message}")


def _place(index: Index, ledger: Ledger) -> Iterator[Finding]:
    applied, size = index.applied(), ledger.size()
    if applied > size:
        yield Finding("ledger", f"entries {size + 1} to {applied}", "cut off: the index has seen them")


def _segments(stores: Stores, progress: Progress) -> Iterator[Finding]:
    size = stores.ledger.size()
    for entry in stores.ledger.entries():
        if entry.kind in SEALS and entry.body is not None:
            # Held, so that nothing is sealed or erased between looking at one part and the next.
            with stores.holding(str(entry.recording)):
                found = [] if _erased(stores, str(entry.recording)) else list(_segment(stores, entry))
            yield from found
        progress(min(entry.seq, size), size)


def _segment(stores: Stores, entry: Entry) -> Iterator[Finding]:
    assert entry.body is not None
    recording, segment = str(entry.recording), int(str(entry.body["segment"]))
    name = f"{recording}.{segment}"
    problem = check_header(stores.keys.get(recording, segment, Slot.HEADER), entry)
    if problem is not None:
        yield Finding("header", name, problem)
    try:
        stored = stores.objects.stored(recording, segment)
    except VaultError:
        yield Finding("payload", name, "not readable")
        return
    if stored is None:
        yield Finding("payload", name, "missing")
    elif (stored.size, stored.sha256) != (entry.body["payload_bytes"], entry.body["payload_sha256"]):
        yield Finding("payload", name, "not the one that was sealed")
    known = next((row for row in stores.index.segments(recording) if row.segment == segment), None)
    if known is None or known.payload_sha256 != entry.body["payload_sha256"]:
        yield Finding("index", name, "not as the ledger says")


def _strangers(stores: Stores) -> Iterator[Finding]:
    for path in stores.objects.strangers():
        yield Finding("payload", str(path), "nothing that the vault put there")
    yield from _unknown(stores, "payload", list(stores.objects.names()))
    yield from _unknown(stores, "header", stores.keys.names(Slot.HEADER))
    for recording, _ in stores.keys.names(Slot.NUMBER):
        with stores.holding(recording):
            there = stores.keys.get(recording, 0, Slot.NUMBER) is not None
            erased = there and _erased(stores, recording)
        if erased:
            yield Finding("number", recording, "there, though the recording was erased")


def _unknown(stores: Stores, where: str, names: list[tuple[str, int]]) -> Iterator[Finding]:
    for recording, segment in names:
        with stores.holding(recording):
            there = _there(stores.keys, stores.objects, where, recording, segment)
            known, erased = stores.sealed(recording, segment), _erased(stores, recording)
        if there and erased:
            yield Finding(where, f"{recording}.{segment}", "there, though the recording was erased")
        elif there and known is None:
            yield Finding(where, f"{recording}.{segment}", "unknown to the ledger")


def _there(keys: Keys, objects: Objects, where: str, recording: str, segment: int) -> bool:
    if where == "payload":
        return segment in objects.segments(recording)
    return keys.get(recording, segment, Slot.HEADER) is not None


def _erased(stores: Stores, recording: str) -> bool:
    return any(entry.kind is Kind.ERASED for entry in stores.ledger.entries(recording=recording))
