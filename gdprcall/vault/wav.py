"""Reads the 44-byte header that Asterisk writes, and repairs the sizes that a killed Asterisk left at zero.

It never looks at the sound.
"""

import struct
from dataclasses import dataclass

from gdprcall.errors import VaultError

HEADER_BYTES = 44
EMPTY_WAV_BYTES = HEADER_BYTES
"""A file of this size or less holds no sound: the call was never bridged."""

FRAME_BYTES = 2
MAX_FIELD = 0xFFFF_FFFF

_LAYOUT = struct.Struct("<4sI4s4sIHHIIHH4sI")


class NotAWav(VaultError):
    """The file is no sound file as MixMonitor writes one."""


class EmptyWav(VaultError):
    """The file is a WAV without a single frame."""


@dataclass(frozen=True, slots=True)
class Wav:
    """What a sound file is: its right header, the bytes and seconds of its sound, and whether it had to be repaired."""

    header: bytes
    sound_bytes: int
    seconds: float
    repaired: bool
    rate: int


def header_of(sound_bytes: int, *, channels: int = 1, rate: int = 8000) -> bytes:
    """Return the header of so many bytes of sound of 16 bit; without more as MixMonitor writes it: mono, 8 kHz."""
    sizes = (min(sound_bytes + HEADER_BYTES - 8, MAX_FIELD), min(sound_bytes, MAX_FIELD))
    form = (16, 1, channels, rate, channels * FRAME_BYTES * rate, channels * FRAME_BYTES, 16)
    return _LAYOUT.pack(b"RIFF", sizes[0], b"WAVE", b"fmt ", *form, b"data", sizes[1])


def channels_of(head: bytes) -> int:
    """Return how many channels a sealed sound has that begins with ``head`` (44 bytes); 0 if it is no WAV of 16 bit."""
    if len(head) < HEADER_BYTES:
        return 0
    riff, _, wave, fmt, fmt_size, codec, channels, rate, _, align, bits, data, _ = _LAYOUT.unpack(head)
    known = (riff, wave, fmt, data, fmt_size, codec) == (b"RIFF", b"WAVE", b"fmt ", b"data", 16, 1)
    return int(channels) if known and rate and (bits, align) == (16, FRAME_BYTES * channels) else 0


def examine(head: bytes, size: int) -> Wav:
    """Return what a file is that begins with ``head`` (44 bytes) and is ``size`` bytes long.

    Accepts what MixMonitor writes: RIFF/WAVE, PCM, mono, 16 bit. The file's size is believed, not the header's, and
    half a frame at the end is left out. Raises NotAWav or EmptyWav.
    """
    if len(head) < HEADER_BYTES:
        raise NotAWav("the sound file is shorter than a WAV header", "quarantine or discard it")
    fields = _LAYOUT.unpack(head)
    riff, _, wave, fmt, fmt_size, codec, channels, rate, byte_rate, align, bits, data, _ = fields
    if (riff, wave, fmt, data) != (b"RIFF", b"WAVE", b"fmt ", b"data") or fmt_size != 16:
        raise NotAWav("the sound file is no WAV as Asterisk writes it", "quarantine or discard it")
    if (codec, channels, bits, align) != (1, 1, 16, FRAME_BYTES) or not rate or byte_rate != FRAME_BYTES * rate:
        raise NotAWav("the sound file is not 16-bit mono PCM", "quarantine or discard it")
    sound = (size - HEADER_BYTES) // FRAME_BYTES * FRAME_BYTES
    if sound <= 0:
        raise EmptyWav("the sound file holds no sound", "discard it")
    # Above 4 GiB the fields are full; readers then go by the file's size.
    sizes = min(sound + HEADER_BYTES - 8, MAX_FIELD), min(sound, MAX_FIELD)
    right = _LAYOUT.pack(riff, sizes[0], *fields[2:12], sizes[1])
    repaired = right != head or sound + HEADER_BYTES != size
    return Wav(right, sound, round(sound / (FRAME_BYTES * rate), 3), repaired, rate)
