"""A fake ARI: it takes the websocket and the requests, remembers them, and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web


class FakeAri:
    """One fake server."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "22.10.1"
        self.handshake = 101
        self.answers: dict[str, tuple[int, object]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[str] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.connected = asyncio.Event()
        self.hang = False
        self.pongs = True
        self.filter_status = 200
        self.gone = ""
        self.on_request: Callable[[str, Mapping[str, str]], None] = lambda _path, _query: None

    async def send(self, event: dict[str, object] | str) -> None:
        """Send an event to the newest websocket."""
        await self.sockets[-1].send_str(event if isinstance(event, str) else json.dumps(event))

    async def drop(self) -> None:
        """Close the newest websocket."""
        self.connected.clear()
        await self.sockets[-1].close()

    def asked(self, method: str, path: str) -> list[dict[str, str]]:
        """Return the queries of the requests to a path."""
        return [query for m, p, query in self.requests if (m, p) == (method, path)]

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        if self.handshake != 101:
            return web.Response(status=self.handshake)
        socket = web.WebSocketResponse(autoping=self.pongs)
        await socket.prepare(request)
        self.sockets.append(socket)
        self.connected.set()
        async for _ in socket:
            pass
        return socket

    async def _any(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        self.on_request(request.path, request.query)
        if self.hang:
            await asyncio.Event().wait()
        path = request.path.removeprefix("/ari")
        status, body = self.answers.get(f"{request.method} {path}", (204, None))
        if self.gone and self.gone in path:
            status, body = 404, {}
        if path == "/asterisk/info":
            status, body = 200, {"system": {"version": self.version}}
        if path.endswith("/eventFilter"):
            status, body = self.filter_status, {}
        return web.Response(status=204) if status == 204 else web.json_response(body, status=status)

    def _note(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path.removeprefix("/ari"), dict(request.query)))
        self.headers.append(request.headers.get("Authorization", ""))


@asynccontextmanager
async def serving() -> AsyncIterator[FakeAri]:
    """Serve a fake ARI on a free port."""
    fake = FakeAri()
    application = web.Application()
    application.router.add_get("/ari/events", fake._events)
    application.router.add_route("*", "/ari/{rest:.*}", fake._any)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ari"
    try:
        yield fake
    finally:
        await runner.cleanup()
