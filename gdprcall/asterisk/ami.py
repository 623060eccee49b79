"""AMI through panoramisk, guarded: it watches calls, ends recordings, reads marks left while it was away.

Every action is answered, fails, or times out; none is ever sent again by itself, and none can carry a second one.
panoramisk's own reconnection, pinging and logging are not used (they replay, miss dead peers, and print secrets).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from gdprcall.asterisk import lamps
from gdprcall.asterisk.ami_events import RECORDING, AmiEvent, parse
from gdprcall.asterisk.ami_status import VARIABLES, LiveChannel, live_channel
from gdprcall.asterisk.amilink import Connection, Fields
from gdprcall.asterisk.backoff import LOST_SECONDS, REFUSED_SECONDS, pause
from gdprcall.errors import PeerError
from gdprcall.log import get_logger

PING_SECONDS = 5.0
BEHIND_SECONDS = 0.2
"""What is told later than this after it happened was not watched."""
MARKS = "gdprcall/withdrawn"
NEXT, JOIN, TONE = "D", "B", "C"
"""The codes of features.conf by which the dialplan is called in a bridged call. Pressed by a person they do nothing."""


class LoginRefused(PeerError):
    """Asterisk answered, and does not let us in."""


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
        self.behind_seconds = 0.0
        """How long ago the event that is being handled happened, as far as Asterisk says (timestampevents)."""
        self._where = (host, port)
        self._login = (_wire(user), _wire(secret))
        self._on_event = on_event
        self._on_up = on_up
        self._connection: Connection | None = None
        self._log = get_logger()

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        tries, said = 0, ""
        while True:
            longest = LOST_SECONDS
            try:
                await self._serve()
                tries, said = 0, ""
            except (OSError, TimeoutError, PeerError) as error:
                tries += 1
                trouble = type(error).__name__
                if trouble != said or tries % 20 == 0:
                    said = trouble
                    self._tell(error, tries)
                if isinstance(error, LoginRefused):
                    longest = REFUSED_SECONDS
            finally:
                self.linked = False
            await asyncio.sleep(pause(tries, longest))

    def _tell(self, error: Exception, tries: int) -> None:
        if isinstance(error, LoginRefused):
            self._log.error("ami_refused", count=tries, hint=error.hint)
        else:
            self._log.error("ami_down", error=type(error).__name__, count=tries)

    async def _serve(self) -> None:
        """Hold one connection from its login to its end."""
        async with self._logged_in() as connection:
            self.linked = True
            await self._on_up()
            self._log.info("ami_up")
            await self._watch(connection)
        self._log.error("ami_down")

    @asynccontextmanager
    async def once(self) -> AsyncIterator[None]:
        """Hold one login for as long as the block lasts; raises PeerError when there is none."""
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._logged_in())
            except (OSError, TimeoutError) as error:
                raise PeerError(f"AMI cannot be reached: {type(error).__name__}", "is Asterisk up?") from error
            yield

    @asynccontextmanager
    async def _logged_in(self) -> AsyncIterator[Connection]:
        """Hold one connection that Asterisk let in; until then no action is sent on it."""
        connection = await Connection.open(*self._where, *self._login, self._take)
        try:
            answer = await connection.answered(connection.authenticated_future)
            if not answer.success:
                raise LoginRefused("AMI refuses the login", "compare user and password with manager.conf")
            self._connection = connection
            yield connection
        finally:
            self._connection = None
            connection.close()

    async def _watch(self, connection: Connection) -> None:
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

    def _take(self, fields: Fields) -> None:
        try:
            event = parse(fields)
            self.behind_seconds = time.time() - float(fields.get("Timestamp", "inf"))
            if event is not None:
                self._on_event(event)
        except Exception:  # noqa: BLE001 # one event must not take the link down for every other call
            self._log.error("ami_event_failed", exc_info=True)

    def is_behind(self) -> bool:
        """Whether the event that is being handled comes too late for us to have watched what it tells of."""
        return self.behind_seconds > BEHIND_SECONDS

    async def action(self, name: str, **fields: str) -> list[Mapping[str, Any]]:
        """Return the answer to one action, followed by the list that belongs to it; raises PeerError.

        Raises also when Asterisk answers with an error: its message is the exception's.
        """
        connection = self._connection
        if connection is None or connection.lost.is_set():
            raise PeerError("AMI is not connected", "is Asterisk up?")
        values = {"Action": name} | {key: _wire(value) for key, value in fields.items()}
        answer = await connection.answered(connection.send_action(values))
        answers = answer if isinstance(answer, list) else [answer]
        if not answers[0].success:
            raise PeerError(
                f"AMI refused {name}: {_text(answers[0].message)}", "compare the AMI user with manager.conf"
            )
        return answers

    async def stop_recording(self, channel: str, mixmonitor: str) -> bool:
        """End one MixMonitor; False when it had ended already; raises PeerError when that is not known."""
        if not mixmonitor:
            return False  # none began; told without an id, Asterisk would end those of others
        try:
            await self.action("StopMixMonitor", Channel=channel, MixMonitorID=mixmonitor)
        except PeerError as error:
            # "Could not stop" is the answer for one that is over; anything else leaves the matter open.
            if "could not stop" in error.message.lower() or "no such channel" in error.message.lower():
                return False
            raise
        return True

    async def let_begin(self, channel: str, recording: str) -> None:
        """Tell the dialplan of a channel, which waits for it, that this recording may begin; raises PeerError."""
        await self.action("Setvar", Channel=channel, Variable="GDPRCALL_GO", Value=recording)

    async def begin_segment(self, channel: str, recording: str) -> None:
        """Have a bridged channel begin the next segment of this recording; raises PeerError when it was not told."""
        await self.let_begin(channel, recording)
        await self._press(channel, NEXT)

    async def call_off(self, channel: str) -> str:
        """Let no further segment begin; return the id of the MixMonitor that began last; raises PeerError."""
        await self.let_begin(channel, "")
        answers = await self.action("Getvar", Channel=channel, Variable="GDPRCALL_MMID")
        return _text(answers[0].get("Value", ""))

    async def ask_other(self, channel: str, other: str, question: str) -> None:
        """Have ``other``, who is in one bridge with ``channel``, asked this question; raises PeerError."""
        await self.action("Setvar", Channel=other, Variable="GDPRCALL_ASK", Value=question)
        await self._press(channel, JOIN)

    async def _press(self, channel: str, code: str) -> None:
        # As if it had been pressed on that telephone. Unless Async is said, panoramisk fails at this answer.
        await self.action("PlayDTMF", Channel=channel, Digit=code, Duration="50", Receive="true", Async="false")

    async def set_lamp(self, channel: str, mixmonitor: str, state: str) -> None:
        """Set the lamp of the agent who talks on ``channel``, whose recording we ended; raises PeerError."""
        await lamps.over(self.action, channel, mixmonitor, state)

    async def sound(self, channel: str, state: str) -> None:
        """Let the agent who talks on ``channel`` hear what the lamp shows; raises PeerError."""
        for telephone in await lamps.behind(self.action, channel):
            await self.action("Setvar", Channel=telephone, Variable="GDPRCALL_TONE", Value=state)
            await self._press(telephone, TONE)

    async def put_out_orphans(self) -> None:
        """Put out the lamps that no call keeps lit, such as after a crash; without res_manager_devicestate none is known."""

        async def channels() -> list[str]:
            return [channel.name for channel in await self.live()]

        with suppress(PeerError):
            await lamps.put_out_orphans(self.action, channels)

    async def withdrawn_marks(self) -> list[str]:
        """Return the recordings whose callers withdrew and whose marks still stand."""
        try:
            answers = await self.action("DBGetTree", Family=MARKS)
        except PeerError as error:
            if "not found" in error.message.lower():
                return []
            raise
        keys = [_text(answer["Key"]) for answer in answers[1:] if "Key" in answer]
        return [key for key in (key.rsplit("/", 1)[-1] for key in keys) if RECORDING.fullmatch(key)]

    async def withdrawn_mark(self, recording: str) -> bool:
        """Whether a withdrawal mark stands for one recording; raises PeerError when that is not known."""
        try:
            answers = await self.action("DBGet", Family=MARKS, Key=recording)
        except PeerError as error:
            if "not found" in error.message.lower():
                return False
            raise
        return any("Val" in answer for answer in answers)

    async def version(self) -> str:
        """Return Asterisk's version."""
        return _text((await self.action("CoreSettings"))[0].get("AsteriskVersion", ""))

    async def is_up(self, uniqueid: str) -> bool:
        """Whether Asterisk still has this channel; raises PeerError when that is not known."""
        try:
            await self.action("Status", Channel=uniqueid)
        except PeerError as error:
            if "no such channel" in error.message.lower():
                return False
            raise
        return True

    async def live(self) -> list[LiveChannel]:
        """Return all channels that are up, and which recording of ours is on each."""
        answers = await self.action("Status", Variables=",".join(VARIABLES))
        found = [
            live_channel({key: _text(value) for key, value in answer.items()}, _lines(answer)) for answer in answers[1:]
        ]
        return [channel for channel in found if channel is not None]


def _lines(answer: Mapping[str, Any]) -> list[str]:
    """Return what Status says of each variable: a header that comes once or many times."""
    given = answer.get("Variable", [])
    return [_text(line) for line in (given if isinstance(given, list) else [given])]


def _text(value: object) -> str:
    """Return a value as text: latin-1 on the wire, UTF-8 in truth; a header given twice counts once."""
    first = value[0] if isinstance(value, list) and value else value
    return str(first).encode("latin-1", "replace").decode("utf-8", "replace")


def _wire(value: str) -> str:
    """Return ``value`` as it is sent: UTF-8, spelt in latin-1; raises PeerError if it could begin another action."""
    if any(char in value for char in "\r\n\0"):
        raise PeerError("a value for AMI holds a line break", "this is never sent: find out where it comes from")
    return value.encode().decode("latin-1")
