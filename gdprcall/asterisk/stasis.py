"""The ARI front end: takes calls over from the dialplan in two hops, asks, and gives them back with a verdict.

It decides nothing and sets no channel variable. Seen on Asterisk 22: a hangup is told as ChannelHangupRequest, then
StasisEnd; the watchdog's taking a call on as StasisEnd alone; either in mid-prompt also fails the playback, before
StasisEnd.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gdprcall.asterisk.ari import Ari, AriEvent, Gone
from gdprcall.asterisk.arrival import ASK, ASK_CONTEXT, PROTOCOL, VERDICT_CONTEXT, Arrival, handed_over
from gdprcall.asterisk.stasiscall import StasisCall, playback_id
from gdprcall.errors import PeerError
from gdprcall.log import get_logger

MOST_QUESTIONS = 5
"""How often a line may ask at most."""
GRACE_SECONDS = 0.5
"""How long a call may be in our application before we have heard of it: by then its StasisStart has been read."""


class Stasis:
    """All calls in our application, each event given to its call once."""

    def __init__(
        self,
        ari: Ari,
        *,
        tasks: asyncio.TaskGroup,
        claim: Callable[[Arrival], int | None],
        arrive: Callable[[Arrival, StasisCall], None],
    ) -> None:
        self._ari = ari
        self._tasks = tasks
        self._claim = claim
        self._arrive = arrive
        self._calls: dict[str, StasisCall] = {}
        self._stranded: set[str] = set()
        self._log = get_logger()

    def handle(self, event: AriEvent) -> None:
        """Take one event of the application, in order."""
        kind = str(event["type"])
        if kind == "StasisStart":
            self._start(event)
            return
        playback = event.get("playback")
        channel = str(playback["target_uri"]).removeprefix("channel:") if playback else str(event["channel"]["id"])
        call = self._calls.get(channel)
        if call is None or (playback and not call.owns(str(playback["id"]))):
            return
        moving = call.moving
        call.take(kind, event)
        if kind == "ChannelDestroyed" or (kind == "StasisEnd" and not moving):
            self._forget(channel)

    async def sweep(self) -> int:
        """After each (re)connection: fail the calls whose events may be lost, and free those that nobody answers for.

        Returns how many calls were in our application; raises PeerError.
        """
        earlier, self._calls = self._calls, {}
        for call in earlier.values():
            call.lose()
        found = {str(channel["id"]) for channel in await self._ari.channels() if self._is_ours(channel)}
        self._stranded = found
        if found:
            self._tasks.create_task(self._free_stranded(found))
        return len(found)

    def _is_ours(self, channel: AriEvent) -> bool:
        dialplan = channel.get("dialplan") or {}
        return dialplan.get("app_name") == "Stasis" and str(dialplan.get("app_data")).startswith(f"{self._ari.app},")

    async def _free_stranded(self, stranded: set[str]) -> None:
        # A call that came in this very moment is listed too, but its start is told, and takes it out of the set.
        await asyncio.sleep(GRACE_SECONDS)
        for channel in sorted(stranded):
            # ``continue`` waits for the end of a sound; which question was asked, only the daemon that died knew.
            for asked in range(1, MOST_QUESTIONS + 1):
                with suppress(PeerError):
                    await self._ari.stop_playback(playback_id(channel, asked))
            await self._free(channel)

    def _start(self, event: AriEvent) -> None:
        self._stranded.discard(str(event["channel"]["id"]))
        arrival = _arrival(event)
        if arrival is None:
            channel = str(event["channel"]["id"])
            self._log.error("call_unasked", uniqueid=channel, reason="dialplan_version")
            self._tasks.create_task(self._free(channel))
        elif event["args"][1] == ASK:
            self._asked(arrival)
        else:
            seconds = self._claim(arrival)
            self._tasks.create_task(self._free(arrival.channel) if seconds is None else self._hold(arrival, seconds))

    def _asked(self, arrival: Arrival) -> None:
        call = self._calls.get(arrival.channel)
        if call is not None and call.moving:
            call.back()
            return
        call = StasisCall(self._ari, arrival.channel, forget=self._forget)
        self._calls[arrival.channel] = call
        self._arrive(arrival, call)

    def _forget(self, channel: str) -> None:
        self._calls.pop(channel, None)

    async def _hold(self, arrival: Arrival, seconds: int) -> None:
        try:
            await self._ari.continue_(arrival.channel, ASK_CONTEXT, str(seconds))
        except PeerError as error:
            self._log.error("verdict_lost", uniqueid=arrival.channel, error=type(error).__name__)

    async def _free(self, channel: str) -> None:
        try:
            await self._ari.continue_(channel, VERDICT_CONTEXT, "norec")
            self._log.warning("stranded_freed", uniqueid=channel)
        except Gone:
            pass  # it left by itself
        except PeerError as error:
            self._log.error("verdict_lost", uniqueid=channel, error=type(error).__name__)


def _arrival(event: AriEvent) -> Arrival | None:
    args, channel = [str(arg) for arg in event.get("args", [])], event["channel"]
    if args[:1] != [PROTOCOL]:
        return None
    number = str((channel.get("caller") or {}).get("number") or "")
    arrival = handed_over(str(channel["id"]), str(channel["name"]), args[2:], number, "ari")
    return arrival if arrival is not None and arrival.fits(args[1]) else None
