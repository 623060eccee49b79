"""A telephone that acts in its calls: it holds, transfers, speaks one tone, and knows which tones it heard and when.

SIPp (callers.py) plays callers who follow a plan; this one is for tests that must have a call in hand. It knows nothing of gdprcall.
"""

import select
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from tests.pbx import rtp, sip, tones
from tests.pbx.call import Call, State, Way
from tests.pbx.g711 import Codec
from tests.pbx.rtp import Stream
from tests.pbx.sdp import EVENTS, Direction
from tests.pbx.sip import Dialog, Message
from tests.pbx.speech import Samples, read_wav
from tests.pbx.wire import PATIENCE_S, Wire

__all__ = ["Call", "Codec", "Direction", "Phone", "State", "Way"]

TICK_S = tones.WINDOW_S


class Exchange(Protocol):
    """Whoever takes its calls and calls it: an Asterisk."""

    sip_port: int


class Phone:
    """A telephone named ``name`` as the PBX knows it, or with a number; a context manager with a thread of its own.

    It ``says`` a tone of so many Hz, a WAV, or samples; with None it is silent. Calls that come are answered after ``rings`` seconds (None:
    when ``answer`` is told to), or refused with ``refuses``, which is 302 with a URI in ``diverts``. ``sequence`` and ``ssrc`` are
    those with which the sound of each call begins; by themselves they are random. Without ``events`` SDP names no telephone-event.
    """

    def __init__(
        self,
        pbx: Exchange,
        name: str,
        says: int | Path | Samples | None,
        *,
        port: int = 0,
        rings: float | None = 0,
        refuses: int = 0,
        diverts: str = "",
        sequence: int | None = None,
        ssrc: int | None = None,
        codecs: Sequence[Codec] = (Codec.ULAW, Codec.ALAW),
        events: bool = True,
    ) -> None:
        self.name = name
        self.calls: list[Call] = []
        """All its calls, in the order in which they began."""
        self.rings, self.refuses, self.diverts = rings, refuses, diverts
        self.sequence, self.ssrc = sequence, ssrc
        self.codecs, self._events = tuple(codecs), EVENTS if events else 0
        self._says = _sound(says)
        self._wire = Wire(port, pbx.sip_port)
        self._taken = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"telephone {name}", daemon=True)

    def __enter__(self) -> "Phone":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for call in self.calls:
            call.drop()
        self._stop.set()
        self._thread.join()
        self._wire.socket.close()
        for call in self.calls:
            call.stream.close()
        assert kind is not None or self._wire.problem is None, f"the telephone broke: {self._wire.problem!r}"

    @property
    def uri(self) -> str:
        """Where it is called."""
        return f"sip:{self.name}@{sip.HOST}:{self._wire.port}"

    def call(self, extension: str, *, sequence: int | None = None, replaced: Call | None = None) -> Call:
        """Place a call, or take over another telephone's; it may have several at once."""
        with self._wire.changed:
            dialog = Dialog.placing(self.name, extension, self._wire.port, self._wire.pbx_port)
            call = Call(self._wire, dialog, self._stream(sequence))
            self.calls.append(call)
            call.place(replaced)
        return call

    def wait_for_call(self, within: float = PATIENCE_S) -> Call:
        """Return the next call that came and was not returned yet."""
        call = self._wire.wait_for(self._next_came, within, "a call")
        self._taken += 1
        return call

    def messages(self) -> list[tuple[float, bool, str]]:
        """Return its SIP messages so far: when on the monotonic clock, whether it sent them, and their first lines."""
        with self._wire.changed:
            return [(at, sent, message.start) for at, sent, message in self._wire.messages]

    def _next_came(self) -> Call | None:
        came = [call for call in self.calls if call.came]
        return came[self._taken] if len(came) > self._taken else None

    def _stream(self, sequence: int | None = None) -> Stream:
        stream = Stream(self._says, self.codecs, self._events)
        first = self.sequence if sequence is None else sequence
        stream.sequence = stream.sequence if first is None else first
        stream.ssrc = stream.ssrc if self.ssrc is None else self.ssrc
        return stream

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                sockets = [self._wire.socket, *(call.stream.socket for call in self._live())]
                select.select(sockets, [], [], max(0.0, due - time.monotonic()))
                with self._wire.changed:
                    due = self._once(due)
                    self._wire.changed.notify_all()
        except Exception as error:  # told to whoever waits for this telephone
            with self._wire.changed:
                self._wire.problem = error
                self._wire.changed.notify_all()

    def _live(self) -> list[Call]:
        with self._wire.changed:
            return [call for call in self.calls if call.state is not State.ENDED]

    def _once(self, due: float) -> float:
        for message in self._wire.receive():
            self._take(message)
        now = time.monotonic()
        for call in self._live():
            call.stream.listen(now)
        while due <= now:
            for call in self._live():
                call.tick(now)
            due += TICK_S
        return due

    def _take(self, message: Message) -> None:
        ours = message.get("From" if message.status else "To")
        known = [call for call in self.calls if call.dialog.call_id == message.get("Call-ID")]
        call = next((c for c in known if sip.tag(ours) in {sip.tag(c.dialog.local), ""}), None)
        if message.status:
            if call is not None and message.method == "INVITE":
                call.on_answer(message)
        elif call is not None:
            call.on_request(message)
        elif message.method == "INVITE" and not sip.tag(ours):
            self._came(message)
        elif message.method != "ACK":
            status = 200 if message.method in {"OPTIONS", "NOTIFY"} and not sip.tag(ours) else 481
            self._wire.send(sip.response(message, status, to_tag=sip.new_tag()))

    def _came(self, invite: Message) -> None:
        call = Call(self._wire, Dialog.answering(invite, self._wire.port), self._stream(), came=invite)
        self.calls.append(call)
        if self.refuses:
            call.refuse(self.refuses, self.diverts)
            return
        call.ring()
        call.answers_at = None if self.rings is None else time.monotonic() + self.rings


def _sound(says: int | Path | Samples | None) -> Samples:
    match says:
        case int():
            return tones.tone(says)
        case Path():
            return read_wav(says)
        case None:
            return rtp.silence()
        case _:
            return says
