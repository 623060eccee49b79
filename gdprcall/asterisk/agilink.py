"""One connection of Asterisk in FastAGI: its greeting, then one command at a time, each with an end in time.

It decides nothing, and after anything that it does not understand it is closed.
"""

import asyncio

from gdprcall.asterisk import agi
from gdprcall.errors import PeerError

GREETING_SECONDS = 2.0
COMMAND_SECONDS = 3.0


class Left(PeerError):
    """The connection is over: the caller, or the watchdog, took the call on."""


class AgiLink:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._conversation = agi.Conversation()
        self._messages: list[agi.Message] = []
        self._turn = asyncio.Lock()

    async def greeting(self) -> agi.Environment:
        """Return what Asterisk says of the call; raises PeerError when it is late, or no greeting."""
        message = await self._next(GREETING_SECONDS)
        if not isinstance(message, agi.Environment):
            raise agi.Malformed("AGI without a greeting")
        return message

    async def command(self, line: bytes, seconds: float = COMMAND_SECONDS) -> agi.Reply:
        """Send one command and return its reply; raises Left when the call has gone, else PeerError."""
        async with self._turn:
            if self._writer.is_closing():
                raise Left("the connection of AGI is closed")
            self._writer.write(line)
            while True:
                message = await self._next(seconds)
                # The line HANGUP may come before the reply, which is then a refusal.
                if isinstance(message, agi.Reply):
                    break
        if message.code == 511 or (message.code == 200 and message.result == -1):
            raise Left("the channel is gone")
        if message.code != 200:
            raise PeerError(f"AGI answered {message.code}", "see Asterisk's log")
        return message

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
            await self.command(agi.command("EXEC Goto", f"{context},{extension},1"))
        finally:
            await self.close()

    async def close(self) -> None:
        """Close: Asterisk goes on in the dialplan."""
        if not self.closed.is_set():
            self._writer.close()
            self.closed.set()

    def abort(self) -> None:
        """Cut it at once."""
        self._writer.transport.abort()
        self.closed.set()

    async def _next(self, seconds: float) -> agi.Message:
        try:
            async with asyncio.timeout(seconds):
                while not self._messages:
                    data = await self._reader.read(4096)
                    if not data:
                        raise Left("the connection of AGI was closed")
                    self._messages += self._conversation.receive(data)
        except TimeoutError as error:
            self.abort()
            raise PeerError("AGI did not answer in time", "is Asterisk overloaded?") from error
        except OSError as error:
            self.closed.set()
            raise Left("the connection of AGI was lost") from error
        except PeerError:
            self.abort()
            raise
        return self._messages.pop(0)
