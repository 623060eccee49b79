"""The one way in which the vault's SQLite files are opened, written and cut."""

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError
from gdprcall.vault.database import Store

migrations = Migrations("test")


@migrations()
def first(db: Database) -> None:
    db.conn.execute("CREATE TABLE word (text TEXT NOT NULL) STRICT")


half = Migrations("half")


@half()
def fails_midway(db: Database) -> None:
    db.conn.execute("CREATE TABLE one (text TEXT)")
    db.conn.execute("CREATE TABLE one (text TEXT)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def fail_inside(store: Store) -> None:
    with store.transaction() as db:
        db.execute("INSERT INTO word VALUES ('lost')")
        raise ZeroDivisionError


def words(store: Store) -> list[object]:
    return [text for (text,) in store.rows("SELECT text FROM word ORDER BY text")]


def test_a_transaction_is_whole_or_not_there(path: Path) -> None:
    store = Store(path, migrations)
    with store.transaction() as db:
        db.execute("INSERT INTO word VALUES ('kept')")
    with pytest.raises(ZeroDivisionError):
        fail_inside(store)
    with pytest.raises(VaultError, match="SQLITE_CONSTRAINT"), store.transaction() as db:
        db.executemany("INSERT INTO word VALUES (?)", [("lost",), (None,)])
    assert words(store) == ["kept"]
    store.close()


def test_a_migration_that_fails_midway_leaves_nothing_and_runs_again(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(VaultError, match="cannot be opened"):
            Store(path, half)
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'one'").fetchone() == (0,)
    db.close()


def test_no_error_repeats_a_value(path: Path) -> None:
    store = Store(path, migrations)
    with pytest.raises(VaultError) as caught, store.transaction() as db:
        db.execute("INSERT INTO word VALUES (?)", (b"+493012345678",))
    assert "4930" not in caught.value.message + caught.value.hint
    with pytest.raises(VaultError, match="could not be read") as caught:
        store.rows("SELECT '+493012345678' FROM nowhere")
    assert "4930" not in caught.value.message + caught.value.hint
    store.close()


def test_a_pragma_that_is_not_taken_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"secure_delete": 1, "no_such_pragma": 1}
    monkeypatch.setattr("gdprcall.vault.database.PRAGMAS", wanted)
    with pytest.raises(VaultError, match="no_such_pragma"):
        Store(path, migrations)


def test_a_database_that_another_program_writes_is_an_error_and_not_an_endless_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdprcall.vault.database.BUSY_S", 0.05)
    store = Store(path, migrations)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(VaultError, match="SQLITE_BUSY"), store.transaction():
        pass
    with pytest.raises(VaultError, match="could not be rewritten"):
        store.vacuum()
    assert not store.truncate_log()
    other.close()
    assert store.truncate_log()
    store.close()


def test_a_log_cannot_be_cut_within_a_transaction(path: Path) -> None:
    store = Store(path, migrations)
    with store.transaction() as db:
        db.execute("INSERT INTO word VALUES ('x')")
        with pytest.raises(VaultError, match="checkpointed"):
            store.truncate_log()
    store.close()


def test_a_place_that_is_no_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    for path in (tmp_path / "folder.db", tmp_path / "missing" / "store.db"):
        with pytest.raises(VaultError) as caught:
            Store(path, migrations)
        assert caught.value.hint
