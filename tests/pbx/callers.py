"""Callers and agents as real SIP user agents, placed by SIPp: they speak, press keys and hang up as told."""

import itertools
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.pbx.asterisk import Asterisk, free_port
from tests.pbx.prepare import PBX
from tests.pbx.speech import spoken

_ports = itertools.count(30_000 + (os.getpid() % 50) * 400, 10)

SDP = """\
v=0
o=user1 53655765 2353687637 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [{port}] RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
"""
HEADERS = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "{number}" <sip:{number}@127.0.0.1>;tag=[pid]SIPpTag00[call_number]
To: <sip:{to}@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: sip:{number}@[local_ip]:[local_port]
Max-Forwards: 70
"""


@dataclass(frozen=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Press:
    """Press keys, one after the other; ``together`` sends them at once. ``rfc4733`` sends them in the sound's stream."""

    keys: str
    together: bool = False
    rfc4733: bool = False


@dataclass(frozen=True)
class Hangup:
    """Hang up."""


@dataclass(frozen=True)
class Stay:
    """Wait until the other side hangs up, so many seconds at most."""

    seconds: float = 60


Step = Wait | Press | Hangup | Stay


class Caller:
    """One call to one extension, with a plan of steps after it was answered."""

    def __init__(
        self, asterisk: Asterisk, number: str, extension: str, steps: list[Step], *, speaks: bool = True
    ) -> None:
        self.number = number
        self.folder = asterisk.folder / "calls"
        self.folder.mkdir(exist_ok=True)
        self._name = f"{number or 'anonymous'}-{next(_ports)}"
        rfc4733 = any(isinstance(step, Press) and step.rfc4733 for step in steps)
        scenario = self.folder / f"{self._name}.xml"
        scenario.write_text(_caller(number, extension, steps, speaks=speaks and not rfc4733))
        self._target = f"127.0.0.1:{asterisk.sip_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._scenario = scenario

    def start(self) -> "Caller":
        """Place the call."""
        self._process = _sipp(self._scenario, ["-m", "1", self._target], self.folder / f"{self._name}.log")
        return self

    def wait(self, seconds: float = 180) -> int:
        """Wait for the end of the call; 0 if it went as planned."""
        assert self._process is not None
        return self._process.wait(seconds)

    def problem(self) -> str:
        """Return what SIPp said, for diagnosis."""
        return (self.folder / f"{self._name}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """End it if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Agent:
    """Answers every call and speaks until the caller hangs up; or rings for ever."""

    def __init__(self, asterisk: Asterisk, *, answers: bool = True) -> None:
        self._folder = asterisk.folder / "calls"
        self._folder.mkdir(exist_ok=True)
        self._name = "agent" if answers else "ringing"
        self._port = asterisk.agent_port if answers else asterisk.silent_port
        (self._folder / f"{self._name}.xml").write_text(_agent(answers=answers))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Agent":
        log = self._folder / f"{self._name}.log"
        self._process = _sipp(self._folder / f"{self._name}.xml", ["-p", str(self._port)], log, own_port=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def _sipp(scenario: Path, more: list[str], log: Path, *, own_port: bool = True) -> subprocess.Popen[bytes]:
    first = next(_ports) if own_port else next(itertools.islice(_ports, 39, 40)) - 390
    span = 8 if own_port else 390
    command = [PBX / "bin" / "sipp", "-sf", scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", "-trace_err"]
    command += [
        "-error_file",
        log.with_suffix(".errors"),
        "-min_rtp_port",
        str(first),
        "-max_rtp_port",
        str(first + span),
    ]
    command += ["-mp", str(first), "-timeout", "600", "-recv_timeout", "120000", *more]
    if own_port:
        command += ["-p", str(free_port(socket.SOCK_DGRAM))]
    with log.open("wb") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=log.parent
        )


def _caller(number: str, extension: str, steps: list[Step], *, speaks: bool) -> str:
    shown = number or "anonymous"
    head = HEADERS.format(number=shown, to=extension)
    sdp = SDP.format(port="rtpstream_audio_port" if speaks else "media_port")
    parts = [
        _send("INVITE", extension, head, "Content-Type: application/sdp", sdp, retrans=True),
        '<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="183" optional="true"/>',
        '<recv response="200" rrs="true"/>',
        _send("ACK", extension, head, "", ""),
    ]
    if speaks:
        parts.append(f'<nop><action><exec rtp_stream="{spoken("caller")},-1,0,PCMU/8000"/></action></nop>')
    for step in steps:
        parts += _step(step, extension, head)
    return _scenario(parts)


def _step(step: Step, extension: str, head: str) -> list[str]:
    match step:
        case Wait(seconds):
            return [f'<pause milliseconds="{round(seconds * 1000)}"/>']
        case Press(keys, rfc4733=True):
            return [f'<nop><action><exec play_dtmf="{key}"/></action></nop><pause milliseconds="400"/>' for key in keys]
        case Press(keys, together):
            sends = [_digit(key, extension, head) for key in keys]
            answers = ['<recv response="200"/>'] * len(keys)
            pause = [] if together else ['<pause milliseconds="150"/>']
            return [part for pair in zip(sends, answers, strict=True) for part in (*pair, *pause)]
        case Hangup():
            return [_send("BYE", extension, head, "", "", retrans=True), '<recv response="200"/>']
        case Stay(seconds):
            answer = "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n"
            return [f'<recv request="BYE" timeout="{round(seconds * 1000)}"/>', f"<send><![CDATA[\n{answer}]]></send>"]


def _digit(key: str, extension: str, head: str) -> str:
    return _send(
        "INFO", extension, head, "Content-Type: application/dtmf-relay", f"Signal={key}\nDuration=100\n", retrans=True
    )


def _send(method: str, extension: str, head: str, kind: str, body: str, *, retrans: bool = False) -> str:
    typed = f"{kind}\n" if kind else ""
    sequence = "CSeq: 1 ACK" if method == "ACK" else f"CSeq: [cseq] {method}"
    text = f"{method} sip:{extension}@[remote_ip]:[remote_port] SIP/2.0\n{head}{sequence}\n{typed}Content-Length: [len]\n\n{body}"
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n{text}\n]]></send>"


def _agent(*, answers: bool) -> str:
    echo = "[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]agent[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n"
    contact = "Contact: <sip:agent@[local_ip]:[local_port]>\n"
    sdp = SDP.format(port="rtpstream_audio_port")
    plain = (
        "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n"
    )
    parts = [
        '<recv request="INVITE" rrs="true"/>',
        f"<send><![CDATA[\nSIP/2.0 180 Ringing\n{echo}{contact}Content-Length: 0\n\n]]></send>",
    ]
    if answers:
        ok = f"SIP/2.0 200 OK\n{echo}{contact}Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}"
        parts += [
            f'<send retrans="500"><![CDATA[\n{ok}\n]]></send>',
            '<recv request="ACK"/>',
            f'<nop><action><exec rtp_stream="{spoken("agent")},-1,0,PCMU/8000"/></action></nop>',
            '<recv request="BYE"/>',
            f"<send><![CDATA[\n{plain}]]></send>",
        ]
    else:
        gone = f"SIP/2.0 487 Request Terminated\n{echo}Content-Length: 0\n\n"
        parts += [
            '<recv request="CANCEL"/>',
            f"<send><![CDATA[\n{plain}]]></send>",
            f"<send><![CDATA[\n{gone}]]></send>",
        ]
        parts += ['<recv request="ACK" optional="false"/>']
    return _scenario(parts)


def _scenario(parts: list[str]) -> str:
    body = "\n".join(parts)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="call">\n{body}\n</scenario>\n'
