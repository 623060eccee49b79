"""The two front ends with Asterisk's end of them in the test's hands: what a caller does there reaches the dialogue as it does in earnest.

Time is warped and not waited for: a prompt of nine seconds takes none.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gdprcall.asterisk.ari import Ari
from gdprcall.asterisk.arrival import Arrival
from gdprcall.asterisk.fastagi import FastAgi
from gdprcall.asterisk.stasis import Stasis
from gdprcall.watchedfront import CallFront
from tests.fakes.ari import FakeAri, serving
from tests.pbx.asterisk import free_port

CHANNEL = "17.1"
GONE = "gone"
"""The verdict of a call whose connection ended: the dialplan's own, as if the daemon were dead."""
KEY_MS = 200
ARGUMENTS = ("v1", "support", "may", "en")


class WarpedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        """Return the time of the loop."""
        return super().time() + self.ahead


async def warp(seconds: float) -> None:
    """Let time go by, and what was due by then happen."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpedLoop)
    loop.ahead += seconds
    for _ in range(5):
        await asyncio.sleep(0)


async def until(true: Callable[[], object]) -> None:
    """Wait, in real time, until something holds."""
    for _ in range(5000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never held")


class Caller(Protocol):
    """What happens to one call at Asterisk's end, whichever front end it is in the hands of."""

    fails: bool
    """Whether the verdict that records cannot be given."""

    async def arrives(self) -> CallFront:
        """Come to be asked."""

    async def hears(self, asked: int) -> None:
        """Hear the beginning of a question."""

    async def listens_on(self) -> None:
        """Hear what a key that did not count interrupted."""

    async def presses(self, key: str, ms: int) -> None:
        """Press a key when so much of the question was heard."""

    async def hears_it_out(self, ms: int) -> None:
        """Hear a question to its end, so long."""

    async def is_silent(self, seconds: float) -> None:
        """Press nothing for as long as is waited."""

    async def hears_nothing(self) -> None:
        """Have a question that cannot be played."""

    async def hangs_up(self) -> None:
        """Hang up while the call is in the front end's hands."""

    async def is_taken_on(self) -> None:
        """Be taken on by the watchdog."""

    async def verdict(self, begins: str) -> str:
        """Return the verdict with which the call was given back, once it has one that begins so."""


class AriCaller:
    """A call by ARI."""

    def __init__(self, fake: FakeAri, stasis: Stasis, arrived: "asyncio.Queue[CallFront]") -> None:
        self._fake, self._stasis, self._arrived = fake, stasis, arrived
        self._begun = 0.0
        self._stamp = 0.0
        self._seen = 0
        self.fails = False
        fake.on_request = self._back

    def _back(self, path: str, query: "object") -> None:
        if self.fails and path.endswith("/continue") and str(query["extension"]).startswith("rec"):  # type: ignore[index]
            self._fake.answers[f"POST /channels/{CHANNEL}/continue"] = (500, {})
            self.fails = False
        elif path.endswith("/continue"):
            self._fake.answers.pop(f"POST /channels/{CHANNEL}/continue", None)
            if query["context"] == "gdprcall-ask":  # type: ignore[index]
                asyncio.get_running_loop().call_soon(self._come_back)

    def _come_back(self) -> None:
        self._tell("StasisEnd")
        self._start("ask")

    def _start(self, hop: str) -> None:
        channel = {"id": CHANNEL, "name": "PJSIP/a-1", "caller": {"number": ""}}
        args = [ARGUMENTS[0], hop, *ARGUMENTS[1:]]
        self._stasis.handle({"type": "StasisStart", "args": args, "channel": channel})

    def _tell(self, kind: str, **more: object) -> None:
        self._stasis.handle({"type": kind, "channel": {"id": CHANNEL}, "timestamp": self._time(), **more})

    def _time(self) -> str:
        return datetime.fromtimestamp(1_800_000_000 + self._stamp, UTC).isoformat()

    def _plays(self) -> list[str]:
        return [
            path.rsplit("/", 1)[-1] for method, path, _ in self._fake.requests if method == "POST" and "/play/" in path
        ]

    async def _pass(self, ms: int) -> None:
        await warp(ms / 1000)
        self._stamp += ms / 1000

    async def arrives(self) -> CallFront:
        self._start("ask")
        return await self._arrived.get()

    async def hears(self, asked: int) -> None:
        await until(lambda: len(self._plays()) >= asked)
        self._begun = self._stamp
        self._sound("PlaybackStarted", "playing")

    def _sound(self, kind: str, state: str) -> None:
        playback = {"id": self._plays()[-1], "target_uri": f"channel:{CHANNEL}", "state": state}
        self._stasis.handle({"type": kind, "playback": playback, "timestamp": self._time()})

    async def listens_on(self) -> None:
        pass

    def _heard(self) -> int:
        return round((self._stamp - self._begun) * 1000)

    async def presses(self, key: str, ms: int) -> None:
        await self._pass(max(0, ms - self._heard()))
        self._tell("ChannelDtmfReceived", digit=key, duration_ms=0)

    async def hears_it_out(self, ms: int) -> None:
        await self._pass(max(0, ms - self._heard()))
        self._sound("PlaybackFinished", "done")

    async def is_silent(self, seconds: float) -> None:
        await warp(seconds)

    async def hears_nothing(self) -> None:
        self._sound("PlaybackFinished", "failed")
        await warp(0.2)

    async def hangs_up(self) -> None:
        self._tell("ChannelHangupRequest")

    async def is_taken_on(self) -> None:
        self._tell("StasisEnd")

    async def verdict(self, begins: str) -> str:
        def given() -> list[str]:
            asked = self._fake.asked("POST", f"/channels/{CHANNEL}/continue")
            return [str(query["extension"]) for query in asked if query["context"] == "gdprcall-verdict"]

        await until(lambda: given() and given()[-1].startswith(begins))
        return given()[-1]


class AgiCaller:
    """A call by FastAGI."""

    def __init__(self, port: int, arrived: "asyncio.Queue[CallFront]") -> None:
        self._port, self._arrived = port, arrived
        self._command = ""
        self._begun_ms = self._heard_ms = 0
        self._given = ""
        self.fails = False

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = ["agi_network_script: ask", f"agi_uniqueid: {CHANNEL}", "agi_callerid: unknown"]
        lines += [f"agi_arg_{place}: {text}" for place, text in enumerate(ARGUMENTS, 1)]
        self._writer.write("".join(f"{line}\n" for line in [*lines, ""]).encode())
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while line := (await self._reader.readline()).decode().strip():
            self._command = line
            if line.startswith("EXEC Goto"):
                await self._goes(line.split('"')[1])
                return
        self._given = self._given or GONE

    async def _goes(self, where: str) -> None:
        context, extension, _ = where.split(",")
        if self.fails and extension.startswith("rec"):
            self.fails = False
            self._writer.write(b"510 Invalid or unknown command\n")
            self._reading = asyncio.ensure_future(self._read())
            return
        self._writer.write(b"200 result=0\n")
        await self._writer.drain()
        self._writer.close()
        if context == "gdprcall-ask":
            await self._connect()
        else:
            self._given = extension

    async def _answer(self, text: str) -> None:
        self._command = ""
        self._writer.write(f"{text}\n".encode())

    async def arrives(self) -> CallFront:
        await self._connect()
        return await self._arrived.get()

    async def hears(self, asked: int) -> None:
        self._begun_ms = self._heard_ms = 0
        await until(lambda: self._command.startswith("STREAM FILE"))

    async def listens_on(self) -> None:
        await until(lambda: self._command)

    async def presses(self, key: str, ms: int) -> None:
        await until(lambda: self._command)
        waiting = self._command.startswith("WAIT")
        if not waiting:
            # Told at the key's end, which is thought to be so much later.
            await warp(max(0, ms + KEY_MS - self._heard_ms) / 1000)
            self._heard_ms = max(self._heard_ms, ms + KEY_MS)
        await self._answer(f"200 result={ord(key)}" + ("" if waiting else f" endpos={self._heard_ms * 8}"))

    async def hears_it_out(self, ms: int) -> None:
        await until(lambda: self._command.startswith("STREAM FILE"))
        await warp((ms - self._heard_ms) / 1000)
        await self._answer(f"200 result=0 endpos={ms * 8}")

    async def is_silent(self, seconds: float) -> None:
        await until(lambda: self._command.startswith("WAIT"))
        await warp(min(seconds, int(self._command.split()[-1].strip('"')) / 1000))
        await self._answer("200 result=0")

    async def hears_nothing(self) -> None:
        await until(lambda: self._command)
        await self._answer("200 result=0 endpos=0")

    async def close(self) -> None:
        """Leave nothing open."""
        self._reading.cancel()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def hangs_up(self) -> None:
        self._writer.close()
        await asyncio.sleep(0.01)
        await warp(1)

    async def is_taken_on(self) -> None:
        await self.hangs_up()

    async def verdict(self, begins: str) -> str:
        # One command at a time: what plays or waits comes to its end first.
        await until(lambda: self._given or self._command.startswith(("STREAM FILE", "WAIT")))
        if not self._given:
            await self._answer("200 result=0 endpos=0")
        await until(lambda: self._given.startswith(begins) or self._given == GONE)
        return self._given


async def _nothing() -> None:
    pass


@asynccontextmanager
async def by_ari(_folder: Path, _up: Callable[[], bool]) -> AsyncIterator[AriCaller]:
    """Serve calls by ARI."""
    arrived: asyncio.Queue[CallFront] = asyncio.Queue()
    async with serving() as fake:
        ari = Ari(fake.url, "u", "p", "gdprcall", on_event=lambda _e: None, on_up=_nothing)
        async with ari.requests(), asyncio.TaskGroup() as tasks:
            stasis = Stasis(ari, tasks=tasks, claim=lambda _a: 30, arrive=lambda _a, call: arrived.put_nowait(call))
            yield AriCaller(fake, stasis, arrived)


@asynccontextmanager
async def by_agi(folder: Path, up: Callable[[], bool]) -> AsyncIterator[AgiCaller]:
    """Serve calls by FastAGI; ``up`` says whether the channel still is."""
    arrived: asyncio.Queue[CallFront] = asyncio.Queue()
    port = free_port()

    def arrive(_arrival: Arrival, call: CallFront) -> None:
        arrived.put_nowait(call)

    async def is_up(_uniqueid: str) -> bool:
        return up()

    server = FastAgi(("127.0.0.1", port), folder, claim=lambda _a: 30, arrive=arrive, is_up=is_up)
    task = asyncio.create_task(server.run())
    try:
        await until(lambda: server.listening)
        caller = AgiCaller(port, arrived)
        try:
            yield caller
        finally:
            await caller.close()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task


FRONTS = {"ari": by_ari, "agi": by_agi}
