"""The calls that are live now: what AMI and the spool report of a recording becomes an event of its dialogue.

It never starts a recording. Where it cannot be sure who is in a call, it ends the recording of that call.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from gdprcall.asterisk import ami_events as ami
from gdprcall.consent.dialogue import (
    ContractBegun,
    ContractEnded,
    Ended,
    Event,
    MinorSuspected,
    PartyJoined,
    SpokenYes,
    Withdrawn,
)
from gdprcall.errors import PeerError
from gdprcall.log import get_logger

MIXMONITOR_WAIT_S = 1.0
INSIST_SECONDS = 1.0
"""How long after a stop that failed it is tried again."""


WORDS: dict[str, Event] = {
    "contract": ContractBegun(),
    "done": ContractEnded(),
    "yes": SpokenYes(),
    "no": Withdrawn("spoken"),
    "minor": MinorSuspected(),
}
"""What an agent may say of a call by key, as the dialplan names it."""


class Stopper(Protocol):
    """The part of the AMI link that ends recordings, and lets one begin in mid-call."""

    async def stop_recording(self, channel: str, mixmonitor: str) -> bool:
        """End one MixMonitor; False when there was none any more; raises PeerError when that is not known."""

    async def let_begin(self, channel: str, recording: str) -> None:
        """Tell the dialplan, which waits for it, that this recording may begin; raises PeerError."""


@dataclass(slots=True)
class LiveCall:
    """One call that is recorded, or about to be."""

    recording: str
    uniqueid: str
    channel: str
    deliver: Callable[[Event], None]
    segment: int = 1
    mixmonitor: str = ""
    peer: str = ""
    ending: bool = False
    told: asyncio.Event = field(default_factory=asyncio.Event)
    seen: asyncio.Event = field(default_factory=asyncio.Event)


class Calls:
    """All live recordings, found by recording id and by channel."""

    def __init__(self, stopper: Stopper, unattended_withdrawal: Callable[[str], None]) -> None:
        self._stopper = stopper
        self._unattended_withdrawal = unattended_withdrawal
        self._live: dict[str, LiveCall] = {}
        self._on: dict[str, set[str]] = {}  # channel: the recordings on it
        self._bridges: dict[str, set[str]] = {}
        self._place: dict[str, str] = {}  # channel: the bridge that it is in
        self._log = get_logger()

    def __len__(self) -> int:
        return len(self._live)

    @property
    def recordings(self) -> frozenset[str]:
        """The ids of the recordings whose call is up."""
        return frozenset(self._live)

    def add(self, call: LiveCall) -> None:
        """Follow a call from just before its verdict."""
        self._live[call.recording] = call
        self._on.setdefault(call.uniqueid, set()).add(call.recording)

    def drop(self, recording: str) -> None:
        """Stop following a call that was not recorded after all."""
        call = self._live.pop(recording, None)
        if call is not None:
            self._on[call.uniqueid].discard(recording)
            if not self._on[call.uniqueid]:
                del self._on[call.uniqueid]

    def begin_anew(self) -> frozenset[str]:
        """Forget who talks with whom, for events were missed; return the recordings followed so far."""
        self._bridges.clear()
        self._place.clear()
        return self.recordings

    def catch_up(self, followed: frozenset[str], up: Sequence[ami.LiveChannel]) -> None:
        """Learn from the channels that are ``up`` what events would have told of the calls ``followed`` before.

        Calls that are up no more have ended; recordings that run are known; who was not asked ends one.
        """
        there = {channel.uniqueid for channel in up}
        for call in [self._live[recording] for recording in followed & self.recordings]:
            if call.uniqueid not in there:
                self.drop(call.recording)
                call.deliver(Ended())
        for channel in up:
            if channel.mixmonitor:
                self._started(channel.recording, channel.segment, channel.mixmonitor, channel.name)
            if channel.bridge:
                self._entered(channel.uniqueid, channel.bridge)
        for bridge in self._bridges:
            self._look_into(bridge)

    def file_seen(self, recording: str) -> bool:
        """Tell that Asterisk opened a file of ``recording``; whether it was the first one."""
        call = self._live.get(recording)
        if call is None or call.seen.is_set():
            return False
        call.seen.set()
        return True

    async def stop(self, call: LiveCall) -> None:
        """End the running MixMonitor of ``call``; raises PeerError when it is not certain that it ended."""
        try:
            async with asyncio.timeout(MIXMONITOR_WAIT_S):
                await call.told.wait()
        except TimeoutError as error:
            raise PeerError("Asterisk did not say which recording it started") from error
        # By its uniqueid: a channel may be renamed while it lives.
        await self._stopper.stop_recording(call.uniqueid, call.mixmonitor)

    async def begin(self, call: LiveCall) -> None:
        """Let the recording of ``call`` begin in mid-call; raises PeerError when Asterisk could not be told."""
        await self._stopper.let_begin(call.uniqueid, call.recording)

    async def insist(self, call: LiveCall) -> bool:
        """Try to end a recording again and again until it has ended, or its call has; whether it was ended by us."""
        await asyncio.sleep(INSIST_SECONDS)
        while self._live.get(call.recording) is call:
            with suppress(PeerError):
                await self.stop(call)
                return True
            await asyncio.sleep(INSIST_SECONDS)
        return False

    def handle(self, event: ami.AmiEvent) -> None:
        """Take one event of AMI, in the order of its arrival."""
        match event:
            case ami.RecordingStarted(recording, segment, mixmonitor, channel):
                self._started(recording, segment, mixmonitor, channel)
            case ami.Withdrawn(recording=recording):
                self._withdrawn(recording)
            case ami.AgentSaid(uniqueid=uniqueid, word=word):
                self._agent_said(uniqueid, word)
            case ami.PartyChanged(uniqueid=uniqueid, why=why):
                self._party_changed(uniqueid, why)
            case ami.BridgeEntered(uniqueid=uniqueid, bridge=bridge):
                self._entered(uniqueid, bridge)
                self._look_into(bridge)
            case ami.BridgeLeft(uniqueid=uniqueid, bridge=bridge):
                self._left(uniqueid, bridge)
            case ami.HungUp(uniqueid=uniqueid):
                self._hung_up(uniqueid)
            case _:
                pass

    def _started(self, recording: str, segment: int, mixmonitor: str, channel: str) -> None:
        call = self._live.get(recording)
        if call is not None:
            call.segment, call.mixmonitor, call.channel = segment, mixmonitor, channel
            call.told.set()

    def _withdrawn(self, recording: str) -> None:
        call = self._live.get(recording)
        if call is not None:
            call.deliver(Withdrawn("key"))
        else:
            self._unattended_withdrawal(recording)

    def _agent_said(self, uniqueid: str, word: str) -> None:
        for call in self._of(uniqueid) if word in WORDS else []:
            call.deliver(WORDS[word])

    def _party_changed(self, uniqueid: str, why: str) -> None:
        for call in list(self._live.values()):
            if uniqueid in {call.uniqueid, call.peer}:
                call.deliver(PartyJoined(why))

    def _look_into(self, bridge: str) -> None:
        members = self._bridges[bridge]
        for call in [call for uniqueid in members for call in self._of(uniqueid)]:
            others = members - {call.uniqueid}
            if not others:
                continue
            if not call.peer and len(others) == 1:
                # The first one to talk with the caller is the one the caller was asked about.
                (call.peer,) = others
            elif others != {call.peer}:
                call.deliver(PartyJoined("party_joined"))

    def _of(self, uniqueid: str) -> list[LiveCall]:
        return [self._live[recording] for recording in self._on.get(uniqueid, ())]

    def _entered(self, uniqueid: str, bridge: str) -> None:
        self._bridges.setdefault(bridge, set()).add(uniqueid)
        self._place[uniqueid] = bridge

    def _left(self, uniqueid: str, bridge: str) -> None:
        if self._place.get(uniqueid) == bridge:
            del self._place[uniqueid]
        members = self._bridges.get(bridge, set())
        members.discard(uniqueid)
        if not members:
            self._bridges.pop(bridge, None)

    def _hung_up(self, uniqueid: str) -> None:
        if uniqueid in self._place:
            self._left(uniqueid, self._place[uniqueid])
        for call in self._of(uniqueid):
            self.drop(call.recording)
            call.deliver(Ended())
