"""What must survive the daemon but no reboot: the file keys of calls that are being sealed, each in a file in memory.

The vault cannot open its own headers, so without these a new daemon could not go on. Nothing here is ever written to a
disk, and a key is overwritten before its file is removed.
"""

import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.vault.punching import in_memory

_NAME = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,5})")
_COUNTED = struct.Struct(">QQ")
NEW = ".new"
LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class Kept:
    """What is needed to go on with a payload: its key and nonce, whose header it has, and how far it is.

    ``file`` is the sound file's device and inode, ``following`` the chunk that comes next, ``peak`` the largest
    plaintext so far.
    """

    file_key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    header_sha256: str
    recipients: tuple[str, ...]
    file: tuple[int, int]
    following: int = 1
    peak: int = 0


class Memory:
    """The folder in memory, one small file for each segment that is being sealed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, recording: str, segment: int, kept: Kept) -> None:
        """Write down what is needed to go on; raises VaultError, also when the folder is not in memory."""
        told: dict[str, object] = {"file_key": kept.file_key.hex(), "nonce": kept.nonce.hex()}
        told |= {"header_sha256": kept.header_sha256, "recipients": kept.recipients, "file": kept.file}
        path = self._path(recording, segment)
        new = path.with_name(path.name + NEW)
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if not in_memory(self.folder):
                raise VaultError(f"{self.folder} is not in memory: no key is kept there", "see: gdprcall doctor")
            new.unlink(missing_ok=True)
            with open(new, "xb", opener=_private) as file:
                file.write(_COUNTED.pack(kept.following, kept.peak) + json.dumps(told).encode())
            new.rename(path)
        except OSError as error:
            raise VaultError(f"{self.folder} cannot be used: {error.strerror}", "see: gdprcall doctor") from error

    def counter(self, recording: str, segment: int) -> int:
        """Return a descriptor for ``count``; raises OSError."""
        return os.open(self._path(recording, segment), os.O_WRONLY | os.O_CLOEXEC)

    def read(self, recording: str, segment: int) -> Kept | None:
        """Return what is needed to go on; None if it is not there, or is damaged."""
        path = self._path(recording, segment)
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST)
            following, peak = _COUNTED.unpack_from(data)
            told = json.loads(data[_COUNTED.size :])
            key, nonce = bytes.fromhex(told["file_key"]), bytes.fromhex(told["nonce"])
            recipients = tuple(str(one) for one in told["recipients"])
            device, inode = (int(one) for one in told["file"])
            return Kept(key, nonce, str(told["header_sha256"]), recipients, (device, inode), following, peak)
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return None

    def forget(self, recording: str, segment: int) -> None:
        """Overwrite and remove what was kept; raises VaultError when it is still there."""
        path = self._path(recording, segment)
        for one in (path, path.with_name(path.name + NEW)):
            if not os.path.lexists(one):
                continue
            try:
                with open(one, "r+b") as file:
                    file.write(bytes(os.fstat(file.fileno()).st_size))
                one.unlink()
            except OSError as error:
                raise VaultError(f"a key in {self.folder} could not be removed: {error.strerror}") from error

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield recording and segment of everything that is kept."""
        for path in sorted(self.folder.glob("*.*")):
            if found := _NAME.fullmatch(path.name.removesuffix(NEW)):
                yield found[1], int(found[2])

    def _path(self, recording: str, segment: int) -> Path:
        if not _NAME.fullmatch(f"{recording}.{segment}"):
            raise ValueError("a recording id has 32 hex digits, a segment counts from 1")
        return self.folder / f"{recording}.{segment}"


def count(counter: int, following: int, peak: int) -> None:
    """Write down how far it is: sixteen bytes in their place, of which a kill leaves all or none. Raises OSError."""
    os.pwrite(counter, _COUNTED.pack(following, peak), 0)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
