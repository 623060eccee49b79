"""The payload files: each written once, under a name that says nothing, and removed so that it is known to be gone.

It never overwrites one, and never knows what is in it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gdprcall.errors import VaultError

TEMPORARY = ".partial"


@dataclass(frozen=True, slots=True)
class Stored:
    """One payload as it was written: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


class HashingSink:
    """Hashes what goes through it into a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write and hash ``data``."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def hexdigest(self) -> str:
        """Return the hash so far."""
        return self._hash.hexdigest()


class Objects:
    """The folder of payloads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.glob(f"*/*{TEMPORARY}"):
            left.unlink()

    def path(self, recording: str, segment: int) -> Path:
        """Return where a payload lies, or would."""
        return self.folder / recording[:2] / f"{recording}.{segment}"

    def write(self, recording: str, segment: int, fill: Callable[[HashingSink], None]) -> Stored:
        """Store what ``fill`` writes, durably and whole or not at all; raises VaultError."""
        path = self.path(recording, segment)
        partial = path.with_name(path.name + TEMPORARY)
        try:
            if path.exists():
                raise VaultError("a payload of this name is there already: nothing is overwritten")
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(partial, "xb", opener=_private) as file:
                sink = HashingSink(file)
                fill(sink)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            sync_folder(path.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise VaultError(
                f"a payload could not be written: {error.strerror}", "check free space and the vault folder"
            ) from error
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return Stored(sink.size, sink.hexdigest())

    def sha256(self, recording: str, segment: int) -> str:
        """Return the hash of a payload as it lies there; raises VaultError when it cannot be read."""
        try:
            with self.path(recording, segment).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise VaultError(f"a payload cannot be read: {error.strerror}") from error

    def remove(self, recording: str, segment: int) -> bool:
        """Remove a payload durably; whether there was one; raises VaultError when it is still there."""
        path = self.path(recording, segment)
        try:
            there = path.exists()
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
        except OSError as error:
            raise VaultError(f"a payload could not be removed: {error.strerror}", "check the vault folder") from error
        return there

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield recording and segment of every payload that lies there."""
        for path in sorted(self.folder.glob("*/*.*")):
            recording, _, segment = path.name.partition(".")
            if segment.isdecimal():
                yield recording, int(segment)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
