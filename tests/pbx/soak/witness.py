"""A witness of the spool: when each file came, whether its decision was on disk by then, and every byte of its sound.

It keeps each file open, so that what was heard can be compared with what is sealed after the file is gone.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from asyncinotify import Inotify, Mask

HEADER_BYTES = 44
WAKE_SECONDS = 0.05


@dataclass(slots=True)
class Life:
    """The life of one sound file; times in seconds since 1970, 0 for what did not happen."""

    name: str
    created: float
    decided: bool
    written: float = 0.0
    closed: float = 0.0
    sound: bytes | None = None

    @property
    def recording(self) -> str:
        """The recording it is named after."""
        return self.name.split(".", maxsplit=1)[0]

    @property
    def segment(self) -> int:
        """Its number in the recording."""
        return int(self.name.split(".")[1])


class Witness:
    """Watches the spool from a thread of its own; ``decided`` is asked the moment a file is seen.

    ``late`` is the longest time in seconds by which it was woken up too late.
    """

    def __init__(self, folder: Path, decided: Callable[[str], bool]) -> None:
        self._folder = folder
        self._decided = decided
        self.late = 0.0
        self._lives: dict[str, Life] = {}
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")

    def __enter__(self) -> "Witness":
        self._thread.start()
        self._watching.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for descriptor in self._open.values():
            os.close(descriptor)

    def lives(self) -> list[Life]:
        """Return what was seen so far."""
        with self._lock:
            return list(self._lives.values())

    def forget(self) -> None:
        """Forget the files that are over, and how late it ever was."""
        self.late = 0.0
        with self._lock:
            self._lives = {name: life for name, life in self._lives.items() if not life.closed}

    def _watch(self) -> None:
        with Inotify(sync_timeout=WAKE_SECONDS) as inotify:
            inotify.add_watch(self._folder, Mask.CREATE | Mask.MODIFY | Mask.CLOSE_WRITE)
            self._watching.set()
            while not self._stop.is_set():
                begun = time.monotonic()
                for event in inotify:
                    if str(event.name).endswith(".wav"):
                        self._take(str(event.name), event.mask, time.time())
                        begun = time.monotonic()
                # It woke up so much later than it had asked to: this host is overloaded.
                self.late = max(self.late, time.monotonic() - begun - WAKE_SECONDS)

    def _take(self, name: str, mask: Mask, now: float) -> None:
        with self._lock:
            if mask & Mask.CREATE:
                with contextlib.suppress(FileNotFoundError):
                    self._open[name] = os.open(self._folder / name, os.O_RDONLY)
                self._lives[name] = Life(name, now, self._decided(name.split(".", maxsplit=1)[0]))
            elif name in self._lives and mask & Mask.MODIFY:
                self._lives[name].written = now
            elif name in self._lives:
                self._lives[name].closed = now
                self._keep(name)

    def _keep(self, name: str) -> None:
        descriptor = self._open.pop(name, None)
        if descriptor is not None:
            size = os.fstat(descriptor).st_size
            self._lives[name].sound = os.pread(descriptor, size, 0)[HEADER_BYTES:]
            os.close(descriptor)
