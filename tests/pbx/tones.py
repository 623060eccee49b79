"""Pure tones that tell telephones apart, and a witness that says which of them a sound holds and when.

Each tone is a whole number of waves in one packet of 20 ms, so any window of that length shows it in one bin and no other.
"""

import functools
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.pbx.speech import PACKET, RATE, Samples, read_wav

CALLER, AGENT, THIRD, OUTSIDE, MUSIC, PROMPT = 600, 850, 1150, 1450, 1750, 2050
TONES = (CALLER, AGENT, THIRD, OUTSIDE, MUSIC, PROMPT)
LEVEL = 4000.0
"""Amplitude of one tone; all six together stay below what 16 bits hold."""
PRESENT = LEVEL / 4
"""Amplitude from which a window holds a tone: three others that begin in the middle of the window leak less than this."""
JOINED_S = 0.061
"""Spans less than this apart are one: two packets that came late are no silence."""
WINDOW_S = PACKET / RATE

Span = tuple[float, float]
"""From and to, in seconds."""


def tone(hz: int, seconds: float = WINDOW_S, level: float = LEVEL) -> Samples:
    """Return a tone; whole packets of it can be repeated without a seam if ``hz`` is a multiple of 50."""
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def write_wav(path: Path, sound: Samples) -> None:
    """Write samples as a 16-bit mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())


def holds(window: Samples, tones: Sequence[int] = TONES) -> NDArray[np.bool_]:
    """Return for each tone whether a window of any length, or each row of windows, holds it."""
    length = window.shape[-1]
    return np.asarray(2 * np.abs(window @ _waves(length, tuple(tones))) / max(length, 1) >= PRESENT)


@functools.cache
def _waves(length: int, tones: tuple[int, ...]) -> NDArray[np.complex128]:
    turns = np.outer(np.arange(length), tones) / RATE
    return np.asarray(np.exp(-2j * np.pi * turns), np.complex128)


def in_sound(sound: Samples, tones: Sequence[int] = TONES) -> dict[int, list[Span]]:
    """Return the spans of each tone in a sound, to 20 ms; what is left over at its end is not looked at."""
    windows = sound[: len(sound) // PACKET * PACKET].reshape(-1, PACKET)
    return spans([place * WINDOW_S for place in range(len(windows))], holds(windows, tones), tones)


def in_wav(path: Path, tones: Sequence[int] = TONES) -> dict[int, list[Span]]:
    """Return the spans of each tone in a 16-bit mono WAV of 8 kHz, to 20 ms."""
    return in_sound(read_wav(path), tones)


def spans(starts: Sequence[float], held: NDArray[np.bool_], tones: Sequence[int]) -> dict[int, list[Span]]:
    """Return the spans of each tone, given when each window starts and, in its row, which tones it holds."""
    found: dict[int, list[Span]] = {hz: [] for hz in tones}
    for column, hz in enumerate(tones):
        for start in np.asarray(starts)[held[:, column]] if len(held) else []:
            begun, end = found[hz].pop() if found[hz] else (float(start), float(start))
            if start - end >= JOINED_S:
                found[hz].append((begun, end))
                begun = float(start)
            found[hz].append((round(begun, 3), round(float(start) + WINDOW_S, 3)))
    return found


def seconds(found: Sequence[Span]) -> float:
    """Return how long spans are together."""
    return sum(end - begun for begun, end in found)
