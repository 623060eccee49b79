"""A call in the hands of a front end, whose verdict to record is followed by a look for the file.

It decides nothing.
"""

from collections.abc import Callable
from typing import Protocol

from gdprcall.asterisk.arrival import PlayablePrompt
from gdprcall.consent.dialogue import Ask, Ending, Event
from gdprcall.recorder import CallRecorder
from gdprcall.session import Front


class CallFront(Front[PlayablePrompt], Protocol):
    """A real call in the hands of a front end."""

    @property
    def heard_ms(self) -> int:
        """How much of the present question's prompt has been heard until now."""


class WatchedFront:
    """A front end whose verdict to record is followed by a look for the file."""

    def __init__(self, front: CallFront, recorder: CallRecorder) -> None:
        self._front = front
        self._recorder = recorder

    def listen(self, deliver: Callable[[Event], None]) -> None:
        """Satisfy ``session.Front``."""
        self._front.listen(deliver)

    async def ask(self, ask: Ask, prompt: PlayablePrompt) -> None:
        """Satisfy ``session.Front``."""
        await self._front.ask(ask, prompt)

    async def listen_on(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.listen_on()

    async def quiet(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.quiet()

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL) -> None:
        """Give the verdict, and expect a file."""
        self._recorder.expect_file()
        await self._front.record(recording, ending)

    async def hold(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.hold()

    async def release(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.release()

    async def route(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.route()
