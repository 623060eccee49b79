"""One real call that is put through three companies of one PBX: each begins from zero, and has its own part of it alone.

The three differ in basis, language, keys and retention. Every telephone speaks a tone of its own.
"""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.pbx import tones
from tests.pbx.asterisk import Asterisk
from tests.pbx.installation import Installation
from tests.pbx.phone import Phone
from tests.pbx.prepare import PBX
from tests.pbx.tones import AGENT, CALLER, THIRD

pytestmark = pytest.mark.pbx

LINES = """
[controllers.nord]
name = "Nords kommun"
contact = "dataskydd@nord.example"
country = "SE"
notice_url = "nord.example"
public_authority = true
recipients = ["RECIPIENT"]

[lines.ordning]
controller = "nord"
purpose = "documentation"
basis = "public_task"
law = "en lag"
member_state = "SE"
retention_days = 14
retention_reason = "the period to contest"
override = { reference = "opinion 7", sha256 = "SHA", countries = ["SE"] }
languages = ["sv"]
object = "8"
more = ""
timeout_seconds = 1

[controllers.alm]
name = "Alm Reisen"
contact = "datenschutz@alm.example"
country = "AT"
notice_url = "alm.example"
recipients = ["RECIPIENT"]

[lines.reklamation]
controller = "alm"
purpose = "documentation"
basis = "legitimate_interest"
interest = "Reklamationen zu klären"
assessment = { id = "LIA-1", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_days = 60
retention_reason = "the period to contest"
override = { reference = "opinion 8", sha256 = "SHA", countries = ["SE"] }
languages = ["de"]
more = ""
timeout_seconds = 1
""".replace("SHA", "ab" * 32)
HOUSES = {"acme": "support", "nord": "ordning", "alm": "reklamation"}
DIALPLAN = """
[globals](+)
GDPRCALL_ONWARD=houses
[inbound](+)
exten => round,1,Goto(houses,support,1)
[houses]
exten => support,1,Goto(house,support,1)
exten => ordning,1,Goto(house,ordning,1)
exten => reklamation,1,Goto(house,reklamation,1)
[house]
exten => _[a-z].,1,Set(__TRANSFER_CONTEXT=gdprcall-xfer)
 same => n,Gosub(gdprcall,s,1(${EXTEN},may))
 same => n,Set(DB(result/${EXTEN})=${GOSUB_RETVAL})
 same => n,Dial(PJSIP/${IF($["${EXTEN}"="ordning"]?third:agent)},60,tT)
 same => n,Hangup()
"""
TALK = 2.5


@dataclass
class Scene:
    """What the one call left: of each company its recording and its decision, and when it was put through."""

    asterisk: Asterisk
    installation: Installation
    recordings: dict[str, dict[str, object]]
    decisions: dict[str, dict[str, object]]
    put_through: dict[str, float]

    def voices(self, company: str) -> set[int]:
        """Return which tones are in the recording of a company for more than a moment."""
        identity = self.identities()[company]
        wav = self.installation.opened(str(self.recordings[company]["id"]), identity=identity)
        return {hz for hz, spans in tones.in_wav(wav).items() if tones.seconds(spans) > 0.3}

    def identities(self) -> dict[str, object]:
        installation = self.installation
        return {"acme": installation.identity} | {one: installation.identity_of(one) for one in ("nord", "alm")}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("controllers")
    with Asterisk(folder / "pbx", dialplan=DIALPLAN) as asterisk:
        installation = Installation(folder / "app", asterisk, lines=LINES)
        installation.prepare()
        with installation:
            through = call(installation, asterisk)
            installation.wait_until_quiet()
            rows = {str(row["controller"]): row for row in installation.json("recordings", "list")}
            decisions = {str(row["controller"]): row for row in installation.json("decisions", "list")}
            yield Scene(asterisk, installation, rows, decisions, through)


def call(installation: Installation, asterisk: Asterisk) -> dict[str, float]:
    """Agree at the first company, be put through to the second and the third, and say when that was."""
    seconds: dict[str, float] = {}
    for row in installation.json("prompts", "list"):  # of each line its question comes first
        if row["language"] == {"support": "en", "ordning": "sv", "reklamation": "de"}.get(str(row["line"])):
            seconds.setdefault(str(row["line"]), float(str(row["seconds"])))
    through = {}
    with (
        Phone(asterisk, "agent", AGENT, port=asterisk.agent_port) as agent,
        Phone(asterisk, "third", THIRD, port=asterisk.third_port) as third,
        Phone(asterisk, "+46701760099", CALLER) as caller,
    ):
        outer = caller.call("round").wait_answered()
        time.sleep(seconds["support"] + 0.3)
        outer.press("1")
        inner = agent.wait_for_call()
        for company, next_one, other in (("nord", third, THIRD), ("alm", agent, AGENT)):
            outer.wait_to_hear(AGENT if company == "nord" else THIRD)
            time.sleep(TALK)
            through[company] = time.time()
            inner.transfer(HOUSES[company])
            time.sleep(1)
            outer.press("9" if company == "nord" else "8")  # the key by which one objects, at the other company
            inner = next_one.wait_for_call(seconds[HOUSES[company]] + 10)
            outer.wait_to_hear(other)
        time.sleep(TALK)
        outer.hang_up()
        inner.wait_ended()
    return through


def moment(time: object) -> float:
    return datetime.fromisoformat(str(time)).timestamp()


def test_pty_05_each_company_asks_or_tells_anew_in_its_language_and_on_its_basis(scene: Scene) -> None:
    told = {one: (row["basis"], row["language"], row["outcome"]) for one, row in scene.decisions.items()}
    assert told == {
        "acme": ("consent", "en", "granted"),
        "nord": ("public_task", "sv", "informed"),
        "alm": ("legitimate_interest", "de", "informed"),
    }
    assert scene.asterisk.db("result") == dict.fromkeys(HOUSES.values(), "recorded")
    assert len({row["call"] for row in scene.decisions.values()}) == 3


def test_pty_05_a_transfer_to_another_company_ends_the_recording_and_nobody_has_anothers_part(scene: Scene) -> None:
    assert {one: row["state"] for one, row in scene.recordings.items()} == dict.fromkeys(HOUSES, "sealed")
    assert scene.voices("acme") == {CALLER, AGENT}
    assert scene.voices("nord") == {CALLER, THIRD}
    assert scene.voices("alm") == {CALLER, AGENT}
    for before, after in (("acme", "nord"), ("nord", "alm")):
        one, other = scene.recordings[before], scene.recordings[after]
        assert moment(one["started_at"]) + float(str(one["seconds"])) < scene.put_through[after] + 0.5
        assert moment(other["started_at"]) >= moment(scene.decisions[after]["decided_at"]) > scene.put_through[after]


def test_sec_01_the_part_of_each_company_opens_with_its_identity_alone(scene: Scene) -> None:
    for company, row in scene.recordings.items():
        scene.installation.opened(str(row["id"]), identity=scene.identities()[company])
        sealed = scene.installation.officer / f"{row['id']}.1.age"
        opens = {
            one: subprocess.run([PBX / "bin" / "age", "-d", "-i", identity, sealed], capture_output=True, check=False)
            for one, identity in scene.identities().items()
        }
        assert [one for one, done in opens.items() if done.returncode == 0] == [company]


def test_ret_01_the_part_of_each_company_is_kept_as_long_as_that_company_says(scene: Scene) -> None:
    kept = {
        one: round((moment(row["expires_at"]) - moment(row["started_at"])) / 86_400)
        for one, row in scene.recordings.items()
    }
    assert kept == {"acme": 30, "nord": 14, "alm": 60}
    assert scene.installation.cli("decisions", "verify").returncode == 0
