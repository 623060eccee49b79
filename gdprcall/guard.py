"""Watches every asked call, whatever was answered, for recorders that are not ours: each is told, noted, and ended where the line says so.

It starts no recording and ends none of ours; what has no part in a call of a line it leaves alone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ami_status import LiveChannel
from gdprcall.errors import PeerError, VaultError
from gdprcall.log import get_logger
from gdprcall.policy.model import ForeignRecorder, Line
from gdprcall.presence import Presence
from gdprcall.vault.entry import Entry, Fact, Kind

AGAIN_SECONDS = 1.0
"""How long after an end that failed it is tried again."""
BELOW = "one of ours was started after it: it is tried again when that has ended"
LAST_HUNG_UP = 256
"""How many channels that ended are remembered: one may have ended before we hear that it was asked."""


class End(Protocol):
    """What ends a recorder of somebody else's."""

    def __call__(self, found: ami.RecorderStarted, *, every: bool) -> Awaitable[bool]:
        """End it, or with ``every`` all on its channel; whether one was ended; raises PeerError when that is not known."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A call of a line, from its question to its end."""

    uniqueid: str
    line: Line


@dataclass(slots=True, eq=False)
class Running:
    """A recorder that is not ours; ``below`` says that one of ours was started after it, on the same channel."""

    start: ami.RecorderStarted
    told: set[tuple[str, str]] = field(default_factory=set)
    below: bool = False
    ending: bool = False


class Guard:
    """All recorders of others on this PBX, and the calls that they must not be on."""

    def __init__(
        self,
        end: End,
        submit: Callable[[Fact], Future[Entry]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.found = 0
        """How many there were on calls of lines since the start."""
        self._end = end
        self._submit = submit
        self._spawn = spawn
        self._watched: dict[str, Watched] = {}
        self._running: dict[str, list[Running]] = {}  # by the place where they record
        self._ours: set[str] = set()  # channels that one of ours is on
        self._presence = Presence()
        self._hung_up: deque[str] = deque(maxlen=LAST_HUNG_UP)
        self._log = get_logger()

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, uniqueid: str, line: Line) -> None:
        """Watch a call until it ends; what records it already is told at once."""
        if uniqueid in self._hung_up:
            return
        self._watched[uniqueid] = Watched(uniqueid, line)
        every = [running for at in self._running.values() for running in at]
        self._look(running for running in every if uniqueid in {running.start.place, running.start.linked})

    def catch_up(self, up: Sequence[LiveChannel], lines: Mapping[str, Line]) -> None:
        """Learn from the channels that are ``up`` what events would have told; what began to record unseen stays unseen."""
        self._presence.begin_anew()
        there = {channel.uniqueid: channel for channel in up}
        bridges = {channel.bridge for channel in up}
        self._watched = {uniqueid: call for uniqueid, call in self._watched.items() if uniqueid in there}
        self._running = {place: at for place, at in self._running.items() if place in there or place in bridges}
        self._ours = {channel.uniqueid for channel in up if channel.mixmonitor}
        for channel in up:
            if channel.line in lines and channel.uniqueid not in self._watched:
                self._watched[channel.uniqueid] = Watched(channel.uniqueid, lines[channel.line])
        for channel in up:
            if channel.bridge:
                self._entered(channel.uniqueid, channel.bridge)

    def handle(self, event: ami.AmiEvent) -> None:
        """Take one event of AMI, in the order of its arrival."""
        match event:
            case ami.RecorderStarted():
                self._started(event)
            case ami.RecorderStopped():
                self._stopped(event)
            case ami.BridgeEntered(uniqueid=uniqueid, bridge=bridge):
                self._entered(uniqueid, bridge)
            case ami.BridgeLeft(uniqueid=uniqueid, bridge=bridge):
                self._presence.left(uniqueid, bridge)
            case ami.HungUp(uniqueid=uniqueid):
                self._ended(uniqueid)
            case _:
                pass

    def _started(self, event: ami.RecorderStarted) -> None:
        at = self._running.get(event.place, [])
        if event.ours:
            self._ours.add(event.place)
            for running in at:
                running.below = True
        else:
            self._running[event.place] = [*at, Running(event)]
            self._look(self._running[event.place][-1:])

    def _stopped(self, event: ami.RecorderStopped) -> None:
        at = [one for one in self._running.get(event.place, ()) if one.start.what is event.what]
        ending = [running for running in at if running.ending]
        # Nothing says which one it was. It was ours if our dialplan ended it, or if none was started after ours (AMI ends ours by its id);
        # else it was the newest of the others, which is what Asterisk ends without an id.
        nothing_above = not ending and all(running.below for running in at)
        if event.place in self._ours and (event.context.startswith("gdprcall") or nothing_above):
            self._ours.discard(event.place)
            for running in at:
                running.below = False
                self._end_if_told(running)
        else:
            for running in (ending or at)[-1:]:
                self._forget(running)

    def _entered(self, uniqueid: str, bridge: str) -> None:
        self._presence.entered(uniqueid, bridge)
        if self._running:
            places = (bridge, *self._presence.members(bridge))
            self._look(running for place in places for running in self._running.get(place, ()))

    def _ended(self, uniqueid: str) -> None:
        self._hung_up.append(uniqueid)
        self._presence.gone(uniqueid)
        self._watched.pop(uniqueid, None)
        self._ours.discard(uniqueid)
        self._running.pop(uniqueid, None)
        for running in [one for at in self._running.values() for one in at if one.start.tap == uniqueid]:
            self._forget(running)

    def _forget(self, running: Running) -> None:
        left = [one for one in self._running.get(running.start.place, ()) if one is not running]
        if left:
            self._running[running.start.place] = left
        else:
            self._running.pop(running.start.place, None)

    def _runs(self, running: Running) -> bool:
        return any(one is running for one in self._running.get(running.start.place, ()))

    def _concerned(self, running: Running) -> list[Watched]:
        """Return the calls that a recorder hears: its own channel's, that of its call's first channel, its bridge's."""
        start = running.start
        bridge = start.place if start.what is ami.Recorder.CONFERENCE else self._presence.bridge_of(start.place)
        hears = {start.place, start.linked} | self._presence.members(bridge or "")
        return [self._watched[uniqueid] for uniqueid in sorted(hears & self._watched.keys())]

    def _look(self, recorders: Iterable[Running]) -> None:
        for running in list(recorders):
            for call in self._concerned(running):
                if (key := (call.uniqueid, call.line.id)) not in running.told:
                    running.told.add(key)
                    self.found += 1
                    what, line = str(running.start.what), call.line.id
                    self._log.error("foreign_recording", reason=what, line=line, uniqueid=call.uniqueid)
                    self._note(running, call, "found")
            self._end_if_told(running)

    def _end_if_told(self, running: Running) -> None:
        for call in self._concerned(running):
            if call.line.foreign_recorder is ForeignRecorder.STOP and not running.ending:
                running.ending = True
                self._spawn(self._end_one(running, call))

    async def _end_one(self, running: Running, call: Watched) -> None:
        """End a recorder, again and again until it has ended, or what it records has."""
        said, what, line, uniqueid = False, str(running.start.what), call.line.id, call.uniqueid
        while self._runs(running):
            hint = BELOW
            if not running.below:
                # One end for one recorder where ours may be too; elsewhere whatever there is.
                alone = running.start.place not in self._ours | self._watched.keys()
                try:
                    if await self._end(running.start, every=alone):
                        self._log.warning("foreign_stopped", reason=what, line=line, uniqueid=uniqueid)
                        self._note(running, call, "stopped")
                    return
                except PeerError as error:
                    hint = error.hint
            if not said:
                said = True
                self._log.error("foreign_stop_failed", reason=what, line=line, uniqueid=uniqueid, hint=hint)
                self._note(running, call, "not_stopped")
            if running.below or running.start.what is ami.Recorder.CONFERENCE:
                break
            await asyncio.sleep(AGAIN_SECONDS)
        running.ending = False

    def _note(self, running: Running, call: Watched, state: str) -> None:
        what, line = str(running.start.what), call.line
        body = {"what": what, "line": line.id, "uniqueid": call.uniqueid, "state": state}
        self._submit(Fact(Kind.FOREIGN_RECORDING, None, line.controller, body)).add_done_callback(self._tell_failure)

    def _tell_failure(self, pending: "Future[Entry]") -> None:
        # Called by the ledger's thread.
        if not pending.cancelled() and isinstance(error := pending.exception(), VaultError):
            self._log.error("evidence_failed", reason="foreign_recording", hint=error.hint)
