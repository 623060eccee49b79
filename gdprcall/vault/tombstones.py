"""Tombstones: one small file for each erasure that leaves the host as it is written, and is read again at a restore.

Without them a backup would bring back what was erased after it. They hold the id of a recording, its controller and
a time; never why, nor who asked.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gdprcall.errors import GdprcallError, VaultError
from gdprcall.times import rfc3339
from gdprcall.vault.objects import TEMPORARY
from gdprcall.vault.placing import told, write_whole

SUFFIX = ".tombstone"
LARGEST = 4096

_NAME = re.compile(rf"([0-9a-f]{{32}}){re.escape(SUFFIX)}")


class Tombstones:
    """What lets tombstones leave the host, if anything does: ``deliver`` takes a name and a content, and raises
    GdprcallError when they did not leave.

    What could not leave waits in ``waiting``, a folder of the vault, and is tried again with the next one and at the
    next start; ``failed`` is told each time, without a recording's name.
    """

    def __init__(
        self,
        deliver: Callable[[str, bytes], object] | None = None,
        waiting: Path | None = None,
        failed: Callable[[GdprcallError], None] = lambda _error: None,
    ) -> None:
        self._deliver = deliver
        self._waiting = waiting
        self._failed = failed

    def __bool__(self) -> bool:
        """Whether there is anywhere to hand them out to."""
        return self._deliver is not None

    def hand_out(self, recording: str, controller: str, time: int) -> bool:
        """Let the tombstone of an erasure leave; again does no harm. Whether it did; it never raises."""
        text = json.dumps({"recording": recording, "controller": controller, "erased_at": rfc3339(time)})
        name, content = f"{recording}{SUFFIX}", text.encode() + b"\n"
        assert self._deliver is not None
        try:
            self._deliver(name, content)
        except GdprcallError as error:
            self._keep_waiting(name, content)
            self._failed(error)
            return False
        self.retry()
        return True

    def begin(self) -> None:
        """Forget what a crash left half written, and let go what waits; called before anybody hands anything out."""
        if self._waiting is not None:
            try:
                with told("tombstones that wait cannot be read"):
                    for left in self._waiting.glob(f"*{TEMPORARY}"):
                        left.unlink()
            except VaultError as error:
                self._failed(error)
        self.retry()

    def retry(self) -> None:
        """Let go what waits; what still cannot leave waits on, and ``failed`` is told once."""
        if self._deliver is None or self._waiting is None:
            return
        try:
            with told("tombstones that wait cannot be read"):
                for path in sorted(self._waiting.glob(f"*{SUFFIX}")):
                    self._deliver(path.name, path.read_bytes())
                    path.unlink()
        except GdprcallError as error:
            self._failed(error)

    def _keep_waiting(self, name: str, content: bytes) -> None:
        if self._waiting is None:
            return
        try:
            with told("a tombstone could not be kept"):
                self._waiting.mkdir(mode=0o700, exist_ok=True)
                write_whole(self._waiting / name, content)
        except VaultError as error:
            self._failed(error)


def read(folders: Iterable[Path]) -> set[str]:
    """Return the ids of all recordings whose tombstones lie in the folders or in folders in them.

    Raises VaultError when a folder cannot be read, or when a tombstone in it is of another recording than its name says.
    """
    found: set[str] = set()
    for folder in folders:
        try:
            if not folder.is_dir():
                raise VaultError(f"{folder} is no folder of tombstones", "name the folder that they were fetched to")
            for path in sorted(folder.rglob(f"*{SUFFIX}")):
                found.add(_read(path))
        except OSError as error:
            raise VaultError(f"{folder} cannot be read: {error.strerror}", "check its owner and modes") from error
    return found


def _read(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    with path.open("rb") as file:
        try:
            said = json.loads(file.read(LARGEST))
        except ValueError:
            said = None
    if match is None or not isinstance(said, dict) or said.get("recording") != match[1]:
        raise VaultError(f"{path.name} is no tombstone", "fetch it again; a restore needs every one of them")
    return match[1]
