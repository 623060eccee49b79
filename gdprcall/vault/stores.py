"""The four stores of a vault together: ledger, keys, index and payloads, and what keeps them in step.

It knows how the index follows the ledger and who may touch a recording now; in which order things are written it
leaves to sealing and erasing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from threading import Lock
from zlib import crc32

from gdprcall.errors import NotFound, VaultError
from gdprcall.times import Clock
from gdprcall.vault.index import Index
from gdprcall.vault.keys import Keys, Slot
from gdprcall.vault.ledger import PAGE, Entry, Kind, Ledger
from gdprcall.vault.objects import Objects
from gdprcall.vault.rows import RecordingRow
from gdprcall.vault.tombstones import Tombstones

STRIPES = 64
SEALS = frozenset({Kind.SEALED, Kind.QUARANTINED})
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stores:
    """The open stores; ``step`` is called with a name between any two durable writes."""

    ledger: Ledger
    keys: Keys
    index: Index
    objects: Objects
    clock: Clock
    random: Callable[[int], bytes]
    step: Step
    tombstones: Tombstones
    # Striped by recording: a lock for each would have to be forgotten again, and forgetting it is a race.
    _locks: tuple[Lock, ...] = field(default_factory=lambda: tuple(Lock() for _ in range(STRIPES)))
    still: Lock = field(default_factory=Lock)
    """Held while headers are replaced, and while ledger and keys are copied: each then has the other's headers."""

    @contextmanager
    def holding(self, *recordings: str) -> Iterator[None]:
        """Let nobody else seal, discard, erase or release ``recordings``; not to be nested."""
        with ExitStack() as held:
            # In one order always, so that two who hold many do not wait for each other.
            for place in sorted({_stripe(recording) for recording in recordings}):
                held.enter_context(self._locks[place])
            yield

    @contextmanager
    def holding_now(self, recording: str) -> Iterator[bool]:
        """The same for one recording, without waiting: whether nobody else has it."""
        lock = self._locks[_stripe(recording)]
        got = lock.acquire(blocking=False)
        try:
            yield got
        finally:
            if got:
                lock.release()

    def catch_up(self) -> None:
        """Bring the index to the end of the ledger; raises VaultError."""
        # Two threads may do this at once: the index takes each entry once, whoever brings it.
        done = self.index.applied()
        while done < self.ledger.size():
            entries = list(islice(self.ledger.entries(after=done), PAGE))
            if not entries:
                raise VaultError("the ledger is shorter than it says", "run: gdprcall audit verify")
            if entries[-1].seq <= done:  # an entry of another number stands in its place: it would go on for ever
                raise VaultError("the ledger is not in order", "run: gdprcall audit verify")
            self.index.apply(entries)
            done = entries[-1].seq

    def recording(self, id_: str) -> RecordingRow:
        """Return one recording; raises NotFound, and VaultError when only the index has lost it."""
        self.catch_up()
        row = self.index.recording(id_)
        if row is not None:
            return row
        entries = list(self.ledger.entries(recording=id_))
        told = [entry.body for entry in entries if entry.kind is Kind.DECISION]
        if told and not any(told) and any(entry.kind is Kind.ERASED for entry in entries):
            raise NotFound(f"recording {id_} was erased, and its consent need no longer be proven", "nothing is left")
        if any(entry.kind in SEALS | {Kind.DECISION} for entry in entries):
            hint = "stop gdprcall and remove index.db: it is made anew from the ledger"
            raise VaultError("the index has lost a recording that the ledger knows", hint)
        raise NotFound(f"there is no recording {id_}", "see: gdprcall recordings list")

    def sealed(self, recording: str, segment: int) -> Entry | None:
        """Return the entry that says that a segment was sealed or quarantined, with the header that it has by now.

        A rewrap replaces the header: its entry then is the ledger's word on it, and ``former`` are those before.
        """
        found: Entry | None = None
        for entry in self.ledger.entries(recording=recording, kinds=SEALS | {Kind.REWRAPPED}):
            body = entry.body
            if body is None or body.get("segment") != segment:
                continue
            if found is None and entry.kind in SEALS:
                found = entry
            elif found is not None and entry.kind is Kind.REWRAPPED and body.get("slot") == Slot.HEADER:
                found = replace(found, body=_rewrapped(found.body or {}, body))
        return found

    def number(self, recording: str) -> Mapping[str, object]:
        """Return the ledger's word on the header of a caller's sealed number: nothing until it is rewrapped.

        A number that was corrected is sealed anew, and what was said of the one before is not said of it.
        """
        word: Mapping[str, object] = {}
        for entry in self.ledger.entries(recording=recording, kinds={Kind.REWRAPPED, Kind.CORRECTED}):
            body = entry.body or {}
            if entry.kind is Kind.CORRECTED and body.get("field") == "number":
                word = {}
            if body.get("slot") == Slot.NUMBER:
                word = _rewrapped(word or {"header_sha256": body.get("was")}, body)
        return word


def _rewrapped(word: Mapping[str, object], body: Mapping[str, object]) -> dict[str, object]:
    former = word.get("former")
    before = [*(former if isinstance(former, list) else []), word.get("header_sha256")]
    new = {name: body.get(name) for name in ("header_sha256", "recipients")}
    return dict(word) | new | {"former": before}


def _stripe(recording: str) -> int:
    """Return the place of a recording's lock: the same in each run, unlike ``hash``, so that no two meet by chance."""
    return crc32(recording.encode()) % STRIPES
