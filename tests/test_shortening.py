"""Write-ahead logs are cut beside whoever writes: no commit of a caller has to do it, and nothing is lost or kept back."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError
from gdprcall.vault import shortening as module
from gdprcall.vault.database import LONG_LOG, Store
from gdprcall.vault.shortening import Shortening

migrations = Migrations("test")


@migrations()
def first(db: Database) -> None:
    db.conn.execute("CREATE TABLE word (text TEXT NOT NULL) STRICT")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db", migrations)
    yield opened
    opened.close()


def write(store: Store, times: int) -> None:
    for number in range(times):
        with store.transaction() as db:
            db.execute("INSERT INTO word VALUES (?)", (f"{number:0500}",))


def log_bytes(store: Store) -> int:
    return store.path.with_name("store.db-wal").stat().st_size


def test_a_commit_does_not_move_the_log_into_the_file(store: Store) -> None:
    before = store.path.stat().st_size
    write(store, 1100)  # SQLite's own limit is a thousand pages
    assert store.path.stat().st_size == before


def test_a_log_that_was_shortened_is_begun_anew_and_grows_no_further(store: Store) -> None:
    write(store, LONG_LOG)
    longest = log_bytes(store)
    for _ in range(5):
        store.shorten_log()
        write(store, LONG_LOG - 50)
        store.shorten_log(at_least=1)
    assert log_bytes(store) <= longest
    # What another program reads of the file alone is all of it.
    copy = store.path.with_name("copy.db")
    copy.write_bytes(store.path.read_bytes())
    db = sqlite3.connect(copy)
    assert db.execute("SELECT count(*) FROM word").fetchone() == (LONG_LOG + 5 * (LONG_LOG - 50),)
    db.close()


def test_a_short_log_is_left_alone(store: Store) -> None:
    before = store.path.stat().st_size
    write(store, LONG_LOG - 1)
    store.shorten_log()
    assert store.path.stat().st_size == before


def test_a_log_is_shortened_while_somebody_reads_and_others_write(store: Store) -> None:
    write(store, LONG_LOG)
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM word").fetchone() == (LONG_LOG,)
    writers = [threading.Thread(target=write, args=(store, 100)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(20):
        store.shorten_log(at_least=1)
    for writer in writers:
        writer.join()
    assert reader.execute("SELECT count(*) FROM word").fetchone() == (LONG_LOG,)
    reader.close()
    assert store.rows("SELECT count(*) FROM word") == [(LONG_LOG + 300,)]


def test_ret_06_what_must_be_cut_is_cut_though_the_log_is_being_shortened(store: Store) -> None:
    stop = threading.Event()

    def shorten() -> None:
        while not stop.is_set():
            store.shorten_log(at_least=0)

    beside = threading.Thread(target=shorten)
    beside.start()
    try:
        for _ in range(30):
            write(store, 1)
            assert store.truncate_log()
            assert log_bytes(store) == 0
    finally:
        stop.set()
        beside.join()


class Log:
    """A log that counts how often it is looked at."""

    def __init__(self, enough: Callable[[], None], fault: VaultError | None = None) -> None:
        self.looks = 0
        self._enough, self._fault = enough, fault

    def shorten_log(self) -> None:
        self.looks += 1
        if self.looks == 3:
            self._enough()
        if self._fault:
            raise self._fault


def test_every_log_is_looked_at_again_and_again_though_one_cannot_be_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.001)
    enough = threading.Event()
    broken, sound = Log(lambda: None, VaultError("full")), Log(enough.set)
    looking = Shortening([broken, sound])
    assert enough.wait(5)
    looking.close()
    assert broken.looks >= 3


def test_what_was_closed_is_looked_at_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.001)
    log = Log(lambda: None)
    others = set(threading.enumerate())
    Shortening([log]).close()
    looks = log.looks
    assert not [thread for thread in threading.enumerate() if thread.name == "shortening" and thread not in others]
    assert log.looks == looks
