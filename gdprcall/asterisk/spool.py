"""Finished sound files: named by inotify the moment Asterisk closes them, and by a look into the folder.

A segment is one file, or one of each voice (its legs): they are told of together, as soon as both are closed.

It reads no sound and removes nothing; a name that is not ours is told apart and left alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asyncinotify import Inotify, Mask

from gdprcall.errors import PeerError

_NAME = re.compile(r"(([0-9a-f]{32})\.([1-9][0-9]{0,5}))(\.[rt])?\.wav")


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """One segment: the file ``<recording>.<segment>.wav``, or its legs.

    Those are ``….r.wav``, what the caller says, and ``….t.wav``, what he hears; ``path`` is then the name alone.
    """

    path: Path
    recording: str
    segment: int
    legs: tuple[Path, Path] | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that it is made of; not all need be there."""
        return self.legs or (self.path,)


class Spool:
    """The folder that MixMonitor writes into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._closed: set[Path] = set()  # legs whose other one is still written

    async def watch(
        self,
        on_created: Callable[[SpoolFile], None],
        on_closed: Callable[[SpoolFile], None],
        on_overflow: Callable[[], None],
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Report files until cancelled; raises PeerError when the folder is not there or goes away.

        Of two legs ``on_created`` is told each, ``on_closed`` the second one alone, or one that stays without the other.
        ``on_overflow`` says that events were lost, so that the folder must be looked through.
        """
        mask = Mask.CREATE | Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
        mask |= Mask.EXCL_UNLINK  # what is sealed was open here for writing, and is closed once it is removed
        with Inotify() as inotify:
            try:
                inotify.add_watch(self.folder, mask)
            except OSError as error:
                raise PeerError(f"the spool {self.folder} cannot be watched: {error.strerror}", "make it") from error
            self._closed.clear()
            on_ready()
            async for event in inotify:
                if event.mask & Mask.Q_OVERFLOW:
                    on_overflow()
                elif event.mask & (Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.IGNORED | Mask.UNMOUNT):
                    raise PeerError(f"the spool {self.folder} went away", "mount it again")
                elif (file := self._file(name := Path(str(event.name)))) is not None:
                    created = bool(event.mask & Mask.CREATE)
                    if created or self._is_whole(file, self.folder / name):
                        (on_created if created else on_closed)(file)

    def files(self) -> list[SpoolFile]:
        """Return the segments that are there now, by name; raises PeerError."""
        return list(dict.fromkeys(file for file in map(self._file, self._names()) if file is not None))

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

    def _is_whole(self, file: SpoolFile, closed: Path) -> bool:
        """Whether nothing of a segment is still written, of which this file was closed now."""
        # Asterisk opens both before the first sound: one that is not there will not come.
        open_still = {path for path in file.paths if path != closed and path.exists()} - self._closed
        if open_still:
            self._closed.add(closed)
        else:
            self._closed.difference_update(file.paths)
        return not open_still

    def _file(self, name: Path) -> SpoolFile | None:
        found = _NAME.fullmatch(name.name)
        if found is None:
            return None
        path = self.folder / f"{found[1]}.wav"
        legs = (path.with_suffix(".r.wav"), path.with_suffix(".t.wav")) if found[4] else None
        return SpoolFile(path, found[2], int(found[3]), legs)
