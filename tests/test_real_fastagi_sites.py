"""FastAGI on a real Asterisk: the site's own variables, both front ends side by side, a crowd that comes again and again."""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation

pytestmark = pytest.mark.pbx

NUMBER = "+46701749977"
HEARD = Wait(8.8)
QUESTION_SECONDS = 8.3 + 2
"""The prompt and the time for a key."""
SITE = """
[inbound](+)
exten => byagi,1,Gosub(gdprcall-agi,s,1(support,may))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,Wait(5)
exten => site,1,Set(AGIEXITONHANGUP=no)
 same => n,Set(AGISTATUS=mine)
 same => n,Gosub(gdprcall-agi,s,1(support,may))
 same => n,Set(DB(kept/${CALLERID(num)})=${AGIEXITONHANGUP}${AGISTATUS})
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,Wait(5)
"""


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    with Asterisk(tmp_path_factory.mktemp("pbx"), stasis=False, dialplan=SITE) as pbx, Agent(pbx):
        yield pbx


@contextmanager
def installed(pbx: Asterisk, folder: Path, *fronts: str) -> Iterator[Installation]:
    installation = Installation(folder, pbx, fronts=fronts)
    installation.prepare()
    pbx.rx("database deltree result")
    try:
        yield installation
    finally:
        installation.stop()
        for left in pbx.spool.glob("*.wav"):
            left.unlink()


@pytest.fixture
def installation(pbx: Asterisk, tmp_path: Path) -> Iterator[Installation]:
    with installed(pbx, tmp_path / "app", "agi") as installation:
        yield installation


def call(pbx: Asterisk, *steps: Step, to: str = "support", number: str = NUMBER) -> Caller:
    return Caller(pbx, number, to, list(steps)).start()


def served(pbx: Asterisk, seconds: float) -> float:
    """Return after how many seconds the dialplan went on, unrecorded."""
    begun = time.monotonic()
    while NUMBER not in pbx.db("result"):
        assert time.monotonic() < begun + seconds, "the caller still waits"
        time.sleep(0.05)
    assert pbx.db("result")[NUMBER] == "unrecorded"
    return time.monotonic() - begun


def decision(installation: Installation) -> dict[str, object]:
    (row,) = installation.json("decisions", "list")
    shown = installation.cli("decisions", "show", str(row["id"]), "--json").stdout
    return dict(next(entry["body"] for entry in json.loads(shown)["history"] if entry["kind"] == "decision"))


def test_fcl_02_a_daemon_frozen_in_the_prompt_costs_at_most_three_seconds_more_than_its_question(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, Wait(2), Press("1"), Wait(15), Hangup())
    time.sleep(1)
    installation.send(signal.SIGSTOP)
    took = 1 + served(pbx, QUESTION_SECONDS + 3)
    assert took < QUESTION_SECONDS + 3.5
    installation.send(signal.SIGCONT)
    installation.wait_for("call_finished")
    assert caller.wait() == 0, caller.problem()
    body = decision(installation)
    assert (body["outcome"], body["reason"], body["front"]) == ("system_fail", "left", "agi")
    assert installation.json("recordings", "list") == []


def test_fcl_02_a_daemon_frozen_in_the_second_question_costs_that_question_alone(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    caller = call(pbx, Wait(1), Press("7"), Wait(17), Hangup())
    time.sleep(2.5)
    installation.send(signal.SIGSTOP)
    # The second question began with the wrong key, about a second and a half before.
    served(pbx, QUESTION_SECONDS + 3 - 1)
    assert caller.wait() == 0, caller.problem()


def test_con_01_whoever_hangs_up_at_whatever_moment_has_hung_up(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    moments = [0.05 * place for place in range(12)]
    calls = [call(pbx, Wait(moment), Hangup(), number=f"+467017498{place:02d}") for place, moment in enumerate(moments)]
    keyed = [
        call(pbx, Wait(moment), Press("7"), Hangup(), number=f"+467017497{place:02d}")
        for place, moment in enumerate(moments)
    ]
    for caller in (*calls, *keyed):
        assert caller.wait() == 0, caller.problem()
    deadline = time.monotonic() + 30
    while len(installation.log("call_finished")) < len(installation.json("decisions", "list")) or pbx.channels():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ends = {(row["outcome"], row.get("reason")) for row in installation.json("decisions", "list")}
    assert ends == {("hangup_in_prompt", "hangup")}


def test_what_agi_uses_of_the_sites_own_variables_is_the_sites_again(pbx: Asterisk, installation: Installation) -> None:
    installation.start()
    caller = call(pbx, Wait(1), Press("2"), Wait(1), Hangup(), to="site")
    assert caller.wait() == 0, caller.problem()
    assert pbx.db("kept")[NUMBER] == "nomine"
    assert pbx.db("result")[NUMBER] == "unrecorded"


def test_both_front_ends_serve_side_by_side(tmp_path: Path) -> None:
    numbers = {front: f"+4670174997{place}" for place, front in enumerate(("support", "byagi"))}
    with (
        Asterisk(tmp_path / "pbx", dialplan=SITE) as pbx,
        Agent(pbx),
        installed(pbx, tmp_path / "app", "ari", "agi") as installation,
        installation,
    ):
        calls = [
            call(pbx, HEARD, Press("1"), Wait(2), Hangup(), to=to, number=number) for to, number in numbers.items()
        ]
        assert [caller.wait() for caller in calls] == [0, 0]
        assert {pbx.db("result")[number] for number in numbers.values()} == {"recorded"}
        installation.wait_until_quiet()
        status = json.loads(installation.cli("status", "--json").stdout)
        assert (status["ari"], status["agi"], status["fit"]) == (True, True, True)
        shown = [
            installation.cli("decisions", "show", str(row["id"]), "--json").stdout
            for row in installation.json("decisions", "list")
        ]
        assert sorted('"front": "agi"' in text for text in shown) == [False, True]


def test_con_03_a_wideband_call_has_not_heard_twice_as_much(pbx: Asterisk, installation: Installation) -> None:
    """Asterisk plays it the 16 kHz file, in whose samples it counts."""
    installation.start()
    # The mandatory part lasts 6.7 seconds; the first key comes before its end and lets the sound go on from there.
    steps: list[Step] = [Wait(4), Press("1"), Wait(5), Press("1"), Wait(2), Hangup()]
    caller = Caller(pbx, NUMBER, "support", steps, wide=True).start()
    time.sleep(6)
    assert "g722" in pbx.rx("core show channels verbose") + pbx.rx(f"core show channel {channel(pbx)}").lower()
    assert NUMBER not in pbx.db("result"), "the first key did not count"
    assert caller.wait() == 0, caller.problem()
    assert pbx.db("result")[NUMBER] == "recorded"
    body = decision(installation)
    assert (body["outcome"], body["attempts"]) == ("granted", 1)
    assert int(str(body["heard_ms"])) > int(str(body["mandatory_ms"]))


def channel(pbx: Asterisk) -> str:
    return pbx.rx("core show channels concise").splitlines()[0].split("!")[0]


def found(installation: Installation, check: str) -> tuple[object, str]:
    """Return what doctor says of one thing."""
    rows = json.loads(installation.cli("doctor", "--json", check=False).stdout)
    (row,) = [row for row in rows if row["check"] == check]
    return row["grade"], f"{row['text']} {row['mend']}"


def test_an_asterisk_without_agi_loses_no_call_and_doctor_says_what_is_missing(tmp_path: Path) -> None:
    pbx = Asterisk(tmp_path / "pbx", stasis=False)
    modules = pbx.folder / "etc" / "modules.conf"
    modules.write_text(modules.read_text().replace("load=res_agi.so\n", ""))
    with pbx, Agent(pbx), installed(pbx, tmp_path / "app", "agi") as installation:
        installation.start()
        may = call(pbx, Wait(1.5), Hangup())
        served(pbx, 1.5)
        assert may.wait() == 0, may.problem()
        must = call(pbx, Stay(10), to="support-must")
        assert must.wait() == 0, must.problem()
        assert pbx.db("result")[NUMBER] == "route"
        grade, text = found(installation, "agi module")
        assert (grade, "res_agi" in text) == ("FAIL", True)


def test_doctor_says_that_asterisk_connects_to_another_place(pbx: Asterisk, installation: Installation) -> None:
    assert found(installation, "agi module")[0] == found(installation, "agi place")[0] == "ok"
    pbx.rx("dialplan set global GDPRCALL_AGI 127.0.0.1:9")
    try:
        grade, text = found(installation, "agi place")
        assert (grade, f"GDPRCALL_AGI=127.0.0.1:{pbx.agi_port}" in text) == ("FAIL", True)
    finally:
        pbx.rx(f"dialplan set global GDPRCALL_AGI 127.0.0.1:{pbx.agi_port}")


async def crowd(port: int, stop: threading.Event, opened: list[int]) -> None:
    """Keep 300 connections of the worst kind open until told to stop; each is opened again when it is closed."""
    kinds = [
        b"",
        b"agi_network: ye",
        b"agi_x: y\n" * 100,
        b"200 result=49 endpos=99999\n",
        bytes(range(256)),
        b"agi_uniqueid: 1.1\n\n",
    ]

    async def one(place: int) -> None:
        while not stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.5)
                continue
            opened.append(place)
            try:
                writer.write(kinds[place % len(kinds)])
                async with asyncio.timeout(5):
                    await reader.read()
            except (OSError, TimeoutError):
                pass
            finally:
                writer.close()
            await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as tasks:
        for place in range(300):
            tasks.create_task(one(place))


def descriptors(installation: Installation) -> int:
    return len(list(Path(f"/proc/{installation.pid}/fd").iterdir()))


def test_three_hundred_that_come_again_and_again_cost_no_call_its_prompt(
    pbx: Asterisk, installation: Installation
) -> None:
    installation.start()
    before = descriptors(installation)
    stop, opened = threading.Event(), list[int]()
    attack = threading.Thread(target=lambda: asyncio.run(crowd(pbx.agi_port, stop, opened)))
    attack.start()
    try:
        while len(opened) < 300:
            time.sleep(0.05)
        calls = {f"+467017499{place:02d}": "1" if place % 2 else "2" for place in range(10)}
        callers = []
        for number, key in calls.items():
            callers.append(call(pbx, HEARD, Press(key), Wait(6), Hangup(), number=number))
            time.sleep(0.2)
        for caller in callers:
            assert caller.wait() == 0, caller.problem()
    finally:
        stop.set()
        attack.join()
    assert len(opened) > 600, "they came again and again"
    results = pbx.db("result")
    assert {number: results[number] for number in calls} == {
        number: "recorded" if key == "1" else "unrecorded" for number, key in calls.items()
    }
    installation.wait_until_quiet()
    outcomes = [str(row["outcome"]) for row in installation.json("decisions", "list")]
    assert sorted(outcomes) == ["granted"] * 5 + ["refused"] * 5
    deadline = time.monotonic() + 30
    while descriptors(installation) > before:
        assert time.monotonic() < deadline, "descriptors are left over"
        time.sleep(0.05)
    assert not installation.log("internal_error")
    assert len(installation.log("agi_refused")) < 50, "a flood of them is no flood of lines"
