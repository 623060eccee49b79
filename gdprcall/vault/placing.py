"""Puts files where they are to stay: whole, durable and for nobody else, or not at all; a link where that is possible.

It never replaces a file unless it is told to, and never looks into one.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.vault.objects import TEMPORARY, sync_folder

COPY_BYTES = 256 * 1024
NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
"""What a file system answers that cannot link here: then the file is copied."""


class Placed(Enum):
    """What became of a file that was to be placed."""

    PRESENT = "present"
    LINKED = "linked"
    COPIED = "copied"
    MISSING = "missing"


def place(source: Path, target: Path, *, link: bool = True) -> Placed:
    """Put a file that is never changed in place under another name; its folder is not synchronised yet.

    One that is there with the same size is left alone; one of another size is damaged, and is replaced. Raises OSError.
    """
    try:
        size = source.stat().st_size
    except FileNotFoundError:
        return Placed.MISSING
    if target.is_file() and target.stat().st_size == size:
        return Placed.PRESENT
    partial = target.with_name(target.name + TEMPORARY)
    partial.unlink(missing_ok=True)
    try:
        linked = link and _linked(source, partial)
        if not linked:
            _copy(source, partial)
    except FileNotFoundError:
        if source.exists():
            raise
        return Placed.MISSING  # erased meanwhile
    partial.rename(target)
    return Placed.LINKED if linked else Placed.COPIED


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file for its owner alone, durably and whole, in the place of what was there; raises OSError."""
    partial = path.with_name(path.name + TEMPORARY)
    partial.unlink(missing_ok=True)
    with open(partial, "xb", opener=private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    sync_folder(path.parent)


def folder_for(path: Path) -> None:
    """Make the folder of a file and those above it, for their owner alone and durably; raises OSError."""
    if not path.parent.is_dir():
        folder_for(path.parent)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent.parent)


def sync_tree(folder: Path) -> None:
    """Make the names in a folder and in all folders in it durable; raises OSError."""
    for place_, _, _ in os.walk(folder):
        sync_folder(Path(place_))


def sha256(path: Path) -> str:
    """Return the hash of a file in hex; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn an OSError into a VaultError that says what could not be done; it names no file."""
    try:
        yield
    except OSError as error:
        raise VaultError(f"{what}: {error.strerror}", "check free space, owner and modes of its folder") from error


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in NO_LINK:
            return False
        raise
    return True


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, open(target, "xb", opener=private) as out:
        shutil.copyfileobj(file, out, COPY_BYTES)
        out.flush()
        os.fsync(out.fileno())


def private(path: str, flags: int) -> int:
    """Open a file for its owner alone, as ``open`` wants its opener."""
    return os.open(path, flags, 0o600)
