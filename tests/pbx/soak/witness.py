"""A witness of the spool: when each file came, whether its decision was on disk by then, and every byte of its sound.

It keeps each file open and reads it as it grows, so that what was heard can be compared with what is sealed after the
file, or the beginning of it, is gone.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from asyncinotify import Inotify, Mask

HEADER_BYTES = 44
WAKE_SECONDS = 0.05


@dataclass(slots=True)
class Life:
    """The life of one sound file; times in seconds since 1970, 0 for what did not happen.

    ``missed`` are the places of ``sound`` that were taken out of the file before they were read.
    """

    name: str
    created: float
    decided: bool
    written: float = 0.0
    closed: float = 0.0
    sound: bytes | None = None
    missed: list[tuple[int, int]] = field(default_factory=list)

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
            return [replace(life, missed=list(life.missed)) for life in self._lives.values()]

    def forget(self) -> None:
        """Forget the files that are over, and how late it ever was."""
        self.late = 0.0
        with self._lock:
            for name in [name for name, life in self._lives.items() if life.closed]:
                if (descriptor := self._open.pop(name, None)) is not None:
                    os.close(descriptor)
                del self._lives[name]

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
            elif name in self._lives:
                life = self._lives[name]
                if self._heard(life):
                    life.written = now
                # A daemon that dies lets go of a file that it was sealing: nothing was written since it was closed.
                if mask & Mask.CLOSE_WRITE and (not life.closed or life.written > life.closed):
                    life.closed = now

    def _heard(self, life: Life) -> bool:
        """Read what is new of a file; whether there was anything: a header that is rewritten is not."""
        descriptor = self._open.get(life.name)
        if descriptor is None:
            return False
        life.sound = life.sound or b""
        begin, end = HEADER_BYTES + len(life.sound), os.fstat(descriptor).st_size
        if end <= begin:
            return False
        life.sound += os.pread(descriptor, end - begin, begin)
        life.missed += [(one - HEADER_BYTES, other - HEADER_BYTES) for one, other in missing(descriptor, begin, end)]
        return True


def missing(descriptor: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield what is missing of a file between two places, as it was taken out."""
    while begin < end:
        begin = os.lseek(descriptor, begin, os.SEEK_HOLE)
        if begin >= end:
            return
        try:
            data = os.lseek(descriptor, begin, os.SEEK_DATA)
        except OSError:  # none follows
            data = end
        yield begin, min(data, end)
        begin = data
