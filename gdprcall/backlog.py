"""The finished files that wait for their turn, since when, and whether the disk is slower than the calls.

It touches none of them.
"""

import asyncio

from gdprcall.log import get_logger

BEHIND_SECONDS = 30.0
"""How long a finished file may wait for its turn: a disk that is slower than the calls leaves plaintext for minutes."""


class Backlog:
    """The names of files that wait or are being sealed, the oldest first."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._behind = False
        self._log = get_logger()

    def __contains__(self, name: str) -> bool:
        return name in self._since

    def add(self, name: str) -> None:
        """Let a file wait from now on."""
        self._since.setdefault(name, asyncio.get_running_loop().time())

    def done(self, name: str) -> None:
        """Let it wait no longer."""
        self._since.pop(name, None)

    @property
    def behind(self) -> bool:
        """Whether files wait too long for their turn: nothing new may be recorded until half of that is caught up."""
        now = asyncio.get_running_loop().time()
        waited = now - next(iter(self._since.values()), now)
        if not self._behind and waited > BEHIND_SECONDS:
            self._behind = True
            self._log.error("sealing_behind", count=len(self._since), seconds=round(waited, 1))
        elif self._behind and waited < BEHIND_SECONDS / 2:
            self._behind = False
            self._log.info("sealing_caught_up")
        return self._behind
