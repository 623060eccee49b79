"""Speech for callers and agents, and a witness that says whose speech a recording holds and for how many seconds.

The witness knows the sounds that were spoken and nothing of gdprcall: it compares samples.
"""

import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.pbx.prepare import PBX

RATE = 8000
WINDOW = 4000
"""Half a second: long enough to know a voice by, short enough to count by."""
LIKE = 0.45
"""Correlation from which a window counts as holding a speech; two voices of equal loudness reach 0.7 each."""
QUIET = 60.0

Samples = NDArray[np.float64]

WORDS = {
    # who: (voice, pitch, text)
    "caller": ("en-gb", 70, "Hello, this is the caller speaking. My order has not arrived, and I would like to know where it is."),
    "agent": ("en-us", 25, "Good morning, you are speaking with the agent. Let me look into that for you, one moment please."),
}


def spoken(who: str) -> Path:
    """Return the speech of a party as raw mu-law for SIPp; made once."""
    folder = PBX / "speech"
    raw = folder / f"{who}.ulaw"
    if not raw.exists():
        folder.mkdir(exist_ok=True)
        voice, pitch, text = WORDS[who]
        wav = subprocess.run(
            [PBX / "bin" / "espeak-ng", "-v", voice, "-p", str(pitch), "--stdout", text], capture_output=True, check=True
        ).stdout
        shape = ["-t", "raw", "-r", str(RATE), "-c", "1", "-e", "mu-law", "-b", "8"]
        partial = raw.with_suffix(".partial")
        sox = [PBX / "bin" / "sox", "-R", "-q", "--ignore-length", "-t", "wav", "-", *shape, partial, "norm", "-6"]
        subprocess.run(sox, input=wav, check=True)
        data = partial.read_bytes()
        partial.write_bytes(data[: len(data) // 160 * 160])  # whole packets, so that a loop has no seam
        partial.rename(raw)
    return raw


def reference(who: str) -> Samples:
    """Return the speech of a party as samples."""
    return from_mulaw(spoken(who).read_bytes())


def from_mulaw(data: bytes) -> Samples:
    """Return mu-law bytes as 16-bit sample values (ITU-T G.711)."""
    coded = ~np.frombuffer(data, np.uint8)
    magnitude = (((coded & 0x0F).astype(np.float64) * 8 + 132) * (1 << ((coded >> 4) & 7).astype(np.int64))) - 132
    return np.where(coded & 0x80, -magnitude, magnitude)


def read_wav(path: Path) -> Samples:
    """Return the samples of a 16-bit mono WAV."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64)


def whose(sound: Samples, parties: tuple[str, ...] = ("caller", "agent")) -> dict[str, float]:
    """Return for each party how many seconds of ``sound`` hold its speech."""
    return {who: heard(sound, reference(who)) for who in parties}


def heard(sound: Samples, speech: Samples) -> float:
    """Return how many seconds of ``sound`` hold some part of a speech that may be repeated without end."""
    looped = np.concatenate([speech, speech[:WINDOW]])
    size = 1 << (len(looped) + WINDOW - 1).bit_length()
    spectrum = np.fft.rfft(looped, size)
    squares = np.concatenate([[0.0], np.cumsum(looped**2)])
    energy = squares[WINDOW:] - squares[:-WINDOW]
    found = 0
    for start in range(0, len(sound) - WINDOW + 1, WINDOW):
        window = sound[start : start + WINDOW]
        if np.sqrt(np.mean(window**2)) < QUIET:
            continue
        match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(window, size)), size)[: len(energy)]
        likeness = match / np.sqrt(np.maximum(energy, 1.0) * np.sum(window**2))
        found += bool(np.max(likeness[energy > WINDOW * QUIET**2]) > LIKE)
    return found * WINDOW / RATE
