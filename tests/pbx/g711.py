"""G.711, mu-law and A-law, by tables: what each of the 256 codes means, and the code nearest to a sample."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from tests.pbx.speech import Samples, from_mulaw


def _from_alaw() -> Samples:
    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 7, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.float64)


class Codec(Enum):
    """A codec by its payload type (RFC 3551 6)."""

    ULAW = 0
    ALAW = 8

    @property
    def rtpmap(self) -> str:
        """What SDP calls it."""
        return "PCMU/8000" if self is Codec.ULAW else "PCMA/8000"

    def decode(self, data: bytes) -> Samples:
        """Return codes as 16-bit sample values."""
        return _MEANINGS[self][np.frombuffer(data, np.uint8)]

    def encode(self, sound: Samples) -> bytes:
        """Return the codes that are nearest to samples."""
        values, codes = _NEAREST[self]
        above = np.clip(np.searchsorted(values, sound), 1, 255)
        nearer_below = sound - values[above - 1] < values[above] - sound
        return bytes(codes[np.where(nearer_below, above - 1, above)])


def _nearest(meanings: Samples) -> tuple[Samples, NDArray[np.uint8]]:
    order = np.argsort(meanings, kind="stable").astype(np.uint8)
    return meanings[order], order


_MEANINGS = {Codec.ULAW: from_mulaw(bytes(range(256))), Codec.ALAW: _from_alaw()}
_NEAREST = {codec: _nearest(meanings) for codec, meanings in _MEANINGS.items()}
