"""AMI through panoramisk, guarded: it watches calls, ends recordings, reads marks left while it was away.

Every action is answered, fails, or times out; none is ever sent again by itself, and none can carry a second one.
panoramisk's own reconnection, pinging and logging are not used (they replay, miss dead peers, and print secrets).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from gdprcall.asterisk.ami_events import AmiEvent, parse
from gdprcall.errors import PeerError
from gdprcall.log import get_logger

ACTION_SECONDS = 3.0
CONNECT_SECONDS = 5.0
PING_SECONDS = 5.0
MARKS = "gdprcall/withdrawn"
ACTIONS = ("ping", "login", "stopmixmonitor", "dbget", "dbgettree", "status", "command", "coresettings")


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that is up and carries a recording of ours."""

    name: str
    uniqueid: str
    bridge: str
    recording: str
    segment: int
    mixmonitor: str


class _Connection(Manager):  # type: ignore[misc]  # panoramisk publishes no types
    """One connection; when it is lost it is over."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.lost = asyncio.Event()

    def connection_lost(self, _exc: object) -> None:
        """Do not reconnect: a fresh connection replays nothing."""
        self.lost.set()
        if self.pinger is not None:
            self.pinger.cancel()


class Ami:
    """The link to one Asterisk's manager interface."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        *,
        on_event: Callable[[AmiEvent], None],
        on_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.linked = False
        self._where = (host, port)
        self._login = {"username": _safe(user), "secret": _safe(secret)}
        self._on_event = on_event
        self._on_up = on_up
        self._connection: _Connection | None = None
        self._log = get_logger()

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        tries = 0
        while True:
            try:
                tries = await self._serve(tries)
            except (OSError, TimeoutError, PeerError) as error:
                tries += 1
                if tries == 1 or tries % 20 == 0:
                    self._log.error("ami_down", error=type(error).__name__, count=tries)
            finally:
                self.linked = False
                self._close()
            pause = min(5.0, 0.1 * 2.0 ** min(tries, 8))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 # jitter, not a secret

    async def _serve(self, tries: int) -> int:
        """Hold one connection from its login to its end; return the number of failed tries."""
        connection = await self._connect()
        if not await self._authenticated(connection):
            if tries % 20 == 0:
                self._log.error("ami_refused")
            return tries + 1
        self.linked = True
        await self._on_up()
        self._log.info("ami_up")
        await self._watch(connection)
        self._log.error("ami_down")
        return 0

    @asynccontextmanager
    async def once(self) -> AsyncIterator[None]:
        """Hold one login for as long as the block lasts; raises PeerError when there is none."""
        try:
            connection = await self._connect()
        except (OSError, TimeoutError) as error:
            raise PeerError(f"AMI cannot be reached: {type(error).__name__}", "is Asterisk up?") from error
        try:
            if not await self._authenticated(connection):
                raise PeerError("AMI refuses the login", "compare user and password with manager.conf")
            yield
        finally:
            self._close()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        # latin-1 keeps every byte; values are decoded one by one, so no character is lost between packets.
        connection = _Connection(
            loop=loop, encoding="latin-1", forgetable_actions=ACTIONS, ping_delay=86_400, **self._login
        )
        connection.register_event("*", self._take)
        connection.log.disabled = True
        async with asyncio.timeout(CONNECT_SECONDS):
            opened = await loop.create_connection(AMIProtocol, *self._where)
        made: asyncio.Future[object] = loop.create_future()
        made.set_result(opened)
        self._connection = connection
        connection.connection_made(made)
        return connection

    async def _authenticated(self, connection: _Connection) -> bool:
        future = connection.authenticated_future
        answer = await self._answered(connection, future) if future is not None else None
        return bool(answer is not None and answer.success)

    async def _watch(self, connection: _Connection) -> None:
        """Return when the connection is lost or the peer no longer answers."""
        while not connection.lost.is_set():
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await connection.lost.wait()
            except TimeoutError:
                try:
                    await self.action("Ping")
                except PeerError:
                    return

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _take(self, _manager: object, message: Any) -> None:
        try:
            event = parse({str(key): _text(value) for key, value in message.items()})
            if event is not None:
                self._on_event(event)
        except Exception:  # noqa: BLE001 # one event must not take the link down for every other call
            self._log.error("ami_event_failed", exc_info=True)

    async def action(self, name: str, **fields: str) -> list[Mapping[str, Any]]:
        """Return the answer to one action, followed by the list that belongs to it; raises PeerError.

        Raises also when Asterisk answers with an error: its message is the exception's.
        """
        connection = self._connection
        if connection is None or connection.lost.is_set():
            raise PeerError("AMI is not connected", "is Asterisk up?")
        values = {"Action": name} | {key: _safe(value) for key, value in fields.items()}
        answer = await self._answered(connection, connection.send_action(values))
        answers = answer if isinstance(answer, list) else [answer]
        if not answers[0].success:
            raise PeerError(
                f"AMI refused {name}: {_text(answers[0].message)}", "compare the AMI user with manager.conf"
            )
        return answers

    async def _answered(self, connection: _Connection, future: Any) -> Any:
        """Wait for an answer, the loss of the connection, or the end of patience."""
        lost = asyncio.ensure_future(connection.lost.wait())
        try:
            async with asyncio.timeout(ACTION_SECONDS):
                await asyncio.wait({future, lost}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            future.cancel()
            raise PeerError("AMI did not answer in time", "is Asterisk overloaded?") from error
        finally:
            lost.cancel()
        if not future.done():
            future.cancel()
            raise PeerError("AMI was lost before it answered", "is Asterisk up?")
        return future.result()

    async def stop_recording(self, channel: str, mixmonitor: str) -> bool:
        """End one MixMonitor; False when it had ended already; raises PeerError when that is not known."""
        try:
            await self.action("StopMixMonitor", Channel=channel, MixMonitorID=mixmonitor)
        except PeerError as error:
            # "Could not stop" is the answer for one that is over; anything else leaves the matter open.
            if "could not stop" in error.message.lower() or "no such channel" in error.message.lower():
                return False
            raise
        return True

    async def withdrawn_marks(self) -> list[str]:
        """Return the recordings whose callers withdrew and whose marks still stand."""
        try:
            answers = await self.action("DBGetTree", Family=MARKS)
        except PeerError as error:
            if "not found" in error.message.lower():
                return []
            raise
        keys = [_text(answer["Key"]) for answer in answers[1:] if "Key" in answer]
        return [key.rsplit("/", 1)[-1] for key in keys]

    async def withdrawn_mark(self, recording: str) -> bool:
        """Whether a withdrawal mark stands for one recording; raises PeerError when that is not known."""
        try:
            answers = await self.action("DBGet", Family=MARKS, Key=recording)
        except PeerError as error:
            if "not found" in error.message.lower():
                return False
            raise
        return any("Val" in answer for answer in answers)

    async def live(self) -> list[LiveChannel]:
        """Return the channels that carry a recording of ours."""
        wanted = "GDPRCALL_REC,GDPRCALL_SEG,GDPRCALL_MMID"
        answers = await self.action("Status", Variables=wanted)
        found = []
        for answer in answers[1:]:
            values = _variables(answer)
            if values.get("GDPRCALL_REC"):
                found.append(
                    LiveChannel(
                        _text(answer["Channel"]), _text(answer["Uniqueid"]), _text(answer.get("BridgeID", "")),
                        values["GDPRCALL_REC"], int(values.get("GDPRCALL_SEG") or 1), values.get("GDPRCALL_MMID", ""),
                    )
                )  # fmt: skip
        return found


def _variables(answer: Mapping[str, Any]) -> dict[str, str]:
    given = answer.get("Variable", [])
    lines = [_text(line) for line in (given if isinstance(given, list) else [given])]
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    # What is not set on a channel is listed as (null).
    return {name: value for name, value in pairs.items() if value != "(null)"}


def _text(value: object) -> str:
    """Return a value as text: latin-1 on the wire, UTF-8 in truth; a header given twice counts once."""
    first = value[0] if isinstance(value, list) and value else value
    return str(first).encode("latin-1", "replace").decode("utf-8", "replace")


def _safe(value: str) -> str:
    """Return ``value`` unless it could end its line and begin another action; raises PeerError."""
    if any(char in value for char in "\r\n\0"):
        raise PeerError("a value for AMI holds a line break", "this is never sent: find out where it comes from")
    return value
