"""Finished sound files: named by inotify the moment Asterisk closes them, and by a look into the folder.

It reads no sound and removes nothing; a name that is not ours is told apart and left alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asyncinotify import Inotify, Mask

from gdprcall.errors import PeerError

_NAME = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,5})\.wav")


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """One file ``<recording>.<segment>.wav``."""

    path: Path
    recording: str
    segment: int


class Spool:
    """The folder that MixMonitor writes into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def watch(
        self,
        on_created: Callable[[SpoolFile], None],
        on_closed: Callable[[SpoolFile], None],
        on_overflow: Callable[[], None],
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Report files until cancelled; raises PeerError when the folder is not there or goes away.

        ``on_overflow`` says that events were lost, so that the folder must be looked through.
        """
        mask = Mask.CREATE | Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
        mask |= Mask.EXCL_UNLINK  # what is sealed was open here for writing, and is closed once it is removed
        with Inotify() as inotify:
            try:
                inotify.add_watch(self.folder, mask)
            except OSError as error:
                raise PeerError(f"the spool {self.folder} cannot be watched: {error.strerror}", "make it") from error
            on_ready()
            async for event in inotify:
                if event.mask & Mask.Q_OVERFLOW:
                    on_overflow()
                elif event.mask & (Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.IGNORED | Mask.UNMOUNT):
                    raise PeerError(f"the spool {self.folder} went away", "mount it again")
                elif (file := self._file(Path(str(event.name)))) is not None:
                    (on_created if event.mask & Mask.CREATE else on_closed)(file)

    def files(self) -> list[SpoolFile]:
        """Return the files that are there now, by name; raises PeerError."""
        return [file for file in map(self._file, self._names()) if file is not None]

    def strangers(self) -> int:
        """Return how many things in the spool are not named as ours; raises PeerError."""
        return sum(self._file(name) is None for name in self._names())

    def _names(self) -> list[Path]:
        try:
            return sorted(Path(path.name) for path in self.folder.iterdir())
        except OSError as error:
            raise PeerError(
                f"the spool {self.folder} cannot be read: {error.strerror}", "check owner and modes"
            ) from error

    def _file(self, name: Path) -> SpoolFile | None:
        found = _NAME.fullmatch(name.name)
        return SpoolFile(self.folder / name, found[1], int(found[2])) if found else None
