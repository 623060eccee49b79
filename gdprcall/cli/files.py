"""How commands write files: whole or not at all, durably, and over nothing; and how they read an identity."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import GdprcallError, Refused
from gdprcall.vault.objects import sync_folder


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a new file durably; raises Refused when there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise Refused(
            f"{path} is there already", "it is never overwritten: rename it, or choose another name"
        ) from error
    except OSError as error:
        raise GdprcallError(f"{path} cannot be written: {error.strerror}", "check the folder") from error
    with open(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.resolve().parent)


def write_whole(path: Path, fill: Callable[[BinaryIO], object], *, force: bool) -> None:
    """Write a file whole or not at all, for nobody else to read."""
    if path.exists() and not force:
        raise Refused(f"{path} is there already", "choose another name, or add --force")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise GdprcallError(f"{path} cannot be written: {error.strerror}", "check the folder") from error
    try:
        with open(descriptor, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
        sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_identities(path: Path) -> list[age.X25519Identity | age.HybridIdentity]:
    """Return the identities in a file; raises GdprcallError, which never repeats what is in it."""
    try:
        return age.parse_identities(path.read_text(encoding="ascii"))
    except UnicodeDecodeError as error:
        raise GdprcallError(f"{path} is no identity file", "it begins with AGE-SECRET-KEY-1") from error
    except age.BadIdentity as error:
        raise GdprcallError(f"{path} is no identity file: {error}", "it begins with AGE-SECRET-KEY-1") from error
