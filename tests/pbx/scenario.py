"""SIPp scenarios made from plans: what a telephone sends, step by step, as XML.

A scenario starts nothing and knows no Asterisk; callers.py runs it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from tests.pbx.speech import key, spoken

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
WIDE_SDP = SDP.replace("AVP 0 96", "AVP 9 96").replace("0 PCMU/8000", "9 G722/8000")
"""A telephone that speaks wideband alone."""
OFFERED_EVENTS = 101
"""What Asterisk calls telephone-events when it places a call; it understands no other number in the answer's stream."""
ECHO = "[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n"
OK = "SIP/2.0 200 OK\n" + ECHO.format(tag="") + "Content-Length: 0\n\n"
KEY_MS = 150
"""Time that one key takes; far below the two seconds that Asterisk allows between the keys of a feature."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys, one after the other; ``together`` sends them at once. ``rfc4733`` sends them in the sound's stream."""

    keys: str
    together: bool = False
    rfc4733: bool = False


@dataclass(frozen=True, slots=True)
class Hangup:
    """Hang up."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Wait until the other side hangs up, so many seconds at most."""

    seconds: float = 60


Step = Wait | Press | Hangup | Stay


@dataclass(frozen=True, slots=True)
class Side:
    """How a telephone names itself and its peer in what it sends within a call; ``voice`` is what it says, if anything.

    ``events`` is the number of telephone-events in its stream: its own, or the one that Asterisk offered.
    """

    target: str
    head: str
    voice: str | None
    events: int = 96


def caller(number: str, extension: str, steps: list[Step], voice: str | None, *, wide: bool = False) -> str:
    """Return the scenario of a telephone that calls ``extension`` and then does ``steps``; no number is anonymous.

    A ``wide`` one offers G.722 alone, and is silent.
    """
    side = Side(
        f"sip:{extension}@[remote_ip]:[remote_port]",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        f'From: "{number or "anonymous"}" <sip:{number or "anonymous"}@127.0.0.1>;tag=[pid]caller[call_number]\n'
        f"To: <sip:{extension}@[remote_ip]:[remote_port]>[peer_tag_param]\n"
        "Call-ID: [call_id]\n"
        f"Contact: sip:{number or 'anonymous'}@[local_ip]:[local_port]\nMax-Forwards: 70\n",
        voice,
    )
    sdp = (WIDE_SDP if wide else SDP).format(port="rtpstream_audio_port" if voice else "media_port")
    early = "".join(f'<recv response="{code}" optional="true"/>' for code in (100, 180, 183))
    parts = [
        _send(side, "INVITE", "application/sdp", sdp, again=True),
        f'{early}<recv response="200" rrs="true"/>',
        _send(side, "ACK"),
        *_speak(voice),
        *(part for step in steps for part in _step(side, step)),
    ]
    return _scenario(parts)


def answering(steps: list[Step], voice: str | None, delay: float) -> str:
    """Return the scenario of a telephone that answers every call after ``delay`` seconds, and then does ``steps``."""
    side = Side(
        "[next_url]",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        "From: <sip:agent@[local_ip]:[local_port]>;tag=[pid]agent[call_number]\nTo:[$peer]\nCall-ID: [call_id]\n"
        "Contact: <sip:agent@[local_ip]:[local_port]>\nMax-Forwards: 70\n",
        voice,
        OFFERED_EVENTS,
    )
    sdp = SDP.replace("96", str(OFFERED_EVENTS)).format(port="rtpstream_audio_port" if voice else "media_port")
    return _scenario([
        _rings(),
        f'<pause milliseconds="{round(delay * 1000)}"/>',
        _reply("200 OK", f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}", again=True),
        '<recv request="ACK"/>',
        *_speak(voice),
        *(part for step in steps for part in _step(side, step)),
    ])  # fmt: skip


def ringing() -> str:
    """Return the scenario of a telephone that rings until the call is taken back."""
    gone = _reply("487 Request Terminated", "Content-Length: 0\n")
    # It answers the INVITE, while the last message was the CANCEL: only the CSeq of the two differs.
    gone = gone.replace("[last_CSeq:]", "CSeq:[$invite]")
    return _scenario([_rings(), '<recv request="CANCEL"/>', _message(OK), gone, '<recv request="ACK"/>'])


def _step(side: Side, step: Step) -> list[str]:
    match step:
        case Wait(seconds):
            return [f'<pause milliseconds="{round(seconds * 1000)}"/>']
        case Press(keys, together, rfc4733=True):
            return [part for digit in keys for part in _event(side, digit, 40 if together else KEY_MS)]
        case Press(keys, together):
            # Together: as soon as Asterisk has confirmed the first, which takes less than a millisecond.
            gap = "" if together else f'<pause milliseconds="{KEY_MS}"/>'
            return [f'{_info(side, digit)}<recv response="200"/>{gap}' for digit in keys]
        case Hangup():
            return [_send(side, "BYE", again=True), '<recv response="200"/>']
        case Stay(seconds):
            return [f'<recv request="BYE" timeout="{round(seconds * 1000)}"/>', _message(OK)]
        case _:
            assert_never(step)


def _event(side: Side, digit: str, milliseconds: int) -> list[str]:
    # In the stream of the speech, so that its sequence numbers only rise, and without root: SIPp's own play_dtmf sends
    # by a raw socket, in a second stream. Among the codecs whose number may be dynamic SIPp knows iLBC, with packets
    # of 50 bytes; Asterisk reads the first four as the event.
    stream = f'<nop><action><exec rtp_stream="{key(digit)},1,{side.events},iLBC/8000"/></action></nop>'
    return [stream, f'<pause milliseconds="{milliseconds}"/>', *_speak(side.voice)]


def _info(side: Side, digit: str) -> str:
    return _send(side, "INFO", "application/dtmf-relay", f"Signal={digit}\nDuration=100\n", again=True)


def _speak(voice: str | None) -> list[str]:
    return [f'<nop><action><exec rtp_stream="{spoken(voice)},-1,0,PCMU/8000"/></action></nop>'] if voice else []


def _send(side: Side, method: str, kind: str = "", body: str = "", *, again: bool = False) -> str:
    typed = f"Content-Type: {kind}\n" if kind else ""
    sequence = "CSeq: 1 ACK" if method == "ACK" else f"CSeq: [cseq] {method}"
    head = f"{method} {side.target} SIP/2.0\n{side.head}{sequence}\n{typed}Content-Length: [len]\n\n"
    return _message(f"{head}{body}\n", again=again)


def _rings() -> str:
    keep = '<ereg regexp=".*" search_in="hdr" header="{}:" assign_to="{}"/>'
    kept = keep.format("From", "peer") + keep.format("CSeq", "invite")
    invite = f'<recv request="INVITE" rrs="true"><action>{kept}</action></recv><Reference variables="peer,invite"/>'
    return invite + _reply("180 Ringing", "Content-Length: 0\n")


def _reply(status: str, rest: str, *, again: bool = False) -> str:
    contact = "Contact: <sip:agent@[local_ip]:[local_port]>\n"
    return _message(
        f"SIP/2.0 {status}\n{ECHO.format(tag=';tag=[pid]agent[call_number]')}{contact}{rest}\n", again=again
    )


def _message(text: str, *, again: bool = False) -> str:
    retrans = ' retrans="500"' if again else ""
    return f"<send{retrans}><![CDATA[\n{text}]]></send>"


def _scenario(parts: list[str]) -> str:
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
    return start + '<scenario name="call">\n' + "\n".join(parts) + "\n</scenario>\n"


def write(folder: Path, name: str, scenario: str) -> Path:
    """Write a scenario and return its path."""
    path = folder / f"{name}.xml"
    path.write_text(scenario)
    return path
