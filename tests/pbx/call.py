"""One call of an acting telephone: what its owner does in it, and what the other side did."""

import re
import time
from enum import Enum
from typing import assert_never

from tests.pbx import sip, tones
from tests.pbx.g711 import Codec
from tests.pbx.rtp import Stream
from tests.pbx.sdp import Direction
from tests.pbx.sip import Dialog, Message
from tests.pbx.speech import Samples
from tests.pbx.wire import PATIENCE_S, Wire

SURE_PACKETS = 5
"""A tone is heard when more than so many of the packets of the last 0.2 seconds hold it: more than half of them."""
KEY_MS, PAUSE_S = 100, 0.08


class State(Enum):
    """How far a call is."""

    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


class Way(Enum):
    """How a key reaches the other side."""

    INFO = "SIP INFO"
    EVENT = "RFC 4733"
    TONES = "in band"


class Call:
    """A call that was placed or came; every method returns when it is done, and raises AssertionError if it cannot be."""

    def __init__(self, wire: Wire, dialog: Dialog, stream: Stream, *, came: Message | None = None) -> None:
        self.stream = stream
        self.dialog = dialog
        self.state = State.CALLING if came is None else State.RINGING
        self.status = 0
        """The last status that the other side answered the INVITE with; what we answered, for a call that came."""
        self.answered_at = self.ended_at = 0.0
        """Seconds of the monotonic clock; 0 for what did not happen."""
        self.ended_by_peer = False
        self.referred: list[int] = []
        """What NOTIFY told of our transfers, in their order (RFC 3515)."""
        self.answers_at: float | None = None
        self._wire = wire
        self._came = came
        self._invite = came

    @property
    def number(self) -> str:
        """Whom the telephone sees calling, or has called."""
        return sip.user(self.dialog.remote)

    @property
    def came(self) -> bool:
        """Whether it came, and was not placed."""
        return self._came is not None

    # What the owner does.

    def place(self, replaced: "Call | None" = None) -> None:
        """Send the INVITE, to take the place of another telephone in its call if that is given."""
        self._invite = self.dialog.invite(self.stream.offer(), replaced and replaced.dialog)
        self._wire.send(self._invite)

    def ring(self) -> None:
        """Say that it rings."""
        assert self._came is not None
        self._reply(self._came, 180)

    def answer(self) -> None:
        """Answer a call that rings."""
        with self._wire.changed:
            assert self._came is not None
            assert self.state is State.RINGING, self.state
            offer = self._came.body
            body = self.stream.answer(offer) if offer else self.stream.offer()
            self._reply(self._came, 200, body)
            self.state, self.status, self.answered_at = State.UP, 200, time.monotonic()

    def refuse(self, status: int = 486, to: str = "") -> None:
        """Refuse a call that rings, or send it elsewhere (302) by the URI ``to``."""
        with self._wire.changed:
            assert self._came is not None
            assert self.state is State.RINGING, self.state
            self._reply(self._came, status, contact=to)
            self._end(status)

    def hang_up(self) -> None:
        """Hang up; a call that was not answered yet is given up, or refused. One that is over stays so."""
        match self.state:
            case State.UP:
                with self._wire.changed:
                    self._end(self.status)
                self._wire.ask(self.dialog.request("BYE"))
            case State.RINGING if self._came is not None:
                self.refuse(603)
            case State.CALLING | State.RINGING:
                assert self._invite is not None
                # A CANCEL before any answer would overtake the INVITE (RFC 3261 9.1).
                self._wire.wait_for(lambda: self.status, PATIENCE_S, "an answer to INVITE")
                self._wire.send(sip.same_hop(self._invite, "CANCEL"))
                over = {State.UP, State.ENDED}
                self._wire.wait_for(lambda: self.state in over, PATIENCE_S, "the end of the INVITE")
                self.hang_up()  # if it was answered meanwhile
            case State.ENDED:
                pass
            case _ as never:
                assert_never(never)

    def drop(self) -> None:
        """Hang up without waiting for anything."""
        with self._wire.changed:
            if self.state is State.UP:
                self._wire.send(self.dialog.request("BYE"))
            elif self._came is not None and self.state is State.RINGING:
                self._reply(self._came, 603)
            elif self._invite is not None and self.state is not State.ENDED:
                self._wire.send(sip.same_hop(self._invite, "CANCEL"))
            self.state = State.ENDED

    def press(self, keys: str, way: Way = Way.INFO) -> None:
        """Press keys one after the other; each takes some 0.2 seconds."""
        for key in keys:
            if way is Way.INFO:
                body = f"Signal={key}\r\nDuration={KEY_MS}\r\n"
                answer = self._wire.ask(self.dialog.request("INFO", [("Content-Type", "application/dtmf-relay")], body))
                assert answer.status == 200, answer.start
                time.sleep(KEY_MS / 1000 + PAUSE_S)
                continue
            with self._wire.changed:
                self.stream.press(key, as_tones=way is Way.TONES)
            self._wire.wait_for(self._pressed, PATIENCE_S, "the end of a key")

    def say(self, sound: Samples) -> None:
        """Say something else from now on, again and again."""
        with self._wire.changed:
            self.stream.say(sound)

    def hold(self, *, talking: bool = False, direction: Direction = Direction.SENDONLY) -> None:
        """Put the other side on hold; whoever is ``talking`` sends on, as a telephone may."""
        self.offer(wanted=direction)
        with self._wire.changed:
            self.stream.forced = talking

    def resume(self) -> None:
        """End the hold."""
        with self._wire.changed:
            self.stream.forced = None
        self.offer(wanted=Direction.SENDRECV)

    def offer(self, *, codecs: tuple[Codec, ...] = (), wanted: Direction | None = None) -> None:
        """Offer other codecs or another direction by re-INVITE."""
        with self._wire.changed:
            self.stream.codecs = codecs or self.stream.codecs
            self.stream.wanted = wanted or self.stream.wanted
        for pause in (0.2, 0.5, 1.0):
            answer = self._wire.ask(self.dialog.invite(self.stream.offer()))
            if answer.status != 491:
                break
            time.sleep(pause)  # both asked at once (RFC 3261 14.1)
        assert answer.status == 200, answer.start

    def renumber(self, sequence: int, ssrc: int | None = None) -> None:
        """Let the sound go on with another sequence number, and with another source if one is given."""
        with self._wire.changed:
            self.stream.sequence = sequence
            self.stream.ssrc = self.stream.ssrc if ssrc is None else ssrc

    def transfer(self, to: "str | Call") -> int:
        """Ask the PBX to connect the other side with an extension, or with the other side of another call of ours.

        Returns the status that it answers the REFER with: 202, or a refusal.
        """
        target = to.dialog.replacing() if isinstance(to, Call) else f"sip:{to}@{sip.HOST}:{self._wire.pbx_port}"
        headers = [("Refer-To", f"<{target}>"), ("Referred-By", f"<{sip.uri(self.dialog.local)}>")]
        return self._wire.ask(self.dialog.request("REFER", headers)).status

    # What its owner notices.

    def wait_ringing(self, within: float = PATIENCE_S) -> None:
        """Wait until it rings on the other side."""
        self._wire.wait_for(lambda: self.state is not State.CALLING, within, "ringing")

    def wait_answered(self, within: float = PATIENCE_S) -> "Call":
        """Wait until it is answered."""
        answered = {State.UP, State.ENDED}
        self._wire.wait_for(lambda: self.state in answered, within, "an answer")
        assert self.answered_at, f"refused: {self.status}"
        return self

    def wait_ended(self, within: float = PATIENCE_S) -> None:
        """Wait until it is over."""
        self._wire.wait_for(lambda: self.state is State.ENDED, within, "the end of the call")

    def wait_to_hear(self, *hz: int, within: float = PATIENCE_S) -> float:
        """Wait until all these tones are heard, and return when that was on the monotonic clock."""
        self._wire.wait_for(lambda: all(self.hears(tone) for tone in hz), within, f"{hz} Hz")
        return time.monotonic()

    def wait_not_to_hear(self, *hz: int, within: float = PATIENCE_S) -> float:
        """Wait until none of these tones is heard, and return when that was on the monotonic clock."""
        self._wire.wait_for(lambda: not any(self.hears(tone) for tone in hz), within, f"silence at {hz} Hz")
        return time.monotonic()

    def hears(self, hz: int) -> bool:
        """Whether a tone is heard now."""
        with self._wire.changed:
            since = time.monotonic() - 2 * SURE_PACKETS * tones.WINDOW_S
            last = [packet for packet in self.stream.received[-4 * SURE_PACKETS :] if packet.at >= since]
            return sum(bool(tones.holds(packet.sound, [hz])[0]) for packet in last) > SURE_PACKETS

    def heard(self, since: float = 0, until: float = float("inf")) -> dict[int, list[tones.Span]]:
        """Return the spans in which each tone was heard, in seconds of the monotonic clock."""
        with self._wire.changed:
            return self.stream.heard(since, until)

    # What the telephone's thread tells it.

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.state is State.RINGING and self.answers_at is not None and now >= self.answers_at:
            self.answer()
        self.stream.send()

    def on_answer(self, answer: Message) -> None:
        """Take in an answer to one of its INVITEs."""
        first = self._invite is not None and answer.sequence == self._invite.sequence and self._came is None
        if answer.status < 300:
            if first and self.state is not State.UP:
                self._progress(answer)
            elif answer.status >= 200 and answer.body:
                self.stream.accept(answer.body)
            if answer.status >= 200:
                self._wire.send(self.dialog.request("ACK", counted=answer.sequence))
            return
        self._wire.send(sip.same_hop(self._sent(answer), "ACK", answer.get("To")))
        if first and self.state is not State.ENDED:
            self._end(answer.status, by_peer=True)

    def on_request(self, request: Message) -> None:
        """Answer a request within the call."""
        match request.method:
            case "ACK":
                if request.body:
                    self.stream.accept(request.body)
            case "INVITE" | "UPDATE":
                body = self.stream.answer(request.body) if request.body else ""
                self._reply(request, 200, body or (self.stream.offer() if request.method == "INVITE" else ""))
            case "CANCEL":
                assert self._came is not None
                self._reply(request, 200)
                if self.state is State.RINGING:
                    self._reply(self._came, 487)
                    self._end(487, by_peer=True)
            case "BYE":
                self._end(self.status, by_peer=True)
                self._reply(request, 200)
            case "NOTIFY":
                self.referred += [int(status) for status in re.findall(r"^SIP/2.0 (\d+)", request.body)]
                self._reply(request, 200)
                self._leave_if_transferred()
            case "INFO" | "OPTIONS":
                self.stream.keys += "".join(re.findall(r"^Signal=(.)", request.body, re.MULTILINE))
                self._reply(request, 200)
            case _:
                self._reply(request, 501)

    def _pressed(self) -> bool:
        return not self.stream.pressing or self.state is State.ENDED  # the last key may end the call

    def _leave_if_transferred(self) -> None:
        if self.referred and 200 <= self.referred[-1] < 300 and self.state is State.UP:
            # The PBX leaves it to whoever transferred to hang up (RFC 5589 6.1).
            self._end(self.status)
            self._wire.send(self.dialog.request("BYE"))

    def _progress(self, answer: Message) -> None:
        if answer.status > 100:
            self.dialog.learn(answer)
        if answer.body:
            self.stream.accept(answer.body)
        self.status = answer.status
        if answer.status >= 200:
            self.state, self.answered_at = State.UP, time.monotonic()
        elif answer.status >= 180:
            self.state = State.RINGING

    def _sent(self, answer: Message) -> Message:
        sent = (m for _, ours, m in reversed(self._wire.messages) if ours and not m.status)
        return next(m for m in sent if m.branch == answer.branch and m.method == answer.method)

    def _reply(self, request: Message, status: int, body: str = "", *, contact: str = "") -> None:
        headers = [("Contact", f"<{contact}>")] if contact else [self.dialog.contact] if status < 300 else []
        tag = sip.tag(self.dialog.local)
        self._wire.send(sip.response(request, status, to_tag=tag, headers=headers, body=body))

    def _end(self, status: int, *, by_peer: bool = False) -> None:
        if self.state is State.ENDED:
            return  # both hung up at once
        self.state, self.status, self.ended_at, self.ended_by_peer = State.ENDED, status, time.monotonic(), by_peer
