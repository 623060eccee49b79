"""What AMI reports, as values: only the events that gdprcall acts on, only the fields it needs.

No caller's number is taken over from an event, though Asterisk puts it into most of them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RECORDING = re.compile(r"[0-9a-f]{32}")
"""The id of a recording; what does not look so is not ours."""


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
class MixMonitorStarted:
    """Some MixMonitor was started; ours are started in a context of ours."""

    uniqueid: str
    context: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """A channel ended."""

    uniqueid: str


@dataclass(frozen=True, slots=True)
class BridgeEntered:
    """A channel came into a bridge; a ``crowd`` is a conference or a parking lot."""

    uniqueid: str
    bridge: str
    channel: str = ""
    crowd: bool = False


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


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that is up; ``recording`` is empty unless one of ours is on it, ``bridge`` unless it talks.

    ``dialled`` is the channel that its Dial() reached, which a transfer does not change; empty if that is not known.
    """

    name: str
    uniqueid: str
    bridge: str
    recording: str
    segment: int
    mixmonitor: str
    dialled: str = ""


AmiEvent = (
    RecordingStarted
    | RecordingStopped
    | Withdrawn
    | AgentSaid
    | PrivateCalled
    | WatchdogFired
    | MixMonitorStarted
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


def parse(fields: Mapping[str, str]) -> AmiEvent | None:
    """Return what an event tells, or None if it does not concern us; a malformed one does not."""
    name, uniqueid = fields.get("Event", ""), fields.get("Uniqueid", "")
    match name:
        case "UserEvent":
            return _ours(fields)
        case "MixMonitorStart":
            return MixMonitorStarted(uniqueid, fields.get("Context", ""))
        case "Hangup":
            return HungUp(uniqueid)
        case "BridgeEnter":
            crowd = fields.get("BridgeType") == "parking" or fields.get("BridgeTechnology") == "softmix"
            return BridgeEntered(uniqueid, fields.get("BridgeUniqueid", ""), fields.get("Channel", ""), crowd)
        case "BridgeLeave":
            return BridgeLeft(uniqueid, fields.get("BridgeUniqueid", ""))
        case "Hold" | "Unhold":
            return PutOnHold(uniqueid, on=name == "Hold")
        case _ if name in _CHANGES and fields.get("Result", "Success") == "Success":
            whose, why = _CHANGES[name]
            return PartyChanged(fields.get(whose, ""), why)
        case _:
            return None


def live_channel(fields: Mapping[str, str], variables: Iterable[str]) -> LiveChannel | None:
    """Return what Status tells of a channel and its ``NAME=value`` lines, or None if it tells of none."""
    if not fields.get("Uniqueid"):
        return None
    # What is not set on a channel is listed as (null), which looks like no recording and no segment.
    values = dict(line.split("=", 1) for line in variables if "=" in line)
    recording = values.get("GDPRCALL_REC", "")
    return LiveChannel(
        name=fields.get("Channel", ""),
        uniqueid=fields.get("Uniqueid", ""),
        bridge=fields.get("BridgeID", ""),
        recording=recording if RECORDING.fullmatch(recording) else "",
        segment=_segment(values.get("GDPRCALL_SEG", "")),
        mixmonitor=values.get("GDPRCALL_MMID", "").removeprefix("(null)"),
        dialled=values.get("DIALEDPEERNAME", "").removeprefix("(null)"),
    )


def _segment(text: str) -> int:
    """Return the number of a segment, 1 when Asterisk does not say."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else 1


def _ours(fields: Mapping[str, str]) -> AmiEvent | None:
    if fields.get("UserEvent") != "GdprCall":
        return None
    kind, recording = fields.get("Kind"), fields.get("Rec", "")
    if kind == "timeout":
        return WatchdogFired(fields.get("Line", ""))
    if kind == "private":
        return PrivateCalled(fields.get("Uniqueid", ""), fields.get("Line", ""), fields.get("Demand") == "must")
    if kind == "agent":
        return AgentSaid(fields.get("Uniqueid", ""), fields.get("Word", ""))
    if kind == "party":
        return PartyAnswered(fields.get("Uniqueid", ""), fields.get("Word", ""))
    if not RECORDING.fullmatch(recording):
        return None
    match kind:
        case "started":
            number = _segment(fields.get("Seg", ""))
            channel, uniqueid = fields.get("Channel", ""), fields.get("Uniqueid", "")
            return RecordingStarted(recording, number, fields.get("MixMonitorID", ""), channel, uniqueid)
        case "stopped":
            return RecordingStopped(recording, fields.get("Reason", ""))
        case "withdrawn":
            return Withdrawn(recording)
        case _:
            return None
