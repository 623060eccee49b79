"""The calls that are live now: what AMI and the spool report of a recording becomes an event of its dialogue.

It never starts a recording. Where it cannot be sure who is in a call, it ends the recording of that call.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ami_status import LiveChannel
from gdprcall.consent.dialogue import Ended, PartyJoined, Paused, Resumed, Withdrawn
from gdprcall.errors import PeerError
from gdprcall.livecall import LOCAL, WORDS, Ends, LiveCall, Stopper
from gdprcall.presence import Presence

MIXMONITOR_WAIT_S = 1.0
INSIST_SECONDS = 1.0
"""How long after a stop that failed it is tried again."""


class Calls:
    """All live recordings; ``overheard`` is told of segments in which somebody can be heard who was seen too late."""

    def __init__(
        self,
        stopper: Stopper,
        unattended_withdrawal: Callable[[str], None],
        overheard: Callable[[str, int], None],
        behind: Callable[[], bool] = bool,
    ) -> None:
        self.stopper = stopper
        self._unattended_withdrawal = unattended_withdrawal
        self._overheard, self._behind = overheard, behind
        self.ends: Ends | None = None
        self._live: dict[str, LiveCall] = {}
        self._on: dict[str, set[str]] = {}  # channel: the recordings on it
        self._presence = Presence()
        self._catching_up = False

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(self._live.values())

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
            call.silent.set()
            self._on[call.uniqueid].discard(recording)
            if not self._on[call.uniqueid]:
                del self._on[call.uniqueid]

    def follows(self, call: LiveCall) -> bool:
        """Whether ``call`` is up and followed."""
        return self._live.get(call.recording) is call

    def renew(self, call: LiveCall, recording: str) -> None:
        """Follow a call, and who talks in it, under another recording; the one before has ended."""
        self.drop(call.recording)
        call.recording, call.segment, call.mixmonitor = recording, 1, ""
        call.further = call.unwatched = False
        call.told, call.seen = asyncio.Event(), asyncio.Event()
        self.add(call)

    def begin_anew(self) -> frozenset[str]:
        """Forget who talks with whom, for events were missed; return the recordings followed so far."""
        self._presence.begin_anew()
        return self.recordings

    def catch_up(self, followed: frozenset[str], up: Sequence[LiveChannel]) -> None:
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
                self._presence.entered(channel.uniqueid, channel.bridge, name=channel.name)
        self._catching_up = True
        for bridge in self._presence.bridges():
            self._look_into(bridge)
        self._catching_up = False
        if self.ends is not None:
            self.ends.still_up(frozenset(there))

    def file_seen(self, recording: str, segment: int) -> bool:
        """Tell that Asterisk opened a file of ``recording``; whether it was the first of its segment."""
        call = self._live.get(recording)
        if call is None or call.seen.is_set():
            return False
        call.segment = segment
        call.seen.set()
        return True

    def clear(self, call: LiveCall, uniqueid: str) -> None:
        """Tell that somebody who joined ``call`` may be recorded."""
        call.cleared.add(uniqueid)
        self._weigh(call)

    async def stop(self, call: LiveCall) -> None:
        """End the running MixMonitor of ``call``; raises PeerError when it is not certain that it ended."""
        try:
            async with asyncio.timeout(MIXMONITOR_WAIT_S):
                await call.told.wait()
        except TimeoutError as error:
            if not call.further:
                raise PeerError("Asterisk did not say which recording it started") from error
            # The code that begins a segment is lost where the caller leaves the bridge in that moment.
            call.mixmonitor = await self.stopper.call_off(call.uniqueid)
        # By its uniqueid: a channel may be renamed while it lives.
        ran = await self.stopper.stop_recording(call.uniqueid, call.mixmonitor)
        call.silent.set()
        if ran and call.unwatched:
            self._overheard(call.recording, call.segment)

    async def set_lamp(self, call: LiveCall, state: str) -> None:
        """Set the lamp of the agent whose recording we ended; a call that is over put it out itself."""
        call.show(state)
        with suppress(PeerError):
            await self.stopper.set_lamp(call.uniqueid, call.mixmonitor, state)

    async def begin(self, call: LiveCall) -> None:
        """Let the recording of ``call`` begin in mid-call; raises PeerError when Asterisk could not be told."""
        await self.stopper.let_begin(call.uniqueid, call.recording)

    async def resume(self, call: LiveCall) -> None:
        """Let the next segment of ``call`` begin; raises PeerError when Asterisk could not be told."""
        call.unwatched, call.further = False, True
        for known in (call.told, call.seen, call.silent):
            known.clear()
        await self.stopper.begin_segment(call.uniqueid, call.recording)

    async def insist(self, call: LiveCall) -> bool:
        """Try to end a recording again and again until it has ended, or its call has; whether it was ended by us."""
        while True:
            await asyncio.sleep(INSIST_SECONDS)
            if not self.follows(call):
                return False
            with suppress(PeerError):
                await self.stop(call)
                return True

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
            case ami.BridgeEntered(uniqueid, bridge, channel, crowd, swap):
                self._presence.entered(uniqueid, bridge, name=channel, crowd=crowd, swap=swap)
                self._take_out(self._presence.name(swap), uniqueid, bridge)
                self._look_into(bridge)
            case ami.BridgeLeft(uniqueid=uniqueid, bridge=bridge):
                self._presence.left(uniqueid, bridge)
                self._look_into(bridge)
            case ami.PutOnHold(uniqueid, on):
                self._presence.held(uniqueid, on=on)
                self._look_into(self._presence.bridge_of(uniqueid))
            case _:
                self._handle_word(event)

    def _handle_word(self, event: ami.AmiEvent) -> None:
        match event:
            case ami.PartyAnswered(uniqueid, word):
                self._answered(uniqueid, word)
            case ami.RecordingStopped(recording=recording) if recording in self._live:
                self._live[recording].silent.set()
            case ami.HungUp(uniqueid=uniqueid):
                self._hung_up(uniqueid)
            case _:
                pass

    def _started(self, recording: str, segment: int, mixmonitor: str, channel: str) -> None:
        call = self._live.get(recording)
        if call is not None:
            call.begins(segment, mixmonitor, channel)

    def _withdrawn(self, recording: str) -> None:
        call = self._live.get(recording)
        if call is not None:
            call.deliver(Withdrawn("key"))
        else:
            self._unattended_withdrawal(recording)

    def _agent_said(self, uniqueid: str, word: str) -> None:
        for call in self._of(uniqueid) if word in WORDS else []:
            call.deliver(WORDS[word])

    def _answered(self, uniqueid: str, word: str) -> None:
        for call in list(self._live.values()):
            if uniqueid in call.asked and call.answered is not None:
                call.answered(uniqueid, word)

    def _party_changed(self, uniqueid: str, why: str) -> None:
        for call in list(self._live.values()):
            if uniqueid in {call.uniqueid, call.peer} | self._presence.company(call.uniqueid):
                self._came(call, why)

    def _take_out(self, swapped: str, uniqueid: str, bridge: str) -> None:
        """Where Asterisk takes a Local channel out of the way to the caller's party, who comes instead is that party."""
        for call in [call for member in self._presence.members(bridge) for call in self._of(member)]:
            behind = self._presence.company(call.uniqueid) if uniqueid == call.uniqueid else {uniqueid}
            if len(behind) == 1 and swapped[:-2] == call.through != "":
                (one,) = behind
                call.meets(one, self._presence.name(one))

    def _look_into(self, bridge: str | None) -> None:
        members = self._presence.members(bridge) if bridge is not None else ()
        for call in [call for uniqueid in members for call in self._of(uniqueid)]:
            self._weigh(call)

    def _weigh(self, call: LiveCall) -> None:
        """Look who is with the caller now: whether all of them may be recorded, and nobody is on hold."""
        others = self._presence.company(call.uniqueid)
        if not others:
            return  # where the others went is not known yet: what must not be recorded stays so
        if not call.peer and len(others) == 1:
            # The first one to talk with the caller is the one the caller was asked about.
            (first,) = others
            name = self._presence.name(first)
            if call.may_be(name):
                call.meets(first, name)
                if call.met is not None:
                    call.met(name)
        on_hold = self._presence.any_holds(others | {call.uniqueid})
        if on_hold and not call.on_hold:
            call.on_hold = True
            call.deliver(Paused("hold"))
        crowd = len(others) > 1 or self._presence.in_crowd(call.uniqueid)
        if crowd or others - call.cleared:
            self._meet(call, frozenset() if crowd else others - call.cleared)
        elif call.strangers:
            call.strangers = False
            call.deliver(Resumed("party"))
        # What ends comes after what begins: between the two nothing goes on.
        if call.on_hold and not on_hold:
            call.on_hold = False
            call.deliver(Resumed("hold"))

    def _meet(self, call: LiveCall, strange: frozenset[str]) -> None:
        if not call.strangers or call.ask is None:
            self._came(call, "party_joined")
        if call.ask is not None:
            for uniqueid in strange:
                self._ask(call, uniqueid)

    def _came(self, call: LiveCall, why: str) -> None:
        """Tell that somebody came; where that is learnt late, and no dialplan ended the segment, he can be heard in it."""
        call.unwatched = call.unwatched or self._catching_up or self._behind()
        call.strangers = True
        call.deliver(PartyJoined(why))

    def _ask(self, call: LiveCall, uniqueid: str) -> None:
        # A Local channel is a place in between: who comes through it is seen when Asterisk has taken it out.
        if uniqueid not in call.asked and not self._presence.name(uniqueid).startswith(LOCAL):
            assert call.ask is not None
            call.asked.add(uniqueid)
            call.ask(uniqueid)

    def _of(self, uniqueid: str) -> list[LiveCall]:
        return [self._live[recording] for recording in self._on.get(uniqueid, ())]

    def _hung_up(self, uniqueid: str) -> None:
        bridge = self._presence.bridge_of(uniqueid)
        self._presence.gone(uniqueid)
        if self.ends is not None:
            self.ends.hung_up(uniqueid)
        for call in self._of(uniqueid):
            self.drop(call.recording)
            call.deliver(Ended())
        self._look_into(bridge)
