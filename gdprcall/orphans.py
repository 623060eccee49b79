"""Recordings that another daemon began and whose calls still go on: they are followed, and end at the first doubt.

It lets none go on: what this daemon did not hear of, such as who was asked, it takes for a no.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gdprcall import agents, sounding
from gdprcall.asterisk.ami_status import LiveChannel
from gdprcall.asterisk.lamps import DARK
from gdprcall.calls import Calls
from gdprcall.consent.dialogue import Event, PartyJoined, Paused, PrivateCall, StopAsked, Withdrawn
from gdprcall.errors import GdprcallError, PeerError
from gdprcall.intake import UNACKNOWLEDGED, Intake
from gdprcall.livecall import LiveCall
from gdprcall.log import get_logger
from gdprcall.policy.model import Policy
from gdprcall.vault.archive import Vault
from gdprcall.work import Found


@dataclass(frozen=True, slots=True)
class Attendant:
    """Where it is noted who answered, and where what must not be kept is destroyed."""

    vault: Vault
    intake: Intake
    policy: Callable[[], Policy | None]
    files: Callable[[], Sequence[Found]]

    async def look_at(self, live: LiveCall, channel: str) -> str:
        """Note the agent behind ``channel``; return why he may not be recorded, or nothing; raises GdprcallError."""
        row = await asyncio.to_thread(self.vault.recording, live.recording)
        policy = self.policy()
        line = policy.lines.get(row.line) if policy else None
        if policy is None or line is None or not line.agents.each:
            return ""
        found = agents.look_at(policy, line, channel, live.uniqueid)
        if not found.ready and agents.wants_agent(policy, row.line, row.basis):
            return found.reason
        await asyncio.wrap_future(self.vault.submit(agents.fact(live.recording, row.controller, found)))
        return ""

    async def hears(self, live: LiveCall) -> bool:
        """Return whether the agent is to hear on the telephone what becomes of a recording."""
        row = await asyncio.to_thread(self.vault.recording, live.recording)
        policy = self.policy()
        line = policy.lines.get(row.line) if policy else None
        return line is not None and line.agents.tone


class Orphans:
    """The recordings of an earlier daemon."""

    def __init__(
        self, calls: Calls, tasks: asyncio.TaskGroup, withdraw: Callable[[str], None], attendant: Attendant
    ) -> None:
        self._attendant = attendant
        self._calls = calls
        self._tasks = tasks
        self._withdraw = withdraw
        self._log = get_logger()

    def adopt(self, channel: LiveChannel) -> None:
        """Follow one; whom it was dialled to counts as asked about, or, if Asterisk does not say, who is there now."""
        live = LiveCall(channel.recording, channel.uniqueid, channel.name, lambda _event: None, channel.segment)
        live.deliver, live.met = self._told(live), self._meeting(live)
        live.expects = channel.dialled
        live.mixmonitor = channel.mixmonitor
        if channel.mixmonitor:
            live.told.set()
        else:
            live.silent.set()
            # What was closed while nobody looked no event tells of, and the sweep leaves it while the call is up.
            for file in self._attendant.files():
                if file.recording == live.recording:
                    self._attendant.intake.closed(file)
        live.seen.set()
        self._calls.add(live)

    def _told(self, live: LiveCall) -> Callable[[Event], None]:
        """Return what it does with its events."""

        def deliver(event: Event) -> None:
            if isinstance(event, Withdrawn):
                self._withdraw(live.recording)
            elif isinstance(event, PartyJoined | Paused | StopAsked) and not live.ending:
                live.ending = True
                self._tasks.create_task(self._stop(live, event.why))
            elif isinstance(event, PrivateCall) and not live.ending:
                live.ending = True
                self._tasks.create_task(self._stop(live, "private"))

        return deliver

    def _meeting(self, live: LiveCall) -> Callable[[str], None]:
        """Return what it does when somebody answers its call."""

        def met(channel: str) -> None:
            self._tasks.create_task(self._attend(live, channel))

        return met

    async def _attend(self, live: LiveCall, channel: str) -> None:
        """Note the agent who answered; of one who may not be recorded nothing is kept."""
        try:
            lacks = await self._attendant.look_at(live, channel)
            if lacks:
                live.ending = True
                await self._stop(live, UNACKNOWLEDGED)
                await self._attendant.intake.withdraw(live.recording, lacks, UNACKNOWLEDGED)
        except GdprcallError as error:
            # Without a note of the agent nothing is sealed either.
            self._log.error("evidence_failed", recording=live.recording, hint=error.hint)

    async def _stop(self, live: LiveCall, why: str) -> None:
        try:
            if not live.silent.is_set():
                await self._calls.stop(live)
        except PeerError as error:
            self._log.error("stop_failed", recording=live.recording, reason=why, hint=error.hint)
            if not await self._calls.insist(live):
                return
        self._log.warning("recording_stopped", recording=live.recording, reason=why)
        with suppress(GdprcallError):  # without a tone the lamp says it
            if await self._attendant.hears(live):
                sounding.attend(live, self._calls, self._tasks)
        await self._calls.set_lamp(live, DARK)
