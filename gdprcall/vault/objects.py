"""The payload files: each written once, under a name that says nothing, and removed so that it is known to be gone.

It never overwrites one, and never knows what is in it.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from gdprcall.errors import VaultError

TEMPORARY = ".partial"
GROWING = ".growing"
"""A payload of a call that goes on: chunks stand in their places, the first one is not there yet."""

LONG_BYTES = 1 << 20  # what is shorter is hashed sooner than a thread begins
ROOM = "check free space and the vault folder"
_RECORDING = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[0-9a-f]{32}\.[1-9][0-9]{0,5}")
_FOLDER = re.compile(r"[0-9a-f]{2}")
_PLACE = re.compile(
    rf"([0-9a-f]{{2}})/\1[0-9a-f]{{30}}\.[1-9][0-9]{{0,5}}({re.escape(TEMPORARY)}|{re.escape(GROWING)})?"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One payload as it was written: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """What became of a recording's payloads: how many were removed and are left, and why, if one could not be."""

    removed: int
    left: int
    fault: str = ""


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
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.glob(f"*/*{TEMPORARY}"):
                left.unlink()
            sync_folder(folder.parent)
        except OSError as error:
            raise VaultError(f"{folder} cannot be used: {error.strerror}", "check its owner and modes") from error

    def path(self, recording: str, segment: int) -> Path:
        """Return where a payload lies, or would; raises ValueError for what is no recording id or segment."""
        if not _NAME.fullmatch(f"{recording}.{segment}"):
            raise ValueError("a recording id has 32 hex digits, a segment counts from 1")
        return self.folder / recording[:2] / f"{recording}.{segment}"

    def write(self, recording: str, segment: int, fill: Callable[[HashingSink], None]) -> Stored:
        """Store what ``fill`` writes, durably and whole or not at all; raises VaultError, also if it is there."""
        path = self.path(recording, segment)
        partial = path.with_name(path.name + TEMPORARY)
        try:
            self._folder_for(path)
            with open(partial, "xb", opener=_private) as file:
                try:
                    sink = HashingSink(file)
                    fill(sink)
                    file.flush()
                    os.fsync(file.fileno())
                    # A link refuses to replace what is there; a rename would not.
                    os.link(partial, path)
                finally:
                    partial.unlink()
            sync_folder(path.parent)
        except FileExistsError as error:
            raise VaultError("a payload of this name is there already: nothing is overwritten") from error
        except OSError as error:
            raise VaultError(f"a payload could not be written: {error.strerror}", ROOM) from error
        return Stored(sink.size, sink.hexdigest())

    def begin(self, recording: str, segment: int, nonce: bytes) -> None:
        """Make a growing payload that holds its nonce alone; one that is there is replaced. Raises VaultError.

        Its name is made durable by ``settle``: a power cut takes the key in memory, and with it the way to go on.
        """
        path = self.growing(recording, segment)
        try:
            self._folder_for(path)
            path.unlink(missing_ok=True)
            with open(path, "xb", opener=_private) as file:
                file.write(nonce)
        except OSError as error:
            raise VaultError(f"a payload could not be begun: {error.strerror}", ROOM) from error

    def grown(self, recording: str, segment: int) -> Stored:
        """Return size and hash of a growing payload, which is durable then; raises VaultError."""
        try:
            with self.growing(recording, segment).open("rb") as file:
                if os.fstat(file.fileno()).st_size < LONG_BYTES:
                    os.fsync(file.fileno())
                    return _look_at(file)
                # The disk and the hash each take some milliseconds, and the caller waits for both.
                with ThreadPoolExecutor(1) as pool:
                    synced, stored = pool.submit(os.fsync, file.fileno()), _look_at(file)
                    synced.result()
                    return stored
        except OSError as error:
            raise VaultError(f"a payload could not be made durable: {error.strerror}", ROOM) from error

    def settle(self, recording: str, segment: int) -> None:
        """Give a growing payload that is durable its place; raises VaultError, also if another one is there."""
        path, growing = self.path(recording, segment), self.growing(recording, segment)
        try:
            if not path.exists() or not path.samefile(growing):  # the same one: cut off between the two names
                os.link(growing, path)
            growing.unlink()
            sync_folder(path.parent)
        except FileExistsError as error:
            raise VaultError("a payload of this name is there already: nothing is overwritten") from error
        except OSError as error:
            raise VaultError(f"a payload could not be placed: {error.strerror}", "check the vault folder") from error

    def growing(self, recording: str, segment: int) -> Path:
        """Return where a payload grows, or would, while its call goes on."""
        path = self.path(recording, segment)
        return path.with_name(path.name + GROWING)

    def grows(self, recording: str, segment: int) -> bool:
        """Whether a payload grows, or was left growing."""
        return os.path.lexists(self.growing(recording, segment))

    def grew_until(self, recording: str, segment: int) -> int | None:
        """Return when a payload grew last, in milliseconds since 1970; None if none grows."""
        try:
            return round(self.growing(recording, segment).stat().st_mtime * 1000)
        except FileNotFoundError:
            return None

    def growing_names(self, shard: str = "??") -> list[tuple[str, int]]:
        """Return recording and segment of every payload that grows, or was left growing; see ``names``."""
        found = [path.name.removesuffix(GROWING) for path in sorted(self.folder.glob(f"{shard}/*{GROWING}"))]
        return [(name[:32], int(name[33:])) for name in found if _NAME.fullmatch(name)]

    def is_there(self, recording: str, segment: int) -> bool:
        """Whether anything lies in the place of a payload, or grows for it."""
        return os.path.lexists(self.path(recording, segment)) or self.grows(recording, segment)

    def stored(self, recording: str, segment: int) -> Stored | None:
        """Return size and hash of a payload as it lies there, None if there is none; raises VaultError."""
        try:
            with self.path(recording, segment).open("rb") as file:
                return _look_at(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultError(f"a payload cannot be read: {error.strerror}", "check the vault folder") from error

    def sha256(self, recording: str, segment: int) -> str:
        """Return the hash of a payload as it lies there; raises VaultError when it is missing or cannot be read."""
        if (stored := self.stored(recording, segment)) is None:
            raise VaultError("a payload is missing", "run: gdprcall vault verify")
        return stored.sha256

    def segments(self, recording: str) -> list[int]:
        """Return the segments of a recording whose payloads lie there."""
        if not _RECORDING.fullmatch(recording):
            return []
        return sorted(int(path.suffix[1:]) for path in self._files(recording[:2]) if path.stem == recording)

    def remove(self, recording: str, segment: int) -> bool:
        """Remove a payload durably, growing or not; whether there was one; raises VaultError when it is still there."""
        path = self.path(recording, segment)
        there = self.is_there(recording, segment)
        try:
            path.unlink(missing_ok=True)
            self.growing(recording, segment).unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
        except OSError as error:
            raise VaultError(f"a payload could not be removed: {error.strerror}", "check the vault folder") from error
        if self.is_there(recording, segment):
            raise VaultError("a payload is still there after its removal", "check the vault folder")
        return there

    def clear(self, recordings: Iterable[str], removed: Callable[[], None] = lambda: None) -> dict[str, Cleared]:
        """Remove all payloads of recordings durably, and look what is left; ``removed`` is called after each one.

        What could not be removed keeps nothing else from being removed: its recording's ``Cleared`` says so.
        """
        cleared: dict[str, Cleared] = {}
        by_folder: dict[str, set[str]] = {}
        for recording in recordings:
            by_folder.setdefault(recording[:2], set()).add(recording)
        for folder, wanted in sorted(by_folder.items()):
            cleared |= self._clear(folder, wanted, removed)
        return cleared

    def _clear(self, folder: str, wanted: set[str], removed: Callable[[], None]) -> dict[str, Cleared]:
        found = [path for path in self._parts(folder) if _recording(path) in wanted]
        faults: dict[str, str] = {}
        for path in found:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                faults[_recording(path)] = error.strerror or type(error).__name__
            removed()
        try:
            if (self.folder / folder).is_dir():
                sync_folder(self.folder / folder)
        except OSError as error:
            faults |= dict.fromkeys(wanted, error.strerror or type(error).__name__)
        there, left = Counter(map(_recording, found)), Counter(map(_recording, self._parts(folder)))
        return {one: Cleared(there[one] - left[one], left[one], faults.get(one, "")) for one in wanted}

    def size(self, recording: str, segment: int) -> int | None:
        """Return the size of a payload as it lies there, None if there is none; raises VaultError."""
        path = self.path(recording, segment)
        try:
            return path.stat().st_size if path.is_file() else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultError(f"a payload cannot be read: {error.strerror}", "check the vault folder") from error

    def names(self, shard: str = "??") -> Iterator[tuple[str, int]]:
        """Yield recording and segment of every payload that lies there, or of those alone that begin with ``shard``."""
        for path in self._files(shard):
            yield path.stem, int(path.suffix[1:])

    def strangers(self) -> Iterator[Path]:
        """Yield everything in the folder that the vault did not put there, as paths inside the folder."""
        for path in sorted(self.folder.rglob("*")):
            inside = str(path.relative_to(self.folder))
            known = _FOLDER if path.is_dir() else _PLACE
            if path.is_symlink() or not known.fullmatch(inside):
                yield path.relative_to(self.folder)

    def _folder_for(self, path: Path) -> None:
        if not path.parent.exists():  # a file in its place is told by whoever opens a payload there
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder)

    def _parts(self, folder: str) -> list[Path]:
        """Return the payloads of a folder, and those that grow."""
        paths = sorted(self.folder.glob(f"{folder}/*"))
        return [path for path in paths if _NAME.fullmatch(path.name.removesuffix(GROWING))]

    def _files(self, folder: str) -> list[Path]:
        return [path for path in sorted(self.folder.glob(f"{folder}/*")) if _NAME.fullmatch(path.name)]


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look_at(file: BufferedReader) -> Stored:
    return Stored(os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _recording(path: Path) -> str:
    return path.name[:32]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
