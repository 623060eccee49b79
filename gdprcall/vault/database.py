"""Opens the vault's SQLite files in one way: plug-ins off, WAL, full synchronisation, erased bytes overwritten.

It runs no query of its own beyond the pragmas, and reads each of them back.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock, RLock

from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError

BUSY_S = 1.0
"""How long a statement waits for another program that reads the file; evidence must not wait longer than that."""

PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "synchronous": 2,
    "secure_delete": 1,
    "foreign_keys": 1,
    "cache_size": -256,
    "wal_autocheckpoint": 16_000,
}
"""Set on every connection and read back: what SQLite was built with does not count. 2 is FULL, 1 is ON, not FAST.

The log is cut by ``shorten_log``; a commit that has to do it, after so many pages, keeps a caller waiting.
"""

LAZY: dict[str, str | int] = {"synchronous": 1}
"""NORMAL: whole after any crash, though its last commits may be missing. A checkpoint syncs all the same."""

SNAPSHOT_TRIES = 3
LONG_LOG = 200
"""After how many transactions a log is worth shortening."""

WRITE_HINT = "check free space, and the owner and modes of the vault folder"


class Store:
    """One SQLite file with one connection, usable from every thread, one transaction at a time."""

    def __init__(self, path: Path, migrations: Migrations, *, durable: bool = True) -> None:
        """Open or make the file; one that can be made anew from another need not be ``durable`` at each commit."""
        self.path = path
        self.lock = RLock()
        self._reader: sqlite3.Connection | None = None
        self._shortening = Lock()
        self._commits = 0
        try:
            path.touch(mode=0o600, exist_ok=True)
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=BUSY_S)
        except (sqlite3.Error, OSError) as error:
            raise VaultError(f"{path.name} cannot be opened: {_what(error)}", WRITE_HINT) from error
        try:
            self._set_pragmas(PRAGMAS if durable else PRAGMAS | LAZY)
            self._migrate(migrations)
        except sqlite3.Error as error:
            self.connection.close()
            raise VaultError(f"{path.name} cannot be opened: {_what(error)}", "run: gdprcall doctor") from error
        except VaultError:
            self.connection.close()
            raise

    def _set_pragmas(self, pragmas: Mapping[str, str | int]) -> None:
        for name, value in pragmas.items():
            self.connection.execute(f"PRAGMA {name}={value}")
            if self.connection.execute(f"PRAGMA {name}").fetchone() != (value,):
                raise VaultError(f"SQLite does not take {name}={value} for {self.path.name}", "use Debian's own SQLite")

    def _migrate(self, migrations: Migrations) -> None:
        """Bring the tables to what this program knows; raises VaultError for those of a newer one, untouched."""
        db = Database(self.connection, execute_plugins=False)
        with closing(sqlite3.connect(":memory:")) as empty:
            known = {one.name for one in migrations.pending(Database(empty, execute_plugins=False))}
        if {one.name for one in migrations.applied(db)} - known:
            hint = "start the newer gdprcall again, or restore a backup that this one made"
            raise VaultError(f"{self.path.name} was written by a newer gdprcall", hint)
        migrations.apply(db)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file for writing; durable when the block ends; raises VaultError and changes nothing on a fault."""
        with self.lock:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                yield self.connection
                self.connection.execute("COMMIT")
                self._commits += 1
            except sqlite3.Error as error:
                raise VaultError(f"{self.path.name} could not be written: {_what(error)}", WRITE_HINT) from error
            finally:
                # SQLite has rolled back by itself after some faults, such as a full disk.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Return all rows of a query; raises VaultError."""
        with self.lock:
            try:
                return self.connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise VaultError(
                    f"{self.path.name} could not be read: {_what(error)}", "run: gdprcall audit verify"
                ) from error

    def shorten_log(self, at_least: int = LONG_LOG) -> None:
        """Move a log of so many transactions into the file, so that the next one begins it anew; raises VaultError.

        Almost all of it is moved beside whoever writes meanwhile, over a connection of its own, and the rest in a moment.
        """
        if self._commits < at_least:
            return
        with self._shortening:
            try:
                with closing(sqlite3.connect(self.path, isolation_level=None, timeout=0)) as other:
                    other.execute("PRAGMA wal_checkpoint(PASSIVE)")
                with self.lock:
                    self._commits = 0
                    self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error as error:
                raise VaultError(f"{self.path.name} could not be checkpointed: {_what(error)}", WRITE_HINT) from error

    def truncate_log(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing; False while a reader holds it open."""
        with self._shortening, self.lock:
            try:
                reader = self._reader
                if reader is not None:  # our own copying yields: what it read of the log would keep it open
                    reader.interrupt()
                busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise VaultError(f"{self.path.name} could not be checkpointed: {_what(error)}", WRITE_HINT) from error
            return not busy

    def snapshot(self, target: Path) -> None:
        """Write a copy without what lies between the rows to ``target``, which must not be there, and make it durable.

        Writers go on meanwhile; when the log is to be cut, the copy begins anew, and in the end it has the file for
        itself. Raises VaultError.
        """
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            if not any(self._copied(target) for _ in range(SNAPSHOT_TRIES)):
                with self.lock:
                    self.connection.execute("VACUUM INTO ?", (str(target),))
            descriptor = os.open(target, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except (sqlite3.Error, OSError) as error:
            hint = "check free space where it is copied to"
            raise VaultError(f"{self.path.name} could not be copied: {_what(error)}", hint) from error

    def _copied(self, target: Path) -> bool:
        """Copy over a connection of its own; whether it came to an end before the log had to be cut."""
        reader = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        self._reader = reader
        try:
            reader.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            os.truncate(target, 0)
            return False
        finally:
            self._reader = None
            reader.close()
        return True

    def vacuum(self) -> None:
        """Write the whole file anew, without what lies between its rows; raises VaultError."""
        with self.lock:
            try:
                self.connection.execute("VACUUM")
            except sqlite3.Error as error:
                raise VaultError(f"{self.path.name} could not be rewritten: {_what(error)}", WRITE_HINT) from error

    def close(self) -> None:
        """Close the connection."""
        with self.lock:
            self.connection.close()


def _what(error: sqlite3.Error | OSError) -> str:
    """Return the fault's own name: its text may repeat values."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
