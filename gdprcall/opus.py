"""Turns a WAV as gdprcall seals it into Opus in Ogg, where the library for it is installed (the extra ``opus``).

It writes where it is told to, and believes no file that it has not read again.
"""

import os
import struct
from typing import BinaryIO

from gdprcall.errors import GdprcallError
from gdprcall.vault import wav

try:
    import soundfile
except (ImportError, OSError):  # not installed, or without its library
    soundfile = None

RATES = frozenset({8000, 12000, 16000, 24000, 48000})
COPY_BYTES = 64 * 1024
_RATE = struct.Struct("<24xI")
HINT = "pip install 'gdprcall[opus]'"


def available() -> bool:
    """Whether the library is there."""
    return soundfile is not None


def encode(source: BinaryIO, sink: BinaryIO) -> bool:
    """Write the Opus of a WAV to ``sink``, a real file; whether that is possible at its rate.

    Raises GdprcallError when what was written is not all of the sound.
    """
    head = source.read(wav.HEADER_BYTES)
    channels, (rate,) = wav.channels_of(head), _RATE.unpack_from(head)
    if not channels or rate not in RATES or soundfile is None:
        return False
    frames = 0
    # By its descriptor: what goes wrong in a callback of Python's would be swallowed.
    with soundfile.SoundFile(os.dup(sink.fileno()), "w", rate, channels, format="OGG", subtype="OPUS") as out:
        while data := source.read(COPY_BYTES):
            whole = data[: len(data) // (wav.FRAME_BYTES * channels) * wav.FRAME_BYTES * channels]
            out.buffer_write(whole, dtype="int16")
            frames += len(whole) // (wav.FRAME_BYTES * channels)
    sink.seek(0)
    with soundfile.SoundFile(os.dup(sink.fileno())) as written:
        if written.frames != frames:
            raise GdprcallError("a recording could not be written as Opus", "is there room on the disk?")
    sink.seek(0)
    return True
