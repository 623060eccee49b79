"""Real calls whose callers take it back when the daemon is dead: each hears the answer to what it was, and is believed.

What the caller heard is taken from Asterisk's own stream to the telephone, by a recording of the site's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Step, Wait
from tests.pbx.installation import Installation
from tests.pbx.speech import likeness, read_wav
from tests.test_real_bases import LINES as ALL

pytestmark = pytest.mark.pbx

LINES = ALL[: ALL.index("[lines.orders]")]
DIALPLAN = """
[inbound](+)
exten => support,1,Goto(heard,support,1)
exten => complaints,1,Goto(heard,complaints,1)
[heard]
exten => _[a-z].,1,Set(DB(call/${EXTEN})=${UNIQUEID})
 same => n,MixMonitor(FOLDER/both-${EXTEN}.wav,t(FOLDER/${EXTEN}.wav))
 same => n,Gosub(gdprcall,s,1(${EXTEN},may))
 same => n,Dial(PJSIP/agent,60)
 same => n,Hangup()
"""
TALK = 6.0


@dataclass
class Scene:
    """What two callers heard, by line, and what was noted of them after the daemon was back."""

    heard: dict[str, Path]
    sounds: Path
    decisions: dict[str, dict[str, object]]
    states: dict[str, str]

    def likeness(self, line: str, answer: str) -> float:
        """Return how like a whole answer the most alike stretch is of what the caller of a line heard, 0 to 1."""
        return likeness(read_wav(self.heard[line]), read_wav(self.sounds / f"{answer}.wav"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("objection")
    ears = folder / "ears"
    ears.mkdir()
    with Asterisk(folder / "pbx", dialplan=DIALPLAN.replace("FOLDER", str(ears))) as asterisk, Agent(asterisk):
        installation = Installation(folder / "app", asterisk, lines=LINES, speed=200)
        installation.prepare()
        with installation:
            call(installation, asterisk)
            installation.start()
            installation.wait_until_quiet()
            installation.wait_for("withdrawn", 2)
            rows = {str(row["uniqueid"]): row for row in installation.json("decisions", "list")}
            decisions = {line: rows[uniqueid] for line, uniqueid in asterisk.db("call").items()}
            states = {str(row["line"]): str(row["state"]) for row in installation.json("recordings", "list")}
            sounds = asterisk.sounds / "en" / "gdprcall"
            yield Scene({line: ears / f"{line}.wav" for line in decisions}, sounds, decisions, states)


def call(installation: Installation, asterisk: Asterisk) -> None:
    """Let both be recorded, kill the daemon, and let both press the key that takes it back."""
    seconds: dict[str, float] = {}
    for row in installation.json("prompts", "list"):  # of each line its question comes first
        if row["language"] == "en":
            seconds.setdefault(str(row["line"]), float(str(row["seconds"])))
    answers: dict[str, list[Step]] = {
        "support": [Wait(seconds["support"] + 0.7), Press("1")],
        "complaints": [Wait(seconds["complaints"] + 1.7)],
    }
    # Whose prompt is the shorter talks the longer, so that the daemon is dead for both when they press the key.
    longest = max(seconds[line] for line in answers)
    calls = []
    for place, (line, steps) in enumerate(answers.items()):
        later = [Wait(TALK + longest - seconds[line]), Press("*9"), Wait(6), Hangup()]
        calls.append(Caller(asterisk, f"+4670175990{place}", line, steps + later).start())
    try:
        installation.wait_until(lambda: len(list(asterisk.spool.glob("*.wav"))) == len(calls), 60)
        installation.kill()
        problems = [one.problem() for one in calls if one.wait()]
    finally:
        for one in calls:
            one.stop()
    assert not problems


@pytest.mark.parametrize(
    ("line", "answer", "other"), [("support", "withdrawn", "objected"), ("complaints", "objected", "withdrawn")]
)
def test_inf_04_who_objects_hears_that_and_who_withdraws_that_though_the_daemon_is_dead(
    scene: Scene, line: str, answer: str, other: str
) -> None:
    assert scene.likeness(line, answer) > 0.8
    assert scene.likeness(line, other) < 0.5


@pytest.mark.parametrize(("line", "outcome"), [("support", "withdrawn"), ("complaints", "objected")])
def test_con_08_the_next_daemon_believes_it_and_destroys_what_there_is(scene: Scene, line: str, outcome: str) -> None:
    assert scene.decisions[line]["outcome"] == outcome
    assert scene.states[line] == "erased"
