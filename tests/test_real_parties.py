"""Real calls in which the parties change, hold, and pause: which voices each recording holds is read from its sound.

Every telephone speaks a tone of its own, and its RTP begins with a random number, as RFC 3550 wants it.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

import pytest

from tests.pbx import tones
from tests.pbx.asterisk import Asterisk
from tests.pbx.installation import Installation
from tests.pbx.phone import Call, Phone
from tests.pbx.tones import AGENT, CALLER, MUSIC, THIRD

pytestmark = pytest.mark.pbx

LINES = """
[lines.friends]
controller = "acme"
purpose = "quality"
basis = "consent"
joins = "ask"
pause = "*7"
pause_seconds = 2
languages = ["en"]
more = ""
timeout_seconds = 1

[lines.complaints]
controller = "acme"
purpose = "documentation"
basis = "legitimate_interest"
interest = "to settle complaints"
assessment = { id = "LIA-1", date = 2026-01-31, sha256 = "SHA", review_by = 2099-01-31 }
retention_reason = "the period to contest"
override = { reference = "opinion 7", sha256 = "SHA", countries = ["SE"] }
joins = "ask"
languages = ["en"]
more = ""
timeout_seconds = 1
""".replace("SHA", "ab" * 32)

DIALPLAN = """
[globals](+)
GDPRCALL_ONWARD=agent-side
[inbound](+)
exten => _desk-.,1,Set(LINE=${CUT(EXTEN,-,2)})
 same => n,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Set(__TRANSFER_CONTEXT=gdprcall-xfer)
 same => n,Gosub(gdprcall,s,1(${LINE},may))
 same => n,Dial(PJSIP/agent,60,tTkKb(gdprcall-desk^s^1))
 same => n,Hangup()
[agent-side]
exten => 303,1,ConfBridge(7)
exten => 700,1,Park()
exten => _7[01]X,1,ParkedCall(default,${EXTEN})
"""
numbers = count(1)


@dataclass
class Scene:
    """A PBX with gdprcall, and how long the question of each line takes."""

    asterisk: Asterisk
    installation: Installation
    seconds: dict[str, float]

    @contextmanager
    def call(self, line: str, *, sequence: int | None = None) -> Iterator["Talk"]:
        """Yield a caller and an agent who talk and are recorded; the call ends with the block."""
        number = f"+467017600{next(numbers):02d}"
        with ExitStack() as stack:
            agent = stack.enter_context(Phone(self.asterisk, "agent", AGENT, port=self.asterisk.agent_port))
            third = stack.enter_context(Phone(self.asterisk, "third", THIRD, port=self.asterisk.third_port))
            caller = stack.enter_context(Phone(self.asterisk, number, CALLER, sequence=sequence))
            outer = caller.call(f"desk-{line}").wait_answered()
            time.sleep(self.seconds[line] + (0.3 if line == "friends" else 0))
            if line == "friends":
                outer.press("1")
            inner = agent.wait_for_call()
            outer.wait_to_hear(AGENT)
            talk = Talk(self, number, outer, inner, agent, third)
            time.sleep(1)
            yield talk
            outer.hang_up()


@dataclass
class Talk:
    """One recorded call."""

    scene: Scene
    number: str
    outer: Call
    inner: Call
    agent: Phone
    third: Phone

    def asked(self, line: str) -> float:
        """Wait until the third party has heard the question to its end, and return the moment."""
        time.sleep(self.scene.seconds[line] + 0.6)
        return time.monotonic()

    def wait_resumed(self) -> None:
        """Wait until the recording goes on."""
        self.scene.installation.wait_until(lambda: "resumed" in self.heard_of())

    def heard_of(self) -> list[str]:
        """Return what the log says of the pauses of this recording."""
        recording = str(self.row()["id"])
        told = [line for line in self.scene.installation.log() if line.get("recording") == recording]
        return [str(line["event"]).removeprefix("recording_") for line in told]

    def segments(self) -> list[dict[int, list[tones.Span]]]:
        """Wait for the end, and return which tones each segment of the recording holds when."""
        installation = self.scene.installation
        deadline = time.monotonic() + 10
        while self.scene.asterisk.channels():
            assert time.monotonic() < deadline, "the call does not end"
            time.sleep(0.05)
        installation.wait_until_quiet()
        recording = str(self.row()["id"])
        sealed = [line for line in installation.log("sealed") if line["recording"] == recording]
        return [tones.in_wav(installation.opened(recording, int(str(line["segment"])))) for line in sealed]

    def row(self) -> dict[str, object]:
        """Return the recording."""
        installation = self.scene.installation
        uniqueid = self.scene.asterisk.db("call")[self.number]
        (decision,) = [row for row in installation.json("decisions", "list") if row["uniqueid"] == uniqueid]
        (row,) = [row for row in installation.json("recordings", "list") if row["id"] == decision["recording"]]
        return row


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("parties")
    asterisk = Asterisk(folder / "pbx", dialplan=DIALPLAN)
    tones.write_wav(asterisk.folder / "data" / "moh" / "music.wav", tones.tone(MUSIC, 60))
    with asterisk:
        installation = Installation(folder / "app", asterisk, lines=LINES)
        installation.prepare()
        questions: dict[str, float] = {}
        for row in installation.json("prompts", "list"):
            questions.setdefault(str(row["line"]), float(str(row["seconds"])))
        with installation:
            yield Scene(asterisk, installation, questions)


def alone(found: dict[int, list[tones.Span]], *voices: int) -> bool:
    """Whether a sound holds a second or more of each of these tones, and at most two windows of any other."""
    return all(
        tones.seconds(spans) > 0.7 if hz in voices else tones.seconds(spans) <= 0.04 for hz, spans in found.items()
    )


def test_pty_03_who_joins_by_transfer_and_agrees_is_recorded_from_then_on(scene: Scene) -> None:
    with scene.call("friends") as talk:
        talk.inner.transfer("301")
        joined = talk.third.wait_for_call()
        talk.asked("friends")
        joined.press("1")
        talk.wait_resumed()
        time.sleep(1.5)
    first, second = talk.segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, THIRD), second


def test_pty_03_who_joins_and_refuses_is_not_recorded_and_talks_on(scene: Scene) -> None:
    with scene.call("friends") as talk:
        talk.inner.transfer("301")
        joined = talk.third.wait_for_call()
        talk.asked("friends")
        joined.press("2")
        talk.outer.wait_to_hear(THIRD)
        time.sleep(1.5)
    (only,) = talk.segments()
    assert alone(only, CALLER, AGENT), only


def test_pty_06_hold_is_absent_and_the_talk_goes_on_in_a_segment_of_its_own(scene: Scene) -> None:
    with scene.call("friends") as talk:
        talk.inner.hold()
        talk.outer.wait_to_hear(MUSIC)
        time.sleep(1)
        talk.inner.resume()
        talk.outer.wait_to_hear(AGENT)
        time.sleep(1.5)
    first, second = talk.segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, AGENT), second


def test_prf_pci_between_the_agents_two_keys_nothing_is_recorded_and_a_long_pause_is_told(scene: Scene) -> None:
    with scene.call("friends") as talk:
        before = len(scene.installation.log("pause_overdue"))
        talk.inner.press("*7")
        scene.installation.wait_for("pause_overdue", before + 1)
        talk.inner.press("*8")
        time.sleep(1.8)
    first, second = talk.segments()
    assert alone(first, CALLER, AGENT), first
    assert alone(second, CALLER, AGENT), second
    assert sum(tones.seconds(found[CALLER]) for found in (first, second)) < 4.5
