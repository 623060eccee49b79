"""The FastAGI front end of one call: plays, listens, and gives the call back with a verdict, one command at a time.

It decides nothing. AGI plays and waits in the caller's own thread, so a sound that a key stopped goes on from there only
when the dialogue says that the key did not count.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from gdprcall.asterisk import agi
from gdprcall.asterisk.agilink import AgiLink, Left
from gdprcall.asterisk.arrival import (
    ASK_CONTEXT,
    BACK_SECONDS,
    VERDICT_CONTEXT,
    PlayablePrompt,
    hold,
    question_seconds,
    verdict,
)
from gdprcall.consent.dialogue import Ask, Digit, Ended, Ending, Event, Failed, NoInput, Played
from gdprcall.errors import PeerError
from gdprcall.log import get_logger

KEYS = "0123456789*#"
SAMPLES_PER_MS = 8
KEY_MS = 200
"""AGI tells when a key was let go, not when it was pressed: so long it is thought to have been held."""
SLACK_SECONDS = 5.0
"""How much later than it should a sound may end before the connection counts as lost."""
LEAVING_SECONDS = 0.5
"""How long after a connection that ended AMI may tell by itself that the caller hung up; then it is asked."""


class AgiCall:
    """One call in our hands; satisfies ``session.Front``."""

    def __init__(self, link: AgiLink, channel: str, sounds: Path, tasks: asyncio.TaskGroup) -> None:
        self.channel = channel
        self._link = link
        self._sounds = sounds
        self._tasks = tasks
        self._deliver: Callable[[Event], None] = lambda _event: None
        self._ask: Ask | None = None
        self._prompt: PlayablePrompt | None = None
        self._sound = 0
        self._offset = 0
        self._heard = 0.0
        self._begun: float | None = None
        self._deadline: float | None = None
        self._back: asyncio.Future[None] | None = None
        self._given = False
        self._log = get_logger()

    def listen(self, deliver: Callable[[Event], None]) -> None:
        """Hand every later event of the call to ``deliver``, in order."""
        self._deliver = deliver

    @property
    def moving(self) -> bool:
        """Whether the call is in the dialplan for a moment, on its way to its next question."""
        return self._back is not None and not self._back.done()

    def back(self, link: AgiLink) -> None:
        """Tell that the call is here again, on another connection."""
        if self._back is not None and not self._back.done():
            self._link = link
            self._back.set_result(None)

    async def is_over(self, link: AgiLink) -> bool:
        """Whether a connection that has ended was the call's last: it may be on its way to its next question."""
        if self._back is not None:
            await asyncio.wait([self._back])
        return self._link is link

    async def tell_end(self, is_up: Callable[[str], Awaitable[bool]]) -> None:
        """Tell that the call has gone without a verdict, if it has; a call that is up no more has hung up.

        A caller may hang up before the call was here: then AMI has told it to nobody. One that is still up has been
        taken on by the watchdog, and so, as far as anyone can tell, has one that cannot be asked about.
        """
        if self._given:
            return
        await asyncio.sleep(LEAVING_SECONDS)
        try:
            how = "left" if await is_up(self.channel) else "hangup"
        except PeerError:
            how = "left"
        self._deliver(Ended(how, self._capped(self._heard)))

    @property
    def heard_ms(self) -> int:
        """How much of the present question's prompt has been heard until now."""
        running = (self._now() - self._begun) * 1000 if self._begun is not None else 0
        return self._capped(self._heard + running)

    async def ask(self, ask: Ask, prompt: PlayablePrompt) -> None:
        """Start the question; raises PeerError."""
        again = self._ask is not None
        self._ask, self._prompt = ask, prompt
        self._sound, self._offset, self._heard, self._begun, self._deadline = 0, 0, 0.0, None, None
        if again:
            try:
                await self._renew_watchdog(question_seconds(prompt.total_ms, ask.timeout_ms))
            except Left:
                return  # its end is told by the server
        self._start(self._play(ask, prompt))

    async def listen_on(self) -> None:
        """Let the sound go on from where a key stopped it, or the wait."""
        assert self._ask is not None
        assert self._prompt is not None
        self._start(self._play(self._ask, self._prompt) if self._deadline is None else self._wait(self._ask))

    async def quiet(self) -> None:
        """Do nothing: a key has stopped the sound."""

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL, *, legs: bool = False) -> None:
        """Give the call back with the verdict that records; raises PeerError when that is not certain."""
        self._given = True
        await self._link.go_to(VERDICT_CONTEXT, verdict(recording, ending, legs=legs))

    async def hold(self, *, legs: bool = False) -> None:
        """Give the call back unrecorded, open for the agent's word; raises PeerError when that is not certain."""
        self._given = True
        await self._link.go_to(VERDICT_CONTEXT, hold(legs=legs))

    async def release(self) -> None:
        """Give the call back unrecorded."""
        await self._give_back("norec")

    async def route(self) -> None:
        """Give the call back to be served elsewhere."""
        await self._give_back("route")

    async def served(self) -> None:
        """Give back a call that came for the caller's rights, and was served."""
        await self._give_back("served")

    async def _give_back(self, verdict: str) -> None:
        self._given = True
        try:
            await self._link.go_to(VERDICT_CONTEXT, verdict)
        except Left:
            pass  # the caller has left, or the watchdog was first: there is nothing to give back
        except PeerError as error:
            self._log.error("verdict_lost", uniqueid=self.channel, error=type(error).__name__)

    async def _renew_watchdog(self, seconds: int) -> None:
        # Each question has a watchdog of its own, which only the dialplan can set.
        self._back = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(BACK_SECONDS):
                await self._link.go_to(ASK_CONTEXT, str(seconds))
                await self._back
        except TimeoutError as error:
            raise PeerError("the call did not come back to be asked again", "was it taken elsewhere?") from error
        finally:
            self._back.cancel()
            self._back = None

    def _start(self, part: Coroutine[None, None, None]) -> None:
        self._tasks.create_task(self._contained(part))

    async def _contained(self, part: Coroutine[None, None, None]) -> None:
        try:
            await part
        except Left:
            if await self._link.alive():
                # The command failed and the call is here: its sound is there and cannot be played.
                self._deliver(Failed("prompt_failed"))
            else:
                self._link.close()
        except PeerError:
            self._deliver(Failed("agi_lost"))
        except Exception:  # noqa: BLE001 # the top of one question: its call goes on unrecorded, the others as before
            self._log.error("internal_error", uniqueid=self.channel, exc_info=True)
            self._deliver(Failed("internal_error"))

    async def _play(self, ask: Ask, prompt: PlayablePrompt) -> None:
        sounds = prompt.sounds
        whole = True
        while self._sound < len(sounds) and whole:
            reply = await self._stream(sounds[self._sound], prompt)
            if reply.result:
                self._deliver(Digit(ask.asked, _key(reply.result), self._capped(self._heard - KEY_MS)))
                return
            whole, self._sound, self._offset = bool(reply.endpos), self._sound + 1, 0
        if not whole or self._heard < prompt.total_ms * 0.9:
            # Nothing, or too little: such a sound cannot be played, and Asterisk does not call that an error.
            self._deliver(Failed("prompt_failed"))
        else:
            self._deliver(Played(ask.asked, prompt.total_ms))
            self._deadline = self._now() + ask.timeout_ms / 1000
            await self._wait(ask)

    async def _stream(self, sound: str, prompt: PlayablePrompt) -> agi.Reply:
        """Play one sound from where a key stopped it, and count what was heard of it."""
        path = self._sounds / prompt.language / sound.removeprefix("sound:")
        self._begun = begun = self._now()
        line = agi.command("STREAM FILE", str(path), KEYS, self._offset)
        try:
            reply = await self._link.command(line, prompt.total_ms / 1000 + SLACK_SECONDS)
        finally:
            elapsed, self._begun = (self._now() - begun) * 1000, None
            self._heard += elapsed
        if reply.result:
            # A file of another rate has more samples, never fewer: the shorter time is the heard one.
            played = ((reply.endpos or 0) - self._offset) / SAMPLES_PER_MS
            self._heard += min(elapsed, played) - elapsed
            self._offset = reply.endpos or 0
        return reply

    async def _wait(self, ask: Ask) -> None:
        assert self._deadline is not None
        assert self._prompt is not None
        self._heard = self._prompt.total_ms
        left_ms = max(1, round((self._deadline - self._now()) * 1000))
        reply = await self._link.command(agi.command("WAIT FOR DIGIT", left_ms), left_ms / 1000 + SLACK_SECONDS)
        if reply.result:
            self._deliver(Digit(ask.asked, _key(reply.result), self._prompt.total_ms))
        else:
            self._deliver(NoInput(ask.asked))

    def _capped(self, heard_ms: float) -> int:
        return round(min(max(heard_ms, 0), self._prompt.total_ms if self._prompt else 0))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _key(result: int) -> str:
    """Return the key that a command ended with; raises PeerError for what no telephone has."""
    key = chr(result) if 0 < result < 128 else ""
    if not key or key not in KEYS:
        raise PeerError("AGI answered with a key that no telephone has")
    return key
