"""Keeps the write-ahead logs of the vault's databases short, beside whoever writes: no caller's commit has to do it.

It changes no row, and what it cannot do now it does later.
"""

from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Thread
from typing import Protocol

from gdprcall.errors import VaultError

EVERY_SECONDS = 1.0


class Logged(Protocol):
    """A database with a write-ahead log."""

    def shorten_log(self) -> None:
        """Move the log into the file if it is long; raises VaultError."""


class Shortening:
    """One thread that looks after some databases until it is closed."""

    def __init__(self, logs: Iterable[Logged]) -> None:
        self._logs = tuple(logs)
        self._stop = Event()
        self._thread = Thread(target=self._look, name="shortening", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and wait until it has ended."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            for log in self._logs:
                # Whoever writes next is told of a disk that takes nothing.
                with suppress(VaultError):
                    log.shorten_log()
