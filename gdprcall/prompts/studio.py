"""Takes recordings of a person's voice into the catalogue: one WAV file for each part of the text, checked first.

It refuses what cannot be what the text says (too short, too long, silent, clipped), and changes no file it is given.
"""

import array
import io
import math
import sys
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import Refused
from gdprcall.prompts.store import Prompt, assemble, keep, manifests
from gdprcall.prompts.synthesis import RATES, Speech, resampled
from gdprcall.prompts.texts import Kind, Words

LEAST_RATE = 16_000
WIDTHS = (2, 3)
FULL_SCALE = 32_767
CLIPPED_SAMPLES = 8
"""How many samples at full scale make a recording clipped: a single one may be chance."""

QUIETEST_DB, LOUDEST_DB = -36.0, -9.0
SILENCE_DB = -50.0
LONGEST_SILENCE_MS = 1_000
LETTERS_A_SECOND = (5.0, 30.0)
"""How fast people speak, from very slowly to faster than anybody can follow."""

SLACK_SECONDS = 1.0
LARGEST_BYTES = 64 * 1024 * 1024
FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording as it came: 16-bit samples of one channel, and their rate."""

    samples: "array.array[int]"
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    def level(self) -> float:
        """Return how loud it is, in dB below full scale (RMS)."""
        return _db(self.samples)

    def wav(self) -> bytes:
        """Return it as a WAV file."""
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(_little(self.samples).tobytes())
        return out.getvalue()


def read(path: Path) -> Sound:
    """Return the recording in a WAV file; raises Refused for a format that is not taken."""
    convert = f"convert it, for example with: sox {path.name} -c 1 -b 16 -r 48000 new.wav"
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise Refused(f"{path} is larger than {LARGEST_BYTES >> 20} MiB", convert)
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}", "check its name") from error
    except (wave.Error, EOFError) as error:
        raise Refused(
            f"{path} is no WAV file of plain samples (PCM): {str(error) or 'it is cut off'}", convert
        ) from error
    if channels != 1:
        raise Refused(f"{path} has {channels} channels, and a telephone has one", convert)
    if width not in WIDTHS:
        raise Refused(f"{path} has {8 * width} bits a sample, not 16 or 24", convert)
    if rate < LEAST_RATE:
        raise Refused(f"{path} has {rate} samples a second, less than {LEAST_RATE}", "record it anew at 48000")
    return Sound(_samples(data, width), rate)


def faults(sound: Sound, text: str) -> Iterator[str]:
    """Yield what is wrong with a recording that is to say ``text``."""
    slow, fast = LETTERS_A_SECOND
    shortest, longest = len(text) / fast, len(text) / slow + SLACK_SECONDS
    if not shortest <= sound.seconds <= longest:
        yield f"lasts {sound.seconds:.1f} s, and to say this takes {shortest:.1f} to {longest:.1f} s"
    if sum(abs(sample) >= FULL_SCALE for sample in sound.samples) >= CLIPPED_SAMPLES:
        yield "is clipped: record it with less gain"
    level = sound.level()
    if level < SILENCE_DB:
        yield "is silent"
        return
    if not QUIETEST_DB <= level <= LOUDEST_DB:
        yield f"has a level of {level:.0f} dB, not {QUIETEST_DB:.0f} to {LOUDEST_DB:.0f} dB"
    before, after = _silence(sound), _silence(Sound(sound.samples[::-1], sound.rate))
    if max(before, after) > LONGEST_SILENCE_MS:
        yield f"has {before / 1000:.1f} s of silence at its beginning and {after / 1000:.1f} s at its end: cut them off"


def take_in(said: Words, kind: Kind, sounds: Sequence[Sound], engine: str, now: int) -> tuple[Prompt, list[bytes]]:
    """Return the prompt that says ``said`` by these recordings; raises Refused for what cannot be what the text says."""
    wrong = [
        f"part {number} ({part.name}) {fault}"
        for number, (part, sound) in enumerate(zip(said.parts, sounds, strict=True), 1)
        for fault in faults(sound, part.text)
    ]
    if wrong:
        raise Refused("nothing was taken in:\n" + "\n".join(f"  {one}" for one in wrong), "record these parts anew")
    spoken = [Speech({rate: resampled(sound.wav(), rate) for rate in RATES}) for sound in sounds]
    return assemble(said, kind, spoken, engine, now)


def put(prompt: Prompt, wavs: Sequence[bytes], sounds: Path, store: Path) -> bool:
    """Put a recorded prompt into the store and before callers; return False when it was there already.

    Raises Refused when this very sound is kept as another text: a recording says one thing.
    """
    same = [kept for kept in manifests(store) if kept.sha256 == prompt.sha256]
    if any((kept.language, kept.text) != (prompt.language, prompt.text) for kept in same):
        raise Refused("these very recordings are kept with another text", "record what this text says, and import that")
    keep(prompt, wavs, sounds, store)
    return not same


def _samples(data: bytes, width: int) -> "array.array[int]":
    if width == 3:  # the upper two bytes of each sample
        upper = bytearray(len(data) // 3 * 2)
        upper[0::2], upper[1::2] = data[1::3], data[2::3]
        data = bytes(upper)
    return _little(array.array("h", data[: len(data) // 2 * 2]))


def _little(samples: "array.array[int]") -> "array.array[int]":
    """Return samples between this machine's order of bytes and that of WAV files."""
    if sys.byteorder == "little":
        return samples
    swapped = array.array("h", samples)
    swapped.byteswap()
    return swapped


def _silence(sound: Sound) -> int:
    """Return how many milliseconds pass before anything is heard."""
    step = sound.rate * FRAME_MS // 1000
    for place in range(0, len(sound.samples), step):
        if _db(sound.samples[place : place + step]) > SILENCE_DB:
            return place * 1000 // sound.rate
    return round(sound.seconds * 1000)


def _db(samples: "array.array[int]") -> float:
    power = sum(sample * sample for sample in samples) / max(1, len(samples))
    return 10 * math.log10(max(power, 1e-9) / FULL_SCALE**2)
