"""The vault as one thing: opened by one process at a time, whole again after any crash, and asked from any thread.

It cannot open what it seals. In which order a recording is sealed and destroyed stands in ``sealing`` and ``erasing``.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path
from types import TracebackType

from gdprcall import age
from gdprcall.errors import GdprcallError, NotFound, Refused, VaultError
from gdprcall.times import Clock, now_ms
from gdprcall.vault import checks, erasing, incomplete, sealing
from gdprcall.vault.beginning import begin
from gdprcall.vault.binding import NUMBER, binding_stanza, bound_header
from gdprcall.vault.growing import Growing, Recipients
from gdprcall.vault.index import Index
from gdprcall.vault.keys import Keys, Slot
from gdprcall.vault.ledger import Entry, Fact, Kind, Ledger
from gdprcall.vault.lock import exclusive, settle
from gdprcall.vault.objects import Objects
from gdprcall.vault.proof import Finding
from gdprcall.vault.rows import DecisionRow, Export, Receipt, RecordingRow, SegmentFacts, SegmentRow, Wanted
from gdprcall.vault.shortening import Shortening
from gdprcall.vault.sound import Source
from gdprcall.vault.stores import Step, Stores
from gdprcall.vault.tombstones import Tombstones

CLAIMS = "claims"
BUSY_SECONDS = 0.25
"""How soon a growing file is looked at again whose recording somebody else has."""


class Vault:
    """The vault folder under its exclusive lock."""

    def __init__(self, folder: Path, stores: Stores, growing: Growing, closing: ExitStack) -> None:
        self.folder = folder
        self.stores = stores
        self.growing = growing
        self.ledger, self.keys, self.index, self.objects = stores.ledger, stores.keys, stores.index, stores.objects
        self._closing = closing
        self.know_marks()

    def know_marks(self) -> None:
        """Read anew who is never to be recorded: a call that comes is not kept waiting for the index."""
        self.never = self.index.marks()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        clock: Clock = now_ms,
        random: Callable[[int], bytes] = os.urandom,
        step: Step = lambda _name: None,
        tombstones: Tombstones | None = None,
        memory: Path | None = None,
    ) -> "Vault":
        """Open the vault, making the folder if it is not there; raises VaultError, also when another has it open.

        ``step`` is called with a name between any two durable writes: the place where tests pull the plug.
        ``tombstones`` says where they leave this host; ``memory`` where the keys of running calls are kept.
        """
        with ExitStack() as opened:
            opened.callback(os.close, exclusive(folder))
            settle(folder)
            ledger = opened.enter_context(closing(Ledger(folder / "ledger.db", clock=clock, random=random)))
            keys = opened.enter_context(closing(Keys(folder / "keys.db")))
            index = opened.enter_context(closing(Index(folder / "index.db")))
            opened.callback(Shortening((ledger, keys, index)).close)
            objects, drop = Objects(folder / "objects"), tombstones or Tombstones()
            stores = Stores(ledger, keys, index, objects, clock, random, step, drop)
            growing = opened.enter_context(closing(Growing(stores, memory)))
            begin(stores)
            return cls(folder, stores, growing, opened.pop_all())

    def close(self) -> None:
        """Write what waits, close everything and let go of the lock; again does nothing."""
        self._closing.close()

    def __enter__(self) -> "Vault":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, *facts: Fact, urgent: bool = True) -> Future[Entry]:
        """Queue facts for the ledger; see ``Ledger.submit``."""
        return self.ledger.submit(*facts, urgent=urgent)

    def note(self, fact: Fact) -> Entry:
        """Return the entry of a fact once it is durable; raises VaultError."""
        return self.ledger.append(fact)

    def keep_number(self, recording: str, controller: str, number: str, recipients: Sequence[str]) -> None:
        """Seal a caller's number beside the recording's header, durably on return; raises VaultError."""
        random, out = self.stores.random, BytesIO()
        file_key = random(age.FILE_KEY_BYTES)
        out.write(bound_header(file_key, recipients, binding_stanza(recording, controller, NUMBER), random))
        age.encrypt_payload(file_key, BytesIO(number.encode()), out, nonce=random(age.NONCE_BYTES))
        self.keys.put(recording, 0, Slot.NUMBER, out.getvalue())

    def sealed_number(self, recording: str) -> bytes | None:
        """Return the caller's number as a whole age file for the controller, or None if there is none (any more)."""
        return self.keys.get(recording, 0, Slot.NUMBER)

    def drop_number(self, recording: str) -> None:
        """Destroy a caller's sealed number alone: the grant it was kept for came to nothing; raises VaultError."""
        with self.stores.holding(recording):
            self.keys.destroy(recording, 0)

    def seal(self, source: Source, segment: SegmentFacts) -> Entry:
        """Seal a finished sound file and remove it: header, payload, ledger, index, and only then the plaintext.

        A file that was sealed already (a crash came before its removal) is only removed: the entry returned is the
        earlier one, and another tells of the removal. Raises NotFound without a decision, Refused when it was
        withdrawn or erased, wav.NotAWav, wav.EmptyWav, VaultError; the plaintext then is still there.
        """
        with self.stores.holding(segment.recording):
            return sealing.seal(self.stores, self.growing, source, segment)

    def quarantine(self, source: Source, segment: SegmentFacts, reason: str) -> Entry:
        """Seal a file that is no sound or has no decision, in the same order; raises VaultError."""
        with self.stores.holding(segment.recording):
            return sealing.quarantine(self.stores, self.growing, source, segment, reason)

    def discard(self, source: Source, recording: str, segment: int, controller: str | None, reason: str) -> Entry:
        """Destroy a sound file unsealed; the ledger knows it first, and only once.

        Raises NotFound when there never was such a file, VaultError when it is still there.
        """
        with self.stores.holding(recording):
            fact = Fact(Kind.DISCARDED, recording, controller, {"segment": segment, "reason": reason})
            try:
                return sealing.discard(self.stores, source, fact)
            finally:  # a key that cannot be removed keeps no plaintext
                self.growing.over(recording, segment)

    def advance(self, source: Path, recording: str, segment: int, recipients: Recipients) -> float | None:
        """Seal what is full of a sound file that still grows; see ``Growing.advance``.

        Returns soon, having done nothing, when somebody else has the recording.
        """
        with self.stores.holding_now(recording) as ours:
            return self.growing.advance(source, recording, segment, recipients) if ours else BUSY_SECONDS

    def forget_keys(self, recording: str) -> None:
        """Forget the file keys of a recording that is wanted gone, before anything else; raises VaultError."""
        with self.stores.holding(recording):
            for error in self.growing.forget([recording]).values():
                raise error

    def left_growing(self) -> set[tuple[str, int]]:
        """Return recording and segment of everything that is being sealed while it grows, or was left so."""
        return {*self.objects.growing_names(), *self.growing.kept()}

    def grew_until(self, recording: str, segment: int) -> int | None:
        """Return when a payload grew last, in milliseconds; None if none was left growing."""
        return self.objects.grew_until(recording, segment)

    def put_away(self, segment: SegmentFacts) -> Entry | None:
        """Quarantine what was sealed of a sound that is gone; see ``incomplete.put_away``."""
        with self.stores.holding(segment.recording):
            self.growing.over(segment.recording, segment.segment)
            return incomplete.put_away(self.stores, segment)

    def erase(self, recording: str, *, reason: str, actor: str, regardless: bool = False) -> Receipt:
        """Destroy a recording: its header first, so that no copy of the payload anywhere opens again.

        Idempotent: an erased one gives its receipt again. Raises NotFound for an unknown recording, StillKept for what is held or
        restricted, unless it is destroyed ``regardless``, and VaultError when a step could not be carried out: it is then
        tried again at the next start, or by another call.
        """
        outcome = self.erase_all([recording], reason=reason, actor=actor, regardless=regardless)[recording]
        if isinstance(outcome, GdprcallError):
            raise outcome
        return outcome

    def erase_all(
        self, recordings: Sequence[str], *, reason: str, actor: str, regardless: bool = False
    ) -> dict[str, erasing.Outcome]:
        """Destroy many recordings with one search for what was overwritten; one that fails stops no other."""
        with self.stores.holding(*recordings):
            kept = self.growing.forget(set(recordings))
            rest = [recording for recording in recordings if recording not in kept]
            return erasing.erase(self.stores, rest, reason=reason, actor=actor, regardless=regardless) | kept

    def finish_erasures(self) -> list[Receipt]:
        """Erase what was withdrawn or was being erased when a crash came; called at start, before anything is served.

        Raises VaultError after all others were finished, when one could not be.
        """
        self.catch_up()
        waiting: dict[str, list[str]] = {}
        for row in self.index.unerased():
            waiting.setdefault(self._why(row), []).append(row.id)
        outcomes = [
            outcome
            for why, ids in waiting.items()
            for outcome in self.erase_all(ids, reason=why, actor="gdprcall").values()
        ]
        failed = [outcome for outcome in outcomes if isinstance(outcome, GdprcallError)]
        if failed:
            raise VaultError(f"{len(failed)} erasures could not be finished: {failed[0].message}", failed[0].hint)
        return [outcome for outcome in outcomes if isinstance(outcome, Receipt)]

    def export(
        self, recording: str, segment: int, *, actor: str, purpose: str, noted: Mapping[str, str] | None = None
    ) -> Export:
        """Release the header of a segment: the logged access, told with ``noted``; header and payload are those sealed.

        Raises NotFound, Refused for what is withdrawn or erased, and CheckFailed for what is not as it was sealed.
        """
        with self.stores.holding(recording):
            row = self.recording(recording)
            # What is held for a claim although its consent was withdrawn is of use for that claim alone (Art. 17(3)(e)).
            if row.state == "erased" or row.erasing or (row.withdrawn and not (row.held and purpose == CLAIMS)):
                raise Refused(f"recording {recording} was withdrawn or erased", "see: gdprcall recordings show")
            entry = self.stores.sealed(recording, segment)
            if entry is None or entry.body is None:
                raise NotFound(f"recording {recording} has no sealed segment {segment}", f"its state is {row.state}")
            header = sealing.as_sealed(self.stores, entry, recording, segment)
            body = {**(noted or {}), "segment": segment, "actor": actor, "purpose": purpose}
            body["header_sha256"] = entry.body["header_sha256"]
            self.note(Fact(Kind.RELEASED, recording, row.controller, body))
            return Export(recording, segment, header, self.objects.path(recording, segment))

    def check(self, recording: str, segment: int) -> None:
        """Read a sealed segment whole; raises CheckFailed unless it is what the ledger says, NotFound without one."""
        with self.stores.holding(recording):
            entry = self.stores.sealed(recording, segment)
            if entry is None:
                raise NotFound(f"recording {recording} has no sealed segment {segment}", sealing.VERIFY_HINT)
            sealing.as_sealed(self.stores, entry, recording, segment)

    def verify(self, progress: checks.Progress = lambda _done, _all: None) -> Iterator[Finding]:
        """Yield everything in the vault that is not as the ledger says; see ``checks.verify``."""
        return checks.verify(self, progress)

    def catch_up(self) -> None:
        """Bring the index to the end of the ledger; raises VaultError."""
        self.stores.catch_up()

    def recording(self, id_: str) -> RecordingRow:
        """Return one recording; raises NotFound, and VaultError when only the index has lost it."""
        return self.stores.recording(id_)

    def recordings(self, wanted: Wanted | None = None) -> list[RecordingRow]:
        """Return recordings, the newest first."""
        self.catch_up()
        return self.index.recordings(wanted or Wanted())

    def count(self, state: str) -> int:
        """Return how many recordings are in a state."""
        self.catch_up()
        return self.index.count(state)

    def unfinished(self) -> list[RecordingRow]:
        """Return the granted recordings of which nothing more is known, and nobody wants them gone."""
        self.catch_up()
        return self.index.unfinished(self.stores.clock())

    def decision(self, id_: str) -> DecisionRow:
        """Return one decision; raises NotFound."""
        self.catch_up()
        row = self.index.decision(id_)
        if row is None:
            raise NotFound(f"there is no decision {id_}", "see: gdprcall decisions list")
        return row

    def decisions(self, wanted: Wanted | None = None) -> list[DecisionRow]:
        """Return decisions, the newest first."""
        self.catch_up()
        return self.index.decisions(wanted or Wanted())

    def segments(self, recording: str) -> list[SegmentRow]:
        """Return the sealed segments of a recording."""
        self.catch_up()
        return self.index.segments(recording)

    def overheard(self, recording: str, segment: int) -> bool:
        """Whether it is noted that somebody who was not asked can be heard in a segment."""
        told = self.ledger.entries(recording=recording, kinds={Kind.OVERHEARD})
        return any((entry.body or {}).get("segment") == segment for entry in told)

    def ledger_is_whole(self) -> bool:
        """Whether every entry of the ledger is as it was written."""
        return self.ledger.trusted() and next(self.ledger.verify(), None) is None

    def _why(self, row: RecordingRow) -> str:
        intents = [e for e in self.ledger.entries(recording=row.id) if e.kind is Kind.ERASURE_INTENDED]
        return str((intents[-1].body or {}).get("reason", "")) if intents else "withdrawn"
