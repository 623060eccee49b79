"""A desk with a microphone and a loudspeaker, by PyAudio: records one part of a prompt and plays it back.

The daemon never comes here: PyAudio is an extra, and a PBX needs no sound device.
"""

import array
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from gdprcall.errors import ConfigError, GdprcallError, NotFound
from gdprcall.prompts.studio import Sound

RATE = 48_000
BLOCK = RATE // 20
"""Frames that are read at once: a meter that moves twenty times a second."""

ELSEWHERE = "record it elsewhere, and use: gdprcall prompts import"


class Desk:
    """The sound devices of this machine; a context manager. Raises ConfigError where there is no PyAudio."""

    def __init__(self, device: str = "", elsewhere: str = ELSEWHERE) -> None:
        with _quiet():  # PortAudio tells of every device that is not there
            try:
                import pyaudio  # noqa: PLC0415 # an extra: everything else works without it
            except ImportError as error:
                hint = "apt-get install portaudio19-dev, then: pip install 'gdprcall[audio]'; or " + elsewhere
                raise ConfigError("PyAudio is not installed here", hint) from error
            self._audio: Any = pyaudio.PyAudio()
        self._format = pyaudio.paInt16
        self._device, self._elsewhere = device, elsewhere

    def __enter__(self) -> "Desk":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._audio.terminate()

    def record(self, seconds: float, stop: Callable[[], bool], level: Callable[[float], None]) -> Sound:
        """Return what was said until ``stop`` says so, ``seconds`` at most; ``level`` hears how loud it is (dB)."""
        samples = array.array("h")
        with self._open("maxInputChannels", input=True) as stream:
            while len(samples) < seconds * RATE and not stop():
                block = array.array("h", stream.read(BLOCK, exception_on_overflow=False))
                level(Sound(block, RATE).level())
                samples += block
        return Sound(samples[: round(seconds * RATE)], RATE)

    def play(self, sound: Sound) -> None:
        """Play a sound to its end."""
        with self._open("maxOutputChannels", output=True) as stream:
            stream.write(sound.samples.tobytes())
            stream.stop_stream()

    @contextmanager
    def loudspeaker(self, rate: int, channels: int) -> Iterator[Callable[[bytes], None]]:
        """Yield what plays samples of 16 bit, and returns when the device has taken them; at the end all was heard."""
        with self._open("maxOutputChannels", rate, channels, output=True) as stream:
            yield stream.write
            stream.stop_stream()  # it waits for what the device has not played yet; closing throws that away

    @contextmanager
    def _open(self, channels: str, rate: int = RATE, count: int = 1, **way: bool) -> Iterator[Any]:
        number = self._number(channels)
        which = {"input_device_index" if "input" in way else "output_device_index": number}
        try:
            with _quiet():
                stream = self._audio.open(
                    rate=rate, channels=count, format=self._format, frames_per_buffer=rate // 20, **way, **which
                )
            try:
                yield stream
            finally:
                stream.close()
        except OSError as error:
            raise GdprcallError(
                f"the sound device failed: {_reason(error)}", f"try another --device, or {self._elsewhere}"
            ) from error

    def _number(self, channels: str) -> int:
        devices = [self._audio.get_device_info_by_index(n) for n in range(self._audio.get_device_count())]
        able = [device for device in devices if device[channels]]
        if not able:
            raise GdprcallError("this machine has no microphone and loudspeaker", f"plug them in, or {self._elsewhere}")
        if not self._device:
            return _index(next((device for device in able if device["name"] == "default"), able[0]))
        for device in able:
            if self._device in (device["name"], str(device["index"])):
                return _index(device)
        names = ", ".join(f"{device['index']} {device['name']}" for device in able)
        raise NotFound(f"there is no sound device {self._device!r}", f"devices: {names}")


def _index(device: Mapping[str, Any]) -> int:
    return int(device["index"])


def _reason(error: OSError) -> str:
    return next((said for said in error.args if isinstance(said, str)), "it did not say why")


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what libraries write to this process's standard error and output to nowhere."""
    kept = [os.dup(number) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
