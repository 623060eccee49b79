"""The running recording of one call: its file is awaited, it is ended until it has ended, it is destroyed when withdrawn.

It never starts one; that is the dialplan's, on a verdict.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

from gdprcall.asterisk.lamps import DARK, PAUSED
from gdprcall.calls import Calls
from gdprcall.errors import GdprcallError, PeerError, VaultError
from gdprcall.evidence import EVIDENCE_TIMEOUT_S, CallFacts
from gdprcall.intake import Intake
from gdprcall.livecall import LiveCall
from gdprcall.log import get_logger
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Entry, Fact, Kind

FILE_SECONDS = 3.0
"""How long a granted recording may take to show its file before it counts as not started."""
TAKEN_BACK = frozenset({"withdrawn", "objected", "minor", "unacknowledged"})
"""Why a recording ends that a note of its own tells of; nothing may stand in the way of that note."""


class CallRecorder:
    """The running recording of one call; satisfies ``session.Recorder``."""

    def __init__(self, facts: CallFacts, vault: Vault, intake: Intake, calls: Calls, tasks: asyncio.TaskGroup) -> None:
        self.live: LiveCall | None = None
        self._facts = facts
        self._vault = vault
        self._intake = intake
        self._calls = calls
        self._tasks = tasks
        self._further = False  # whether segments follow others
        self._overdue: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._log = get_logger()

    def follow(self, recording: str) -> None:
        """Let everything from now on be about another recording of the call; the one before has ended."""
        assert self.live is not None
        self._calls.renew(self.live, recording)
        self._facts = replace(self._facts, recording=recording)
        self._further = False
        self._no_longer_overdue()

    def expect_file(self) -> None:
        """See to it that the granted recording shows a file, or is noted as not started."""
        self._looking = self._tasks.create_task(self._look_for_file())

    async def begin(self) -> None:
        """Let the dialplan begin the recording in the running call; raises PeerError when that is not certain."""
        assert self.live is not None
        self.expect_file()
        await self._calls.begin(self.live)

    async def stop(self, reason: str) -> None:
        """End the recording; raises PeerError when that is not certain, but never in the way of a withdrawal.

        What could not be ended is tried again for as long as the call lives.
        """
        assert self.live is not None
        self._no_longer_overdue()
        try:
            await self._calls.stop(self.live)
        except PeerError as error:
            self._log.error("stop_failed", recording=self._facts.recording, reason=reason, hint=error.hint)
            self._tasks.create_task(self._insist(self.live, reason))
            if reason not in TAKEN_BACK:
                raise
        else:
            self._look_no_further()
            await self._stopped(reason)

    async def pause(self, why: str) -> None:
        """End the running segment; raises PeerError when that is not certain."""
        assert self.live is not None
        await self._calls.stop(self.live)
        self._look_no_further()
        self._log.info("recording_paused", recording=self._facts.recording, segment=self.live.segment, reason=why)
        self._tasks.create_task(self._calls.set_lamp(self.live, PAUSED))
        # Nobody waits for this one: that nothing is recorded needs no evidence before it.
        body = {"reason": why, "segment": self.live.segment}
        self._submit(Kind.PAUSED, body).add_done_callback(self._tell_failure)
        longest = self._facts.line.pause_seconds
        self._overdue = asyncio.get_running_loop().call_later(longest, self._tell_overdue, longest)

    def _tell_overdue(self, seconds: int) -> None:
        if self.live is not None and self._calls.follows(self.live):
            self._log.error("pause_overdue", recording=self._facts.recording, line=self._facts.line.id, seconds=seconds)

    def _look_no_further(self) -> None:
        # A segment that was ended before it began shows no file. That the first one did not begin is noted all the same.
        if self._further and self._looking is not None:
            self._looking.cancel()

    def _no_longer_overdue(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()

    async def resume(self) -> None:
        """Note that the recording goes on, then let the next segment begin; raises PeerError and VaultError."""
        assert self.live is not None
        self._no_longer_overdue()
        try:
            async with asyncio.timeout(EVIDENCE_TIMEOUT_S):
                await asyncio.wrap_future(self._submit(Kind.RESUMED, {"segment": self.live.segment + 1}))
        except TimeoutError as error:
            raise VaultError(
                "the end of the pause did not become durable within a second",
                "check the disk and the load of the machine",
            ) from error
        await self._calls.resume(self.live)
        self._further = True
        self.expect_file()
        self._log.info("recording_resumed", recording=self._facts.recording)

    async def erase(self) -> None:
        """Destroy what was recorded under the withdrawn decision."""
        try:
            await self._intake.erase(self._facts.recording)
        except GdprcallError as error:
            self._log.error("withdrawal_failed", recording=self._facts.recording, hint=error.hint)

    async def _insist(self, live: LiveCall, reason: str) -> None:
        if await self._calls.insist(live):
            await self._stopped(reason)

    async def _stopped(self, reason: str) -> None:
        assert self.live is not None
        # Nobody waits for a lamp.
        self._tasks.create_task(self._calls.set_lamp(self.live, DARK))
        if reason not in TAKEN_BACK:
            self._log.warning("recording_stopped", recording=self._facts.recording, reason=reason)
            await self._note(Kind.STOPPED, {"reason": reason})

    async def _look_for_file(self) -> None:
        live, facts = self.live, self._facts
        assert live is not None
        try:
            async with asyncio.timeout(FILE_SECONDS):
                await live.seen.wait()
        except TimeoutError:
            if self._facts is not facts:
                return  # it has ended already: the next sweep closes its books
            self._log.error("recording_missing", recording=self._facts.recording, line=self._facts.line.id)
            with suppress(PeerError):
                await self._calls.stop(live)
            await self._note(Kind.STOPPED if self._further else Kind.NOT_STARTED, {"reason": "no_file"})
        else:
            # Nobody waits for this one.
            self._submit(Kind.STARTED, {"segment": live.segment}, urgent=False).add_done_callback(self._tell_failure)

    async def _note(self, kind: Kind, body: Mapping[str, object]) -> None:
        pending = self._submit(kind, body)
        pending.add_done_callback(self._tell_failure)
        with suppress(VaultError):
            await asyncio.wrap_future(pending)

    def _submit(self, kind: Kind, body: Mapping[str, object], *, urgent: bool = True) -> "Future[Entry]":
        return self._vault.submit(Fact(kind, self._facts.recording, self._facts.controller.id, body), urgent=urgent)

    def _tell_failure(self, pending: "Future[Entry]") -> None:
        # Called by the ledger's thread.
        if not pending.cancelled() and isinstance(error := pending.exception(), VaultError):
            self._log.error("evidence_failed", recording=self._facts.recording, hint=error.hint)
