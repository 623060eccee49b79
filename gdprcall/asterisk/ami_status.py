"""What AMI says of the channels that are up, as values: only the fields that gdprcall needs.

No caller's number is taken over, though Asterisk puts it into its answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gdprcall.asterisk.ami_events import LINE, RECORDING, segment

VARIABLES = (
    *("GDPRCALL_REC", "GDPRCALL_SEG", "GDPRCALL_MMID", "GDPRCALL_OVER", "GDPRCALL_ASKED", "GDPRCALL_AGENT"),
    "DIALEDPEERNAME",
)
"""What ``live_channel`` reads of a channel beside what Status says of itself."""


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that is up; ``recording`` is empty unless one of ours is on it, ``bridge`` unless it talks.

    ``mixmonitor`` is empty where none runs: what a daemon ended over AMI has left its id with the channel.
    ``dialled`` is the channel that its Dial() reached, or the agent's who called it, which a transfer does not change;
    empty if that is not known. ``line`` is what it was asked for, empty if it was not.
    """

    name: str
    uniqueid: str
    bridge: str
    recording: str
    segment: int
    mixmonitor: str
    dialled: str = ""
    line: str = ""


def live_channel(fields: Mapping[str, str], variables: Iterable[str]) -> LiveChannel | None:
    """Return what Status tells of a channel and its ``NAME=value`` lines, or None if it tells of none."""
    if not fields.get("Uniqueid"):
        return None
    # What is not set on a channel is listed as (null).
    pairs = (line.partition("=") for line in variables)
    values = {name: value for name, is_, value in pairs if is_ and value != "(null)"}
    recording, mixmonitor = values.get("GDPRCALL_REC", ""), values.get("GDPRCALL_MMID", "")
    return LiveChannel(
        name=fields.get("Channel", ""),
        uniqueid=fields.get("Uniqueid", ""),
        bridge=fields.get("BridgeID", ""),
        recording=recording if RECORDING.fullmatch(recording) else "",
        segment=segment(values.get("GDPRCALL_SEG", "")),
        mixmonitor=mixmonitor if mixmonitor != values.get("GDPRCALL_OVER") else "",
        dialled=values.get("GDPRCALL_AGENT") or values.get("DIALEDPEERNAME", ""),
        line=line if LINE.fullmatch(line := values.get("GDPRCALL_ASKED", "")) else "",
    )
