"""Recorders of others on real calls: a MixMonitor before ours and after ours, on the agent's side, a conference, a snoop.

What goes on and what ends is told from the sound in the files, not from what the daemon says.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import RATE, Samples, read_wav, whose
from tests.pbx.waiting import HEARD, call, returned

pytestmark = pytest.mark.pbx

LINES = """
[lines.strict]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
more = ""
attempts = 1
timeout_seconds = 2
foreign_recorder = "stop"
"""
CALLS = [
    *("once-before/yes", "once-before/no", "once-after/yes", "once-after/no", "once-agent/no", "once-agi/no"),
    *("strict-before/yes", "strict-before/no", "strict-after/yes", "strict-after/no", "strict-agent/yes"),
    *("strict-two/yes", "strict-clean/yes", "once-conf/no", "strict-conf/no", "plain-after/yes"),
]
"""Each call: the line, what else records and when, and what the caller answers."""
SIDE_BY_SIDE = 6

DIALPLAN = (
    """
[inbound](+)
"""
    + "".join(f"exten => {name},1,Goto(site,{name},1)\n" for name in sorted({name.split("/")[0] for name in CALLS}))
    + """
[site]
exten => _[a-z].,1,MSet(LINE=${CUT(EXTEN,-,1)},WHAT=${CUT(EXTEN,-,2)},FILE=FOLDER/${EXTEN}-${CALLERID(num):-1})
 same => n,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,ExecIf($["${WHAT}"="before" | "${WHAT}"="agi"]?MixMonitor(${FILE}.wav))
 same => n,GotoIf($["${LINE}"="plain"]?asked)
 same => n,Gosub(${IF($["${WHAT}"="agi"]?gdprcall-agi:gdprcall)},s,1(${LINE},may))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n(asked),ExecIf($["${WHAT}"="after" | "${WHAT}"="two"]?MixMonitor(${FILE}.wav))
 same => n,ExecIf($["${WHAT}"="two"]?MixMonitor(${FILE}-too.wav))
 same => n,GotoIf($["${WHAT}"="conf"]?conf)
 same => n,ExecIf($["${WHAT}"="agent"]?Set(__FILE=${FILE}))
 same => n,Dial(PJSIP/agent,60,tT${IF($["${WHAT}"="agent"]?b(record-agent^s^1))})
 same => n,Hangup()
 same => n(conf),Set(CONFBRIDGE(bridge,record_conference)=yes)
 same => n,Set(CONFBRIDGE(bridge,record_file)=${FILE}.wav)
 same => n,Set(CONFBRIDGE(bridge,record_file_append)=no)
 same => n,Set(CONFBRIDGE(bridge,record_file_timestamp)=no)
 same => n,ConfBridge(${EXTEN}-${CALLERID(num):-1})
 same => n,Hangup()
[record-agent]
exten => s,1,MixMonitor(${FILE}.wav)
 same => n,Return()
"""
)
TALK = 4.0
MOMENT = 1.0
"""How many seconds of sound a recorder may hold that was ended at once."""


@dataclass
class Scene:
    """What the calls left behind."""

    asterisk: Asterisk
    installation: Installation
    files: Path
    numbers: dict[str, str] = field(default_factory=dict)
    uniqueids: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, dict[str, object]] = field(default_factory=dict)
    bodies: list[dict[str, object]] = field(default_factory=list)

    def told(self, name: str, event: str = "foreign_recording") -> list[str]:
        """Return what the log tells of a call: the kinds of recorders."""
        mine = self.uniqueids[name]
        return [str(line["reason"]) for line in self.installation.log(event) if line["uniqueid"] == mine]

    def noted(self, name: str) -> list[tuple[object, object]]:
        """Return what the ledger tells of a call."""
        return [(body["what"], body["state"]) for body in self.bodies if body["uniqueid"] == self.uniqueids[name]]

    def theirs(self, name: str, more: str = "") -> Samples:
        """Return the sound that the other recorder wrote."""
        (path,) = self.files.glob(f"{name.rsplit('/', 1)[0]}-{self.numbers[name][-1]}{more}.wav")
        return read_wav(path)

    def ours(self, name: str) -> Samples:
        """Return the sound of our recording, opened with the public tool."""
        return read_wav(self.installation.opened(str(self.decisions[self.uniqueids[name]]["recording"])))


def holds_both(sound: Samples) -> bool:
    """Whether the end of a sound holds both parties' speech."""
    heard = whose(sound[-int(TALK * RATE) :])
    return heard["caller"] > TALK - 1.5 and heard["agent"] > TALK - 1.5


def place(scene: Scene) -> None:
    """Place the calls, some side by side."""
    answers: dict[str, list[Step]] = {
        "yes": [HEARD, Press("1"), Wait(TALK), Hangup()],
        "no": [HEARD, Press("2"), Wait(TALK), Hangup()],
    }
    for begin in range(0, len(CALLS), SIDE_BY_SIDE):
        calls: list[Caller] = []
        for number, name in enumerate(CALLS[begin : begin + SIDE_BY_SIDE], begin):
            extension, answer = name.split("/")
            scene.numbers[name] = f"+46701753{number:02d}{1 if answer == 'yes' else 2}"
            calls.append(Caller(scene.asterisk, scene.numbers[name], extension, answers[answer]).start())
        assert not [each.problem() for each in calls if each.wait()]
    scene.installation.wait_until_quiet()
    known = scene.asterisk.db("call")
    scene.uniqueids = {key: known[number] for key, number in scene.numbers.items()}
    entries = scene.installation.json("audit", "log", "--limit", "10000")
    found = [entry["body"] for entry in entries if entry["kind"] == "foreign_recording"]
    scene.bodies = [body for body in found if isinstance(body, dict)]
    scene.decisions = {str(row["uniqueid"]): row for row in scene.installation.json("decisions", "list")}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    files = tmp_path_factory.mktemp("theirs")
    plan = DIALPLAN.replace("FOLDER", str(files))
    with Asterisk(tmp_path_factory.mktemp("pbx"), dialplan=plan) as asterisk, Agent(asterisk):
        installation = Installation(tmp_path_factory.mktemp("app"), asterisk, fronts=["ari", "agi"], lines=LINES)
        installation.prepare()
        with installation:
            scene = Scene(asterisk, installation, files)
            place(scene)
            yield scene


@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("once") and "conf" not in name])
def test_fcl_01_a_mixmonitor_of_others_is_told_and_noted_whatever_the_caller_answered(scene: Scene, name: str) -> None:
    assert scene.told(name) == ["mixmonitor"]
    assert scene.noted(name) == [("mixmonitor", "found")]
    assert scene.told(name, "foreign_stopped") == []
    # It was only told: it went on to the end of the call.
    assert holds_both(scene.theirs(name))


@pytest.mark.parametrize(
    "name", ["strict-before/yes", "strict-before/no", "strict-after/yes", "strict-after/no", "strict-agent/yes"]
)
def test_fcl_01_on_a_line_that_says_stop_it_ends_within_a_moment(scene: Scene, name: str) -> None:
    assert scene.told(name) == scene.told(name, "foreign_stopped") == ["mixmonitor"]
    assert scene.noted(name) == [("mixmonitor", "found"), ("mixmonitor", "stopped")]
    assert len(scene.theirs(name)) < MOMENT * RATE


@pytest.mark.parametrize("name", ["once-before", "strict-before", "strict-after", "strict-agent", "strict-two"])
def test_fcl_01_ours_goes_on_beside_one_that_was_ended(scene: Scene, name: str) -> None:
    assert holds_both(scene.ours(f"{name}/yes"))


def test_two_at_once_are_both_ended(scene: Scene) -> None:
    name = "strict-two/yes"
    assert scene.told(name) == scene.told(name, "foreign_stopped") == ["mixmonitor", "mixmonitor"]
    assert max(len(scene.theirs(name)), len(scene.theirs(name, "-too"))) < MOMENT * RATE


def test_fcl_01_a_conference_that_is_recorded_is_told_and_that_it_cannot_be_ended_too(scene: Scene) -> None:
    once, strict = "once-conf/no", "strict-conf/no"
    assert scene.told(once) == scene.told(strict) == scene.told(strict, "foreign_stop_failed") == ["conference"]
    assert scene.noted(once) == [("conference", "found")]
    assert scene.noted(strict) == [("conference", "found"), ("conference", "not_stopped")]
    assert whose(scene.theirs(once), ("caller",))["caller"] > TALK - 1.5


def test_ours_alone_is_never_taken_for_anothers_and_what_is_on_no_line_is_left_alone(scene: Scene) -> None:
    assert scene.told("strict-clean/yes") == []
    assert scene.told("plain-after/yes") == []
    assert holds_both(scene.theirs("plain-after/yes"))


def test_they_are_counted(scene: Scene) -> None:
    (status,) = [json.loads(scene.installation.cli("status", "--json").stdout)]
    assert status["foreign_recordings"] == len(scene.installation.log("foreign_recording")) == 15


def test_each_segment_of_ours_is_ours_and_a_call_that_is_asked_again_too(scene: Scene) -> None:
    number = "+46701753188"
    before = len(scene.installation.log("foreign_recording"))
    again: list[Step] = [HEARD, Press("1"), Wait(4), HEARD, Press("1"), Wait(2), Hangup()]
    caller = Caller(scene.asterisk, number, "strict-again", again).start()
    assert caller.wait() == 0, caller.problem()
    scene.installation.wait_until_quiet()
    uniqueid = scene.asterisk.db("call")[number]
    granted = [row for row in scene.installation.json("decisions", "list") if row["uniqueid"] == uniqueid]
    assert len({row["recording"] for row in granted}) == 2
    assert len(scene.installation.log("foreign_recording")) == before


def test_a_refused_call_is_watched_on_by_the_daemon_that_comes_after(scene: Scene) -> None:
    number = "+46701753189"
    caller = call(scene.asterisk, Wait(1), Press("2"), Stay(90), number=number, to="once")
    assert returned(scene.asterisk, within=5, number=number) == "unrecorded"
    before = len(scene.installation.log("foreign_recording"))
    scene.installation.kill()
    scene.installation.start()
    scene.asterisk.rx(f"mixmonitor start {channel(scene.asterisk)} {scene.files}/by-hand.wav")
    scene.installation.wait_for("foreign_recording", before + 1, seconds=3)
    scene.asterisk.rx("channel request hangup all")
    assert caller.wait() == 0, caller.problem()


async def test_an_application_that_listens_by_a_snoop_is_told_and_put_out(scene: Scene) -> None:
    number, pbx = "+46701753190", scene.asterisk
    before = len(scene.installation.log("foreign_stopped"))
    caller = call(pbx, Wait(1), Press("2"), Stay(90), number=number, to="strict-clean")
    await asyncio.to_thread(returned, pbx, within=5, number=number)
    login = {"Authorization": aiohttp.encode_basic_auth("gdprcall", pbx.ari_password)}
    app = {"app": "another"}
    async with (
        aiohttp.ClientSession(headers=login) as session,
        session.ws_connect(f"{pbx.ari_url}/events", params=app),
    ):
        uniqueid = pbx.db("call")[number]
        where = f"{pbx.ari_url}/channels/{uniqueid}/snoop"
        async with session.post(where, params=app | {"spy": "both"}) as made:
            assert made.status == 200, await made.text()
            snoop = (await made.json())["id"]
        await asyncio.to_thread(scene.installation.wait_for, "foreign_stopped", before + 1, 3)
        async with asyncio.timeout(3):
            while (await session.get(f"{pbx.ari_url}/channels/{snoop}")).status != 404:
                await asyncio.sleep(0.05)
    assert scene.installation.log("foreign_stopped")[-1]["reason"] == "snoop"
    await asyncio.sleep(1)  # the caller's key is over, and he waits for the end
    await asyncio.to_thread(pbx.rx, "channel request hangup all")
    assert caller.wait() == 0, caller.problem()


def channel(pbx: Asterisk) -> str:
    """Return the channel of the only caller."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        rows = [row.split("!") for row in pbx.rx("core show channels concise").splitlines() if "!inbound!" in row]
        if rows:
            return rows[0][0]
    raise AssertionError("nobody calls")
