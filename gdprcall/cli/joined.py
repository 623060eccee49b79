"""Several segments of a recording as one WAV, in which each gap can be heard and found: two beeps, and a cue point.

What was not recorded, a hold or a card number, is not filled with silence of its length: a gap is a gap.
"""

import math
import struct
import sys
from array import array
from typing import BinaryIO

from gdprcall.errors import Refused
from gdprcall.vault import wav

_HEAD = struct.Struct("<22xHI16x")
_CUE = struct.Struct("<II4sIII")
BEEPS = ((0.2, False), (0.15, True), (0.1, False), (0.15, True), (0.2, False))
"""A gap in seconds: silence, and a beep of 1 kHz, well below a voice."""
BEEP_HZ = 1000
LOUDNESS = 3_000


def gap(channels: int, rate: int) -> bytes:
    """Return what is heard between two segments, as frames of 16 bit."""
    frames = array("h")
    for seconds, beeps in BEEPS:
        for place in range(round(seconds * rate)):
            value = round(LOUDNESS * math.sin(2 * math.pi * BEEP_HZ * place / rate)) if beeps else 0
            frames.extend([value] * channels)
    if sys.byteorder == "big":
        frames.byteswap()
    return frames.tobytes()


class Joined:
    """Writes a WAV of segments one after the other into ``file``, which can seek: ``begin`` each, write it, then ``end``.

    The cue points are those of the RIFF specification (``cue`` and ``LIST adtl``), labelled with the segment's number.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._form: tuple[int, int] | None = None
        self._head = b""
        self._sound = 0
        self._begun: list[tuple[str, int]] = []  # segment, its first frame

    def begin(self, segment: str) -> None:
        """Take what is written from now on as the sealed WAV of another segment."""
        self._head = b""
        if self._form is not None:
            self._write(gap(*self._form))
        self._begun.append((segment, self._frames()))

    def write(self, data: bytes) -> None:
        """Take the next bytes; raises Refused for what is no WAV, or another kind than the segments before."""
        missing = wav.HEADER_BYTES - len(self._head)
        if missing:
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) < wav.HEADER_BYTES:
                return
            self._look_at(self._head)
        self._write(data)

    def end(self) -> None:
        """Write the cue points, and the header with the sizes that are known now."""
        if self._form is None:
            raise Refused("there is no sound in it", "open each segment by itself")
        channels, rate = self._form
        cues = self._cues()
        self._file.write(cues)
        self._file.seek(0)
        header = wav.header_of(self._sound, channels=channels, rate=rate)
        riff = min(wav.HEADER_BYTES - 8 + self._sound + len(cues), wav.MAX_FIELD)
        self._file.write(header[:4] + riff.to_bytes(4, "little") + header[8:])

    def _look_at(self, head: bytes) -> None:
        form = wav.channels_of(head), _HEAD.unpack(head)[1]
        if not form[0]:
            raise Refused("a segment is no WAV as gdprcall seals it", "open it by itself")
        if self._form is None:
            self._form = form
            self._file.write(bytes(wav.HEADER_BYTES))
        elif form != self._form:
            raise Refused("the segments are not of one kind: channels or rate differ", "open each by itself")

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._sound += len(data)

    def _frames(self) -> int:
        return self._sound // (wav.FRAME_BYTES * self._form[0]) if self._form else 0

    def _cues(self) -> bytes:
        points, labels = b"", b""
        for number, (segment, frame) in enumerate(self._begun, 1):
            at = min(frame, wav.MAX_FIELD)
            points += _CUE.pack(number, at, b"data", 0, 0, at)
            text = f"segment {segment}".encode() + b"\0"
            labels += b"labl" + struct.pack("<II", 4 + len(text), number) + text + b"\0" * (len(text) % 2)
        cue = struct.pack("<I", len(self._begun)) + points
        adtl = b"adtl" + labels
        return b"cue " + struct.pack("<I", len(cue)) + cue + b"LIST" + struct.pack("<I", len(adtl)) + adtl
