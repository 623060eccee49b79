"""Places at which a thread waits until a test lets it on: races are forced with them, never slept for."""

import asyncio
import threading


class Gate:
    """One such place; made inside the test's loop, called by another thread."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._opened = threading.Event()

    def __call__(self) -> None:
        """Tell the test, and wait until it opens."""
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._opened.wait(10), "the test never let it on"

    def open(self) -> None:
        """Let the thread on."""
        self._opened.set()
