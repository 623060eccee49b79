"""The recipes, loaded as they are shipped and called: a plain Asterisk, a queue, and FreePBX.

There is no FreePBX here: what it would generate is played by a stand-in of its contexts, with their names and their order.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gdprcall import dialplan
from gdprcall.doctor import recorders
from gdprcall.doctor.finding import OK
from tests.pbx.asterisk import DIALPLAN, Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import RATE, read_wav, whose
from tests.pbx.waiting import HEARD

pytestmark = pytest.mark.pbx

RECIPES = DIALPLAN / "recipes"
TALK = 4.0
APART = 8.0
LINES = """
[lines.orders]
controller = "acme"
purpose = "regulated_service"
basis = "legal_obligation"
law = "Directive 2014/65/EU article 16"
member_state = "EU"
min_retention_days = 1827
retention_days = 1827
must = true
languages = ["en"]
more = ""
timeout_seconds = 1
"""
ENTRIES = {
    "plain": "support-line,s,1",
    "queue": "support-queue,s,1",
    "route": "from-trunk,4600001,1",
    "forced": "from-trunk,4600002,1",
    "duty": "from-trunk,4600003,1",
    "early": "from-trunk,4655512345,1",
}
SITE = f"""
[globals](+)
SUPPORT_TELEPHONE=PJSIP/agent
ORDERS_ELSEWHERE=200
#include {RECIPES}/plain.conf
#include {RECIPES}/queue.conf
#include {RECIPES}/freepbx.conf
[inbound](+)
""" + "".join(
    f"exten => {name},1,Set(DB(call/${{CALLERID(num)}})=${{UNIQUEID}})\n same => n,Goto({to})\n"
    for name, to in ENTRIES.items()
)
STAND_IN = """
[from-trunk]
include => from-pstn
[from-pstn]
include => ext-did
include => from-did-direct
[ext-did]
include => ext-did-custom
include => ext-did-0002
[ext-did-0002]
exten => 4600001,1,Gosub(sub-record-check,s,1(in,${EXTEN},dontcare))
 same => n,Set(__FROM_DID=${EXTEN})
 same => n,Goto(customdests,dest-1,1)
exten => 4600002,1,Gosub(sub-record-check,s,1(in,${EXTEN},force))
 same => n,Goto(customdests,dest-1,1)
exten => 4600003,1,Goto(customdests,dest-2,1)
exten => 4655512345,1,Goto(ext-queues,400,1)
[customdests]
exten => dest-1,1,Gosub(consent-support,s,1())
 same => n,Goto(ext-queues,400,1)
exten => dest-2,1,Gosub(consent-orders,s,1())
 same => n,Goto(ext-queues,400,1)
[ext-queues]
exten => 400,1,Answer()
 same => n,Gosub(sub-record-check,s,1(q,400,dontcare))
 same => n,Queue(support,t,,,60)
[from-did-direct]
exten => 200,1,Set(DB(elsewhere/${CALLERID(num)})=yes)
 same => n,Wait(1)
 same => n,Hangup()
[sub-record-check]
exten => s,1,ExecIf($["${ARG3}"="force"]?MixMonitor(FOLDER/${ARG2}-${UNIQUEID}.wav,ai(LOCAL_MIXMON_ID)))
 same => n,Return()
"""


def way_two() -> str:
    """Return what the recipe for FreePBX has as a comment, as somebody who wants it writes it."""
    remarks = (RECIPES / "freepbx.conf").read_text().split("; Way 2")[1].splitlines()
    return "\n".join(line[1:] for line in remarks if line.startswith((";[", ";exten", "; same"))) + "\n"


@dataclass
class Scene:
    """What the calls left behind."""

    asterisk: Asterisk
    installation: Installation
    numbers: dict[str, str] = field(default_factory=dict)

    def decision(self, name: str) -> dict[str, object]:
        """Return the decision of a call."""
        uniqueid = self.asterisk.db("call")[self.numbers[name]]
        (row,) = [row for row in self.installation.json("decisions", "list") if row["uniqueid"] == uniqueid]
        return row


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    plan = SITE + STAND_IN.replace("FOLDER", str(tmp_path_factory.mktemp("theirs"))) + way_two()
    pbx = Asterisk(tmp_path_factory.mktemp("pbx"), dialplan=plan)
    (pbx.folder / "etc" / "queues.conf").write_text(f"#include {RECIPES}/queues.conf\n")
    with pbx, Agent(pbx):
        installation = Installation(tmp_path_factory.mktemp("app"), pbx, lines=LINES)
        installation.prepare()
        with installation:
            scene = Scene(pbx, installation)
            place(scene)
            yield scene


def place(scene: Scene) -> None:
    """Place the calls, apart: the queue's one agent takes one call at a time."""
    agrees: list[Step] = [HEARD, Press("1"), Wait(TALK), Hangup()]
    refuses: list[Step] = [Wait(2), Press("2"), Wait(TALK), Hangup()]
    plans = {"queue/no": refuses} | {f"{name}/yes": agrees for name in ENTRIES if name != "duty"}
    plans |= {"plain/no": refuses, "duty/no": [Wait(2), Press("2"), Stay(40)], "route/no": refuses}
    calls: dict[str, Caller] = {}
    for number, (name, steps) in enumerate(plans.items()):
        scene.numbers[name] = f"+46701754{number:03d}"
        calls[name] = Caller(scene.asterisk, scene.numbers[name], name.split("/")[0], steps).start()
        time.sleep(APART if steps is agrees else 0)
    assert not {name: call.problem() for name, call in calls.items() if call.wait()}
    scene.installation.wait_until_quiet()


@pytest.mark.parametrize("name", ["plain", "queue", "route", "forced", "early"])
def test_con_01_who_agrees_is_recorded_with_both_voices(scene: Scene, name: str) -> None:
    decision = scene.decision(f"{name}/yes")
    assert decision["outcome"] == "granted"
    sound = read_wav(scene.installation.opened(str(decision["recording"])))
    heard = whose(sound[-int(TALK * RATE) :])
    assert heard["caller"] > TALK - 2
    assert heard["agent"] > TALK - 2


@pytest.mark.parametrize("name", ["plain", "queue", "route"])
def test_con_05_who_refuses_gets_the_same_service_unrecorded(scene: Scene, name: str) -> None:
    decision = scene.decision(f"{name}/no")
    assert (decision["outcome"], decision["recording"]) == ("refused", None)


def test_con_05_the_agent_answered_every_caller_but_the_one_who_was_sent_elsewhere(scene: Scene) -> None:
    assert len(scene.installation.log("call_finished")) == len(scene.numbers) == 9
    assert scene.asterisk.db("elsewhere") == {scene.numbers["duty/no"]: "yes"}
    assert scene.decision("duty/no")["outcome"] == "routed"


def test_fcl_01_a_recorder_that_freepbx_starts_is_told_and_no_other_recipe_starts_one(scene: Scene) -> None:
    told = [line["uniqueid"] for line in scene.installation.log("foreign_recording")]
    assert told == [scene.asterisk.db("call")[scene.numbers["forced/yes"]]]


def test_the_recipes_ask_for_lines_by_name_and_no_line_of_them_starts_a_recorder() -> None:
    read = dialplan.read(*sorted(RECIPES.glob("*.conf")))
    assert {(gosub.line, str(gosub.demand)) for gosub in read.found} == {("support", "may"), ("orders", "must")}
    assert [finding.grade for finding in recorders.examine(RECIPES)] == [OK]


def test_the_readme_names_each_recipe() -> None:
    named = (RECIPES / "README.md").read_text()
    assert all(f"`{path.name}`" in named for path in Path(RECIPES).iterdir() if path.name != "README.md")
