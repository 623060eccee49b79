"""A fake AMI: it takes logins and actions, remembers them, and answers, stays silent or breaks off as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

BANNER = b"Asterisk Call Manager/9.0.0\r\n"


class FakeAmi:
    """One fake server."""

    def __init__(self) -> None:
        self.port = 0
        self.secret = "secret"
        self.silent: set[str] = set()
        self.breaks_at: set[str] = set()
        self.answers: dict[str, bytes] = {}
        self.actions: list[dict[str, str]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.logins = asyncio.Queue[str]()
        self._news = asyncio.Condition()

    def sent(self, name: str) -> list[dict[str, str]]:
        """Return the actions of a name that arrived."""
        return [action for action in self.actions if action["Action"] == name]

    async def arrived(self, name: str) -> None:
        """Wait until an action of a name has arrived."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: bool(self.sent(name)))

    async def event(self, data: bytes) -> None:
        """Send raw bytes to the newest client."""
        self.writers[-1].write(data)
        await self.writers[-1].drain()

    def drop(self) -> None:
        """Break the newest connection off."""
        self.writers[-1].transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(BANNER)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                data = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = {
                    name: value.strip()
                    for name, _, value in (line.partition(":") for line in data.strip().split("\r\n"))
                }
                self.actions.append(action)
                async with self._news:
                    self._news.notify_all()
                if action["Action"] in self.breaks_at:
                    writer.transport.abort()
                    return
                if action["Action"] not in self.silent:
                    writer.write(self._answer(action))
        writer.close()

    def _answer(self, action: dict[str, str]) -> bytes:
        tag = f"ActionID: {action['ActionID']}\r\n".encode()
        if action["Action"] == "Login":
            self.logins.put_nowait(action["Secret"])
            good = action["Secret"] == self.secret
            text = (
                b"Response: Success\r\nMessage: Authentication accepted\r\n"
                if good
                else b"Response: Error\r\nMessage: Authentication failed\r\n"
            )
            return text + tag + b"\r\n"
        answer = self.answers.get(action["Action"], b"Response: Success\r\nMessage: Done\r\n%TAG%\r\n")
        return answer.replace(b"%TAG%", tag)


@asynccontextmanager
async def serving() -> AsyncIterator[FakeAmi]:
    """Serve a fake AMI on a free port."""
    fake = FakeAmi()
    server = await asyncio.start_server(fake._serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for writer in fake.writers:
            writer.transport.abort()
