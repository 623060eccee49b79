"""Hearing a recording where its identity is: what keys do, that all of it is heard, and that nothing of it is written."""

import os
import pty
import re
import shlex
import sys
import wave
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.cli.keyboard import keys
from gdprcall.playing import LEFT, PAUSE, QUIT, RIGHT, Tape
from tests import vaults
from tests.pbx.prepare import ROOT
from tests.test_access import APART, CALLER, OTHERS, House, house
from tests.test_cli_exits import RECORDING, Shell, shell
from tests.test_legs import stereo
from tests.test_microphone import PyAudio, pyaudio

__all__ = ["house", "pyaudio", "shell"]

SECONDS = 20
RATE = 100


def tape(seconds: float = SECONDS) -> Tape:
    return Tape(bytes(number % 256 for number in range(round(seconds * RATE) * 2)), RATE, 2)


def test_all_of_it_is_heard_once_and_in_order() -> None:
    played, heard = tape(), b""
    while not played.over:
        heard += played.block()
    assert heard == played.sound
    assert played.block() == b""


def test_the_arrows_skip_five_seconds_and_stay_within_the_sound() -> None:
    played = tape()
    played.press(LEFT)
    assert (played.at, played.line()) == (0, "0:00 / 0:20")
    for _ in range(3):
        played.press(RIGHT)
    assert played.line() == "0:15 / 0:20"
    played.press(RIGHT)
    played.press(RIGHT)
    assert played.line() == "0:20 / 0:20"
    assert (played.block(), played.over) == (b"", True)


def test_a_pause_is_silent_and_goes_on_where_it_was() -> None:
    played = tape()
    first = played.block()
    played.press(PAUSE)
    assert (played.block(), played.block(), played.over) == (b"", b"", False)
    assert played.line().endswith("paused")
    played.press(PAUSE)
    assert played.sound.startswith(first + played.block())


@given(st.lists(st.sampled_from([LEFT, RIGHT, PAUSE, "x", "", "block"]), max_size=60))
def test_whatever_is_pressed_only_whole_moments_of_the_sound_are_heard(pressed: list[str]) -> None:
    played = tape(7.3)
    for key in pressed:
        heard = played.block() if key == "block" else b""
        played.press(key)
        assert len(heard) % played.frame == 0
        assert 0 <= played.at <= played.length
        assert heard in played.sound


def test_q_ends_it_at_once() -> None:
    played = tape()
    played.press(QUIT)
    assert (played.over, played.block()) == (True, b"")


@pytest.mark.parametrize(
    ("sent", "key"), [(b"\x1b[C", RIGHT), (b"\x1bOD", LEFT), (b" ", PAUSE), (b"q", QUIT), (b"", "")]
)
def test_a_terminal_tells_each_key_as_it_is_pressed(monkeypatch: pytest.MonkeyPatch, sent: bytes, key: str) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as desk, os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with keys() as pressed:
            desk.write(sent)
            assert pressed() == key
            assert pressed() == ""


def test_keys_that_were_typed_ahead_are_told_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as desk, os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with keys() as pressed:
            desk.write(b"\x1b[C\x1b[C \x1bOD")
            assert [pressed() for _ in range(5)] == [RIGHT, RIGHT, PAUSE, LEFT, ""]


def exported(shell: Shell) -> Path:
    assert shell("recordings", "export", RECORDING, "-o", str(shell.folder))[0] == 0
    return shell.folder / f"{RECORDING}.1.age"


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_recording_is_heard_whole_and_written_nowhere(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    file, scratch = exported(shell), shell.folder / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    before = everything(shell.folder)
    assert shell("recordings", "play", str(file), "-i", str(shell.identity)) == (0, "", "")
    with wave.open(BytesIO(vaults.wav(seed=101))) as sound:
        assert b"".join(PyAudio.last.played) == sound.readframes(sound.getnframes())
    (opened,) = PyAudio.last.opened
    assert (opened["rate"], opened["channels"], PyAudio.last.closed) == (8000, 1, 2)
    assert everything(shell.folder) == before


def test_it_begins_where_it_is_told(shell: Shell) -> None:
    assert shell("recordings", "play", str(exported(shell)), "-i", str(shell.identity), "--from", "0.75")[0] == 0
    assert b"".join(PyAudio.last.played) == vaults.wav(seed=101)[44:][-4000:]


def test_what_is_not_as_it_was_sealed_is_not_heard(shell: Shell) -> None:
    file = exported(shell)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    status, _, err = shell("recordings", "play", str(file), "-i", str(shell.identity))
    assert (status, "not what was sealed" in err) == (4, True)
    stranger = shell.folder / "stranger"
    stranger.write_text(vaults.Controller("beta", seed=9).identities[0].encode() + "\n")
    assert shell("recordings", "play", str(exported_again(shell)), "-i", str(stranger))[0] == 1


def exported_again(shell: Shell) -> Path:
    (shell.folder / f"{RECORDING}.1.age").unlink()
    return exported(shell)


def test_without_pyaudio_the_error_says_how_else_it_can_be_heard(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    status, _, err = shell("recordings", "play", str(exported(shell)), "-i", str(shell.identity))
    assert (status, "PyAudio is not installed" in err, "gdprcall recordings open" in err) == (2, True, True)


def test_voices_that_are_apart_are_heard_left_and_right(house: House) -> None:
    assert house.shell("recordings", "export", APART, "-o", str(house.folder))[0] == 0
    file = house.folder / f"{APART}.1.age"
    assert house.shell("recordings", "play", str(file), "-i", str(house.shell.identity))[0] == 0
    assert PyAudio.last.opened[0]["channels"] == 2
    assert b"".join(PyAudio.last.played) == stereo(CALLER[44:], OTHERS[44:])[44:]


def test_every_command_of_the_readmes_section_runs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "README.md").read_text().split("\n### Listening to a recording\n")[1].split("\n### ")[0]
    (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(shell.folder)
    for command in block.replace("RECORDING", RECORDING).splitlines():
        words = shlex.split(command)
        assert words[0] == "gdprcall"
        assert shell(*words[1:])[0] == 0, command
