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

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL, *, legs: bool = False) -> None:
        """As of a ``session.Front``; by ``legs``, each voice goes into a file of its own."""

    async def hold(self, *, legs: bool = False) -> None:
        """As of a ``session.Front``; ``legs`` is for the recording that the agent may begin."""

    async def served(self) -> None:
        """Give back a call that came for the caller's rights, and was served; never raises."""


class WatchedFront:
    """A front end whose verdict to record says how the line is recorded, and is followed by a look for the file."""

    def __init__(self, front: CallFront, recorder: CallRecorder, *, legs: bool) -> None:
        self._front = front
        self._recorder = recorder
        self._legs = legs

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
        await self._front.record(recording, ending, legs=self._legs)

    async def hold(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.hold(legs=self._legs)

    async def release(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.release()

    async def route(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.route()
