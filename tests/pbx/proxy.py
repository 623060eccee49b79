"""A TCP proxy in front of Asterisk that loses, holds or changes what passes: faults of a network that is not there.

It understands nothing of what passes; what may pass is told by a function on its bytes.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

Change = Callable[[bytes], bytes]


class Proxy:
    """Passes connections on to ``port`` of this host; a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self.to_asterisk: Change = lambda data: data
        self.from_asterisk: Change = lambda data: data
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False

    def __enter__(self) -> "Proxy":
        self._thread = self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._thread.join()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut all connections; new ones are passed on."""
        pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            client.setblocking(True)
            self._pairs.append((client, server))
            self._run(lambda a=client, b=server: self._pass(a, b, "to_asterisk"))
            self._run(lambda a=server, b=client: self._pass(a, b, "from_asterisk"))

    def _pass(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                changed: bytes = getattr(self, way)(data)
                if changed:
                    sink.sendall(changed)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _run(self, part: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=part, daemon=True)
        thread.start()
        return thread
