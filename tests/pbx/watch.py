"""A witness of the spool: what was created, closed and removed there, and when, seen by inotify and nothing else."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from asyncinotify import Inotify, Mask


@dataclass
class Life:
    """The life of one file in seconds of the monotonic clock; 0 for what did not happen."""

    created: float = 0
    closed: float = 0
    removed: float = 0

    @property
    def plaintext_seconds(self) -> float:
        """How long the finished file lay there; infinite if it still does."""
        return self.removed - self.closed if self.removed else float("inf")


class Witness:
    """Watches a folder from a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.lives: dict[str, Life] = {}
        self._folder = folder
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

    def of(self, recording: str) -> list[Life]:
        """Return the lives of the files of one recording."""
        return [life for name, life in self.lives.items() if name.startswith(recording)]

    def _watch(self) -> None:
        with Inotify(sync_timeout=0.1) as inotify:
            inotify.add_watch(self._folder, Mask.CREATE | Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.DELETE)
            self._watching.set()
            while not self._stop.is_set():
                for event in inotify:
                    if not str(event.name).endswith(".wav"):
                        continue  # the daemon tries with a file without a name whether holes can be punched here
                    life = self.lives.setdefault(str(event.name), Life())
                    if event.mask & Mask.CREATE:
                        life.created = time.monotonic()
                    elif event.mask & (Mask.CLOSE_WRITE | Mask.MOVED_TO):
                        # Who sealed it lets go of it when it is removed, which is no end of it.
                        life.closed = life.closed if life.removed else time.monotonic()
                    else:
                        life.removed = time.monotonic()
