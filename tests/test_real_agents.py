"""Agents in real calls: who has acknowledged nothing is not recorded, a private call is kept out, and a lamp shows which it is.

Every call has a telephone of its own at the desk, which presses its keys and has its lamp.
"""

import time
from collections.abc import Iterator

import pytest

from tests.pbx.callers import Agent, Hangup, Press, Step, Wait
from tests.pbx.desks import Scene, opened

pytestmark = pytest.mark.pbx

PHONES: dict[str, list[Step]] = {
    "ready": [], "local": [], "newcomer": [], "returner": [], "stranger": [], "duty": [], "prefix": [], "prefixduty": [],
    "private": [Wait(3), Press("*40")], "privateduty": [Wait(3), Press("*40")], "taken": [Wait(2), Press("*40")],
    "phase": [Wait(2), Press("*51"), Wait(3), Press("*50")], "closed": [Wait(2), Press("*40"), Wait(1), Press("*51")],
    "withdrawn": [], "joined": [], }  # fmt: skip
"""What is done at each desk once it has answered."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("agents"), PHONES) as scene, Agent(scene.asterisk):
        yield scene


def talk(seconds: float) -> list[Step]:
    return [Wait(seconds), Hangup()]


def bring_in_a_third(scene: Scene, desk: str) -> None:
    """Put somebody whom nobody asked into the bridge of one call, once it has talked for two seconds."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        channels = [line.split("!") for line in scene.asterisk.rx("core show channels concise").splitlines()]
        if found := [c[0] for c in channels if c[0].startswith(f"PJSIP/{desk}-") and c[4] == "Up"]:
            time.sleep(2)
            scene.asterisk.rx(f"channel originate Local/300@agent-side application BridgeAdd {found[0]}")
            return
        time.sleep(0.1)
    raise AssertionError("the call that a third party was to join never came up")


@pytest.fixture(scope="module")
def played(scene: Scene) -> Scene:
    """Place the calls of a living daemon side by side."""
    calls = {
        "ready": scene.call("ready", "named", *talk(5)),
        "local": scene.call("local", "named", *talk(5)),
        "newcomer": scene.call("newcomer", "named", *talk(5)),
        "returner": scene.call("returner", "named", *talk(5)),
        "stranger": scene.call("stranger", "named", *talk(5)),
        "duty": scene.call("duty", "orders", *talk(5)),
        "private": scene.call("private", "named", *talk(9)),
        "taken": scene.call("taken", "named", Wait(6), Press("*9"), *talk(3)),
        "privateduty": scene.call("privateduty", "orders", *talk(9)),
        "phase": scene.call("phase", "sales", *talk(10)),
        "closed": scene.call("closed", "sales", *talk(8)),
        "prefix": scene.call("prefix", "", *talk(4)),
        "prefixduty": scene.call("prefixduty", "orders", *talk(5)),
        "withdrawn": scene.call("withdrawn", "named", Wait(4), Press("*9"), *talk(4)),
        "joined": scene.call("joined", "named", *talk(12)),
    }
    bring_in_a_third(scene, "joined")
    problems = {name: call.problem() for name, call in calls.items() if call.wait()}
    assert not problems
    scene.look()
    return scene


@pytest.mark.parametrize(
    ("call", "outcome", "state"),
    [
        ("ready", "granted", "sealed"),
        ("local", "granted", "sealed"),
        ("newcomer", "unacknowledged", "erased"),
        ("returner", "unacknowledged", "erased"),
        ("stranger", "unacknowledged", "erased"),
        ("duty", "legal_required", "sealed"),
        ("private", "granted", "sealed"),
        ("taken", "withdrawn", "erased"),
        ("privateduty", "legal_required", "sealed"),
        ("phase", "informed", "sealed"),
        ("closed", "private", None),
        ("prefix", "private", None),
        ("prefixduty", "legal_required", "sealed"),
        ("withdrawn", "withdrawn", "erased"),
        ("joined", "granted", "sealed"),
    ],
)
def test_pty_01_each_call_ends_as_its_agent_stands(played: Scene, call: str, outcome: str, state: str | None) -> None:
    assert played.decision(call)["outcome"] == outcome
    assert played.state(call) == state


@pytest.mark.parametrize("call", ["newcomer", "returner", "stranger"])
def test_pty_01_of_an_agent_without_acknowledgement_no_sound_is_kept_and_the_call_goes_on(
    played: Scene, call: str
) -> None:
    assert played.returned(call) == "recorded"  # it was so until he answered
    assert not list(played.asterisk.spool.glob("*.wav"))
    segments = played.installation.cli("recordings", "show", str(played.decision(call)["recording"])).stdout
    assert "sealed" not in segments
    assert played.bodies(call, "agent") == []


def test_pty_01_who_answered_is_noted_with_basis_notice_and_day_and_told_by_no_channel(played: Scene) -> None:
    noted = {"agent": "floor", "basis": "works_agreement", "notice": "2", "acknowledged_on": "2026-01-31", "lacks": ""}
    assert played.bodies("ready", "agent") == [noted]
    assert played.bodies("local", "agent") == [noted]
    assert played.bodies("duty", "agent")[0]["agent"] == "floor"
    told = played.installation.log("agent_unready")
    assert sorted(str(line["reason"]) for line in told) == ["agent_old_notice", "agent_unacknowledged", "agent_unknown"]
    assert "PJSIP/" not in played.installation.log_path.read_text()
    assert played.bodies("private", "agent")


def test_pty_02_a_private_call_keeps_what_was_before_and_nothing_after(played: Scene) -> None:
    row = played.rows[str(played.decision("private")["recording"])]
    # The key comes three seconds after the answer; nine seconds were spoken.
    assert 2.5 < float(str(row["seconds"])) < 4.5
    assert played.bodies("private", "stopped") == [{"reason": "private"}]
    assert played.heard("private")["agent"] > 1


def test_pty_02_where_a_law_wants_the_recording_the_wish_is_noted_and_it_goes_on(played: Scene) -> None:
    row = played.rows[str(played.decision("privateduty")["recording"])]
    assert float(str(row["seconds"])) > 7
    assert played.decision("privateduty")["reason"] == "wish_private"


def test_pty_02_a_prefix_keeps_a_call_unasked_and_unrecorded_and_on_a_duty_it_is_refused(played: Scene) -> None:
    decision = played.decision("prefix")
    assert (played.returned("prefix"), decision["reason"], decision["heard_ms"]) == ("unrecorded", "prefix", 0)
    assert decision["recording"] is None
    assert played.returned("prefixduty") == "recorded"
    told = played.installation.log("private_call")
    assert sorted(str(line["demand"]) for line in told) == ["may", "must"]


LIT = ["InUse", "Idle"]


@pytest.mark.parametrize(
    ("desk", "states"),
    [
        ("ready", LIT),
        ("local", LIT),
        ("private", LIT),
        ("privateduty", LIT),
        ("withdrawn", LIT),
        ("phase", LIT),
        ("joined", LIT),
        ("newcomer", LIT),
        ("duty", LIT),
        ("closed", []),
        ("prefix", []),
    ],
)
def test_the_lamp_is_lit_while_the_agent_is_recorded_and_never_otherwise(
    played: Scene, desk: str, states: list[str]
) -> None:
    assert [state for state in played.lamps.of(desk) if state in LIT][-len(LIT) :] in (states, ["Idle"])
    assert ("InUse" in played.lamps.of(desk)) is bool(states)
    assert played.lamps.hint(desk) == "Idle"


@pytest.mark.parametrize(
    ("desk", "least", "most"), [
        ("private", 2.5, 4.5), ("withdrawn", 3.5, 5.5), ("phase", 2.5, 4.5), ("joined", 1.5, 5), ("newcomer", 0, 1.5),
        ("ready", 4.5, 6.5), ("privateduty", 8, 11), ("local", 4.5, 6.5),
    ],
)  # fmt: skip
def test_the_lamp_goes_out_when_the_recording_ends_and_not_only_with_the_call(
    played: Scene, desk: str, least: float, most: float
) -> None:
    assert least <= played.lamps.when(desk, "Idle", after="InUse") - played.lamps.when(desk, "InUse") <= most
