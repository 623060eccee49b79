"""The ARI front end of one call: plays, listens, and gives the call back with a verdict in the dialplan.

It decides nothing and sets no channel variable.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gdprcall.asterisk.ari import Ari, AriEvent, Gone
from gdprcall.asterisk.arrival import (
    ASK_CONTEXT,
    BACK_SECONDS,
    VERDICT_CONTEXT,
    PlayablePrompt,
    hold,
    question_seconds,
    verdict,
)
from gdprcall.asterisk.moment import Moment
from gdprcall.consent.dialogue import Ask, Digit, Ended, Ending, Event, Failed, NoInput, Played
from gdprcall.errors import PeerError
from gdprcall.log import get_logger

LEAVING_SECONDS = 0.1
"""How long after a sound that failed, or could not begin, it may be told that the call has left, which is why."""


def playback_id(channel: str, asked: int) -> str:
    """Return the id of the sound of a question: another daemon must find it, to stop it."""
    return f"gdprcall-{channel}-{asked}"


class StasisCall:
    """One call in our application; satisfies ``session.Front``. ``forget`` is called if it leaves without a word."""

    def __init__(self, ari: Ari, channel: str, forget: Callable[[str], None]) -> None:
        self.channel = channel
        self.finished = False
        self._ari = ari
        self._forget = forget
        self._back: asyncio.Future[None] | None = None
        self._deliver: Callable[[Event], None] = lambda _event: None
        self._ask: Ask | None = None
        self._prompt: PlayablePrompt | None = None
        self._playback = ""
        self._begun: Moment | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._log = get_logger()

    def listen(self, deliver: Callable[[Event], None]) -> None:
        """Hand every later event of the call to ``deliver``, in order."""
        self._deliver = deliver

    async def ask(self, ask: Ask, prompt: PlayablePrompt) -> None:
        """Stop what plays and start the question; raises PeerError."""
        await self._stop_playing()
        again = self._prompt is not None
        self._ask, self._prompt = ask, prompt
        self._begun = None
        try:
            if again:
                await self._renew_watchdog(question_seconds(prompt.total_ms, ask.timeout_ms))
            self._playback = playback_id(self.channel, ask.asked)
            await self._ari.play(self.channel, prompt.media, prompt.language, self._playback)
        except Gone:
            self._fail_unless_it_left("ask_failed")

    async def listen_on(self) -> None:
        """Do nothing: a key does not stop the sound."""

    async def quiet(self) -> None:
        """Stop the sound of a question that has been answered; one that cannot be stopped delays the verdict, no more."""
        if not self.finished:
            with suppress(PeerError):
                await self._stop_playing()

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL, *, legs: bool = False) -> None:
        """Give the call back with the verdict that records; raises PeerError when that is not certain."""
        self._finish()
        # ``continue`` waits for the end of a sound, so the sound is stopped first.
        await self._stop_playing()
        await self._ari.continue_(self.channel, VERDICT_CONTEXT, verdict(recording, ending, legs=legs))

    async def hold(self, *, legs: bool = False) -> None:
        """Give the call back unrecorded, open for the agent's word; raises PeerError when that is not certain."""
        self._finish()
        await self._stop_playing()
        await self._ari.continue_(self.channel, VERDICT_CONTEXT, hold(legs=legs))

    async def release(self) -> None:
        """Give the call back unrecorded."""
        await self._give_back("norec")

    async def route(self) -> None:
        """Give the call back to be served elsewhere."""
        await self._give_back("route")

    async def served(self) -> None:
        """Give back a call that came for the caller's rights, and was served."""
        await self._give_back("served")

    @property
    def heard_ms(self) -> int:
        """How much of the present question's prompt has been heard until now."""
        return self._heard_ms(Moment.of({}))

    @property
    def moving(self) -> bool:
        """Whether the call is in the dialplan for a moment, on its way to its next question."""
        return self._back is not None

    def back(self) -> None:
        """Tell that the call is in our application again."""
        if self._back is not None and not self._back.done():
            self._back.set_result(None)

    async def _renew_watchdog(self, seconds: int) -> None:
        # Each question has a watchdog of its own, which only the dialplan can set.
        self._back = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(BACK_SECONDS):
                await self._ari.continue_(self.channel, ASK_CONTEXT, str(seconds))
                await self._back
        except TimeoutError as error:
            self._forget(self.channel)
            raise PeerError("the call did not come back to be asked again", "was it taken elsewhere?") from error
        finally:
            self._back = None

    def take(self, kind: str, event: AriEvent) -> None:
        """Turn one event of the channel into an event of the dialogue."""
        if self.finished or (self.moving and kind == "StasisEnd"):
            return
        match kind:
            case "PlaybackStarted":
                self._begun = self._begun or Moment.of(event)
            case "PlaybackFinished":
                self._played(str(event["playback"].get("state")))
            case "ChannelDtmfReceived":
                self._digit(str(event["digit"]), int(event.get("duration_ms") or 0), Moment.of(event))
            case "ChannelHangupRequest" | "ChannelDestroyed":
                self._end("hangup", self._heard_ms(Moment.of(event)))
            case "StasisEnd":
                self._end("left", self._heard_ms(Moment.of(event)))
            case _:
                pass

    def owns(self, playback: str) -> bool:
        """Whether a playback is that of the present question; those of earlier ones no longer count."""
        return playback == self._playback

    def _played(self, state: str) -> None:
        if self._ask is None or self._prompt is None:
            return
        self._playback = ""
        asked, loop = self._ask, asyncio.get_running_loop()
        if state == "done":
            self._deliver(Played(asked.asked, self._prompt.total_ms))
            self._timer = loop.call_later(asked.timeout_ms / 1000, self._deliver, NoInput(asked.asked))
        else:
            self._fail_unless_it_left("prompt_failed")

    def _fail_unless_it_left(self, reason: str) -> None:
        # Either it cannot be asked, or the call leaves us, which is told next; no key counts any more.
        self._ask = None
        self._timer = asyncio.get_running_loop().call_later(LEAVING_SECONDS, self._deliver, Failed(reason))

    def _digit(self, digit: str, duration_ms: int, reported: Moment) -> None:
        if self._ask is None or self._prompt is None:
            return
        # A digit is reported at its end: it was pressed that much earlier.
        self._deliver(Digit(self._ask.asked, digit, self._heard_ms(reported, duration_ms)))

    def _heard_ms(self, at: Moment, before_ms: int = 0) -> int:
        if self._begun is None or self._prompt is None:
            return 0
        return min(max(at.ms_since(self._begun) - before_ms, 0), self._prompt.total_ms)

    def lose(self) -> None:
        """Tell that events of the call may have been missed: what is not clear is not consent."""
        if not self.finished:
            self._deliver(Failed("ari_lost"))

    def _end(self, how: str, heard_ms: int) -> None:
        self._finish()
        self._deliver(Ended(how, heard_ms))

    async def _give_back(self, verdict: str) -> None:
        self._finish()
        # A sound that cannot be stopped delays the verdict, no more.
        with suppress(PeerError):
            await self._stop_playing()
        try:
            await self._ari.continue_(self.channel, VERDICT_CONTEXT, verdict)
        except Gone:
            pass  # the caller has left: there is nothing to give back
        except PeerError as error:
            self._log.error("verdict_lost", uniqueid=self.channel, error=type(error).__name__)

    async def _stop_playing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        playback, self._playback = self._playback, ""
        if playback:
            # Gone: it ended by itself in this moment.
            with suppress(Gone):
                await self._ari.stop_playback(playback)

    def _finish(self) -> None:
        self.finished = True
        if self._timer is not None:
            self._timer.cancel()
