"""A copy of a recording in which one voice is silent, for who has a right to a copy and not to another's voice.

It changes nothing of what was sealed, and silences nothing where both voices are in one channel.
"""

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from gdprcall.age.stream import Sink
from gdprcall.errors import Refused
from gdprcall.times import now_ms, rfc3339
from gdprcall.vault import wav

FRAME_BYTES = 2 * wav.FRAME_BYTES
Read = Callable[[bytes, BinaryIO, Sink], object]


class Voice(StrEnum):
    """Whose voice is silenced: the left channel's or the right one's."""

    CALLER = "caller"
    OTHERS = "others"


class Muted:
    """Silences one voice of a WAV of two channels on its way into ``sink``."""

    def __init__(self, sink: Sink, voice: Voice) -> None:
        self._sink = sink
        self._silent = 0 if voice is Voice.CALLER else wav.FRAME_BYTES
        self._head = b""
        self._at = 0
        self.begun = False

    def write(self, data: bytes) -> None:
        """Take the next bytes; raises Refused for what has not two channels."""
        if not self.begun:
            self._head += data
            if len(self._head) < wav.HEADER_BYTES:
                return
            if wav.channels_of(self._head[: wav.HEADER_BYTES]) != 2:
                raise one_channel()
            self.begun = True
            self._sink.write(self._head[: wav.HEADER_BYTES])
            data = self._head[wav.HEADER_BYTES :]
        sound = bytearray(data)
        for place in range(self._silent, self._silent + wav.FRAME_BYTES):
            first = (place - self._at) % FRAME_BYTES
            sound[first::FRAME_BYTES] = bytes(len(range(first, len(sound), FRAME_BYTES)))
        self._at = (self._at + len(sound)) % FRAME_BYTES
        self._sink.write(bytes(sound))


def muting(read: Read, voice: Voice, decide: Callable[[], None]) -> Read:
    """Return what reads as ``read`` does, without one voice; ``decide`` is called when all of it is read.

    It raises Refused for what has not two channels.
    """

    def read_muted(file_key: bytes, source: BinaryIO, sink: Sink) -> None:
        muted = Muted(sink, voice)
        read(file_key, source, muted)
        if not muted.begun:
            raise one_channel()
        decide()

    return read_muted


def decided(
    copy: Path, recording: str, segment: str, voice: Voice, reason: str
) -> tuple[Path, Callable[[BinaryIO], object]]:
    """Return where the decision to silence a voice lies, and what writes it: of what, whose, why and when, as JSON."""
    said = {"copy": copy.name, "recording": recording, "segment": int(segment), "muted": voice, "reason": reason}
    text = json.dumps(said | {"decided_at": rfc3339(now_ms())}, indent=2) + "\n"
    return copy.with_suffix(".muted.json"), lambda sink: sink.write(text.encode())


def one_channel() -> Refused:
    """Return the error for a recording in which no voice is apart."""
    return Refused(
        "both voices are in one channel", "a line with legs = true records them apart, from its next call on"
    )
