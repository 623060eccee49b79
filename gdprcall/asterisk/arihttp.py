"""Requests to ARI: plain HTTP/1.1 over a few connections that are kept, one request on each at a time.

A general client costs more for each request than everything else that a call needs. Nothing is ever sent a second
time: a request whose answer did not come may have been carried out.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, urlsplit

MOST_CONNECTIONS = 16
KEEPALIVE_SECONDS = 10.0
"""Asterisk closes idle connections after 15 seconds; ours must give up first."""
MAX_HEAD_BYTES = 1 << 16
MAX_BODY_BYTES = 1 << 26
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Asterisk answered."""

    status: int
    body: bytes


class Requests:
    """The connections to one server below one URL; a method and its answer at a time on each."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._secure else 80)
        self._path = parts.path
        fields = {"Host": parts.netloc.rpartition("@")[2], **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._context: ssl.SSLContext | None = None
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    async def send(self, method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> Answer:
        """Return the answer to one request; raises OSError, and ValueError for an answer that is none."""
        given = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        target = f"{self._path}{path}?{given}" if given else f"{self._path}{path}"
        typed = "Content-Type: application/json\r\n" if body else ""
        sized = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
        head = f"{method} {target} HTTP/1.1\r\n{self._head}{typed}{sized}\r\n"
        async with self._room:
            connection = self._kept() or await self._opened()
            try:
                return await connection.ask(head.encode("ascii") + body)
            finally:
                # One that was left in the middle of an answer is never used again.
                if connection.reusable:
                    self._idle.append(connection)
                else:
                    connection.close()

    def _kept(self) -> "_Connection | None":
        """Return the connection that was used last, and close those that have been idle for long."""
        now = asyncio.get_running_loop().time()
        while self._idle and now - self._idle[0].idle_since > KEEPALIVE_SECONDS:
            self._idle.pop(0).close()
        while self._idle:
            if (connection := self._idle.pop()).reusable:
                return connection
        return None

    async def _opened(self) -> "_Connection":
        if self._secure and self._context is None:
            self._context = ssl.create_default_context()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=self._context)
        return connection

    def close(self) -> None:
        """Close what is idle; what is in use closes itself."""
        while self._idle:
            self._idle.pop().close()


class _Connection(asyncio.Protocol):
    """One connection: a request goes out, its answer is read, then the next."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._read = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._open = False

    @property
    def reusable(self) -> bool:
        """Whether it stands, and nobody waits for an answer on it."""
        return self._open and self._waiting is None

    async def ask(self, request: bytes) -> Answer:
        """Send a request and return its answer; raises OSError and ValueError."""
        if self._transport is None or not self._open:
            raise ConnectionError("the connection is closed")
        self._waiting = self._loop.create_future()
        self._transport.write(request)
        answer = await self._waiting
        self._waiting = None
        self.idle_since = self._loop.time()
        return answer

    def close(self) -> None:
        """Close it at once."""
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Satisfy ``asyncio.Protocol``."""
        self._transport, self._open = cast("asyncio.Transport", transport), True

    def data_received(self, data: bytes) -> None:
        """Read what came; what nobody asked for, or what is no answer, ends the connection."""
        if self._waiting is None or self._waiting.done():
            self.close()
            return
        self._read += data
        try:
            found = _answer(self._read)
        except ValueError as error:
            self._open = False
            self._waiting.set_exception(error)
            return
        if found is not None:
            answer, rest, keep = found
            self._open = keep and not rest
            self._read.clear()
            self._waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits that no answer will come."""
        self._open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionError("the connection was closed before the answer"))


def _answer(read: bytearray) -> tuple[Answer, int, bool] | None:
    """Return a whole answer, how many bytes follow it, and whether the connection stays; None while it is not whole.

    Raises ValueError for what is no answer, or one that is too long.
    """
    end = read.find(HEAD_END)
    if end < 0:
        if len(read) > MAX_HEAD_BYTES:
            raise ValueError("the head of an answer has no end")
        return None
    first, *lines = bytes(read[:end]).split(b"\r\n")
    version, status, *_ = first.split(b" ")
    if version != b"HTTP/1.1":
        raise ValueError("this is no answer of HTTP/1.1")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    if b"transfer-encoding" in fields:
        raise ValueError("an answer in chunks")
    size = 0 if status == b"204" else int(fields.get(b"content-length", b""))
    if not 0 <= size <= MAX_BODY_BYTES:
        raise ValueError("an answer of an impossible length")
    begin = end + len(HEAD_END)
    rest = len(read) - begin - size
    if rest < 0:
        return None
    keep = fields.get(b"connection", b"").lower() != b"close"
    return Answer(int(status), bytes(read[begin : begin + size])), rest, keep
