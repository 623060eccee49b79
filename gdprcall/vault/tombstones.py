"""Tombstones: one small file for each erasure that leaves the host as it is written, and is read again at a restore.

Without them a backup would bring back what was erased after it. They hold the id of a recording, its controller and
a time; never why, nor who asked.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.times import rfc3339
from gdprcall.vault.objects import sync_folder

SUFFIX = ".tombstone"
READABLE = 0o644
"""Whoever fetches them must be able to read them; there is nothing in them that names anybody."""
LARGEST = 4096

HINT = "make the folder of backup.tombstones, writable for gdprcall; under systemd name it in ReadWritePaths="

_NAME = re.compile(rf"([0-9a-f]{{32}}){re.escape(SUFFIX)}")


class Tombstones:
    """The folder that tombstones are dropped into, if there is one.

    What could not be dropped waits in ``waiting``, a folder of the vault, and is dropped with the next one or at the
    next start; ``failed`` is told each time, without a recording's name.
    """

    def __init__(
        self,
        folder: Path | None = None,
        waiting: Path | None = None,
        failed: Callable[[VaultError], None] = lambda _error: None,
    ) -> None:
        self._folder = folder
        self._waiting = waiting
        self._failed = failed

    def __bool__(self) -> bool:
        """Whether there is anywhere to hand them out to."""
        return self._folder is not None

    def hand_out(self, recording: str, controller: str, time: int) -> bool:
        """Drop the tombstone of an erasure durably; again does no harm. Whether it is out; it never raises."""
        text = json.dumps({"recording": recording, "controller": controller, "erased_at": rfc3339(time)})
        name, content = f"{recording}{SUFFIX}", text.encode() + b"\n"
        assert self._folder is not None
        try:
            _drop(self._folder, name, content)
        except OSError as error:
            self._keep_waiting(name, content)
            self._failed(VaultError(f"a tombstone could not be handed out: {error.strerror}", HINT))
            return False
        self.retry()
        return True

    def retry(self) -> None:
        """Drop what waits; what still cannot be dropped waits on, and ``failed`` is told once."""
        if self._folder is None or self._waiting is None:
            return
        try:
            for path in sorted(self._waiting.glob(f"*{SUFFIX}")):
                _drop(self._folder, path.name, path.read_bytes())
                path.unlink()
        except OSError as error:
            self._failed(VaultError(f"tombstones that wait could not be handed out: {error.strerror}", HINT))

    def _keep_waiting(self, name: str, content: bytes) -> None:
        if self._waiting is None:
            return
        try:
            self._waiting.mkdir(mode=0o700, exist_ok=True)
            _drop(self._waiting, name, content)
        except OSError as error:
            self._failed(VaultError(f"a tombstone could not be kept: {error.strerror}", HINT))


def _drop(folder: Path, name: str, content: bytes) -> None:
    partial = folder / f".{name}.partial"
    with partial.open("wb") as file:
        os.fchmod(file.fileno(), READABLE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / name)
    sync_folder(folder)


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
