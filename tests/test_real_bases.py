"""Real calls on every lawful basis but consent, by both front ends: who is told, who is recorded, and who ends it.

All calls of a front end are placed side by side before the first test, on one Asterisk and one daemon each.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import read_wav, whose

pytestmark = pytest.mark.pbx

LINES = """
[lines.complaints]
controller = "acme"
purpose = "documentation"
basis = "legitimate_interest"
interest = "to settle complaints"
assessment = { id = "LIA-1", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_reason = "the period to contest"
override = { reference = "opinion 7", sha256 = "SHA", countries = ["SE"] }
languages = ["en"]
timeout_seconds = 1

[lines.claims]
controller = "acme"
purpose = "documentation"
basis = "legitimate_interest"
interest = "to settle claims"
assessment = { id = "LIA-2", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_reason = "the period to contest"
override = { reference = "opinion 7", sha256 = "SHA", countries = ["SE"] }
languages = ["en"]
more = ""
timeout_seconds = 1

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

[lines.bonds]
controller = "acme"
purpose = "regulated_service"
basis = "legal_obligation"
law = "another act"
member_state = "EU"
min_retention_days = 1827
retention_days = 1827
must = true
languages = ["en"]
more = ""
timeout_seconds = 1

[lines.rescue]
controller = "acme"
purpose = "emergency"
basis = "vital_interest"
emergency = true
emergency_reason = "an address that was not understood is heard again"
notice_deferred = true
full_notice_url = "acme.example/rescue"
languages = ["en"]
more = ""

[lines.sales]
controller = "acme"
purpose = "contract_proof"
basis = "contract"
no_other_proof_reason = "orders are given by telephone alone"
retention_reason = "the period to contest"
override = { reference = "opinion 7", sha256 = "SHA", countries = ["SE"] }
languages = ["en"]
more = ""
timeout_seconds = 1

[lines.spoken]
controller = "acme"
purpose = "quality"
basis = "consent"
spoken = true
attempts = 1
languages = ["en"]
more = ""
timeout_seconds = 1
""".replace("SHA", "ab" * 32)

DIALPLAN = """
[inbound](+)
exten => sales,1,Goto(desk,sales,1)
exten => spoken,1,Goto(desk,spoken,1)
[desk]
exten => _[a-z].,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Gosub(ENTRY,s,1(${EXTEN},may))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,Dial(PJSIP/silent,60,b(gdprcall-desk^s^1))
 same => n,Hangup()
"""

DESK: list[Step] = [
    Wait(1.5), Press("*51"), Wait(4), Press("*50"), Wait(2.5), Press("*41"), Wait(0.8), Press("*41"), Stay(60)
]  # fmt: skip
"""What the agent at the desk does in every call: a contract begins and ends; then twice a yes that was spoken."""
AFTER = 17.0
"""How long the desk takes for all of that."""


@dataclass
class Scene:
    """What the calls of one front end left behind."""

    front: str
    installation: Installation
    asterisk: Asterisk
    numbers: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, object]] = field(default_factory=dict)
    decisions: dict[str, dict[str, object]] = field(default_factory=dict)

    def returned(self, call: str) -> str | None:
        """Return what the dialplan was told of a call."""
        return self.asterisk.db("result").get(self.numbers[call])

    def decision(self, call: str) -> dict[str, object]:
        """Return the decision of a call."""
        return self.decisions[self.asterisk.db("call")[self.numbers[call]]]

    def recording(self, call: str) -> dict[str, object] | None:
        """Return the recording of a call, if there is one."""
        return self.rows.get(str(self.decision(call)["recording"]))

    def heard(self, call: str) -> dict[str, float]:
        """Return whose speech is in the recording of a call, opened with the public tool, and for how many seconds."""
        row = self.recording(call)
        assert row is not None
        return whose(read_wav(self.installation.opened(str(row["id"]))))


def plans(seconds: dict[str, float]) -> dict[str, tuple[str, list[Step]]]:
    """Return the calls: extension and steps; ``seconds`` is how long each line's prompt is."""
    told, duty = Wait(seconds["complaints"] + 1.6), Wait(seconds["orders"] + 1.6)
    heard, ordered = Wait(seconds["complaints"] + 0.4), Wait(seconds["orders"] + 0.4)
    talk = Wait(3)
    return {
        "informed": ("complaints", [told, talk, Hangup()]),
        "acknowledged": ("complaints", [Wait(1), Press("1"), Wait(seconds["complaints"]), Wait(1), talk, Hangup()]),
        "accepted": ("complaints", [heard, Press("1"), Wait(1.2), talk, Hangup()]),
        "wrong-key": ("complaints", [Wait(1), Press("7"), told, talk, Hangup()]),
        "untold": ("claims", [talk, Hangup()]),
        "objected": ("complaints", [Wait(1), Press("9"), talk, Hangup()]),
        "objected-after": ("complaints", [heard, Press("9"), talk, Hangup()]),
        "objected-later": ("complaints", [told, talk, Press("*9"), Wait(2), Hangup()]),
        "notice": ("complaints", [Wait(1), Press("0"), Wait(2), Press("9"), talk, Hangup()]),
        "hung-up": ("complaints", [Wait(1), Hangup()]),
        "duty": ("orders-must", [duty, talk, Press("*9"), talk, Hangup()]),
        "duty-accepted": ("orders-must", [ordered, Press("1"), Wait(1.2), talk, Hangup()]),
        "duty-wrong-key": ("orders-must", [Wait(1), Press("7"), duty, talk, Hangup()]),
        "duty-hung-up": ("orders-must", [Wait(1), Hangup()]),
        "duty-may": ("orders", [Wait(1), Press("2"), Stay(40)]),
        "duty-refused": ("orders-must", [Wait(1), Press("2"), Stay(40)]),
        "duty-untold": ("bonds-must", [Stay(40)]),
        "emergency": ("rescue", [Wait(4), Hangup()]),
        "contract": ("sales", [Wait(seconds["sales"] + 1.6), Wait(AFTER), Hangup()]),
        "contract-withdrawn": ("sales", [Wait(seconds["sales"] + 1.6), Wait(4), Press("*9"), Wait(3), Hangup()]),
        "contract-refused": ("sales", [Wait(1), Press("2"), Wait(8), Hangup()]),
        "spoken": ("spoken", [Wait(seconds["spoken"] + 1.6), Wait(AFTER), Hangup()]),
    }


@contextmanager
def played(folder: Path, front: str) -> Iterator[Scene]:
    """Place all calls on an Asterisk and a daemon of their own, and yield what they left."""
    entry = "gdprcall" if front == "ari" else "gdprcall-agi"
    with Asterisk(folder / "pbx", stasis=front == "ari", dialplan=DIALPLAN.replace("ENTRY", entry)) as asterisk:
        installation = Installation(folder / "app", asterisk, fronts=[front], lines=LINES)
        installation.prepare()
        desk = Agent(asterisk, steps=DESK, port=asterisk.silent_port)
        with Agent(asterisk), desk, installation:
            scene = Scene(front, installation, asterisk)
            place(scene)
            installation.wait_until_quiet()
            scene.decisions = {str(row["uniqueid"]): row for row in installation.json("decisions", "list")}
            scene.rows = {str(row["id"]): row for row in installation.json("recordings", "list")}
            yield scene


def place(scene: Scene) -> None:
    """Place the calls side by side, and wait until the last has ended."""
    questions: dict[str, dict[str, object]] = {}
    for row in scene.installation.json("prompts", "list"):  # of each line its question comes first
        if row["language"] == "en":
            questions.setdefault(str(row["line"]), row)
    for line in ("bonds", "claims"):
        (scene.asterisk.sounds / "en" / "gdprcall" / f"{questions[line]['sha256']}.wav").unlink()
    calls = []
    for place, (name, (extension, steps)) in enumerate(
        plans({line: float(str(row["seconds"])) for line, row in questions.items()}).items()
    ):
        scene.numbers[name] = f"+4670175{place:04d}"
        calls.append((name, Caller(scene.asterisk, scene.numbers[name], extension, steps).start()))
    try:
        problems = {name: call.problem() for name, call in calls if call.wait()}
    finally:
        for _, call in calls:
            call.stop()
    assert not problems


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    contexts = {front: played(tmp_path_factory.mktemp(front), front) for front in ("ari", "agi")}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        futures = {front: pool.submit(context.__enter__) for front, context in contexts.items()}
        for front, future in futures.items():
            if future.exception() is None:
                stack.push(contexts[front].__exit__)
        yield {front: future.result() for front, future in futures.items()}


@pytest.fixture(scope="module", params=["ari", "agi"])
def scene(request: pytest.FixtureRequest, scenes: dict[str, Scene]) -> Scene:
    return scenes[request.param]


@pytest.mark.parametrize(
    ("call", "returned", "outcome", "reason", "state"),
    [
        ("informed", "recorded", "informed", "", "sealed"),
        ("acknowledged", "recorded", "informed", "acknowledged", "sealed"),
        ("accepted", "recorded", "informed", "acknowledged", "sealed"),
        ("wrong-key", "recorded", "informed", "", "sealed"),
        ("untold", "unrecorded", "prompt_error", "prompt_unfit", None),
        ("objected", "unrecorded", "objected", "", None),
        ("objected-after", "unrecorded", "objected", "", None),
        ("objected-later", "recorded", "objected", None, "erased"),
        ("notice", "unrecorded", "objected", "", None),
        ("hung-up", None, "hangup_in_prompt", "hangup", None),
        ("duty", "recorded", "legal_required", "", "sealed"),
        ("duty-accepted", "recorded", "legal_required", "acknowledged", "sealed"),
        ("duty-wrong-key", "recorded", "legal_required", "", "sealed"),
        ("duty-hung-up", None, "hangup_in_prompt", "hangup", None),
        ("duty-may", "route", "routed", "", None),
        ("duty-refused", "route", "routed", "", None),
        ("duty-untold", "route", "prompt_error", "prompt_unfit", None),
        ("emergency", "recorded", "informed", "notice_deferred", "sealed"),
        ("contract", "unrecorded", "informed", "contract_phase", "sealed"),
        ("contract-withdrawn", "unrecorded", "withdrawn", None, "erased"),
        ("contract-refused", "unrecorded", "refused", "", None),
        ("spoken", "unrecorded", "granted", "spoken", "sealed"),
    ],
)
def test_bas_01_each_basis_ends_as_its_law_says(
    scene: Scene, call: str, returned: str | None, outcome: str, reason: str | None, state: str | None
) -> None:
    decision, row = scene.decision(call), scene.recording(call)
    assert scene.returned(call) == returned
    assert decision["outcome"] == outcome
    assert reason is None or decision["reason"] == reason
    assert (row or {}).get("state") == state


@pytest.mark.parametrize("call", ["informed", "accepted", "duty", "duty-accepted", "emergency", "contract", "spoken"])
def test_con_02_what_is_recorded_begins_after_its_note_and_holds_both_voices(scene: Scene, call: str) -> None:
    row = scene.recording(call)
    assert row is not None
    assert str(row["started_at"]) >= str(scene.decision(call)["decided_at"])
    seconds = scene.heard(call)
    assert seconds["caller"] >= 1.5
    assert seconds["agent"] >= 1.5


def test_bas_05_the_withdrawal_key_ends_nothing_that_the_law_requires(scene: Scene) -> None:
    row = scene.recording("duty")
    assert row is not None
    assert float(str(row["seconds"])) > 5.5
    assert scene.decision("duty")["withdrawn_at"] is None


def test_bas_04_only_the_contract_phase_is_in_the_recording(scene: Scene) -> None:
    row = scene.recording("contract")
    assert row is not None
    # From the end of *51 to the end of *50.
    assert 3 < float(str(row["seconds"])) < 6


def test_inf_02_the_full_notice_that_was_played_is_named_in_the_evidence(scene: Scene) -> None:
    bodies = [entry["body"] for entry in scene.installation.json("audit", "log", "--limit", "10000")]
    decision = scene.decision("notice")["id"]
    (body,) = (body for body in bodies if isinstance(body, dict) and body.get("decision") == decision)
    notice = json.loads((scene.installation.folder / "vault" / "prompts" / f"{body['notice_sha256']}.json").read_text())
    assert notice["kind"] == "notice"
    assert "to settle complaints" in notice["text"]
    assert (body["notices"], body["attempts"]) == (1, 1)


def test_bas_05_the_dialplan_that_says_may_of_a_duty_is_named(scene: Scene) -> None:
    assert [line["line"] for line in scene.installation.log("may_on_obligation")] == ["orders"]


def test_nothing_else_was_recorded_and_the_vault_is_whole(scene: Scene) -> None:
    states = sorted(str(row["state"]) for row in scene.rows.values())
    assert states == ["erased", "erased", *["sealed"] * 10]
    assert "everything is as it was written" in scene.installation.cli("audit", "verify").stdout
