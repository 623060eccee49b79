"""Makes speech of text with espeak-ng and brings it to Asterisk's rates with sox; run at set-up, never in a call."""

import io
import shutil
import subprocess
import wave
from dataclasses import dataclass
from typing import Protocol

from gdprcall.errors import ConfigError, GdprcallError

SECONDS = 60
RATES = (8000, 16000)


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken text as 16-bit mono samples, by sample rate."""

    samples: dict[int, bytes]


class Synthesiser(Protocol):
    """Something that speaks."""

    name: str

    def speak(self, text: str, voice: str) -> Speech:
        """Return ``text`` spoken by ``voice`` at 8 and 16 kHz; the same text always gives the same sound."""


class EspeakNg:
    """The synthesiser of Debian; both programs are looked for on PATH."""

    name = "espeak-ng"

    def __init__(self, words_per_minute: int = 165) -> None:
        self._speed = words_per_minute

    def speak(self, text: str, voice: str) -> Speech:
        """Return the spoken text; raises ConfigError when a program is missing, GdprcallError when it fails."""
        spoken = _run(["espeak-ng", "-v", voice, "-s", str(self._speed), "--stdin", "--stdout"], text.encode())
        return Speech({rate: resampled(spoken, rate) for rate in RATES})


def wav(samples: bytes, rate: int) -> bytes:
    """Return samples as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    return out.getvalue()


def resampled(spoken: bytes, rate: int) -> bytes:
    """Return a WAV file's sound as samples at another rate, its loudest moment 3 dB below full scale."""
    shape = ["-t", "raw", "-r", str(rate), "-b", "16", "-c", "1", "-e", "signed-integer", "-L"]
    # -R: no random dither seed, so that the same text always gives the same file, and thereby the same name.
    return _run(["sox", "-R", "-q", "--ignore-length", "-t", "wav", "-", *shape, "-", "norm", "-3"], spoken)


def _run(command: list[str], data: bytes) -> bytes:
    program = shutil.which(command[0])
    if program is None:
        raise ConfigError(f"{command[0]} is not installed", "apt-get install espeak-ng sox")
    try:
        done = subprocess.run([program, *command[1:]], input=data, capture_output=True, check=True, timeout=SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise GdprcallError(f"{command[0]} failed: {type(error).__name__}", "try the same command by hand") from error
    if not done.stdout:
        raise GdprcallError(f"{command[0]} gave no sound", "try the same command by hand")
    return done.stdout
