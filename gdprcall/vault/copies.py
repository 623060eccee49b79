"""Looks at a copy of the ledger without opening it as a ledger: how long it is, and the root of its tree.

It writes nothing, so that a copy that is looked at stays as it was made.
"""

import base64
import binascii
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import CheckFailed, VaultError
from gdprcall.vault.merkle import Tree

ROOT_BYTES = 32
LARGEST_CHECKPOINT = 65_536


@dataclass(frozen=True, slots=True)
class Shown:
    """What a checkpoint (c2sp.org/tlog-checkpoint) says of a ledger; whose signature it bears is not looked at.

    A forged one can at most keep a restore from being done.
    """

    size: int
    root: bytes

    @classmethod
    def read(cls, path: Path) -> "Shown":
        """Return what a file shows; raises CheckFailed for what is no checkpoint."""
        try:
            with path.open("rb") as file:
                lines = file.read(LARGEST_CHECKPOINT).decode().split("\n")
            size, root = lines[1], base64.b64decode(lines[2], validate=True)
            if not (size.isascii() and size.isdecimal()) or len(root) != ROOT_BYTES:
                raise ValueError
        except OSError as error:
            raise VaultError(f"the checkpoint cannot be read: {error.strerror}", "name the file") from error
        except (ValueError, IndexError, binascii.Error) as error:
            hint = "it has three lines or more: origin, size and root"
            raise CheckFailed("the file is no checkpoint of a ledger", hint) from error
        return cls(int(size), root)


def tree_of(path: Path, size: int | None = None) -> Tree:
    """Return the tree of the first ``size`` entries (default all) of a ledger's file; raises VaultError."""
    tree = Tree()
    for value in _hashes(path):
        if tree.size == size:
            break
        tree.append(value)
    return tree


def _hashes(path: Path) -> Iterator[bytes]:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as db:
            for (value,) in db.execute("SELECT hash FROM entry ORDER BY seq"):
                yield bytes(value)
    except (sqlite3.Error, TypeError) as error:
        raise VaultError(f"{path.name} cannot be read", "it is no ledger, or it is damaged") from error
