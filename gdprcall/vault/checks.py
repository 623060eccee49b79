"""Looks whether the vault still is what its ledger says: every entry, every header, every payload, and nothing else.

It reads only, mends nothing, and names each thing that is wrong. It may run while the vault is in use.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from gdprcall.errors import VaultError
from gdprcall.vault.binding import check_header, check_number
from gdprcall.vault.entry import goes_with_recording
from gdprcall.vault.index import Index
from gdprcall.vault.keys import Keys, Slot
from gdprcall.vault.ledger import Entry, Kind, Ledger
from gdprcall.vault.objects import Objects
from gdprcall.vault.proof import Finding
from gdprcall.vault.stores import SEALS, Stores

Progress = Callable[[int, int], None]
BACK = "there, though the recording was erased"


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
    yield from place(stores.index, stores.ledger)
    try:
        if not damaged:
            stores.catch_up()
        yield from _segments(stores, progress)
        yield from misplaced(stores)
        yield from unknown(stores)
    except VaultError as error:
        yield Finding("vault", "everything else", f"not checked: {error.message}")


def place(index: Index, ledger: Ledger) -> Iterator[Finding]:
    """Yield whether the index has seen entries that the ledger no longer has."""
    applied, size = index.applied(), ledger.size()
    if applied > size:
        yield Finding("ledger", f"entries {size + 1} to {applied}", "cut off: the index has seen them")


def _segments(stores: Stores, progress: Progress) -> Iterator[Finding]:
    size = stores.ledger.size()
    for entry in stores.ledger.entries():
        yield from follow(stores, entry)
        progress(min(entry.seq, size), size)


def follow(stores: Stores, entry: Entry, *, read: bool = True) -> Iterator[Finding]:
    """Yield what is wrong with that which an entry tells of; see ``_segment``."""
    if entry.kind in SEALS and entry.body is not None:
        # Held, so that nothing is sealed or erased between looking at one part and the next.
        with stores.holding(str(entry.recording)):
            gone = erased(stores, str(entry.recording))
            found = [] if gone else list(_segment(stores, _as_it_is(stores, entry), read=read))
        yield from found
    elif goes_with_recording(entry) and erased(stores, str(entry.recording)):
        yield Finding("ledger", f"entry {entry.seq}", f"who called is {BACK}")


def _as_it_is(stores: Stores, entry: Entry) -> Entry:
    """Return the entry of a seal with the header that the segment has by now."""
    now = stores.sealed(str(entry.recording), int(str((entry.body or {})["segment"])))
    return now if now is not None and now.seq == entry.seq else entry


def _segment(stores: Stores, entry: Entry, *, read: bool) -> Iterator[Finding]:
    """Yield what is wrong with a sealed segment; without ``read`` of the payload only whether it is there, and its size."""
    assert entry.body is not None
    recording, number = str(entry.recording), int(str(entry.body["segment"]))
    name = f"{recording}.{number}"
    problem = check_header(stores.keys.get(recording, number, Slot.HEADER), entry)
    if problem is not None:
        yield Finding("header", name, problem)
    problem = _payload(stores, entry, recording, number, read)
    if problem is not None:
        yield Finding("payload", name, problem)
    known = next((row for row in stores.index.segments(recording) if row.segment == number), None)
    told = (entry.body["payload_sha256"], entry.body["header_sha256"])
    if known is None or (known.payload_sha256, known.header_sha256) != told:
        yield Finding("index", name, "unindexed" if known is None else "not as the ledger says")


def _payload(stores: Stores, entry: Entry, recording: str, number: int, read: bool) -> str | None:
    """Return what is wrong with a payload, or None."""
    assert entry.body is not None
    wanted, sha256 = int(str(entry.body["payload_bytes"])), str(entry.body["payload_sha256"])
    try:
        size = stores.objects.size(recording, number)
        if size is None:
            return "not readable" if stores.objects.is_there(recording, number) else "missing"
        if size == wanted and not read:
            return None
        stored = stores.objects.stored(recording, number)
    except VaultError:
        return "not readable"
    if stored is None:
        return "missing"
    if stored.sha256 == sha256:
        return None
    other = stores.index.segment_of(stored.sha256)
    if other is not None:
        return f"that of {other[0]}.{other[1]}"
    if stored.size != wanted:
        return (
            f"truncated by {wanted - stored.size} bytes"
            if stored.size < wanted
            else f"{stored.size - wanted} bytes too long"
        )
    return "not the one that was sealed"


def misplaced(stores: Stores) -> Iterator[Finding]:
    """Yield what lies among the payloads and is none, and what a rewrap that was cut off left."""
    for path in stores.objects.strangers():
        yield Finding("payload", str(path), "nothing that the vault put there")
    with stores.still:
        left = stores.keys.staged()
    if left is not None:
        yield Finding("header", "keys.db", "a rewrap was cut off: it is finished when the vault is opened next")


def unknown(stores: Stores, shard: str = "") -> Iterator[Finding]:
    """Yield payloads, headers and numbers that the ledger knows nothing of, or knows to be erased.

    Those alone whose recording begins with ``shard``: two hex digits, or nothing for all.
    """
    yield from _unknown(stores, "payload", list(stores.objects.names(shard or "??")))
    for recording, number in stores.objects.growing_names(shard or "??"):
        with stores.holding(recording):
            there = stores.objects.grows(recording, number)
            back, known = erased(stores, recording), _is_known(stores, recording)
        if there and (back or not known):
            yield Finding("payload", f"{recording}.{number}", BACK if back else "unknown to the ledger")
    yield from _unknown(stores, "header", stores.keys.names(Slot.HEADER, shard))
    for recording, _ in stores.keys.names(Slot.NUMBER, shard):
        with stores.holding(recording):
            problem = _number(stores, recording)
        if problem is not None:
            yield Finding("number", recording, problem)


def _number(stores: Stores, recording: str) -> str | None:
    """Return what is wrong with a sealed number; of one that was never rewrapped only that it is there no more."""
    number, word = stores.keys.get(recording, 0, Slot.NUMBER), stores.number(recording)
    if number is None:
        return None
    if erased(stores, recording):
        return BACK
    row = stores.index.recording(recording)
    return check_number(number, recording, row.controller, word) if word and row is not None else None


def _unknown(stores: Stores, where: str, names: list[tuple[str, int]]) -> Iterator[Finding]:
    for recording, number in names:
        with stores.holding(recording):
            there = _there(stores.keys, stores.objects, where, recording, number)
            known, back = stores.sealed(recording, number), erased(stores, recording)
            # The header of a call that goes on, or of one that was cut off and is put away when that is known.
            grows = where == "header" and stores.objects.grows(recording, number) and _is_known(stores, recording)
        if there and back:
            yield Finding(where, f"{recording}.{number}", BACK)
        elif there and known is None and not grows:
            yield Finding(where, f"{recording}.{number}", "unknown to the ledger")


def _is_known(stores: Stores, recording: str) -> bool:
    return any(True for _ in stores.ledger.entries(recording=recording))


def _there(keys: Keys, objects: Objects, where: str, recording: str, number: int) -> bool:
    if where == "payload":
        return objects.is_there(recording, number)
    return keys.get(recording, number, Slot.HEADER) is not None


def erased(stores: Stores, recording: str) -> bool:
    """Whether the ledger says that a recording was erased."""
    return any(entry.kind is Kind.ERASED for entry in stores.ledger.entries(recording=recording))
