"""Reads the 44-byte header that Asterisk writes, and repairs the sizes that a killed Asterisk left at zero.

It never looks at the sound.
"""

import struct
from dataclasses import dataclass

from gdprcall.errors import VaultError

HEADER_BYTES = 44
EMPTY_WAV_BYTES = HEADER_BYTES
"""A file of this size or less holds no sound: the call was never bridged."""

_LAYOUT = struct.Struct("<4sI4s4sIHHIIHH4sI")


@dataclass(frozen=True, slots=True)
class Wav:
    """What a WAV of ``size`` bytes is: its right header, its length in seconds, and whether it had to be repaired."""

    header: bytes
    seconds: float
    repaired: bool


def examine(head: bytes, size: int) -> Wav:
    """Return what a file is that begins with ``head`` (44 bytes) and is ``size`` bytes long; raises VaultError.

    Accepts what MixMonitor writes: RIFF/WAVE, PCM, mono, 16 bit. The file's size is believed, not the header's.
    """
    if len(head) < HEADER_BYTES:
        raise VaultError("the sound file is shorter than a WAV header")
    riff, _, wave, fmt, fmt_size, codec, channels, rate, _, _, bits, data, _ = fields = _LAYOUT.unpack(head)
    if (riff, wave, fmt, data) != (b"RIFF", b"WAVE", b"fmt ", b"data") or fmt_size != 16:
        raise VaultError("the sound file is no WAV as Asterisk writes it")
    if (codec, channels, bits) != (1, 1, 16) or not rate:
        raise VaultError("the sound file is not 16-bit mono PCM")
    right = _LAYOUT.pack(riff, size - 8, *fields[2:12], size - HEADER_BYTES)
    return Wav(right, round((size - HEADER_BYTES) / (2 * rate), 3), right != head)
