"""The SIP socket of a telephone, and the lock of all that it knows: what one thread does to it, another can wait for."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tests.pbx.sip import HOST, Message

Found = TypeVar("Found")
PATIENCE_S = 10.0
"""How long is waited, on a machine that has much else to do, for what should come at once."""


class Wire:
    """Sends and receives messages, and finds the answer to a request."""

    def __init__(self, port: int, pbx_port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, port))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.pbx_port = pbx_port
        self.changed = threading.Condition()
        self.problem: Exception | None = None
        self.messages: list[tuple[float, bool, Message]] = []
        self._answers: dict[tuple[str, str], Message] = {}
        self._answered: dict[tuple[str, str], Message] = {}

    def send(self, message: Message) -> None:
        """Send a message to the PBX."""
        with self.changed:
            self.messages.append((time.monotonic(), True, message))
            if message.status:
                self._answered[message.branch, message.method] = message
            self.socket.sendto(message.data(), (HOST, self.pbx_port))

    def receive(self) -> list[Message]:
        """Return what has come and was not there before; a request that came again is answered again."""
        fresh = []
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.socket.recv(65536)
                try:
                    message = Message.parse(data)
                except ValueError:
                    continue  # sound of a telephone that had this port before
                known = self._answered.get((message.branch, message.method))
                if not message.status and known is not None and message.method != "ACK":
                    self.socket.sendto(known.data(), (HOST, self.pbx_port))
                    continue
                self.messages.append((time.monotonic(), False, message))
                if message.status >= 200:
                    self._answers[message.branch, message.method] = message
                fresh.append(message)
        return fresh

    def ask(self, request: Message) -> Message:
        """Send a request and return its final answer; raises AssertionError if none comes."""
        self.send(request)
        key = request.branch, request.method
        return self.wait_for(lambda: self._answers.get(key), PATIENCE_S, f"an answer to {request.method}")

    def wait_for(self, what: Callable[[], Found | None], within: float, name: str) -> Found:
        """Wait until ``what`` returns something that counts, and return it; raises AssertionError after ``within`` seconds."""
        deadline = time.monotonic() + within
        with self.changed:
            while not (found := what()):
                assert self.problem is None, f"the telephone broke: {self.problem!r}"
                left = deadline - time.monotonic()
                assert left > 0, f"within {within} s there was not: {name}"
                self.changed.wait(left)
        return found
