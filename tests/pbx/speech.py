"""Speech for callers and agents, and a witness that says whose speech a recording holds and for how many seconds.

The witness knows the sounds that were spoken and nothing of gdprcall: it compares samples.
"""

import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.pbx.prepare import PBX

FOLDER = PBX / "speech"
RATE = 8000
WINDOW = 4000
"""Half a second: long enough to know a voice by, short enough to count by."""
HOP = WINDOW // 2
PACKET = 160
KEYS = "0123456789*#ABCD"
"""Keys in the order of their telephone-event codes (RFC 4733 3.2)."""
SURE = 0.65
"""Correlation at which one window alone counts: in 240 mixes of two other voices chance reached 0.56."""
LIKE = 0.35
"""Correlation at which a window counts if a second one, not overlapping it, fits at the same place of the speech."""
SAME = RATE // 400
QUIET = 60.0

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Match:
    """A window of a recording, where in a speech it fits best, and how well (0 to 1)."""

    at: int
    place: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of espeak-ng, what it says, and for how many seconds it then says nothing."""

    name: str
    pitch: int
    text: str
    rest: float = 0


VOICES = {
    "caller": Voice(
        "en-gb",
        70,
        "Hello, this is the caller speaking. My order has not arrived, and I would like to know where it is.",
    ),
    "agent": Voice(
        "en-us",
        25,
        "Good morning, you are speaking with the agent. Let me look into that for you, one moment please.",
    ),
    "card": Voice(
        "en-gb",
        70,
        "Four nine two nine, one one seven six, zero three two eight, five five four one. It expires in May.",
    ),
    "hello": Voice("en-gb", 60, "Hello?", rest=600),
    "third": Voice(
        "en-gb-scotland",
        50,
        "The garage here, your colleague put me through. Four tyres were replaced on Friday and both brakes tightened.",
    ),
}


def spoken(who: str) -> Path:
    """Return the speech of a party as raw mu-law for SIPp; made once."""
    raw = FOLDER / f"{who}.ulaw"
    if not raw.exists():
        raw.parent.mkdir(exist_ok=True)
        voice = VOICES[who]
        espeak = [str(PBX / "bin" / "espeak-ng"), "-v", voice.name, "-p", str(voice.pitch), "--stdout", voice.text]
        wav = subprocess.run(espeak, capture_output=True, check=True, timeout=60).stdout
        shape = ["-t", "raw", "-r", str(RATE), "-c", "1", "-e", "mu-law", "-b", "8", "-", "norm", "-6"]
        sox = [str(PBX / "bin" / "sox"), "-R", "-q", "--ignore-length", "-t", "wav", "-", *shape]
        data = subprocess.run(sox, input=wav, capture_output=True, check=True, timeout=60).stdout
        data += b"\xff" * round(voice.rest * RATE)
        _place(raw, data[: len(data) // PACKET * PACKET])  # whole packets, so that a loop has no seam
    return raw


def key(digit: str) -> Path:
    """Return the one packet by which a key is told in the stream of sound: the end of a telephone-event (RFC 4733 2.3).

    It is 50 bytes long, of which the event has the first four: event, end bit and volume, duration in samples.
    """
    path = FOLDER / f"key-{KEYS.index(digit)}.event"
    packet = bytes([KEYS.index(digit), 0x80 | 10]) + (RATE // 10).to_bytes(2) + bytes(46)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        _place(path, packet)
    return path


def _place(path: Path, data: bytes) -> None:
    # Several processes, and several threads of each, may make the same file at once: whoever is last replaces it.
    handle, partial = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent)
    with open(handle, "wb") as file:
        file.write(data)
    Path(partial).chmod(0o644)
    Path(partial).rename(path)


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


def likeness(sound: Samples, whole: Samples) -> float:
    """Return how like the ``whole`` of another sound the most alike stretch of a sound is, 0 to 1; 0 if it is too short."""
    if len(sound) < len(whole):
        return 0.0
    size = 1 << (len(sound) + len(whole)).bit_length()
    found = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(whole, size)), size)
    squares = np.concatenate([[0.0], np.cumsum(sound**2)])
    energy = np.maximum(squares[len(whole) :] - squares[: -len(whole)], 1.0)
    return float(np.max(found[: len(energy)] / np.sqrt(energy * np.sum(whole**2))))


def heard(sound: Samples, speech: Samples) -> float:
    """Return how many seconds of ``sound`` hold some part of a speech that may be repeated without end.

    Chance gives single windows a fair likeness, but each at another place of the speech; true speech goes on where
    it was, so a fair likeness counts when it is found twice at one place.
    """
    fair = [match for match in matches(sound, speech) if match.likeness > LIKE]
    shifts = np.array([(match.place - match.at) % len(speech) for match in fair])
    starts = np.array([match.at for match in fair])
    total, end = 0, 0
    for match, shift in zip(fair, shifts, strict=True):
        apart = np.abs(starts - match.at) >= WINDOW
        away = np.abs(shifts - shift)
        agree = apart & (np.minimum(away, len(speech) - away) <= SAME)
        if match.likeness > SURE or agree.any():
            total += match.at + WINDOW - max(match.at, end)
            end = match.at + WINDOW
    return total / RATE


def matches(sound: Samples, speech: Samples) -> list[Match]:
    """Return for each window of ``sound`` that is not silent the place of the looped ``speech`` that it fits best."""
    looped = np.concatenate([speech, speech[:WINDOW]])
    size = 1 << (len(looped) + WINDOW - 1).bit_length()
    spectrum = np.fft.rfft(looped, size)
    squares = np.concatenate([[0.0], np.cumsum(looped**2)])
    energy = squares[WINDOW:] - squares[:-WINDOW]
    found = []
    for start in range(0, len(sound) - WINDOW + 1, HOP):
        window = sound[start : start + WINDOW]
        if np.sqrt(np.mean(window**2)) < QUIET:
            continue
        match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(window, size)), size)[: len(energy)]
        likeness = match / np.sqrt(np.maximum(energy, 1.0) * np.sum(window**2))
        likeness[energy <= WINDOW * QUIET**2] = 0.0
        place = int(np.argmax(likeness))
        found.append(Match(start, place, float(likeness[place])))
    return found
