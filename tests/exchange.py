"""A stand-in for Asterisk's switching: who joins and leaves, which monitors run, and what each followed call was told."""

from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.ami_status import LiveChannel
from gdprcall.calls import Calls
from gdprcall.consent.dialogue import Event
from gdprcall.errors import PeerError
from gdprcall.livecall import LiveCall
from tests.vaults import recording_id

REC, OTHER = recording_id(1), recording_id(2)
CALLER, AGENT, THIRD = "1.1", "1.2", "1.3"


class Monitors:
    """Asterisk's MixMonitors, as far as AMI ends them."""

    def __init__(self) -> None:
        self.stopped: list[tuple[str, str]] = []
        self.fails = False
        self.over = False
        self.called_off: list[str] = []
        self.tried = 0
        self.let: list[tuple[str, str]] = []
        self.went_on: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.lamps: list[tuple[str, str, str]] = []
        self.sounds: list[tuple[str, str]] = []

    async def set_lamp(self, channel: str, mixmonitor: str, state: str) -> None:
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.lamps.append((channel, mixmonitor, state))

    async def let_begin(self, channel: str, recording: str) -> None:
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.let.append((channel, recording))

    async def begin_segment(self, channel: str, recording: str) -> None:
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.went_on.append((channel, recording))

    async def call_off(self, channel: str) -> str:
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.called_off.append(channel)
        return "0xlast"

    async def ask_other(self, channel: str, other: str, question: str) -> None:
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.asked.append((channel, other, question))

    async def sound(self, channel: str, state: str) -> None:
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.sounds.append((channel, state))

    async def stop_recording(self, channel: str, mixmonitor: str) -> bool:
        self.tried += 1
        if self.fails:
            raise PeerError("AMI did not answer in time")
        self.stopped.append((channel, mixmonitor))
        return not self.over


class Exchange:
    """The calls of a test, and what each of them was told."""

    def __init__(self) -> None:
        self.monitors = Monitors()
        self.unattended: list[str] = []
        self.told: dict[str, list[Event]] = {}
        self.put: list[str] = []
        self.overheard: list[tuple[str, int]] = []
        self.behind = False
        overheard = lambda *segment: self.overheard.append(segment)  # noqa: E731 # one line of wiring
        self.calls = Calls(self.monitors, self.unattended.append, overheard, lambda: self.behind)

    def follow(self, recording: str = REC, uniqueid: str = CALLER) -> LiveCall:
        """Follow a call whose verdict is about to be given."""
        events = self.told.setdefault(recording, [])
        call = LiveCall(recording, uniqueid, f"PJSIP/{uniqueid}", events.append)
        self.calls.add(call)
        return call

    def recorded(self, recording: str = REC, uniqueid: str = CALLER) -> LiveCall:
        """Follow a call whose recording runs."""
        call = self.follow(recording, uniqueid)
        self.calls.handle(ami.RecordingStarted(recording, 1, f"0x{uniqueid}", call.channel, uniqueid))
        return call

    def joins(self, *uniqueids: str, bridge: str = "b") -> None:
        for uniqueid in uniqueids:
            self.calls.handle(ami.BridgeEntered(uniqueid, bridge))

    def leaves(self, *uniqueids: str, bridge: str = "b") -> None:
        for uniqueid in uniqueids:
            self.calls.handle(ami.BridgeLeft(uniqueid, bridge))

    def back(self, *up: LiveChannel) -> None:
        """Let AMI come back after it was away, with these channels up."""
        self.calls.catch_up(self.calls.begin_anew(), up)

    @property
    def events(self) -> list[Event]:
        return self.told[REC]

    @property
    def empty(self) -> bool:
        calls = self.calls
        presence = calls._presence
        known = [presence._bridges, presence._place, presence._names, presence._crowds, presence._holding]
        return not (any(known) or calls._live or calls._on)


def channel(uniqueid: str, *, recording: str = "", mixmonitor: str = "", bridge: str = "") -> LiveChannel:
    return LiveChannel(f"PJSIP/{uniqueid}", uniqueid, bridge, recording, 1, mixmonitor)
