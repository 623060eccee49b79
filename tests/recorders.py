"""A recorder that writes a sound file as MixMonitor does: a header without sizes, 32 KiB at a time, the sizes at the end."""

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUFFER = 32 * 1024
HEADER_BYTES = 44


def header(size: int) -> bytes:
    """Return the header of a mono 8 kHz WAV with so many bytes of sound; 0 is what stands there until the end."""
    sizes = (size + 36, size) if size else (0, 0)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", sizes[0], b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", sizes[1]
    )


class MixMonitor:
    """Writes ``sound`` into a file that must not be there."""

    def __init__(self, path: Path, sound: bytes) -> None:
        self.path = path
        self._sound = sound
        self._at = 0
        self._file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o660)
        os.write(self._file, header(0))

    @property
    def whole(self) -> bytes:
        """The whole file as it is in the end."""
        return header(len(self._sound)) + self._sound

    @property
    def size(self) -> int:
        """How long the file is by now."""
        return HEADER_BYTES + self._at

    def write(self, buffers: int = 1) -> bool:
        """Write so many buffers; whether more is left."""
        for _ in range(buffers):
            self._at += os.write(self._file, self._sound[self._at : self._at + BUFFER])
        return self._at < len(self._sound)

    def close(self) -> None:
        """Write what is left, then the sizes, and close the file."""
        while self.write():
            pass
        os.pwrite(self._file, header(len(self._sound)), 0)
        self.abandon()

    def abandon(self) -> None:
        """Close the file as the kernel does for a recorder that was killed."""
        os.close(self._file)


def plaintext(path: Path) -> int:
    """Return how many bytes of a file are allocated: what was taken out of it is not."""
    return path.stat().st_blocks * 512


@contextmanager
def in_memory() -> Iterator[Path]:
    """Yield an empty folder in memory."""
    with tempfile.TemporaryDirectory(prefix="gdprcall-", dir="/dev/shm") as folder:
        yield Path(folder)


@contextmanager
def on_disk() -> Iterator[Path]:
    """Yield an empty folder that is not in memory: in the checkout, which tests otherwise leave alone."""
    with tempfile.TemporaryDirectory(prefix=".disk-", dir=Path(__file__).parent.parent) as folder:
        yield Path(folder)
