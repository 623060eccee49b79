"""The vault as one thing, and the only module that knows in which order its parts are written.

Whatever it is killed in the middle of, the next ``open`` finishes or undoes. It cannot open what it seals.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import NotFound, Refused, VaultError
from gdprcall.times import DAY_MS, Clock, now_ms
from gdprcall.vault import wav
from gdprcall.vault.binding import NUMBER, binding_stanza, check_header
from gdprcall.vault.index import Index
from gdprcall.vault.keys import Keys, Slot, fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind, Ledger
from gdprcall.vault.objects import HashingSink, Objects, sync_folder
from gdprcall.vault.rows import DecisionRow, Export, Receipt, RecordingRow, SegmentFacts, SegmentRow, Wanted

COPY_BYTES = 256 * 1024
Step = Callable[[str], None]


class Vault:
    """The vault folder under its exclusive lock."""

    def __init__(self, folder: Path, *, clock: Clock, random: Callable[[int], bytes], step: Step) -> None:
        self.folder = folder
        self._clock = clock
        self._random = random
        self._step = step
        self._catching_up = Lock()
        # Striped by recording: sealing, erasing and releasing one recording exclude each other.
        self._locks = [Lock() for _ in range(64)]
        self._lock = _exclusive(folder)
        self.ledger = Ledger(folder / "ledger.db", clock=clock, random=random)
        self.keys = Keys(folder / "keys.db")
        self.index = Index(folder / "index.db")
        self.objects = Objects(folder / "objects")
        self.catch_up()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        clock: Clock = now_ms,
        random: Callable[[int], bytes] = os.urandom,
        step: Step = lambda _name: None,
    ) -> "Vault":
        """Open the vault, making the folder if it is not there; raises VaultError, also when another has it open.

        ``step`` is called with a name between any two durable writes: the place where tests pull the plug.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise VaultError(f"{folder} cannot be made: {error.strerror}", "check the path and its owner") from error
        return cls(folder, clock=clock, random=random, step=step)

    def close(self) -> None:
        """Close everything and let go of the lock."""
        self.ledger.close()
        self.keys.close()
        self.index.close()
        os.close(self._lock)

    def submit(self, fact: Fact) -> Future[Entry]:
        """Queue a fact for the ledger; see ``Ledger.submit``."""
        return self.ledger.submit(fact)

    def note(self, fact: Fact) -> Entry:
        """Return the entry of a fact once it is durable."""
        return self.ledger.append(fact)

    def keep_number(self, recording: str, controller: str, number: str, recipients: Sequence[str]) -> None:
        """Seal a caller's number beside the recording's header, durably; raises VaultError."""
        file_key, out = self._random(age.FILE_KEY_BYTES), BytesIO()
        binding = binding_stanza(recording, controller, NUMBER)
        out.write(age.make_header(file_key, _parsed(recipients), (binding,), random=self._random))
        nonce = self._random(age.NONCE_BYTES)
        age.encrypt_payload(file_key, BytesIO(number.encode()), out, nonce=nonce)
        self.keys.put(recording, 0, Slot.NUMBER, out.getvalue())

    def seal(self, source: Path, segment: SegmentFacts) -> Entry:
        """Seal a finished sound file and remove it: header, payload, ledger, index, and only then the plaintext.

        A file that was sealed already (a crash came before its removal) is only removed. Raises VaultError; the
        plaintext then is still there.
        """
        with self._lock_of(segment.recording):
            return self._seal(source, segment, Kind.SEALED, {})

    def quarantine(self, source: Path, segment: SegmentFacts, reason: str) -> Entry:
        """Seal a sound file that no decision explains, in the same order."""
        with self._lock_of(segment.recording):
            return self._seal(source, segment, Kind.QUARANTINED, {"reason": reason})

    def discard(self, source: Path, recording: str, segment: int, controller: str | None, reason: str) -> Entry:
        """Destroy a sound file unsealed; the ledger knows it first; raises VaultError when it is still there."""
        with self._lock_of(recording):
            entry = self.note(Fact(Kind.DISCARDED, recording, controller, {"segment": segment, "reason": reason}))
            self._step("discard noted")
            _unlink(source)
            self.catch_up()
            return entry

    def erase(self, recording: str, *, reason: str, actor: str) -> Receipt:
        """Destroy a recording: its header first, so that no copy of the payload anywhere opens again.

        Idempotent; raises NotFound for an unknown recording and VaultError when a step could not be verified.
        """
        with self._lock_of(recording):
            row = self.recording(recording)
            if row.state == "erased":
                return self._receipt_of(recording)
            intent = {"reason": reason, "actor": actor}
            self.note(Fact(Kind.ERASURE_INTENDED, recording, row.controller, intent))
            self._step("erasure intended")
            return self._carry_out(row, reason, actor)

    def finish_erasures(self) -> list[Receipt]:
        """Finish what a crash interrupted; called once at start, before anything is served."""
        intended: dict[str, Entry] = {}
        for entry in self.ledger.entries():
            if entry.recording is not None and entry.kind is Kind.ERASURE_INTENDED:
                intended[entry.recording] = entry
            elif entry.recording is not None and entry.kind is Kind.ERASED:
                intended.pop(entry.recording, None)
        return [
            self._carry_out(self.recording(recording), str((entry.body or {}).get("reason", "")), "gdprcall")
            for recording, entry in intended.items()
        ]

    def export(self, recording: str, segment: int, *, actor: str, purpose: str) -> Export:
        """Release the header of a segment: the logged access. Raises NotFound, Refused or VaultError."""
        with self._lock_of(recording):
            return self._export(recording, segment, actor, purpose)

    def _export(self, recording: str, segment: int, actor: str, purpose: str) -> Export:
        row = self.recording(recording)
        if row.state == "erased":
            raise Refused(f"recording {recording} was erased", "its receipt: gdprcall recordings show " + recording)
        known = next((known for known in self.index.segments(recording) if known.segment == segment), None)
        header = self.keys.get(recording, segment, Slot.HEADER)
        if known is None or header is None:
            raise NotFound(f"recording {recording} has no sealed segment {segment}", f"its state is {row.state}")
        problem = check_header(header, known, row.controller)
        if problem is None and self.objects.sha256(recording, segment) != known.payload_sha256:
            problem = "its payload is not the one that was sealed"
        if problem is not None:
            raise VaultError(
                f"segment {segment} of recording {recording} is not served: {problem}", "run: gdprcall audit verify"
            )
        body = {"segment": segment, "actor": actor, "purpose": purpose, "header_sha256": known.header_sha256}
        self.note(Fact(Kind.RELEASED, recording, row.controller, body))
        return Export(recording, segment, header, self.objects.path(recording, segment))

    def catch_up(self) -> None:
        """Bring the index to the end of the ledger."""
        with self._catching_up:
            done = self.index.applied()
            while done < self.ledger.size():
                entries = []
                for entry in self.ledger.entries(after=done):
                    entries.append(entry)
                    if len(entries) == 1000:
                        break
                if not entries:
                    raise VaultError("the ledger is shorter than it says", "run: gdprcall audit verify")
                self.index.apply(entries)
                done = entries[-1].seq

    def recording(self, id_: str) -> RecordingRow:
        """Return one recording; raises NotFound."""
        self.catch_up()
        row = self.index.recording(id_)
        if row is None:
            raise NotFound(f"there is no recording {id_}", "see: gdprcall recordings list")
        return row

    def recordings(self, wanted: Wanted | None = None) -> list[RecordingRow]:
        """Return recordings, the newest first."""
        self.catch_up()
        return self.index.recordings(wanted or Wanted())

    def unfinished(self) -> list[RecordingRow]:
        """Return the granted recordings of which nothing was sealed, discarded or noted as not started yet."""
        return self.recordings(Wanted(state="recording", limit=100_000))

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

    def due(self, now: int) -> list[RecordingRow]:
        """Return the recordings whose retention has ended by ``now``."""
        self.catch_up()
        return self.index.due(now)

    def ledger_is_whole(self) -> bool:
        """Whether every entry of the ledger is as it was written."""
        return next(self.ledger.verify(), None) is None

    def _seal(self, source: Path, facts: SegmentFacts, kind: Kind, more: dict[str, object]) -> Entry:
        before = self._sealed_entry(facts.recording, facts.segment)
        if before is None:
            row = self.index.recording(facts.recording)
            if row is not None and row.state == "erased":
                raise VaultError("the recording was erased, so nothing is sealed under it any more")
            self.objects.remove(facts.recording, facts.segment)
            body = self._store(source, facts)
            self._step("payload stored")
            before = self.note(Fact(kind, facts.recording, facts.controller, body | more))
            self._step("sealed")
            self.catch_up()
            self._step("indexed")
        _unlink(source)
        return before

    def _lock_of(self, recording: str) -> Lock:
        return self._locks[int(recording[:8], 16) % len(self._locks)]

    def _sealed_entry(self, recording: str, segment: int) -> Entry | None:
        for entry in self.ledger.entries(recording=recording):
            if entry.kind in {Kind.SEALED, Kind.QUARANTINED} and (entry.body or {}).get("segment") == segment:
                return entry
        return None

    def _store(self, source: Path, facts: SegmentFacts) -> dict[str, object]:
        file_key = self._random(age.FILE_KEY_BYTES)
        binding = binding_stanza(facts.recording, facts.controller, str(facts.segment))
        header = age.make_header(file_key, _parsed(facts.recipients), (binding,), random=self._random)
        try:
            with source.open("rb") as file:
                sound = wav.examine(file.read(wav.HEADER_BYTES), os.fstat(file.fileno()).st_size)
                self.keys.put(facts.recording, facts.segment, Slot.HEADER, header)
                self._step("header stored")
                stored = self.objects.write(
                    facts.recording, facts.segment, lambda sink: self._encrypt(file_key, sound.header, file, sink)
                )
        except OSError as error:
            raise VaultError(f"a sound file cannot be read: {error.strerror}", "check the spool") from error
        return {
            "segment": facts.segment,
            "payload_sha256": stored.sha256,
            "payload_bytes": stored.size,
            "header_sha256": hashlib.sha256(header).hexdigest(),
            "recipients": [fingerprint(recipient) for recipient in facts.recipients],
            "seconds": sound.seconds,
            "repaired": sound.repaired,
            "started_at": facts.started_at,
            "closed_at": facts.closed_at,
            "expires_at": facts.closed_at + facts.retention_days * DAY_MS,
            "plaintext_ms": max(0, self._clock() - facts.closed_at),
        }

    def _encrypt(self, file_key: bytes, head: bytes, file: BinaryIO, sink: HashingSink) -> None:
        writer = age.PayloadWriter(file_key, self._random(age.NONCE_BYTES), sink)
        writer.write(head)
        while data := file.read(COPY_BYTES):
            writer.write(data)
        writer.finish()

    def _carry_out(self, row: RecordingRow, reason: str, actor: str) -> Receipt:
        steps: list[tuple[str, str]] = [("intent", "durable in the ledger")]
        shredded = self.keys.destroy(row.id)
        self._step("header overwritten")
        steps.append(("header", f"{shredded.slots} slots overwritten, log cut, old bytes not found in keys.db"))
        segments = {segment for name, segment in self.objects.names() if name == row.id}
        for segment in sorted(segments):
            self.objects.remove(row.id, segment)
            self._step("payload removed")
        steps.append(("payload", f"{len(segments)} files removed, folder synchronised"))
        receipt = Receipt(row.id, reason, actor, tuple(steps))
        self.note(Fact(Kind.ERASED, row.id, row.controller, receipt.as_json()))
        self._step("erased")
        self.catch_up()
        self.index.truncate_log()
        return receipt

    def _receipt_of(self, recording: str) -> Receipt:
        for entry in self.ledger.entries(recording=recording):
            if entry.kind is Kind.ERASED and entry.body is not None:
                steps = entry.body["steps"]
                assert isinstance(steps, list)
                pairs = tuple((str(step["step"]), str(step["seen"])) for step in steps)
                return Receipt(recording, str(entry.body["reason"]), str(entry.body["actor"]), pairs)
        raise VaultError(f"the receipt of recording {recording} is missing", "run: gdprcall audit verify")


def _parsed(recipients: Sequence[str]) -> list[age.X25519Recipient]:
    try:
        parsed = [age.X25519Recipient.parse(recipient) for recipient in recipients]
    except age.BadRecipient as error:
        raise VaultError(f"a recipient cannot be used: {error}", "mend the controller's recipients") from error
    if not parsed:
        raise VaultError("the controller has no recipient, so nothing can be sealed", "add one to its configuration")
    return parsed


def _unlink(source: Path) -> None:
    try:
        source.unlink(missing_ok=True)
        if source.parent.is_dir():
            sync_folder(source.parent)
    except OSError as error:
        raise VaultError(
            f"a sound file could not be removed: {error.strerror}", "check the spool's owner and modes"
        ) from error


def _exclusive(folder: Path) -> int:
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise VaultError(
            f"{folder} cannot be used: {error.strerror}", "run as the user gdprcall, or mend the modes"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise VaultError(
            f"the vault {folder} is in use by another gdprcall", "stop it, or talk to it: gdprcall status"
        ) from error
    return descriptor
