"""A telephone that measures on the wire: how long after the answer the first packet of the prompt arrives.

Both times are the kernel's, taken when a packet came in; how busy this process is does not count. Like every telephone
it sends sound from the answer on; it presses 1 after the mandatory part, and hangs up.
"""

import itertools
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from tests.pbx.bench.load import Traffic
from tests.pbx.bench.world import World

EVERY_SECONDS = 0.2
PATIENCE_SECONDS = 5.0
_numbers = itertools.count(1)


@dataclass
class Probes:
    """Places a call five times a second, each in a thread of its own, until it is left."""

    world: World
    traffic: Traffic
    sound_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._place, name="probes")
        self._lock = threading.Lock()

    def __enter__(self) -> "Probes":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _place(self) -> None:
        calls = []
        while not self._stop.wait(EVERY_SECONDS):
            calls.append(threading.Thread(target=self._call, name="probe"))
            calls[-1].start()
        for call in calls:
            call.join()

    def _call(self) -> None:
        try:
            with Telephone(self.world.asterisk.sip_port, self.traffic.extension) as telephone:
                took = telephone.first_sound_ms()
                time.sleep(self.traffic.heard_seconds)
                telephone.press("1")
                time.sleep(self.traffic.talk_seconds)
        except OSError:
            with self._lock:
                self.failed += 1
            return
        with self._lock:
            self.sound_ms.append(took)


class Telephone:
    """One call over two sockets of the loopback; raises OSError (TimeoutError) when Asterisk does not play its part."""

    def __init__(self, port: int, extension: str) -> None:
        self._sip, self._sound = _socket(), _socket()
        self._sip.connect(("127.0.0.1", port))
        place = next(_numbers)
        self._uri = f"sip:{extension}@127.0.0.1:{port}"
        self._from = f"<sip:+46709{place:06d}@127.0.0.1>;tag=probe{place}"
        self._id = f"probe-{place}-{time.monotonic_ns()}"
        self._to = f"<{self._uri}>"
        self._cseq = 0
        self._over = threading.Event()
        self._speaking: threading.Thread | None = None

    def __enter__(self) -> "Telephone":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._request("BYE")
        self._over.set()
        if self._speaking is not None:
            self._speaking.join()
        self._sip.close()
        self._sound.close()

    def first_sound_ms(self) -> float:
        """Call, and return the milliseconds from the answer to the first packet of sound."""
        port = self._sound.getsockname()[1]
        sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        sdp += f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        answered, head = self._request("INVITE", "application/sdp", sdp)
        self._to = re.findall(r"^To: *(.*?)\r?$", head, re.MULTILINE | re.IGNORECASE)[0]
        self._send("ACK", self._cseq)
        media = re.findall(r"^c=IN IP4 (\S+)\r?$.*?^m=audio (\d+) ", head, re.MULTILINE | re.DOTALL)[0]
        self._speaking = threading.Thread(target=self._speak, args=((media[0], int(media[1])),), name="voice")
        self._speaking.start()
        heard, _ = _receive(self._sound)
        return (heard - answered) * 1000

    def _speak(self, where: tuple[str, int]) -> None:
        for packet in itertools.count():
            head = struct.pack("!BBHII", 0x80, 0, packet & 0xFFFF, packet * 160 & 0xFFFFFFFF, 1)
            self._sound.sendto(head + b"\xff" * 160, where)
            if self._over.wait(0.02):
                return

    def press(self, key: str) -> None:
        """Press a key, by INFO."""
        self._request("INFO", "application/dtmf-relay", f"Signal={key}\r\nDuration=100\r\n")

    def _request(self, method: str, kind: str = "", body: str = "") -> tuple[float, str]:
        """Send a request and return when its final answer came, and the answer; anything else is passed over."""
        self._cseq += 1
        self._send(method, self._cseq, kind, body)
        while True:
            at, data = _receive(self._sip)
            text = data.decode("latin-1")
            status = re.match(r"SIP/2\.0 (\d+)", text)
            if status and status[1] >= "200" and f"CSeq: {self._cseq} {method}" in text:
                if status[1] >= "300":
                    raise OSError(f"{method}: {status[1]}")
                return at, text

    def _send(self, method: str, cseq: int, kind: str = "", body: str = "") -> None:
        port = self._sip.getsockname()[1]
        lines = [
            f"{method} {self._uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{self._id}{method}{cseq}",
            f"From: {self._from}", f"To: {self._to}", f"Call-ID: {self._id}", f"CSeq: {cseq} {method}",
            f"Contact: <sip:probe@127.0.0.1:{port}>", "Max-Forwards: 70", f"Content-Length: {len(body)}",
        ]  # fmt: skip
        typed = [f"Content-Type: {kind}"] if kind else []
        self._sip.send("\r\n".join([*lines, *typed, "", body]).encode())


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(PATIENCE_SECONDS)
    made.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
    return made


_TIMESTAMP = 35  # SO_TIMESTAMPNS of Linux


def _receive(source: socket.socket) -> tuple[float, bytes]:
    """Return when the kernel took the next packet in, in seconds since 1970, and the packet."""
    data, extra, _, _ = source.recvmsg(1 << 16, socket.CMSG_SPACE(16))
    for _, kind, value in extra:
        if kind == _TIMESTAMP:
            seconds, nanoseconds = struct.unpack("qq", value[:16])
            return float(seconds + nanoseconds / 1e9), data
    return time.time(), data
