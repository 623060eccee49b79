"""What Linux offers beyond Python's own: sealed plaintext is taken out of a file that still grows, by a hole in it.

It touches no byte that it was not told of, and guesses nothing about a file system: it tries.
"""

import ctypes
import errno
import os
from pathlib import Path

KEEP_SIZE, PUNCH_HOLE = 1, 2  # fallocate(2)
MEMORY = frozenset({0x01021994, 0x858458F6})
"""The file systems that are memory: tmpfs and ramfs (statfs(2))."""
STATFS_BYTES = 512  # more than any struct statfs, whose first field is the kind of file system
PROBE_BYTES = 4 * 65536

_libc = ctypes.CDLL(None, use_errno=True)
# The name for offsets of 64 bits on every Linux; without it the plain one has them.
_fallocate = _libc.fallocate64 if hasattr(_libc, "fallocate64") else _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def punch(descriptor: int, offset: int, size: int) -> None:
    """Take ``size`` bytes out of a file that is open for writing; its size stays. Raises OSError."""
    while _fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, offset, size):
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def hole(descriptor: int, size: int) -> tuple[int, int] | None:
    """Return where the first hole of a file of ``size`` bytes begins and ends, None if it has none; raises OSError."""
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        begin = os.lseek(descriptor, 0, os.SEEK_HOLE) if size else size
        return (begin, os.lseek(descriptor, begin, os.SEEK_DATA)) if begin < size else None
    except OSError as error:
        if error.errno != errno.ENXIO:  # no data follows the hole
            raise
        return begin, size
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)


def punches(folder: Path) -> bool:
    """Whether holes can be punched into files of ``folder``, and be found again; a file without a name tries it."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.write(descriptor, b"\1" * PROBE_BYTES)
        punch(descriptor, PROBE_BYTES // 4, PROBE_BYTES // 4)
        return hole(descriptor, PROBE_BYTES) == (PROBE_BYTES // 4, PROBE_BYTES // 2)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def in_memory(folder: Path) -> bool:
    """Whether what is written into ``folder``, or the nearest folder above it that is there, reaches no disk."""
    place = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
    answer = ctypes.create_string_buffer(STATFS_BYTES)
    if _libc.statfs(os.fsencode(place), answer):
        return False
    kind = ctypes.c_long.from_buffer(answer).value
    return kind & 0xFFFFFFFF in MEMORY
