"""Recorded calls in hand, many side by side: a caller and an agent who talk, a third telephone, and what was recorded.

Every telephone speaks a tone of its own, and its RTP begins with a random number, as RFC 3550 wants it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.pbx import tones
from tests.pbx.asterisk import Asterisk
from tests.pbx.g711 import Codec
from tests.pbx.installation import Installation
from tests.pbx.phone import Call, Phone, Way
from tests.pbx.tones import AGENT, CALLER, MUSIC, OUTSIDE, THIRD

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
timeout_seconds = 3

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
timeout_seconds = 3
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
CALLERS = "+467017600"
"""How the number of every caller begins."""
AT_ONCE = 5
"""How many calls go on side by side: each has three telephones, which are not to be late."""
TALK_S = 1.2
"""How long each talks before and after what a scenario is about."""


@dataclass(frozen=True)
class Placed:
    """How a call is placed, where that is what a test is about: by which telephone, to what, and who answers it."""

    name: str = ""
    extension: str = ""
    codecs: tuple[Codec, ...] = (Codec.ULAW, Codec.ALAW)
    way: Way = Way.INFO
    answers: Phone | None = None
    hears: int = AGENT


@dataclass
class Scene:
    """A PBX with gdprcall, an agent's, a third and an outside telephone, and how long the question of each line takes."""

    asterisk: Asterisk
    installation: Installation
    agent: Phone
    third: Phone
    outside: Phone
    seconds: Mapping[str, float]

    @contextmanager
    def call(self, number: str, line: str, placed: Placed | None = None) -> Iterator["Talk"]:
        """Yield a call that is recorded; it ends with the block."""
        how = placed or Placed()
        with Phone(
            self.asterisk, how.name or number, CALLER, codecs=how.codecs, events=how.way is not Way.TONES
        ) as caller:
            outer = caller.call(how.extension or f"desk-{line}").wait_answered()
            if line != "complaints":
                time.sleep(self.seconds[line] + 0.3)
                outer.press("1", how.way)
            phone = how.answers or self.agent
            outer.wait_to_hear(how.hears, within=30)
            talk = Talk(self, how.name or number, line, outer, of(phone, how.name or number))
            time.sleep(TALK_S)
            yield talk
            outer.hang_up()
            talk.seconds = time.monotonic() - talk.began

    def play(
        self,
        scenarios: Mapping[str, tuple[str, Callable[["Talk"], None]]],
        placed: Mapping[str, Placed] | None = None,
        first: int = 0,
    ) -> dict[str, "Talk"]:
        """Play the scenarios, some side by side, each a line and what is done in its call, and return the calls by name.

        Those that are not placed like any other are in ``placed``; ``first`` keeps the numbers of several plays apart.
        """

        def one(place: int, name: str) -> "Talk":
            line, act = scenarios[name]
            with self.call(f"{CALLERS}{place:02d}", line, (placed or {}).get(name)) as talk:
                act(talk)
            return talk

        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {name: pool.submit(one, place, name) for place, name in enumerate(scenarios, first)}
            talks = {name: future.result() for name, future in futures.items()}
        deadline = time.monotonic() + 20
        while self.asterisk.channels():
            assert time.monotonic() < deadline, "some call does not end"
            time.sleep(0.05)
        return talks


@dataclass
class Talk:
    """One recorded call."""

    scene: Scene
    number: str
    line: str
    outer: Call
    inner: Call
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0
    """How long it went on, once it is over."""

    def joined(self, *, consulted: bool = False) -> Call:
        """Return the call of the third telephone, once it is there; in a consultation the caller's number is not shown."""
        return of(self.scene.third, "" if consulted else self.number)

    def hear_question(self) -> None:
        """Wait until whoever joined has heard the question to its end."""
        time.sleep(self.scene.seconds[self.line] + 0.7)

    def wait_told(self, event: str, count: int = 1) -> None:
        """Wait until the log says so of this recording."""
        self.scene.installation.wait_until(lambda: self.told().count(event) >= count, 30)

    def told(self) -> list[str]:
        """Return which events the log has of this recording."""
        recording = self.recording
        return [str(row["event"]) for row in self.scene.installation.log() if row.get("recording") == recording]

    @property
    def recording(self) -> str:
        """The id of the recording: the file in the spool that this call's channel writes."""
        uniqueid = self.scene.asterisk.db("call")[self.number]
        (decision,) = [r for r in self.scene.installation.json("decisions", "list") if r["uniqueid"] == uniqueid]
        return str(decision["recording"])

    def segments(self) -> list[dict[int, list[tones.Span]]]:
        """Return which tones each segment of the recording holds, and when."""
        installation, recording = self.scene.installation, self.recording
        installation.wait_until_quiet()
        sealed = sorted(int(str(r["segment"])) for r in installation.log("sealed") if r["recording"] == recording)
        return [tones.in_wav(installation.opened(recording, segment)) for segment in sealed]


def of(phone: Phone, number: str, within: float = 30) -> Call:
    """Return the newest call that a telephone got from ``number``, or, if that is empty, from none of the callers."""
    deadline = time.monotonic() + within
    known = [number] if number else []
    while not (
        calls := [
            c for c in list(phone.calls) if c.came and (c.number in known or (not known and CALLERS not in c.number))
        ]
    ):
        assert time.monotonic() < deadline, f"no call came to {phone.name}"
        time.sleep(0.02)
    return calls[-1]


@contextmanager
def opened(
    folder: Path, lines: str = LINES, dialplan: str = DIALPLAN, telephones: Callable[[Asterisk], str] | None = None
) -> Iterator[Scene]:
    """Yield a PBX and a daemon of their own, with music on hold that is a tone; ``telephones`` are more of pjsip.conf."""
    asterisk = Asterisk(folder / "pbx", dialplan=dialplan)
    if telephones is not None:
        pjsip = asterisk.folder / "etc" / "pjsip.conf"
        pjsip.write_text(pjsip.read_text() + telephones(asterisk))
    tones.write_wav(asterisk.folder / "data" / "moh" / "music.wav", tones.tone(MUSIC, 60))
    with ExitStack() as stack:
        stack.enter_context(asterisk)
        installation = Installation(folder / "app", asterisk, lines=lines, fronts=("ari", "agi"))
        installation.prepare()
        questions: dict[str, float] = {}
        for row in installation.json("prompts", "list"):
            questions.setdefault(str(row["line"]), float(str(row["seconds"])))
        stack.enter_context(installation)
        agent = stack.enter_context(Phone(asterisk, "agent", AGENT, port=asterisk.agent_port))
        third = stack.enter_context(Phone(asterisk, "third", THIRD, port=asterisk.third_port))
        outside = stack.enter_context(Phone(asterisk, "outside", OUTSIDE, port=asterisk.outside_port))
        yield Scene(asterisk, installation, agent, third, outside, questions)


def alone(found: Mapping[int, list[tones.Span]], *voices: int) -> bool:
    """Whether a sound holds most of a second of each of these tones, and at most two windows of any other."""
    return all(
        tones.seconds(spans) > 0.6 if hz in voices else tones.seconds(spans) <= 0.04 for hz, spans in found.items()
    )
