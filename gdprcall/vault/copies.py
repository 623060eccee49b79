"""Looks at a copy of the ledger without opening it as a ledger: how long it is, and the root of its tree.

It writes nothing, so that a copy that is looked at stays as it was made.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gdprcall.errors import CheckFailed, VaultError
from gdprcall.vault.checkpoint import Checkpoint
from gdprcall.vault.merkle import Tree
from gdprcall.vault.note import BadNote

LARGEST_CHECKPOINT = 65_536


def shown(path: Path) -> Checkpoint:
    """Return what the file of a checkpoint says; raises CheckFailed for what is none, VaultError.

    Whose signature it bears is not looked at: a forged one can at most keep a restore from being done.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_CHECKPOINT).decode()
        return Checkpoint.parse(text.partition("\n\n")[0] + "\n")
    except OSError as error:
        raise VaultError(f"the checkpoint cannot be read: {error.strerror}", "name the file") from error
    except (BadNote, UnicodeDecodeError) as error:
        raise CheckFailed("the file is no checkpoint of a ledger", "name one that was handed out") from error


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
