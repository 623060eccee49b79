"""A copy in which one voice is silent: only that one, of recordings of two channels alone, with the decision beside it."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.cli.muting import Muted, Voice
from gdprcall.errors import Refused
from gdprcall.vault import wav
from gdprcall.vault.archive import Vault
from gdprcall.vault.sound import Legs
from tests import vaults
from tests.test_cli_exits import RECORDING, Shell
from tests.test_legs import stereo

CALLER, OTHERS = vaults.wav(9.0, 41), vaults.wav(9.0, 42)
APART = vaults.recording_id(7)
SILENCE = bytes(len(CALLER) - 44)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    made = Shell(tmp_path, capsys)
    spool = tmp_path / "spool"
    legs = Legs(spool / f"{APART}.1.r.wav", spool / f"{APART}.1.t.wav")
    with Vault.open(tmp_path / "vault", clock=vaults.Clock()) as vault:
        vault.note(vaults.decision(APART))
        legs.caller.write_bytes(CALLER)
        legs.others.write_bytes(OTHERS)
        vault.seal(legs, vaults.facts(APART))
    for recording in (APART, RECORDING):
        assert made("recordings", "export", recording, "-o", str(tmp_path), "--purpose", "access")[0] == 0
    return made


def opened(shell: Shell, *options: str, recording: str = APART) -> tuple[int, str, str]:
    export = shell.folder / f"{recording}.1.age"
    return shell("recordings", "open", str(export), "-i", str(shell.identity), *options)


@pytest.mark.parametrize(
    ("voice", "left", "right"), [("caller", SILENCE, OTHERS[44:]), ("others", CALLER[44:], SILENCE)]
)
def test_rgt_05_one_voice_is_silent_in_the_copy_and_the_decision_lies_beside_it(
    shell: Shell, voice: str, left: bytes, right: bytes
) -> None:
    copy = shell.folder / "copy.wav"
    assert opened(shell, "-o", str(copy), "--mute", voice, "--reason", "request 17")[0] == 0
    assert copy.read_bytes() == stereo(left, right)
    decision = json.loads(copy.with_suffix(".muted.json").read_text())
    assert decision.pop("decided_at").endswith("Z")
    assert decision == {
        "copy": "copy.wav", "recording": APART, "segment": 1, "muted": voice, "reason": "request 17",
    }  # fmt: skip
    assert opened(shell)[0] == 0
    assert (shell.folder / f"{APART}.1.wav").read_bytes() == stereo(CALLER[44:], OTHERS[44:])


def test_rgt_05_no_voice_is_silenced_without_a_decision(shell: Shell) -> None:
    copy = shell.folder / "copy.wav"
    for options in (["--mute", "others"], ["--mute", "others", "--reason", " "], ["--reason", "because"]):
        assert opened(shell, "-o", str(copy), *options)[0] == 2
    assert opened(shell, "-o", str(copy), "--mute", "others", "--reason", "why", "--salvage")[0] == 2
    assert opened(shell, "-o", str(copy), "--mute", "both", "--reason", "why")[0] == 2
    decision = copy.with_suffix(".muted.json")
    decision.write_text("another")
    assert opened(shell, "-o", str(copy), "--mute", "others", "--reason", "why")[0] == 1
    assert (copy.exists(), decision.read_text()) == (False, "another")
    assert opened(shell, "-o", str(copy), "--mute", "others", "--reason", "why", "--force")[0] == 0


def test_a_recording_of_one_channel_has_no_voice_that_could_be_silenced(shell: Shell) -> None:
    copy = shell.folder / "copy.wav"
    status, _, error = opened(shell, "-o", str(copy), "--mute", "caller", "--reason", "why", recording=RECORDING)
    assert (status, "both voices are in one channel" in error) == (1, True)
    assert not copy.exists()
    assert not copy.with_suffix(".muted.json").exists()


def test_a_copy_of_what_is_not_whole_is_none(shell: Shell) -> None:
    export = shell.folder / f"{APART}.1.age"
    export.write_bytes(export.read_bytes()[:-100])
    copy = shell.folder / "copy.wav"
    assert opened(shell, "-o", str(copy), "--mute", "caller", "--reason", "why")[0] == 4
    assert not copy.exists()
    assert not copy.with_suffix(".muted.json").exists()


@given(st.lists(st.integers(0, 60), max_size=40), st.sampled_from(Voice), st.binary(max_size=400))
def test_wherever_it_is_cut_into_pieces_the_same_voice_is_silent(sizes: list[int], voice: Voice, sound: bytes) -> None:
    whole = wav.header_of(len(sound), channels=2) + sound
    out = BytesIO()
    muted = Muted(out, voice)
    at = 0
    for size in [*sizes, len(whole)]:
        muted.write(whole[at : at + size])
        at += size
    silent = {0, 1} if voice is Voice.CALLER else {2, 3}
    expected = bytes(0 if place % 4 in silent else byte for place, byte in enumerate(sound))
    assert out.getvalue() == whole[:44] + expected
    assert muted.begun


def test_what_is_too_short_or_no_wav_is_refused() -> None:
    out = BytesIO()
    short = Muted(out, Voice.CALLER)
    short.write(b"RIFF")
    assert not short.begun
    for head in (b"x" * 44, wav.header_of(100)):
        with pytest.raises(Refused):
            Muted(out, Voice.OTHERS).write(head + bytes(100))
    assert out.getvalue() == b""
