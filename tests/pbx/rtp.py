"""The sound of one call (RFC 3550): one packet every 20 ms, what is said and pressed in it, and what was heard when.

A stream has no thread and no clock of its own: its telephone tells it when to send and when to listen.
"""

import contextlib
import secrets
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.pbx import tones
from tests.pbx.g711 import Codec
from tests.pbx.sdp import EVENTS, Direction, Media, describe
from tests.pbx.sip import HOST
from tests.pbx.speech import KEYS, PACKET, RATE, Samples

HEADER = struct.Struct("!BBHII")
KEY_PACKETS, PAUSE_PACKETS = 5, 4
"""A key takes 100 ms and is followed by 80 ms of silence: enough for any detector of tones."""
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYPAD = "123A456B789C*0#D"
SILENCE = np.zeros(PACKET)


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet of sound as it came."""

    at: float
    sequence: int
    codec: Codec
    sound: Samples


@dataclass(frozen=True, slots=True)
class Event:
    """One packet of a key told by telephone-event: its key, how many packets it has lasted, and whether that is all."""

    key: str
    lasted: int
    over: bool


@dataclass
class Stream:
    """Both directions of a call's sound, on a port of its own.

    It says ``says`` for ever. ``sequence`` and ``ssrc`` are those of its next packet.
    """

    says: Samples
    codecs: Sequence[Codec] = (Codec.ULAW, Codec.ALAW)
    events: int = EVENTS
    sequence: int = field(default_factory=lambda: secrets.randbelow(1 << 16))
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    wanted: Direction = Direction.SENDRECV
    forced: bool | None = None
    """Whether it sends, whatever the two sides agreed; None: as agreed."""
    direction: Direction = Direction.SENDRECV
    received: list[Heard] = field(default_factory=list)
    keys: str = ""
    """The keys that came as telephone-events or by INFO."""

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.pressing: deque[Event | Samples] = deque()
        self.codec = self.codecs[0]
        self._their_events = 0
        self._target: tuple[str, int] | None = None
        self._timestamp = secrets.randbits(31)
        self._place = 0
        self._version = 0
        self._first = True
        self._event_began = 0
        self._last_event = -1

    def offer(self) -> str:
        """Return SDP that offers all that it wants."""
        return self._describe(self.codecs, self.events, self.wanted)

    def answer(self, text: str) -> str:
        """Return the SDP that answers an offer, and go by it; raises ValueError if nothing fits."""
        offer = Media.parse(text)
        direction = offer.direction.answer(self.wanted)
        self._agree(offer, direction)
        return self._describe([self.codec], self._their_events if self.events else 0, direction)

    def accept(self, text: str) -> None:
        """Go by the answer to what was offered; raises ValueError if nothing fits."""
        answer = Media.parse(text)
        self._agree(answer, answer.direction.answer(self.wanted))

    def say(self, sound: Samples) -> None:
        """Say something else from now on, from its beginning."""
        self.says, self._place = sound, 0

    def press(self, key: str, *, as_tones: bool) -> None:
        """Let the next packets tell a key, by telephone-event (RFC 4733) or as the two tones that it has."""
        if as_tones:
            row, column = divmod(KEYPAD.index(key), 4)
            length = KEY_PACKETS * tones.WINDOW_S
            both = tones.tone(ROWS[row], length) + tones.tone(COLUMNS[column], length)
            self.pressing += [*both.reshape(-1, PACKET), *[SILENCE] * PAUSE_PACKETS]
            return
        assert self._their_events, "the other side takes no telephone-events"
        self.pressing += [Event(key, lasted, over=False) for lasted in range(1, KEY_PACKETS)]
        # The end is told three times, as packets may be lost (RFC 4733 2.5.1.4).
        self.pressing += [*[Event(key, KEY_PACKETS, over=True)] * 3, *[SILENCE] * PAUSE_PACKETS]

    def send(self) -> None:
        """Send the packet that is due."""
        self._timestamp = (self._timestamp + PACKET) % (1 << 32)
        if self._target is None or not (self.direction.sends if self.forced is None else self.forced):
            return
        match self.pressing.popleft() if self.pressing else self._next():
            case Event() as event:
                if event.lasted == 1:
                    self._event_began = self._timestamp
                told = bytes([KEYS.index(event.key), event.over << 7 | 10])
                payload = told + (event.lasted * PACKET).to_bytes(2)
                self._send(self._their_events, self._event_began, payload, marked=event.lasted == 1)
            case sound:
                self._send(self.codec.value, self._timestamp, self.codec.encode(sound), marked=self._first)
                self._first = False

    def listen(self, now: float) -> None:
        """Take in what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.socket.recv(2048)
                if len(data) <= HEADER.size:
                    continue
                _, kind, sequence, timestamp, _ = HEADER.unpack_from(data)
                self._take(kind & 0x7F, sequence, timestamp, data[HEADER.size :], now)

    def heard(self, since: float = 0, until: float = float("inf")) -> dict[int, list[tones.Span]]:
        """Return the spans in which each tone was heard, in seconds of the monotonic clock."""
        packets = [packet for packet in self.received if since <= packet.at < until]
        held = [tones.holds(packet.sound) for packet in packets]
        return tones.spans([packet.at for packet in packets], np.array(held), tones.TONES)

    def close(self) -> None:
        """Give its port back."""
        self.socket.close()

    def _describe(self, codecs: Sequence[Codec], events: int, direction: Direction) -> str:
        self._version += 1
        return describe(self.port, codecs, events, direction, self._version)

    def _agree(self, theirs: Media, direction: Direction) -> None:
        usable = [codec for codec in theirs.codecs if codec in self.codecs]
        if not usable:
            raise ValueError("no codec is common to both")
        self.codec, self._their_events = usable[0], theirs.events
        self.direction, self._target = direction, (theirs.host, theirs.port)

    def _next(self) -> Samples:
        looped = np.take(self.says, range(self._place, self._place + PACKET), mode="wrap")
        self._place = (self._place + PACKET) % len(self.says)
        return np.asarray(looped)

    def _send(self, kind: int, timestamp: int, payload: bytes, *, marked: bool) -> None:
        assert self._target is not None
        header = HEADER.pack(0x80, kind | marked << 7, self.sequence, timestamp, self.ssrc)
        self.sequence = (self.sequence + 1) % (1 << 16)
        with contextlib.suppress(OSError):  # nobody is there any more
            self.socket.sendto(header + payload, self._target)

    def _take(self, kind: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        if kind == self._their_events != 0:
            if timestamp != self._last_event:
                self.keys += KEYS[payload[0]]
            self._last_event = timestamp
        elif kind in {codec.value for codec in Codec}:
            self.received.append(Heard(now, sequence, Codec(kind), Codec(kind).decode(payload)))


def silence(seconds: float = 1) -> Samples:
    """Return what a telephone sends whose owner says nothing."""
    return np.zeros(round(seconds * RATE))
