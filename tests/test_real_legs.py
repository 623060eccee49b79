"""Real calls whose voices are recorded apart: who is on which side, a withdrawal, a killed Asterisk, a killed daemon."""

import json
import os
import time
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.pbx import tones
from tests.pbx.asterisk import OTHER, Asterisk
from tests.pbx.callers import Agent, Hangup, Press, Stay, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import Samples, whose
from tests.pbx.talks import LINES, alone, opened
from tests.pbx.waiting import HEARD, call, wait_for_file

pytestmark = pytest.mark.pbx

OLD_BYTES = 4000
"""A quarter of a second."""


@pytest.fixture
def apart(installation: Installation) -> Installation:
    """An installation whose line records the voices apart."""
    installation.replace("[lines.support]\n", "[lines.support]\nlegs = true\n")
    return installation


def channels(path: Path) -> tuple[Samples, Samples]:
    """Return the left and the right samples of a WAV of two channels."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64).reshape(-1, 2)
    return sound[:, 0], sound[:, 1]


def only(installation: Installation) -> dict[str, object]:
    (row,) = installation.json("recordings", "list")
    return row


def recorded(pbx: Asterisk, installation: Installation) -> Path:
    """Place a call of some seconds whose caller agrees, and return its recording opened with the public age."""
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(6), Hangup())
    wait_for_file(pbx)
    assert {path.name[33:] for path in pbx.spool.iterdir()} == {"1.r.wav", "1.t.wav"}
    assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    row = only(installation)
    assert (row["state"], row["segments"]) == ("sealed", 1)
    return installation.opened(str(row["id"]))


def is_apart(sound: Path) -> None:
    """See that the left channel holds the caller and nobody else, and the right one the agent."""
    left, right = channels(sound)
    assert len(left) == len(right) > 5 * 8000
    sides = whose(left), whose(right)
    assert sides[0]["caller"] >= 4, sides
    assert sides[1]["agent"] >= 4, sides
    assert sides[0]["agent"] == sides[1]["caller"] == 0, sides


def short(installation: Installation) -> list[Mapping[str, object]]:
    """Return what is told of legs of different length; Asterisk 16 ends the two some frames apart."""
    allowed = OLD_BYTES if OTHER == "16" else 0
    return [line for line in installation.log("leg_short") if int(str(line["missing"])) > allowed]


def test_rgt_05_each_voice_is_on_a_side_of_its_own_and_one_can_be_silenced_in_a_copy(
    pbx: Asterisk, apart: Installation
) -> None:
    sound = recorded(pbx, apart)
    is_apart(sound)
    (line,) = apart.log("sealed")
    assert not short(apart)
    left, right = channels(sound)
    assert float(str(line["seconds"])) == pytest.approx(len(left) / 8000, abs=0.001)
    export = sound.with_suffix(".age")
    for voice in ("caller", "others"):
        copy = apart.officer / f"{voice}.wav"
        apart.cli("recordings", "open", str(export), "-i", str(apart.identity), "-o", str(copy), "--mute", voice,
                  "--reason", "request 17")  # fmt: skip
        muted = channels(copy)
        silent, heard = muted if voice == "caller" else muted[::-1]
        assert not silent.any()
        assert np.array_equal(heard, right if voice == "caller" else left)
        decision = json.loads(copy.with_suffix(".muted.json").read_text())
        assert (decision["muted"], decision["reason"]) == (voice, "request 17")
    found = apart.cli("vault", "verify", check=False)
    assert found.returncode == 0, found.stdout


def test_by_fastagi_the_voices_are_apart_too(tmp_path: Path) -> None:
    with Asterisk(tmp_path / "pbx", stasis=False) as pbx, Agent(pbx):
        installation = Installation(tmp_path / "app", pbx, fronts=["agi"])
        installation.prepare()
        installation.replace("[lines.support]\n", "[lines.support]\nlegs = true\n")
        try:
            is_apart(recorded(pbx, installation))
        finally:
            installation.stop()


def test_con_08_a_withdrawal_leaves_nothing_of_either_voice(pbx: Asterisk, apart: Installation) -> None:
    apart.start()
    caller = call(pbx, HEARD, Press("1"), Wait(4), Press("*9"), Wait(2), Hangup())
    wait_for_file(pbx)
    assert caller.wait() == 0, caller.problem()
    apart.wait_for("withdrawn")
    apart.wait_until_quiet()
    assert only(apart)["state"] == "erased"
    assert not [path for path in (apart.folder / "vault" / "objects").glob("*/*") if path.is_file()]
    assert apart.cli("vault", "verify", check=False).returncode == 0


def test_con_08_a_withdrawal_while_the_daemon_is_dead_leaves_nothing_of_either_voice_either(
    pbx: Asterisk, apart: Installation
) -> None:
    apart.start()
    caller = call(pbx, HEARD, Press("1"), Wait(4), Press("*9"), Wait(2), Hangup())
    wait_for_file(pbx)
    apart.kill()
    assert caller.wait() == 0, caller.problem()
    assert len(list(pbx.spool.glob("*.wav"))) == 2
    apart.start()
    apart.wait_until_quiet()
    apart.wait_until(lambda: only(apart)["state"] == "erased")
    assert not [path for path in (apart.folder / "vault" / "objects").glob("*/*") if path.is_file()]


def test_fcl_04_what_a_killed_asterisk_had_written_of_both_voices_is_sealed(pbx: Asterisk, apart: Installation) -> None:
    apart.start()
    caller = call(pbx, HEARD, Press("1"), Stay(60))
    wait_for_file(pbx)
    legs = sorted(pbx.spool.glob("*.wav"))
    assert len(legs) == 2
    apart.wait_until(lambda: min(os.stat(leg).st_size for leg in legs) > 2 * 32 * 1024)
    pbx.kill()
    caller.stop()
    apart.wait_until_quiet()
    pbx.start()
    apart.wait_for("sealed")
    row = only(apart)
    assert row["state"] == "sealed"
    left, right = channels(apart.opened(str(row["id"])))
    assert len(left) == len(right) >= 2 * 16 * 1024
    assert whose(left)["caller"] >= 2
    assert whose(right)["agent"] >= 2
    (entry,) = [entry["body"] for entry in apart.json("audit", "log") if entry["kind"] == "sealed"]
    assert isinstance(entry, dict)
    assert entry["repaired"]
    assert max(entry["legs"]) == 44 + 2 * len(left)


def test_fcl_04_a_call_whose_daemon_is_killed_is_sealed_whole_by_the_next(pbx: Asterisk, apart: Installation) -> None:
    apart.start()
    caller = call(pbx, HEARD, Press("1"), Wait(6), Hangup())
    wait_for_file(pbx)
    time.sleep(1)
    apart.kill()
    time.sleep(1)
    apart.start()
    assert caller.wait() == 0, caller.problem()
    apart.wait_until_quiet()
    is_apart(apart.opened(str(only(apart)["id"])))
    assert not short(apart)


DESK = """
[inbound](+)
exten => sales,1,Gosub(gdprcall,s,1(sales,may))
 same => n,Dial(PJSIP/agent,60,b(gdprcall-desk^s^1))
 same => n,Hangup()
"""
SALES = f"""
[lines.sales]
controller = "acme"
purpose = "contract_proof"
basis = "contract"
no_other_proof_reason = "orders are given by telephone alone"
retention_reason = "the period to contest"
override = {{ reference = "opinion 7", sha256 = "{"ab" * 32}", countries = ["SE"] }}
languages = ["en"]
more = ""
timeout_seconds = 1
legs = true
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Asterisk, Installation]]:
    with Asterisk(tmp_path / "pbx", dialplan=DESK) as pbx:
        installation = Installation(tmp_path / "app", pbx, lines=SALES)
        installation.prepare()
        yield pbx, installation
        installation.stop()


def test_bas_04_what_the_agents_word_begins_is_recorded_by_voices_too(desk: tuple[Asterisk, Installation]) -> None:
    pbx, installation = desk
    installation.start()
    with Agent(pbx, steps=[Wait(1), Press("*51"), Wait(6), Press("*50"), Stay(60)]):
        caller = call(pbx, Wait(24), Hangup(), to="sales")
        wait_for_file(pbx, 40)
        assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    row = only(installation)
    assert row["state"] == "sealed"
    is_apart(installation.opened(str(row["id"])))


def test_pty_06_each_segment_of_a_call_that_was_held_has_each_tone_on_its_own_side(tmp_path: Path) -> None:
    with opened(tmp_path, LINES.replace("joins =", "legs = true\njoins =")) as scene:
        with scene.call("+46701760001", "friends") as talk:
            talk.inner.hold()
            talk.outer.wait_to_hear(tones.MUSIC)
            time.sleep(1)
            talk.inner.resume()
            talk.outer.wait_to_hear(tones.AGENT)
            time.sleep(1.5)
        installation = scene.installation
        segments = [int(str(line["segment"])) for line in installation.wait_for("sealed", 2)]
        assert sorted(segments) == [1, 2]
        for segment in segments:
            left, right = channels(installation.opened(talk.recording, segment))
            assert alone(tones.in_sound(left), tones.CALLER), segment
            assert alone(tones.in_sound(right), tones.AGENT), segment
        assert not short(installation)
