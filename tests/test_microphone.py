"""A desk with a microphone, on a stand-in for PyAudio; test_real_audio.py has the real one."""

import array
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from gdprcall.cli.main import run
from gdprcall.errors import ConfigError, GdprcallError, NotFound
from gdprcall.prompts.microphone import BLOCK, RATE, Desk
from tests.test_cli_exits import Shell, shell
from tests.voices import hum

__all__ = ["shell"]


class Stream:
    def __init__(self, audio: "PyAudio") -> None:
        self._audio = audio
        self._pending: list[bytes] = []

    def read(self, frames: int, *, exception_on_overflow: bool) -> bytes:
        assert not exception_on_overflow
        if self._audio.broken:
            raise OSError(-9999, "Unanticipated host error")
        return next(self._audio.heard)[: 2 * frames]

    def write(self, data: bytes) -> None:
        self._pending.append(data)

    def stop_stream(self) -> None:
        self._audio.played += self._pending
        self._pending = []

    def close(self) -> None:  # as Pa_CloseStream: what was not played yet never is
        self._audio.closed += 1


class PyAudio:
    devices: tuple[dict[str, Any], ...] = (
        {"index": 0, "name": "loudspeaker", "maxInputChannels": 0, "maxOutputChannels": 2},
        {"index": 1, "name": "headset", "maxInputChannels": 1, "maxOutputChannels": 2},
    )
    broken = False
    last: "PyAudio"

    def __init__(self) -> None:
        os.write(2, b"ALSA lib: Unknown PCM cards.pcm.front\n")
        self.heard: Iterator[bytes] = iter(hum(BLOCK / RATE, rate=RATE).samples.tobytes, b"")
        self.played: list[bytes] = []
        self.opened: list[dict[str, Any]] = []
        self.closed = 0
        PyAudio.last = self

    def get_device_count(self) -> int:
        return len(self.devices)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return self.devices[index]

    def open(self, **way: Any) -> Stream:
        self.opened.append(way)
        return Stream(self)

    def terminate(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def pyaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pyaudio")
    module.PyAudio, module.paInt16 = PyAudio, 8  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyaudio", module)


def test_it_records_until_it_is_told_to_stop_and_tells_the_level() -> None:
    levels: list[float] = []
    with Desk() as desk:
        sound = desk.record(60, lambda: len(levels) == 10, levels.append)
    assert len(sound.samples) == 10 * BLOCK
    assert sound.rate == RATE
    assert all(-15 < level < -13 for level in levels)
    assert PyAudio.last.opened[0]["input_device_index"] == 1, "the first device that can record"
    assert PyAudio.last.closed == 2


def test_it_records_no_longer_than_it_may() -> None:
    with Desk() as desk:
        assert desk.record(1.01, lambda: False, lambda _level: None).seconds == 1.01


def test_what_was_recorded_is_played_back() -> None:
    with Desk("headset") as desk:
        sound = hum(1, rate=RATE)
        desk.play(sound)
    assert PyAudio.last.played == [array.array("h", sound.samples).tobytes()]
    assert PyAudio.last.opened[0]["output_device_index"] == 1


def test_what_libraries_say_of_absent_devices_is_kept_from_people(capfd: pytest.CaptureFixture[str]) -> None:
    with Desk():
        pass
    assert capfd.readouterr().err == ""


def test_a_device_is_named_or_numbered_and_another_is_not_found() -> None:
    for name in ("headset", "1"):
        with Desk(name) as desk:
            desk.record(0.1, lambda: False, lambda _level: None)
            assert PyAudio.last.opened[0]["input_device_index"] == 1
    with Desk("gramophone") as desk, pytest.raises(NotFound) as caught:
        desk.record(1, lambda: False, lambda _level: None)
    assert caught.value.hint == "devices: 1 headset"


def test_without_a_device_it_says_what_else_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PyAudio, "devices", ())
    with Desk() as desk, pytest.raises(GdprcallError, match="no microphone") as caught:
        desk.record(1, lambda: False, lambda _level: None)
    assert "prompts import" in caught.value.hint


def test_a_device_that_fails_is_an_error_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PyAudio, "broken", True)
    with Desk() as desk, pytest.raises(GdprcallError, match="Unanticipated host error"):
        desk.record(1, lambda: False, lambda _level: None)
    assert PyAudio.last.closed == 2


def test_without_pyaudio_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(ConfigError) as caught:
        Desk()
    assert "pip install 'gdprcall[audio]'" in caught.value.hint


def record(shell: Shell, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    status = run(["--config", str(shell.config), "prompts", "record", "support", "en", *options])
    return status, capsys.readouterr().err


def test_who_gives_up_changes_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["", "r", "", "q"])
    monkeypatch.setattr("click.prompt", lambda *_words, **_how: next(answers))
    status, err = record(shell, capsys, "--seconds", "12")
    assert (status, "nothing was taken in" in err) == (1, True)
    assert err.count("part 1 of 3 (mandatory)") == 2
    assert not (shell.folder / "vault" / "prompts").exists()
    assert len(PyAudio.last.played) == 2


def test_enter_ends_a_part(shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter(["", "q"])
    monkeypatch.setattr("click.prompt", lambda *_words, **_how: next(answers))
    read, write = os.pipe()
    with open(read) as pressed, open(write, "w") as keyboard:
        monkeypatch.setattr("sys.stdin", pressed)
        keyboard.write("\n")
        keyboard.flush()
        status, err = record(shell, capsys)
    assert status == 1
    assert "Enter ends" in err
    assert "nothing was taken in" in err
