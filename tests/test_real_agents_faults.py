"""Agents in real calls while the daemon or Asterisk is dead: nothing of an agent is kept that nobody saw, and no lamp lies.

One call after the other, on one Asterisk; each has a telephone of its own.
"""

import time
from collections.abc import Iterator

import pytest

from tests.faults import fault
from tests.pbx.callers import Caller, Hangup, Press, Step, Wait
from tests.pbx.desks import Scene, opened
from tests.pbx.waiting import wait_for_file

pytestmark = pytest.mark.pbx

DESKS: dict[str, list[Step]] = {
    "deaf": [Wait(5), Press("*40"), Wait(1), Press("*41")], "late": [], "back": [], "newcomer": [], "gone": [],
}  # fmt: skip
RINGS = {"late": 3.0, "back": 3.0, "newcomer": 3.0}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("agents"), DESKS, RINGS) as scene:
        yield scene


def rung(scene: Scene, name: str, *after: Step) -> Caller:
    """Call a desk and kill the daemon while its telephone rings; wait until it was answered."""
    call = scene.call(name, "named", *after)
    wait_for_file(scene.asterisk, 30)
    scene.installation.kill()
    assert scene.lamps.hint(name) == "InUse"
    return call


def answered(scene: Scene, name: str) -> None:
    """Wait until a desk has answered, and has talked for a second."""
    scene.installation.wait_until(lambda: _talks(scene, name))
    time.sleep(1)


def _talks(scene: Scene, name: str) -> bool:
    channels = [line.split("!") for line in scene.asterisk.rx("core show channels concise").splitlines()]
    return any(c[0].startswith(f"PJSIP/{name}-") and c[4] == "Up" for c in channels)


def test_pty_02_a_private_key_ends_the_recording_and_the_lamp_with_the_daemon_dead(scene: Scene) -> None:
    call = scene.call("deaf", "named", Wait(10), Hangup())
    wait_for_file(scene.asterisk, 30)
    answered(scene, "deaf")
    scene.installation.kill()
    scene.wait_for_lamp("deaf", "Idle")
    assert scene.asterisk.channels() == 2  # the call goes on
    assert call.wait() == 0, call.problem()
    lit = scene.lamps.when("deaf", "Idle", after="InUse") - scene.lamps.when("deaf", "InUse")
    scene.installation.start()
    scene.look()
    row = scene.rows[str(scene.decision("deaf")["recording"])]
    assert row["state"] == "sealed"
    assert 4 < float(str(row["seconds"])) < 7
    assert 4 < lit < 7


@fault(
    "nobody sees who answers: the daemon dies while the agent's telephone rings, on a line whose agents each stand for themselves",
    caller="notices nothing",
    recording="destroyed when the daemon is back, unless it is back during the call and the agent is ready",
    log="agent_unready unattended",
    mend="nothing; `journalctl -u gdprcall` says why it died",
)
def test_pty_01_a_recording_whose_agent_nobody_saw_is_destroyed(scene: Scene) -> None:
    call = rung(scene, "late", Wait(8), Hangup())
    assert call.wait() == 0, call.problem()
    scene.installation.start()
    scene.look()
    assert scene.decision("late")["outcome"] == "unacknowledged"
    assert scene.state("late") == "erased"
    assert "agent_not_seen" in [line["reason"] for line in scene.installation.log("agent_unready")]
    assert scene.installation.log("unattended")


def test_pty_01_a_daemon_that_comes_back_in_the_call_notes_who_answered(scene: Scene) -> None:
    call = rung(scene, "back", Wait(25), Hangup())
    answered(scene, "back")
    scene.installation.start()
    assert call.wait() == 0, call.problem()
    scene.look()
    assert scene.state("back") == "sealed"
    assert [body["agent"] for body in scene.bodies("back", "agent")] == ["floor"]
    assert scene.lamps.hint("back") == "Idle"


def test_pty_01_a_daemon_that_comes_back_destroys_what_there_is_of_an_agent_without_acknowledgement(
    scene: Scene,
) -> None:
    call = rung(scene, "newcomer", Wait(25), Hangup())
    answered(scene, "newcomer")
    scene.installation.start()
    scene.wait_for_lamp("newcomer", "Idle")
    assert scene.asterisk.channels() == 2  # the call goes on, and the lamp is dark
    assert not list(scene.asterisk.spool.glob("*.wav"))
    assert call.wait() == 0, call.problem()
    scene.look()
    assert (scene.decision("newcomer")["outcome"], scene.state("newcomer")) == ("unacknowledged", "erased")


def test_a_lamp_that_a_crash_of_asterisk_left_lit_is_put_out(scene: Scene) -> None:
    call = scene.call("gone", "named", Wait(30), Hangup())
    wait_for_file(scene.asterisk, 30)
    answered(scene, "gone")
    time.sleep(2)  # Asterisk writes its database once a second
    scene.asterisk.kill()
    call.stop()
    scene.asterisk.start()
    # The daemon looks for such lamps every minute.
    scene.installation.wait_until(lambda: scene.lamps.hint("gone") == "Idle", 75)
