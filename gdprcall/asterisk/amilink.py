"""One AMI connection: panoramisk's actions and answers, guarded, and a reader of its own for events.

Every action is answered, fails, or times out; none is ever sent again by itself. When it is lost it is over.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from gdprcall.errors import PeerError
from gdprcall.log import get_logger

ACTION_SECONDS = 3.0
CONNECT_SECONDS = 5.0
LONGEST_MESSAGE = 1 << 20
LONGEST_LIST = 50_000
Fields = Mapping[str, str]
END = b"\r\n\r\n"


class Connection(Manager):  # type: ignore[misc]  # panoramisk publishes no types
    """One connection; when it is lost it is over, and so is every action that waits."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.lost = asyncio.Event()
        self.take: Callable[[Fields], None] = lambda _fields: None
        self._waiting: set[asyncio.Future[Any]] = set()

    @classmethod
    async def open(cls, host: str, port: int, user: str, secret: str, take: Callable[[Fields], None]) -> "Connection":
        """Connect, begin to log in, hand every event to ``take``; raises OSError or TimeoutError."""
        loop = asyncio.get_running_loop()
        # latin-1 keeps every byte; values are decoded one by one, so no character is lost between packets.
        connection = cls(loop=loop, encoding="latin-1", ping_delay=86_400, username=user, secret=secret)
        connection.take = take
        connection.log.disabled = True
        async with asyncio.timeout(CONNECT_SECONDS):
            opened = await loop.create_connection(lambda: _Reader(connection), host, port)
        made: asyncio.Future[object] = loop.create_future()
        made.set_result(opened)
        connection.connection_made(made)
        return connection

    async def answered(self, future: asyncio.Future[Any]) -> Any:
        """Wait for the answer to an action; raises PeerError at the loss of the link or the end of patience."""
        if self.lost.is_set():
            raise _lost()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(ACTION_SECONDS):
                return await future
        except TimeoutError as error:
            raise PeerError("AMI did not answer in time", "is Asterisk overloaded?") from error
        finally:
            self._waiting.discard(future)

    def login(self, _future: object) -> None:
        """Do nothing when the login is answered: who waits for the answer reads it."""

    def connection_lost(self, _exc: object) -> None:
        """Do not reconnect: a fresh connection replays nothing."""
        self.lost.set()
        if self.pinger is not None:
            self.pinger.cancel()
        for future in self._waiting:
            if not future.done():
                future.set_exception(_lost())

    def close(self) -> None:
        """Close, and let nobody wait for what cannot come any more."""
        super().close()
        self.connection_lost(None)


class _Reader(AMIProtocol):  # type: ignore[misc]  # panoramisk publishes no types
    """The library's reader for answers, with limits; events, of which there are many, are read here.

    What cannot be understood costs one message, not the link.
    """

    def __init__(self, owner: Connection) -> None:
        self._owner = owner
        self._rest = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Know the owner from the first moment: the link may be lost before it hears of us."""
        super().connection_made(transport)
        self.factory = self._owner

    def data_received(self, data: bytes) -> None:
        """Read what came; a message without an end closes the link."""
        *messages, self._rest = (self._rest + data).split(END)
        for message in messages:
            # What belongs to an action names it; everything else tells of what happens.
            if message.startswith(b"Event: ") and b"\r\nActionID: " not in message:
                self._owner.take(_fields(message))
            else:
                super().data_received(message + END)
        if len(self._rest) > LONGEST_MESSAGE:
            self.transport.abort()

    def handle_message(self, message: Any) -> None:
        """Take one message; a list without an end closes the link."""
        action = self.responses.get(message.id)
        if action is not None and len(action.responses) >= LONGEST_LIST:
            self.transport.abort()
            return
        try:
            super().handle_message(message)
        except (AttributeError, KeyError, TypeError, ValueError):
            # A header given twice is a list where the library expects a text.
            get_logger().error("ami_event_failed", exc_info=True)


def _fields(message: bytes) -> Fields:
    """Return the headers of an event; one that is given twice counts once, as it was first."""
    fields: dict[str, str] = {}
    for line in message.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(": ")
        fields.setdefault(name, value)
    return fields


def _lost() -> PeerError:
    return PeerError("AMI was lost before it answered", "is Asterisk up?")
