"""Takes finished sound files out of the spool: each is sealed under its decision, or destroyed, and never left lying.

It never reads sound into the log, never seals what was withdrawn, and never destroys what it could not seal.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from gdprcall import leftovers, told
from gdprcall.backlog import Backlog
from gdprcall.errors import GdprcallError, NotFound, PeerError, VaultError
from gdprcall.log import get_logger
from gdprcall.policy.model import OBJECTED_TO
from gdprcall.vault.growing import OPEN_STATES
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.rows import RecordingRow, SegmentFacts
from gdprcall.vault.sound import stats
from gdprcall.vault.wav import EMPTY_WAV_BYTES
from gdprcall.work import UNSEALED, Found, Work, source

AT_ONCE = 4
"""How many files are sealed side by side: each waits for the disk several times, and their notes share one fsync."""
UNACKNOWLEDGED = leftovers.UNACKNOWLEDGED
SEE = "see the spool and the vault with: gdprcall doctor"
SWEEP_SECONDS = 60
"""How often the spool is looked through for files that no event told of."""


class Intake:
    """The way of finished files; a lock for each recording keeps sealing and withdrawal apart."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._log = get_logger()
        # Striped: a lock per recording would have to be forgotten again, and forgetting it is a race.
        self._locks = [asyncio.Lock() for _ in range(64)]
        self._queue: asyncio.Queue[Found] = asyncio.Queue()
        self._created: dict[str, int] = {}
        self._backlog = Backlog()
        self._failing: dict[str, str] = {}
        self._heard: set[tuple[str, int]] = set()
        self.ledger_damaged = False
        self.last_seal_ms: int | None = None
        self.last_sweep_ms: int | None = None

    @property
    def waiting(self) -> int:
        """How many finished files could not be sealed or destroyed; above 0 nothing new may be recorded."""
        return len(self._failing)

    @property
    def behind(self) -> bool:
        """Whether finished files wait too long for their turn; see ``Backlog.behind``."""
        return self._backlog.behind

    @property
    def idle(self) -> bool:
        """Whether no file waits or is being worked on."""
        return self._queue.empty() and not any(lock.locked() for lock in self._locks)

    def created(self, file: Found) -> None:
        """Remember when Asterisk opened ``file``: the earliest moment that can be heard in it."""
        self._created[file.path.name] = self._work.clock()
        self._work.follow(file)

    def closed(self, file: Found) -> None:
        """Queue a file that Asterisk has closed."""
        self._work.leave(file)
        self._backlog.add(file.path.name)
        self._queue.put_nowait(file)

    async def run(self) -> None:
        """Take closed files as they come, a few at a time, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._work_off())

    async def _work_off(self) -> None:
        while True:
            file = await self._queue.get()
            await self.take(file)
            self._backlog.done(file.path.name)

    async def take(self, file: Found) -> None:
        """Seal or destroy one finished file; what fails stays in the spool, is named, and blocks new recordings."""
        async with self._lock(file.recording):
            try:
                await self._dispose(file)
            except Exception as error:  # noqa: BLE001 # whatever it was: one file must not take the others down
                self._failing[file.path.name] = type(error).__name__
                hint = error.hint if isinstance(error, GdprcallError) else SEE
                self._log.error(
                    "seal_failed", recording=file.recording, segment=file.segment, error=type(error).__name__, hint=hint
                )
            else:
                self._failing.pop(file.path.name, None)
                self._created.pop(file.path.name, None)

    async def sweep(self) -> None:
        """Take every file of the spool whose call is over, and close the books of recordings that never came.

        Does nothing while it is not known which calls live: a file that Asterisk still writes is not ours.
        """
        live = self._work.live()
        if live is None:
            return
        for file in self._work.files():
            # What failed before had been closed, even if its call goes on.
            if file.recording not in live or file.path.name in self._failing:
                self._work.leave(file)
                await self.take(file)
            elif file.path.name not in self._backlog:
                self._work.follow(file)  # a call that another daemon began, or of which no event told
        # What somebody else took away no longer stands in the way.
        there = {file.path.name for file in self._work.files()}
        for known in (self._failing, self._created):
            for name in known.keys() - there:
                del known[name]
        for recording, segment in await asyncio.to_thread(self._work.vault.left_growing):
            async with self._lock(recording):
                await leftovers.put_away(self._work, recording, segment)
        for row in await asyncio.to_thread(self._work.vault.unfinished):
            async with self._lock(row.id):
                await self._close_books(row.id)
        self.last_sweep_ms = self._work.clock()

    async def withdraw(self, recording: str, method: str, reason: str = "") -> None:
        """Make a withdrawal durable, destroy what was recorded, and forget Asterisk's mark; idempotent.

        Without a ``reason`` it is the caller's: a withdrawal or, where nobody was asked, an objection. Raises GdprcallError when the withdrawal is not durable or something of the recording is left.
        """
        async with self._lock(recording):
            await self._withdraw(recording, method, reason)

    async def erase(self, recording: str) -> None:
        """Destroy what was recorded under a withdrawn decision; the withdrawal itself is noted already."""
        async with self._lock(recording):
            await self._erase(recording)

    async def overheard(self, recording: str, segment: int) -> None:
        """Destroy a segment in which somebody can be heard who was not asked: as it comes, or, sealed, with its recording."""
        self._heard.add((recording, segment))  # holds even if it cannot be noted
        self._log.error("overheard", recording=recording, segment=segment)
        try:
            async with self._lock(recording):
                await asyncio.to_thread(leftovers.keep_from_sealing, self._work, recording, segment)
        except GdprcallError as error:
            self._log.error("overheard_failed", recording=recording, segment=segment, hint=error.hint)

    async def _close_books(self, recording: str) -> None:
        # Looked at again under its lock: since it was listed, its call may have ended and its file been sealed.
        live = self._work.live()
        if live is None or recording in live or any(file.recording == recording for file in self._work.files()):
            return
        row = await asyncio.to_thread(self._work.vault.recording, recording)
        if row.state in OPEN_STATES and not (row.erasing or row.withdrawn):
            await self._note(Kind.NOT_STARTED, row, {"reason": "no_file"})
            self._log.error("recording_missing", recording=row.id, controller=row.controller, line=row.line)

    async def _dispose(self, file: Found) -> None:
        if await self._marked(file.recording):
            await self._withdraw(file.recording, "key")
            return
        # Looked at and sealed in one go: each change of threads costs more than a look.
        row, outcome = await asyncio.to_thread(self._seal_if_granted, file)
        if isinstance(outcome, Entry):
            self.last_seal_ms = self._work.clock()
            told.sealed(file.recording, file.segment, outcome)
        elif outcome == "no_decision":
            await self._without_decision(file)
        elif row is not None and outcome == "unattended":
            if file.recording not in (self._work.live() or ()):  # else whoever saw who answered has told
                self._log.error("agent_unready", recording=file.recording, line=row.line, reason="agent_not_seen")
            await self._withdraw(file.recording, "agent_not_seen", UNACKNOWLEDGED)
        elif row is not None and outcome == "no_wav":
            # A granted recording that cannot be understood is kept, sealed, for a person to look at.
            self._log.error("quarantined", recording=file.recording, segment=file.segment, hint="export and open it")
            await asyncio.to_thread(self._quarantine, file, row.controller, row.retention_days, outcome)
        elif row is not None and outcome != "gone":
            await self._discard(file, row.controller, outcome)
            return
        if row is not None and await self._marked(file.recording):
            await self._withdraw(file.recording, "key")

    def _seal_if_granted(self, file: Found) -> tuple[RecordingRow | None, Entry | str]:
        """Seal a file if that may be; return what is known of its recording, and the entry or why there is none."""
        row = None
        try:
            longest = max(one.st_size for one in stats(source(file)))
            row = self._work.vault.recording(file.recording)
            if row.state == "erased" or row.withdrawn:
                return row, "withdrawn"
            if longest <= EMPTY_WAV_BYTES:
                return row, "empty"
            if self._work.unattended(row):
                return row, "unattended"
            segment = (file.recording, file.segment)
            if segment in self._heard or self._work.vault.overheard(*segment):
                return row, "overheard"
            return row, self._work.vault.seal(source(file), self._facts(file, row.controller, row.retention_days))
        except tuple(UNSEALED) as error:
            return row, UNSEALED[type(error)]

    def _quarantine(self, file: Found, controller: str, retention_days: int, why: str) -> None:
        # A clock of its own, and never longer than the recording that it would have been.
        days = min(self._work.quarantine_days, retention_days)
        self._work.vault.quarantine(source(file), self._facts(file, controller, days), why)

    def _facts(self, file: Found, controller: str, retention_days: int) -> SegmentFacts:
        closed_at = round(max(one.st_mtime for one in stats(source(file))) * 1000)
        return SegmentFacts(
            recording=file.recording,
            segment=file.segment,
            controller=controller,
            recipients=self._work.recipients(controller),
            started_at=self._created.get(file.path.name, closed_at),
            closed_at=closed_at,
            retention_days=retention_days,
        )

    async def _without_decision(self, file: Found) -> None:
        # Sound that no decision explains is destroyed, but only if the ledger is whole: a decision that was lost
        # from a damaged ledger must not cost the recording.
        if await asyncio.to_thread(self._work.vault.ledger_is_whole):
            self._log.error("plaintext_without_decision", recording=file.recording, segment=file.segment)
            await self._discard(file, None, "no_decision")
            return
        self.ledger_damaged = True
        controller = self._work.sole_controller()
        if controller is None:
            # Whose it is cannot be known, and nobody may be given another's callers: it waits for a person.
            raise VaultError("the ledger is damaged, so nothing unexplained is destroyed", "run: gdprcall audit verify")
        self._log.error(
            "quarantined", recording=file.recording, segment=file.segment, hint="the ledger is damaged: audit verify"
        )
        await asyncio.to_thread(self._quarantine, file, controller.id, controller.retention_days, "no_decision")

    async def _withdraw(self, recording: str, method: str, reason: str = "") -> None:
        await self._forget_keys(recording)
        try:
            row = await asyncio.to_thread(self._work.vault.recording, recording)
        except NotFound:
            # A wish to destroy needs no decision: not even what a damaged ledger cannot explain is kept against it.
            await self._discard_all(recording, None)
            await self._forget(recording)
            return
        if not row.withdrawn:
            reason = reason or ("objected" if row.basis in OBJECTED_TO else "withdrawn")
            await self._note(Kind.WITHDRAWN, row, {"method": method, "reason": reason})
        await self._erase(recording)

    async def _forget_keys(self, recording: str) -> None:
        with suppress(VaultError):  # it keeps back neither the note nor plaintext's end: erasing tries again, and tells
            await asyncio.to_thread(self._work.vault.forget_keys, recording)

    async def _erase(self, recording: str) -> None:
        await self._forget_keys(recording)
        row = await asyncio.to_thread(self._work.vault.recording, recording)
        try:
            await self._discard_all(recording, row.controller)
        finally:
            # What is sealed goes at once, even when the spool cannot be looked through; the mark then stays.
            if row.state != "erased":
                await asyncio.to_thread(leftovers.destroy, self._work, row)
        await self._forget(recording)

    async def _forget(self, recording: str) -> None:
        # The erasure is durable; a mark that stays is only read again at the next start.
        with suppress(PeerError):
            await self._work.marks.forget_mark(recording)

    async def _discard_all(self, recording: str, controller: str | None) -> None:
        for file in await asyncio.to_thread(self._work.files):
            if file.recording == recording:
                await self._discard(file, controller, "withdrawn")

    async def _discard(self, file: Found, controller: str | None, reason: str) -> None:
        discard = self._work.vault.discard
        await asyncio.to_thread(discard, source(file), file.recording, file.segment, controller, reason)
        self._failing.pop(file.path.name, None)
        self._log.info("discarded", recording=file.recording, segment=file.segment, reason=reason)

    async def _note(self, kind: Kind, row: RecordingRow, body: Mapping[str, object]) -> None:
        await asyncio.wrap_future(self._work.vault.submit(Fact(kind, row.id, row.controller, body)))

    async def _marked(self, recording: str) -> bool:
        # When Asterisk cannot be asked, sealing is still safe: the mark is read at the next connection.
        try:
            return await self._work.marks.withdrawn_mark(recording)
        except PeerError:
            return False

    def _lock(self, recording: str) -> asyncio.Lock:
        return self._locks[int(recording[:8], 16) % len(self._locks)]
