"""What AMI reports, as values: only the events that gdprcall acts on, only the fields it needs.

No caller's number is taken over from an event, though Asterisk puts it into most of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

RECORDING = re.compile(r"[0-9a-f]{32}")
"""The id of a recording; what does not look so is not ours."""
LINE = re.compile(r"[a-z0-9_]{1,40}")
"""The name of a line, as the dialplan filters it."""
STARTS_OURS = "gdprcall-segment"
"""The one context of the dialplan that starts a recording of ours."""


class Recorder(StrEnum):
    """What can record a call in Asterisk, as far as AMI tells of it."""

    MIXMONITOR = "mixmonitor"
    MONITOR = "monitor"
    CONFERENCE = "conference"
    SNOOP = "snoop"


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """The dialplan started a segment of a recording of ours."""

    recording: str
    segment: int
    mixmonitor: str
    channel: str
    uniqueid: str


@dataclass(frozen=True, slots=True)
class RecordingStopped:
    """The dialplan ended a recording of ours before its call ended."""

    recording: str
    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The caller pressed the withdrawal code."""

    recording: str


@dataclass(frozen=True, slots=True)
class AgentSaid:
    """The agent pressed one of the codes that say something of the call on this channel."""

    uniqueid: str
    word: str


@dataclass(frozen=True, slots=True)
class PrivateCalled:
    """A call came to a line as a private one: it was not asked, unless it ``must`` be recorded."""

    uniqueid: str
    line: str
    must: bool


@dataclass(frozen=True, slots=True)
class WatchdogFired:
    """The dialplan took a call on because no answer came in time."""

    line: str


@dataclass(frozen=True, slots=True)
class MachineAnswered:
    """A call that went out was answered by a machine, or nobody could listen for one: it is neither asked nor recorded."""

    line: str
    found: bool


@dataclass(frozen=True, slots=True)
class RecorderStarted:
    """Something began to record: at ``place``, which is a channel's uniqueid, or the bridge of a conference.

    ``linked`` is the first channel of that call; ``tap`` the channel that listens, for a snoop.
    """

    what: Recorder
    place: str
    context: str = ""
    linked: str = ""
    tap: str = ""

    @property
    def ours(self) -> bool:
        """Whether our dialplan started it: no event names a file or an id, only where its channel was."""
        return self.what is Recorder.MIXMONITOR and self.context == STARTS_OURS


@dataclass(frozen=True, slots=True)
class RecorderStopped:
    """Something that recorded at ``place`` ended before its channel or its conference did."""

    what: Recorder
    place: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class HungUp:
    """A channel ended."""

    uniqueid: str


@dataclass(frozen=True, slots=True)
class BridgeEntered:
    """A channel came into a bridge, in place of ``swap`` if that is given; a ``crowd`` is a conference or a parking lot."""

    uniqueid: str
    bridge: str
    channel: str = ""
    crowd: bool = False
    swap: str = ""


@dataclass(frozen=True, slots=True)
class BridgeLeft:
    """A channel left a bridge."""

    uniqueid: str
    bridge: str


@dataclass(frozen=True, slots=True)
class PutOnHold:
    """A channel put the others on hold, or took them off."""

    uniqueid: str
    on: bool


@dataclass(frozen=True, slots=True)
class PartyAnswered:
    """Who joined a call was asked on his own channel: ``agreed``, ``refused``, ``silent``, or ``failed``."""

    uniqueid: str
    word: str


@dataclass(frozen=True, slots=True)
class PartyChanged:
    """The parties of a channel's call change: transfer, parking or conference."""

    uniqueid: str
    why: str


AmiEvent = (
    RecordingStarted
    | RecordingStopped
    | Withdrawn
    | AgentSaid
    | PrivateCalled
    | WatchdogFired
    | MachineAnswered
    | RecorderStarted
    | RecorderStopped
    | HungUp
    | BridgeEntered
    | BridgeLeft
    | PutOnHold
    | PartyAnswered
    | PartyChanged
)

_CHANGES = {
    # event: (whose uniqueid, why)
    "BlindTransfer": ("TransfereeUniqueid", "blind_transfer"),
    "AttendedTransfer": ("TransfereeUniqueid", "attended_transfer"),
    "ParkedCall": ("ParkeeUniqueid", "parked"),
    "UnParkedCall": ("ParkeeUniqueid", "unparked"),
    "ConfbridgeJoin": ("Uniqueid", "conference"),
}

_RECORDERS = {
    # event: (which field says where, what it is); Monitor went with Asterisk 21
    "MixMonitorStart": ("Uniqueid", Recorder.MIXMONITOR),
    "MixMonitorStop": ("Uniqueid", Recorder.MIXMONITOR),
    "MonitorStart": ("Uniqueid", Recorder.MONITOR),
    "MonitorStop": ("Uniqueid", Recorder.MONITOR),
    "ConfbridgeRecord": ("BridgeUniqueid", Recorder.CONFERENCE),
    "ConfbridgeStopRecord": ("BridgeUniqueid", Recorder.CONFERENCE),
    "ChanSpyStart": ("SpyeeUniqueid", Recorder.SNOOP),
    "ChanSpyStop": ("SpyeeUniqueid", Recorder.SNOOP),
}


def parse(fields: Mapping[str, str]) -> AmiEvent | None:
    """Return what an event tells, or None if it does not concern us; a malformed one does not."""
    name, uniqueid = fields.get("Event", ""), fields.get("Uniqueid", "")
    match name:
        case "UserEvent":
            return _ours(fields)
        case _ if name in _RECORDERS:
            return _recorder(name, fields)
        case "Hangup":
            return HungUp(uniqueid)
        case "BridgeEnter":
            crowd = fields.get("BridgeType") == "parking" or fields.get("BridgeTechnology") == "softmix"
            bridge, channel = fields.get("BridgeUniqueid", ""), fields.get("Channel", "")
            return BridgeEntered(uniqueid, bridge, channel, crowd, fields.get("SwapUniqueid", ""))
        case "BridgeLeave":
            return BridgeLeft(uniqueid, fields.get("BridgeUniqueid", ""))
        case "Hold" | "Unhold":
            return PutOnHold(uniqueid, on=name == "Hold")
        case _ if name in _CHANGES and fields.get("Result", "Success") == "Success":
            whose, why = _CHANGES[name]
            return PartyChanged(fields.get(whose, ""), why)
        case _:
            return None


def _recorder(name: str, fields: Mapping[str, str]) -> AmiEvent | None:
    whose, what = _RECORDERS[name]
    place, tap = fields.get(whose, ""), ""
    if what is Recorder.SNOOP:
        # A person who listens in by ChanSpy() is no recorder; a channel that an application made to listen is.
        if not fields.get("SpyerChannel", "").startswith("Snoop/"):
            return None
        tap = fields.get("SpyerUniqueid", "")
    if name.endswith(("StopRecord", "Stop")):
        return RecorderStopped(what, place, fields.get("Context", ""))
    return RecorderStarted(what, place, fields.get("Context", ""), fields.get("Linkedid", ""), tap)


def segment(text: str) -> int:
    """Return the number of a segment, 1 when Asterisk does not say."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else 1


def _ours(fields: Mapping[str, str]) -> AmiEvent | None:
    if fields.get("UserEvent") != "GdprCall":
        return None
    kind, recording = fields.get("Kind"), fields.get("Rec", "")
    if kind == "timeout":
        return WatchdogFired(fields.get("Line", ""))
    if kind == "machine":
        return MachineAnswered(fields.get("Line", ""), fields.get("Status") == "MACHINE")
    if kind == "private":
        return PrivateCalled(fields.get("Uniqueid", ""), fields.get("Line", ""), fields.get("Demand") == "must")
    if kind == "agent":
        return AgentSaid(fields.get("Uniqueid", ""), fields.get("Word", ""))
    if kind == "changed":
        return PartyChanged(fields.get("Uniqueid", ""), "connected_line")
    if kind == "party":
        return PartyAnswered(fields.get("Uniqueid", ""), fields.get("Word", ""))
    if not RECORDING.fullmatch(recording):
        return None
    match kind:
        case "started":
            number = segment(fields.get("Seg", ""))
            mixmonitor, channel, uniqueid = (fields.get(name, "") for name in ("MixMonitorID", "Channel", "Uniqueid"))
            return RecordingStarted(recording, number, mixmonitor, channel, uniqueid)
        case "stopped":
            return RecordingStopped(recording, fields.get("Reason", ""))
        case "withdrawn":
            return Withdrawn(recording)
        case _:
            return None
