"""Calls that go out: agents who dial, each with a telephone of its own that is called, and what an agent hears meanwhile.

It looks at telephones, sound and Asterisk's own database, never at the daemon.
"""

import socket
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.pbx.asterisk import Asterisk, free_port
from tests.pbx.callers import Agent, Caller, Outcome, Step
from tests.pbx.prepare import ROOT
from tests.pbx.speech import RATE, Samples

MUSIC_HZ = 1750
PACKET = 160
AGENT_NUMBER = "+46701760001"

DIALPLAN = """
#include ROOT/dialplan/gdprcall-out.conf
[inbound](+)
; 9 and the number that is called, as a site dials. What the agent hears is kept in a file of the test's own.
exten => _9X.,1,MixMonitor(FOLDER/${EXTEN}.wav,t(FOLDER/${EXTEN}.heard.wav))
 same => n,Set(GDPRCALL_AMD=${DB(amd/${EXTEN})})
 same => n,Gosub(gdprcall-desk,s,1)
 same => n,Gosub(ENTRY,s,1(${DB(line/${EXTEN})},${DB(how/${EXTEN})},${EXTEN:1}))
 same => n,Dial(PJSIP/silent/sip:called@127.0.0.1:${DB(port/${EXTEN})},60,mb(called^s^1(${EXTEN}))G(gdprcall-out^met^1))
 same => n,Hangup()
[called]
exten => s,1,Set(DB(call/${ARG1})=${UNIQUEID})
 same => n,Set(DB(cid/${ARG1})=${CALLERID(num)}/${CALLERID(dnid)})
 same => n,Return()
"""


def site(folder: Path, entry: str) -> str:
    """Return the dialplan of a site whose agents call out by ``entry``."""
    return DIALPLAN.replace("ROOT", str(ROOT)).replace("FOLDER", str(folder)).replace("ENTRY", entry)


@dataclass(frozen=True)
class Plan:
    """What the agent and the one who is called do, on which line, and how the dialplan has it."""

    line: str
    agent: Sequence[Step]
    called: Sequence[Step]
    how: str = "may"
    voice: str = "caller"
    amd: bool = False


@dataclass
class Call:
    """One call that goes out: two telephones."""

    number: str
    agent: Caller
    called: Agent
    outcome: Outcome | None = field(default=None)

    @property
    def extension(self) -> str:
        """What the agent dials."""
        return f"9{self.number}"

    def wait(self) -> Outcome:
        """Wait for the agent's end of the call."""
        self.outcome = self.outcome or self.agent.result()
        return self.outcome

    def stop(self) -> None:
        """End both telephones."""
        self.agent.stop()
        self.called.__exit__(None, None, None)

    def apart(self) -> float:
        """Return how many seconds lie between the ends of the two legs."""
        ended, (other, _) = self.wait().ended_at, self.called.ended()[0]
        assert ended is not None
        return abs(ended - other)


def place(asterisk: Asterisk, number: str, plan: Plan) -> Call:
    """Let an agent call a number, which is answered as the plan says."""
    port, extension = free_port(socket.SOCK_DGRAM), f"9{number}"
    told = {"line": plan.line, "how": plan.how, "port": str(port), "amd": "yes" if plan.amd else "no"}
    for family, value in told.items():
        asterisk.rx(f"database put {family} {extension} {value}")
    called = Agent(asterisk, steps=plan.called, voice=plan.voice, port=port, ports=8).__enter__()
    agent = Caller(asterisk, AGENT_NUMBER, extension, plan.agent, voice="agent")
    return Call(number, agent.start(), called)


def lay_music(asterisk: Asterisk) -> None:
    """Give those who wait one pure tone."""
    at = np.arange(5 * RATE)
    tone = (4000 * np.sin(2 * np.pi * MUSIC_HZ * at / RATE)).astype("<i2")
    with wave.open(str(asterisk.folder / "data" / "moh" / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(tone.tobytes())


def music(sound: Samples) -> float:
    """Return for how many seconds nothing but the tone of those who wait is heard."""
    frames = sound[: len(sound) // PACKET * PACKET].reshape(-1, PACKET)
    wave_ = np.exp(-2j * np.pi * MUSIC_HZ * np.arange(PACKET) / RATE)
    tone = 2 * np.abs(frames @ wave_) ** 2 / PACKET
    energy = np.sum(frames**2, axis=1)
    return float(np.sum((energy > PACKET * 1e4) & (tone > 0.9 * energy))) * PACKET / RATE
