"""What Asterisk itself says of recordings and withdrawals: a second listener on AMI, beside the daemon."""

import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Said:
    """One event of our dialplan: what kind, of which recording, and when it came, in seconds since 1970."""

    kind: str
    recording: str
    at: float


class Tap:
    """Listens from a thread of its own, and connects again whenever Asterisk comes back."""

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._secret = secret
        self._said: list[Said] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="tap")

    def __enter__(self) -> "Tap":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def withdrawn(self) -> dict[str, float]:
        """Return the recordings that were withdrawn, and when each was."""
        return {said.recording: said.at for said in list(self._said) if said.kind == "withdrawn"}

    def _listen(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1) as link:
                link.sendall(f"Action: Login\r\nUsername: gdprcall\r\nSecret: {self._secret}\r\n\r\n".encode())
                self._read(link)
            self._stop.wait(0.05)

    def _read(self, link: socket.socket) -> None:
        rest = b""
        link.settimeout(0.1)
        while not self._stop.is_set():
            try:
                data = link.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            *messages, rest = (rest + data).split(b"\r\n\r\n")
            self._said += [said for said in map(event, messages) if said is not None]


def event(message: bytes) -> Said | None:
    """Return an event of our dialplan, or None for any other message."""
    fields = dict(re.findall(r"^(\w+): ([^\r\n]*)", message.decode(errors="replace"), re.MULTILINE))
    if (fields.get("Event"), fields.get("UserEvent")) != ("UserEvent", "GdprCall") or not fields.get("Rec"):
        return None
    return Said(fields.get("Kind", ""), fields["Rec"], time.time())
