"""FastAGI on a real Asterisk that has no Stasis: hostile neighbours, a daemon that is away, frozen or killed."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation

pytestmark = pytest.mark.pbx

NUMBER = "+46701749901"
HEARD = Wait(8.8)
HOSTILE = [b"", b"agi_net", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"agi_a: b\n" * 1000, b"x" * 100_000]


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    with Asterisk(tmp_path_factory.mktemp("pbx"), stasis=False) as asterisk, Agent(asterisk):
        yield asterisk


@pytest.fixture
def installation(pbx: Asterisk, tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "app", pbx, fronts=["agi"])
    installation.prepare()
    pbx.rx("database deltree result")
    yield installation
    installation.stop()
    for left in pbx.spool.glob("*.wav"):
        left.unlink()


def call(pbx: Asterisk, *steps: Step, to: str = "support", number: str = NUMBER) -> Caller:
    return Caller(pbx, number, to, list(steps)).start()


def returned_after(pbx: Asterisk, begun: float) -> float:
    """Wait for what the dialplan returned and say how many seconds that took."""
    while NUMBER not in pbx.db("result"):
        assert time.monotonic() < begun + 30, "the caller still waits"
        time.sleep(0.05)
    return time.monotonic() - begun


def descriptors(installation: Installation) -> int:
    return len(list(Path(f"/proc/{installation.pid}/fd").iterdir()))


def hostile(pbx: Asterisk, place: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", pbx.agi_port))
    peer.setblocking(False)
    data = HOSTILE[place % len(HOSTILE)]
    if data:
        peer.send(data)
    return peer


def test_three_hundred_hostile_connections_cost_no_call_its_prompt(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    before = descriptors(installation)
    plans = {f"+4670174{place:04d}": "12"[place % 2] for place in range(10)}
    with ExitStack() as stack:
        calls = []
        for place, (number, key) in enumerate(plans.items()):
            for other in range(30):
                stack.enter_context(hostile(pbx, place * 30 + other))
            calls.append(call(pbx, HEARD, Press(key), Wait(4), Hangup(), number=number))
            time.sleep(0.1)
        assert [caller.wait() for caller in calls] == [0] * 10
        results = pbx.db("result")
    assert {number: results[number] for number in plans} == {
        number: "recorded" if key == "1" else "unrecorded" for number, key in plans.items()
    }
    outcomes = [row["outcome"] for row in installation.json("decisions", "list")]
    assert sorted(outcomes) == ["granted"] * 5 + ["refused"] * 5
    installation.wait_until_quiet()
    deadline = time.monotonic() + 30
    while descriptors(installation) > before + 2:
        assert time.monotonic() < deadline, "connections are left open"
        time.sleep(0.05)
    assert installation.log("agi_refused")
    assert not installation.log("internal_error")


def test_fcl_02_without_a_daemon_calls_go_on_unrecorded_and_must_lines_are_routed(
    pbx: Asterisk, installation: Installation
) -> None:
    begun = time.monotonic()
    may = call(pbx, Wait(1), Hangup())
    assert returned_after(pbx, begun) < 2
    assert may.wait() == 0, may.problem()
    assert pbx.db("result")[NUMBER] == "unrecorded"
    must = call(pbx, Stay(10), to="support-must")
    assert must.wait() == 0, must.problem()
    assert pbx.db("result")[NUMBER] == "route"


def test_fcl_02_a_frozen_daemon_costs_a_caller_three_seconds_and_no_recording(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    installation.send(signal.SIGSTOP)
    begun = time.monotonic()
    caller = call(pbx, Wait(5), Hangup())
    assert returned_after(pbx, begun) < 4.5
    assert pbx.db("result")[NUMBER] == "unrecorded"
    installation.send(signal.SIGCONT)
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("watchdog")
    assert installation.json("recordings", "list") == []


@pytest.mark.parametrize("key", ["", "1"])
def test_fcl_02_a_daemon_that_freezes_in_the_prompt_costs_its_question_and_three_seconds(
    pbx: Asterisk, installation: Installation, key: str
) -> None:
    installation.start()
    begun = time.monotonic()
    pressed: list[Step] = [Wait(5), Press(key)] if key else [Wait(5)]
    caller = call(pbx, *pressed, Wait(12), Hangup())
    time.sleep(1.5)
    installation.send(signal.SIGSTOP)
    # 8.3 seconds of prompt and 2 for the key are the question's own time.
    assert returned_after(pbx, begun) < 8.3 + 2 + 3 + 0.5
    assert pbx.db("result")[NUMBER] == "unrecorded"
    installation.send(signal.SIGCONT)
    assert caller.wait() == 0, caller.problem()
    assert installation.json("recordings", "list") == []


@pytest.mark.parametrize("seconds", [1.5, 9.3], ids=["prompt", "wait for the key"])
def test_fcl_03_a_daemon_that_is_killed_while_it_asks_gives_the_call_back_at_once(
    pbx: Asterisk, installation: Installation, seconds: float
) -> None:
    installation.start()
    caller = call(pbx, Wait(seconds + 1.5), Hangup())
    time.sleep(seconds)
    begun = time.monotonic()
    installation.kill()
    assert returned_after(pbx, begun) < 1
    assert pbx.db("result")[NUMBER] == "unrecorded"
    assert caller.wait() == 0, caller.problem()
    installation.start()
    assert installation.json("recordings", "list") == []


def test_con_08_without_ari_the_mark_of_a_withdrawal_is_removed_by_the_next_call(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, HEARD, Press("1"), Wait(2), Press("*9"), Wait(1.5), Hangup())
    assert caller.wait() == 0, caller.problem()
    installation.wait_for("withdrawn")
    assert len(pbx.db("gdprcall/withdrawn")) == 1
    assert call(pbx, Wait(0.5), Hangup()).wait() == 0
    deadline = time.monotonic() + 30
    while pbx.db("gdprcall/withdrawn"):
        assert time.monotonic() < deadline, "the mark is still there"
        time.sleep(0.05)


def test_status_and_doctor_know_a_site_without_ari(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    status = installation.cli("status", "--json").stdout
    assert '"ari": null' in status
    assert '"agi": true' in status
    examined = json.loads(installation.cli("doctor", "--json", check=False).stdout)
    findings = {row["check"]: row for row in examined}
    assert findings["asterisk"]["grade"] == "ok"
    assert findings["agi"]["grade"] == "ok"
    assert findings["dialplan"]["grade"] == "ok"
    assert not [check for check in findings if "ari" in check]
