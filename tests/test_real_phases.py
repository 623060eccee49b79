"""Real calls in which two contracts are made: each is recorded between the agent's words alone, and stands by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import read_wav, whose
from tests.test_real_bases import DIALPLAN
from tests.test_real_bases import LINES as ALL

pytestmark = pytest.mark.pbx

LINES = ALL[ALL.index("[lines.sales]") : ALL.index("[lines.spoken]")]
PHASE, BETWEEN = 4.0, 3.0
KEYS_SECONDS = 0.45
"""How long it takes to press a code of three keys."""
DESK: list[Step] = [
    *(Wait(1.5), Press("*51"), Wait(PHASE), Press("*50")),
    *(Wait(BETWEEN), Press("*51"), Wait(PHASE), Press("*50"), Wait(60)),
]
"""The agent makes two contracts in every call."""
TALKED = 1.5 + PHASE + BETWEEN + PHASE + 4 * KEYS_SECONDS


@dataclass
class Scene:
    """What two calls left behind: the contracts of each in order, with their decisions, and when the agent pressed keys."""

    installation: Installation
    contracts: dict[str, list[dict[str, object]]]
    decisions: dict[str, dict[str, object]]
    pressed: list[float]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("phases")
    with Asterisk(folder / "pbx", dialplan=DIALPLAN.replace("ENTRY", "gdprcall")) as asterisk:
        installation = Installation(folder / "app", asterisk, lines=LINES)
        installation.prepare()
        with Agent(asterisk, steps=DESK, port=asterisk.silent_port) as desk, installation:
            made = call(installation, asterisk, [Wait(TALKED + 2), Hangup()])
            pressed = desk.pressed()
            taken_back = [Wait(TALKED - PHASE / 2), Press("*9"), Wait(5), Hangup()]
            contracts = {"made": made, "taken-back": call(installation, asterisk, taken_back)}
            decisions = {str(row["id"]): row for row in installation.json("decisions", "list")}
            yield Scene(installation, contracts, decisions, pressed)


def call(installation: Installation, asterisk: Asterisk, steps: list[Step]) -> list[dict[str, object]]:
    """Call the line of contracts, and return the recordings that came of it in order."""
    before = {str(row["id"]) for row in installation.json("recordings", "list")}
    prompt = next(row for row in installation.json("prompts", "list") if row["line"] == "sales")
    told = Wait(float(str(prompt["seconds"])) + 1.2)
    caller = Caller(asterisk, f"+467017500{len(before):02d}", "sales", [told, *steps]).start()
    assert caller.wait() == 0, caller.problem()
    installation.wait_until_quiet()
    rows = [row for row in installation.json("recordings", "list") if str(row["id"]) not in before]
    return sorted(rows, key=lambda row: str(row["started_at"]))


def seconds(time: object) -> float:
    return datetime.fromisoformat(str(time)).timestamp()


def test_bas_04_each_of_two_contracts_is_recorded_with_both_voices_under_a_decision_of_its_own(scene: Scene) -> None:
    first, second = scene.contracts["made"]
    assert (first["state"], second["state"]) == ("sealed", "sealed")
    assert first["decision"] != second["decision"]
    assert first["call"] == second["call"]
    for row in (first, second):
        decision = scene.decisions[str(row["decision"])]
        assert (decision["outcome"], decision["reason"], decision["recording"]) == (
            "informed",
            "contract_phase",
            row["id"],
        )
        assert seconds(decision["decided_at"]) <= seconds(row["started_at"])
        heard = whose(read_wav(scene.installation.opened(str(row["id"]))))
        assert min(heard.values()) >= 1.5


def test_bas_04_nothing_before_between_and_after_the_contracts_is_recorded(scene: Scene) -> None:
    # Each code is three keys: a phase begins after the third key of one and ends at the third of the next.
    keys = scene.pressed[:12]
    for row, (begin, end) in zip(scene.contracts["made"], ((keys[2], keys[5]), (keys[8], keys[11])), strict=True):
        sound = len(read_wav(scene.installation.opened(str(row["id"])))) / 8000
        assert begin < seconds(row["started_at"]) < begin + 2
        assert seconds(row["started_at"]) + sound < end + 0.5
        assert PHASE - 2 < sound < PHASE + 2 * KEYS_SECONDS


def test_bas_04_who_withdraws_while_the_second_contract_is_made_takes_back_that_one_alone(scene: Scene) -> None:
    first, second = scene.contracts["taken-back"]
    assert (first["state"], second["state"]) == ("sealed", "erased")
    assert scene.decisions[str(second["decision"])]["withdrawn_at"] is not None
    assert scene.decisions[str(first["decision"])]["withdrawn_at"] is None
    assert min(whose(read_wav(scene.installation.opened(str(first["id"])))).values()) >= 1.5


def test_bas_04_every_decision_of_these_calls_is_proof(scene: Scene) -> None:
    assert "everything is as it was written" in scene.installation.cli("audit", "verify").stdout
    assert scene.installation.cli("decisions", "verify").returncode == 0
