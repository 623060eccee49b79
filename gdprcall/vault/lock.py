"""The lock of a vault folder, and what a restore that was cut off at its end left in it.

It reads nothing that is sealed, and takes the lock from nobody.
"""

import fcntl
import os
import shutil
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.vault.objects import sync_folder

OTHERS = 0o077
"""The mode bits that nobody but the owner of the vault folder needs."""

STAGED = ".restoring"
"""What a restore puts together; until it is whole it counts for nothing."""
WHOLE = ".restored"
"""What a restore has put together: whoever opens the vault next moves it into its place."""


class InUse(VaultError):
    """Another process has the vault open."""


def exclusive(folder: Path) -> int:
    """Return the descriptor that holds the lock of a folder, for as long as it is open; makes the folder.

    Raises VaultError, and InUse when another process holds it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & OTHERS:
            folder.chmod(0o700)
        sync_folder(folder.parent)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise VaultError(
            f"{folder} cannot be used: {error.strerror}", "run as the user gdprcall, or mend the modes"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise InUse(f"{folder} is in use by process {holder}", "stop it, or talk to it: gdprcall status") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def settle(folder: Path) -> None:
    """Finish a restore that had come to its end, and forget one that had not; raises VaultError."""
    staged, whole = folder / STAGED, folder / WHOLE
    try:
        if staged.exists():
            shutil.rmtree(staged)
        if not whole.exists():
            return
        for part in sorted(whole.iterdir()):
            part.rename(folder / part.name)
        sync_folder(folder)
        whole.rmdir()
        sync_folder(folder)
    except OSError as error:
        raise VaultError(f"what was restored cannot be used: {error.strerror}", "check the vault folder") from error
