"""The front ends that a site has chosen: ARI, FastAGI, or both side by side.

It hands every call to the reception, and decides nothing about it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

from gdprcall.asterisk.ari import Ari, AriEvent
from gdprcall.asterisk.arrival import Arrival
from gdprcall.asterisk.fastagi import FastAgi
from gdprcall.asterisk.stasis import Stasis
from gdprcall.config import Config
from gdprcall.watchedfront import CallFront

APP = "gdprcall"


class Desk(Protocol):
    """What a front end asks before and when a call comes."""

    def claim(self, arrival: Arrival) -> int | None:
        """Return how many seconds one question to this call may last, or None to give it back at once."""

    def arrive(self, arrival: Arrival, front: CallFront) -> None:
        """Serve a claimed call."""


class Fronts:
    """The configured front ends of one daemon."""

    def __init__(
        self, settings: Config, desk: Desk, is_up: Callable[[str], Awaitable[bool]], tasks: asyncio.TaskGroup
    ) -> None:
        places = settings.asterisk
        self._ari: Ari | None = None
        self._agi: FastAgi | None = None
        if "ari" in places.fronts:
            password = settings.secret("ari-password").decode()
            self._ari = Ari(places.ari_url, places.ari_user, password, APP, on_event=self._event, on_up=self._up)
            self._stasis = Stasis(self._ari, tasks=tasks, claim=desk.claim, arrive=desk.arrive)
        if "agi" in places.fronts:
            self._agi = FastAgi(places.agi_listen, places.sounds, claim=desk.claim, arrive=desk.arrive, is_up=is_up)

    def parts(self) -> list[Coroutine[None, None, None]]:
        """Return what must run as long as the daemon does."""
        return [front.run() for front in (self._ari, self._agi) if front is not None]

    @property
    def down(self) -> str:
        """Which front end no call can come by now, or nothing."""
        if self._ari is not None and not self._ari.up:
            return "ari_down"
        return "agi_down" if self._agi is not None and not self._agi.listening else ""

    def live(self) -> Mapping[str, object]:
        """Return for ``status`` which front ends are up; None for those that are not used."""
        return {
            "asterisk": self._ari.version if self._ari is not None else None,
            "ari": self._ari.up if self._ari is not None else None,
            "agi": self._agi.listening if self._agi is not None else None,
        }

    async def forget_mark(self, recording: str) -> None:
        """Have the dialplan's mark of a withdrawal removed, for AMI's rights are too small to; raises PeerError."""
        if self._ari is not None:
            await self._ari.run_local(f"forget{recording}", "gdprcall-forget")
        elif self._agi is not None:
            self._agi.forget(recording)

    def _event(self, event: AriEvent) -> None:
        self._stasis.handle(event)

    async def _up(self) -> None:
        await self._stasis.sweep()
