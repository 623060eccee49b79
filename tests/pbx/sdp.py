"""What two telephones agree on about sound (RFC 4566, 3264): where it goes, how it is coded, and in which directions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tests.pbx.g711 import Codec
from tests.pbx.sip import HOST

EVENTS = 101
"""Our payload type of telephone-events."""


class Direction(Enum):
    """Who sends, seen from the side that says it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the side that says it sends."""
        return self in {Direction.SENDRECV, Direction.SENDONLY}

    @property
    def receives(self) -> bool:
        """Whether the side that says it wants to be sent to."""
        return self in {Direction.SENDRECV, Direction.RECVONLY}

    def answer(self, ours: "Direction") -> "Direction":
        """Return what is answered to an offer of this, when we ourselves want ``ours`` (RFC 3264 6.1)."""
        sends, receives = ours.sends and self.receives, ours.receives and self.sends
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE


@dataclass(frozen=True, slots=True)
class Media:
    """What one side said: where it wants sound, in which codecs, how it names telephone-events (0: not at all)."""

    host: str
    port: int
    codecs: tuple[Codec, ...]
    events: int
    direction: Direction

    @classmethod
    def parse(cls, text: str) -> "Media":
        """Return what SDP says of its one stream of sound; raises ValueError where there is none."""
        stream = re.search(r"^m=audio (\d+) RTP/AVP ([\d ]+)", text, re.MULTILINE)
        host = re.search(r"^c=IN IP4 (\S+)", text, re.MULTILINE)
        if not stream or not host:
            raise ValueError("no sound is described")
        known = {codec.value: codec for codec in Codec}
        offered = [int(number) for number in stream[2].split()]
        events = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", text, re.MULTILINE | re.IGNORECASE)
        direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", text, re.MULTILINE)
        codecs = tuple(known[number] for number in offered if number in known)
        wanted = Direction(direction[1]) if direction else Direction.SENDRECV
        return cls(host[1], int(stream[1]), codecs, int(events[1]) if events else 0, wanted)


def describe(port: int, codecs: Sequence[Codec], events: int, direction: Direction, version: int) -> str:
    """Return SDP of one stream of sound that is wanted at ``port``; ``events`` of 0 leaves telephone-events out."""
    maps = [(codec.value, codec.rtpmap) for codec in codecs]
    if events:
        maps.append((events, "telephone-event/8000"))
    lines = ["v=0", f"o=- 1 {version} IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP {' '.join(str(number) for number, _ in maps)}"]
    lines += [f"a=rtpmap:{number} {name}" for number, name in maps]
    lines += [f"a=fmtp:{events} 0-15"] if events else []
    return "\r\n".join([*lines, "a=ptime:20", f"a={direction.value}", ""])
