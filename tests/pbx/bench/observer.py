"""An AMI connection of the bench's own: when Asterisk saw the key, and when it started, or stopped, MixMonitor.

Both times are Asterisk's own (``timestampevents``), so that a slow reader here changes nothing. Only the uniqueid of
a channel is kept, never which key it was.
"""

import socket
import threading
from types import TracebackType

from tests.pbx.bench.world import OBSERVER, World


class Observer:
    """Reads events until it is left; then ``latencies_ms`` holds one value for each key that started a recording.

    ``stops_ms`` holds one for each recording that ended after a key: from the end of the last digit.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._pressed: dict[str, float] = {}
        self._lasted: dict[str, float] = {}
        self.latencies_ms: list[float] = []
        self.stops_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="observer")

    def __enter__(self) -> "Observer":
        asterisk = self._world.asterisk
        self._socket = socket.create_connection(("127.0.0.1", asterisk.ami_port), 5)
        login = f"Action: Login\r\nUsername: {OBSERVER}\r\nSecret: {asterisk.ami_password}\r\n\r\n"
        self._socket.sendall(login.encode())
        self._socket.settimeout(0.2)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        rest = b""
        while not self._stop.is_set():
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return
            *whole, rest = (rest + data).split(b"\r\n\r\n")
            for message in whole:
                self._take(message.decode("latin-1"))

    def _take(self, message: str) -> None:
        fields = dict(line.split(": ", 1) for line in message.split("\r\n") if ": " in line)
        if "Timestamp" not in fields or "Uniqueid" not in fields:
            return
        at, channel = float(fields["Timestamp"]), fields["Uniqueid"]
        if fields["Event"] == "DTMFEnd" and fields["Direction"] == "Received":
            self._pressed[channel] = at
            # A digit by INFO is told when it comes, and lasts as long as it says: only then is it handed on.
            self._lasted[channel] = float(fields.get("DurationMs", "0"))
        elif fields["Event"] == "MixMonitorStart" and channel in self._pressed:
            self.latencies_ms.append((at - self._pressed.pop(channel)) * 1000)
        elif fields["Event"] == "MixMonitorStop" and channel in self._pressed:
            self.stops_ms.append((at - self._pressed.pop(channel)) * 1000 - self._lasted.pop(channel, 0))
