"""The FastAGI front end's server: Asterisk connects for each hop of a call, is understood, or is let go.

Nobody proves who they are in AGI, so it listens on the loopback alone. Whoever says nothing, or nonsense, costs no call
its prompt: a connection has two seconds for its greeting, and of too many that have not greeted the oldest must go.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from gdprcall.asterisk import agi
from gdprcall.asterisk.agicall import AgiCall
from gdprcall.asterisk.agilink import AgiLink, Left
from gdprcall.asterisk.arrival import ASK, ASK_CONTEXT, PROTOCOL, VERDICT_CONTEXT, Arrival, handed_over
from gdprcall.errors import ConfigError, PeerError
from gdprcall.log import get_logger

MOST_GREETING = 64
"""How many connections may be about to greet at once; Asterisk greets within a millisecond."""
MOST_CALLS = 400
"""How many may have greeted at once: with the files and links of the daemon they stay below 1024 descriptors."""
MOST_MARKS = 10
"""How many withdrawal marks one call may take away in passing."""
BACKLOG = 512
MARKS = "gdprcall/withdrawn"


class FastAgi:
    """All calls that come in by AGI(); ``claim`` and ``arrive`` are those of the ARI front end.

    ``is_up`` tells of a channel's uniqueid whether Asterisk still has it; it may raise PeerError.
    """

    def __init__(
        self,
        address: tuple[str, int],
        sounds: Path,
        *,
        claim: Callable[[Arrival], int | None],
        arrive: Callable[[Arrival, AgiCall], None],
        is_up: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.listening = False
        self.refused = 0
        self._address = address
        self._sounds = sounds
        self._claim = claim
        self._arrive = arrive
        self._is_up = is_up
        self._calls: dict[str, AgiCall] = {}
        self._open = 0
        self._greeting: dict[AgiLink, None] = {}
        self._marks: list[str] = []
        self._log = get_logger()

    async def run(self) -> None:
        """Serve until cancelled; raises ConfigError when the address cannot be listened on."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server(self._address, family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"FastAGI cannot listen on {host}:{port}: {error.strerror}", "choose another asterisk.agi_listen"
            ) from error
        listener.setblocking(False)
        with listener:
            async with asyncio.TaskGroup() as self._tasks:
                self.listening = True
                try:
                    while True:
                        await self._accept(listener)
                finally:
                    self.listening = False

    def forget(self, recording: str) -> None:
        """Have the mark of a withdrawal removed by the next call: only its AGI may do that, ours on AMI may not."""
        if recording not in self._marks:
            self._marks.append(recording)

    async def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        except OSError as error:
            # Out of descriptors: those that wait are served as soon as others have gone.
            self._log.error("agi_refused", error=type(error).__name__, count=self.refused)
            await asyncio.sleep(0.1)
            return
        self._tasks.create_task(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        link = AgiLink(*await asyncio.open_connection(sock=connection))
        try:
            environment = await self._greeted(link)
            self._open += 1
            try:
                self._tasks.create_task(self._contained(environment, link))
                await link.read()
            finally:
                self._open -= 1
        except PeerError as error:
            self._tell(error)
        finally:
            link.abort()

    async def _contained(self, environment: agi.Environment, link: AgiLink) -> None:
        try:
            await self._dispatch(environment, link)
        except Left:
            pass  # the caller has left
        except PeerError as error:
            self._tell(error)
        except Exception:  # noqa: BLE001 # the top of one connection: its call goes on unrecorded, the others as before
            self._log.error("internal_error", exc_info=True)
        finally:
            link.close()

    async def _greeted(self, link: AgiLink) -> agi.Environment:
        self._greeting[link] = None
        if len(self._greeting) > MOST_GREETING:
            next(iter(self._greeting)).abort()
        try:
            return await link.greeting()
        finally:
            del self._greeting[link]

    def _tell(self, error: PeerError) -> None:
        # Each power of two: a port scan is told, and does not fill the disk.
        self.refused += 1
        if self.refused & (self.refused - 1) == 0:
            self._log.warning("agi_refused", error=type(error).__name__, count=self.refused)

    async def _dispatch(self, environment: agi.Environment, link: AgiLink) -> None:
        script, arrival = environment.variables.get("network_script"), _arrival(environment)
        if arrival is None or not arrival.fits(str(script)):
            self._log.error("call_unasked", uniqueid=environment.variables.get("uniqueid"), reason="dialplan_version")
            await link.go_to(VERDICT_CONTEXT, "norec")
        elif self._open > MOST_CALLS:
            self._log.error("call_unasked", uniqueid=arrival.channel, reason="too_many")
            await link.go_to(VERDICT_CONTEXT, "norec")
        elif script == ASK:
            await self._asked(arrival, link)
        else:
            await self._claimed(arrival, link)

    async def _claimed(self, arrival: Arrival, link: AgiLink) -> None:
        seconds = self._claim(arrival)
        for recording in self._marks[:MOST_MARKS]:
            await link.command(agi.command("DATABASE DEL", MARKS, recording))
            self._marks.remove(recording)
        await (link.go_to(VERDICT_CONTEXT, "norec") if seconds is None else link.go_to(ASK_CONTEXT, str(seconds)))

    async def _asked(self, arrival: Arrival, link: AgiLink) -> None:
        call = self._calls.get(arrival.channel)
        if call is None:
            call = AgiCall(link, arrival.channel, self._sounds, self._tasks)
            self._calls[arrival.channel] = call
            self._arrive(arrival, call)
        elif call.moving:
            call.back(link)
        else:
            raise PeerError("a call that is being asked comes a second time")
        await link.closed.wait()
        if await call.is_over(link):
            del self._calls[arrival.channel]
            await call.tell_end(self._is_up)


def _arrival(environment: agi.Environment) -> Arrival | None:
    variables, arguments = environment.variables, environment.arguments
    uniqueid = variables.get("uniqueid", "")
    if arguments[:1] != [PROTOCOL] or not uniqueid:
        return None
    number = variables.get("callerid", "")
    caller = "" if number == "unknown" else number
    return handed_over(uniqueid, variables.get("channel", ""), arguments[1:], caller, "agi")
