"""A headless Chromium that looks at a page as a person's browser does, driven over its DevTools protocol.

It reaches nothing but the page: what the page asked for besides is what a test wants to know.
"""

import asyncio
import base64
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.pbx.prepare import PBX

FLAGS = "--no-sandbox --single-process --no-zygote --disable-gpu --remote-debugging-port=0 --hide-scrollbars".split()
SECONDS = 30.0


@dataclass
class Browser:
    """One page in a browser: what it asked for, and what it complained of."""

    socket: aiohttp.ClientWebSocketResponse
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _number: int = 0

    async def open(self, path: Path) -> None:
        """Show a file, and wait until it is loaded."""
        await self._go("about:blank")  # so that what is loaded next is not what was there before
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        await self._go(path.as_uri())

    async def _go(self, address: str) -> None:
        await self.call("Page.navigate", url=address)
        while not await self.evaluate(f"document.readyState === 'complete' && location.href === '{address}'"):
            await asyncio.sleep(0.01)

    async def look(self, width: int, *, dark: bool, paper: bool = False) -> None:
        """Let the window be so wide, dark or light, or a sheet of paper."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])

    async def evaluate(self, expression: str) -> Any:
        """Return what an expression gives on the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def picture(self, path: Path) -> None:
        """Write what is seen of the whole page."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Ask for something, and return the answer; what happens meanwhile is kept."""
        self._number += 1
        await self.socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(SECONDS):
            while True:
                told = await self.socket.receive_json()
                if told.get("id") == self._number:
                    assert "error" not in told, told
                    return dict(told["result"])
                self._hear(told)

    def _hear(self, told: dict[str, Any]) -> None:
        params = told.get("params", {})
        if told.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif told.get("method") in {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}:
            self.said.append(str(params))


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start a browser with an empty page."""
    with tempfile.TemporaryDirectory() as home:
        command = [PBX / "bin" / "chromium", *FLAGS, f"--user-data-dir={home}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)  # noqa: ASYNC220 # it is there at once
        try:
            port = await asyncio.to_thread(_port, process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    (page,) = [one for one in await answer.json(content_type=None) if one["type"] == "page"]
                async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Browser(socket)
        finally:
            process.kill()
            process.communicate()


def _port(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
            return found[1]
    raise RuntimeError("the browser did not start")
