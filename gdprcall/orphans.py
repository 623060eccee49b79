"""Recordings that another daemon began and whose calls still go on: they are followed, and end at the first doubt.

It lets none go on: what this daemon did not hear of, such as who was asked, it takes for a no.
"""

import asyncio
from collections.abc import Callable

from gdprcall.asterisk.ami_events import LiveChannel
from gdprcall.calls import Calls
from gdprcall.consent.dialogue import Event, PartyJoined, Paused, StopAsked, Withdrawn
from gdprcall.errors import PeerError
from gdprcall.livecall import LiveCall
from gdprcall.log import get_logger


class Orphans:
    """The recordings of an earlier daemon."""

    def __init__(self, calls: Calls, tasks: asyncio.TaskGroup, withdraw: Callable[[str], None]) -> None:
        self._calls = calls
        self._tasks = tasks
        self._withdraw = withdraw
        self._log = get_logger()

    def adopt(self, channel: LiveChannel) -> None:
        """Follow one; whom it was dialled to counts as asked about, or, if Asterisk does not say, who is there now."""
        live = LiveCall(channel.recording, channel.uniqueid, channel.name, lambda _event: None, channel.segment)
        live.deliver = self._told(live)
        live.expects = channel.dialled
        live.mixmonitor = channel.mixmonitor
        if channel.mixmonitor:
            live.told.set()
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

        return deliver

    async def _stop(self, live: LiveCall, why: str) -> None:
        try:
            await self._calls.stop(live)
        except PeerError as error:
            self._log.error("stop_failed", recording=live.recording, reason=why, hint=error.hint)
            if not await self._calls.insist(live):
                return
        self._log.warning("recording_stopped", recording=live.recording, reason=why)
