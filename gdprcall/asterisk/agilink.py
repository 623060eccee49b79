"""One connection of Asterisk in FastAGI: its greeting, then one command at a time, each with an end in time.

It decides nothing, and after anything that it does not understand it is closed.
"""

import asyncio

from gdprcall.asterisk import agi
from gdprcall.errors import PeerError

GREETING_SECONDS = 2.0
COMMAND_SECONDS = 3.0
CHUNK = 4096


class Left(PeerError):
    """The connection is over: the caller, or the watchdog, took the call on."""


class AgiLink:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._conversation = agi.Conversation()
        self._waiting: asyncio.Future[agi.Reply] | None = None
        self._turn = asyncio.Lock()

    async def greeting(self) -> agi.Environment:
        """Return what Asterisk says of the call; raises PeerError when it is late, or no greeting."""
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                while data := await self._reader.read(CHUNK):
                    match self._conversation.receive(data):
                        case []:
                            continue
                        case [agi.Environment() as environment]:
                            return environment
                        case _:
                            raise agi.Malformed("AGI answers what was not asked")
        except TimeoutError as error:
            raise PeerError("AGI did not greet in time") from error
        except OSError as error:
            raise Left("the connection of AGI was lost") from error
        raise Left("the connection of AGI was closed")

    async def read(self) -> None:
        """Read answers until the connection ends, also while none is waited for: so its end is noticed at once.

        Raises Malformed for an answer to nothing, or none at all.
        """
        try:
            while data := await self._reader.read(CHUNK):
                for message in self._conversation.receive(data):
                    if isinstance(message, agi.HungUp):
                        return
                    self._take(message)
        except OSError:
            pass  # lost is as good as closed
        finally:
            self.abort()
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_exception(Left("the connection of AGI was closed"))

    def _take(self, message: agi.Message) -> None:
        if not isinstance(message, agi.Reply) or self._waiting is None or self._waiting.done():
            raise agi.Malformed("AGI answers what was not asked")
        self._waiting.set_result(message)

    async def command(self, line: bytes, seconds: float = COMMAND_SECONDS) -> agi.Reply:
        """Send one command and return its reply; raises Left when the call has gone, else PeerError."""
        async with self._turn:
            reply = await self._answer(line, seconds)
        if reply.code == 511 or (reply.code == 200 and reply.result == -1):
            raise Left("the channel is gone")
        if reply.code != 200:
            raise PeerError(f"AGI answered {reply.code}", "see Asterisk's log")
        return reply

    async def _answer(self, line: bytes, seconds: float) -> agi.Reply:
        if self.closed.is_set():
            raise Left("the connection of AGI is closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._writer.write(line)
        try:
            async with asyncio.timeout(seconds):
                return await self._waiting
        except TimeoutError as error:
            # Its answer might still come, and be taken for another's.
            self.abort()
            raise PeerError("AGI did not answer in time", "is Asterisk overloaded?") from error
        finally:
            self._waiting = None

    async def alive(self) -> bool:
        """Whether the call is still in our hands."""
        try:
            await self.command(agi.command("CHANNEL STATUS"))
        except PeerError:
            return False
        return True

    async def go_to(self, context: str, extension: str) -> None:
        """Send the call on in the dialplan with one command, and close; raises PeerError when that is not certain."""
        try:
            reply = await self.command(agi.command("EXEC Goto", f"{context},{extension},1"))
        finally:
            self.close()
        if reply.result != 0:
            raise PeerError("Asterisk did not send the call on", "see Asterisk's log")

    def close(self) -> None:
        """Close: Asterisk goes on in the dialplan."""
        self._writer.close()
        self.closed.set()

    def abort(self) -> None:
        """Cut it at once."""
        self._writer.transport.abort()
        self.closed.set()
