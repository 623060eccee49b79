"""The ledger: durable when it says so, and every change to it is named."""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from gdprcall.errors import VaultError
from gdprcall.vault import ledger as module
from gdprcall.vault.ledger import Entry, Fact, Kind, Ledger
from gdprcall.vault.merkle import leaf_hash

RECORDING = "ab" * 16


def fact(number: int = 0, recording: str | None = RECORDING) -> Fact:
    return Fact(Kind.STARTED, recording, "acme", {"segment": number})


class Ticks:
    """A clock that a test moves; it may go backwards."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path, clock=Ticks())
    yield opened
    opened.close()


def findings(path: Path) -> list[str]:
    ledger = Ledger(path)
    try:
        return [f"{finding.name} {finding.detail}" for finding in ledger.verify()]
    finally:
        ledger.close()


def change(path: Path, *statements: str) -> None:
    """Do what somebody with the file and an SQLite shell can do."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


@pytest.fixture
def ten(path: Path) -> Path:
    """A closed ledger of ten entries, each with its own checkpoint."""
    ledger = Ledger(path)
    for number in range(1, 11):
        ledger.append(fact(number))
    ledger.close()
    assert findings(path) == []
    return path


def test_an_entry_comes_back_as_it_was_submitted_and_again_after_reopening(path: Path) -> None:
    clock = Ticks()
    ledger = Ledger(path, clock=clock)
    entry = ledger.append(Fact(Kind.DECISION, RECORDING, "acme", {"b": [1, 2.5, None], "a": "ä"}))
    assert entry == Entry(1, 1_000, Kind.DECISION, RECORDING, "acme", {"b": [1, 2.5, None], "a": "ä"})
    ledger.close()
    again = Ledger(path)
    assert list(again.entries()) == [entry]
    assert entry.as_json()["time"] == "1970-01-01T00:00:01.000Z"
    again.close()


def test_an_entry_can_be_checked_with_nothing_but_sha_256_and_json(path: Path) -> None:
    ledger = Ledger(path, clock=Ticks(), random=lambda size: b"\x07" * size)
    ledger.append(Fact(Kind.SEALED, RECORDING, "acme", {"segment": 1, "name": "ä"}))
    ledger.append(Fact(Kind.DAEMON_STOPPED, None, None, {}))
    commits = [hashlib.sha256(b"\x07" * 32 + body).hexdigest() for body in (b'{"name":"\\u00e4","segment":1}', b"{}")]
    leaves = [
        f'{{"commit":"{commits[0]}","controller":"acme","kind":"sealed","recording":"{RECORDING}","seq":1,"time":1000}}',
        f'{{"commit":"{commits[1]}","controller":null,"kind":"daemon_stopped","recording":null,"seq":2,"time":1000}}',
    ]
    assert [leaf for (leaf,) in ledger._store.rows("SELECT leaf FROM entry ORDER BY seq")] == leaves
    hashes = [hashlib.sha256(b"\x00" + leaf.encode()).digest() for leaf in leaves]
    assert ledger.root() == hashlib.sha256(b"\x01" + hashes[0] + hashes[1]).digest()
    ledger.close()


def test_a_leaf_says_nothing_of_its_body(path: Path) -> None:
    ledger = Ledger(path)
    ledger.append(Fact(Kind.DECISION, None, "acme", {"subject": "5b" * 16, "outcome": "granted"}))
    ledger.append(Fact(Kind.DECISION, None, "acme", {"subject": "5b" * 16, "outcome": "granted"}))
    leaves = [str(leaf) for (leaf,) in ledger._store.rows("SELECT leaf FROM entry ORDER BY seq")]
    assert not any("5b5b" in leaf or "granted" in leaf for leaf in leaves)
    # The same body twice has two commitments: nobody can try out numbers against a leaf.
    assert leaves[0].split('"controller"')[0] != leaves[1].split('"controller"')[0]
    ledger.close()


def test_order_is_the_number_even_when_the_clock_jumps_back(path: Path) -> None:
    clock = Ticks()
    ledger = Ledger(path, clock=clock)
    ledger.append(fact(1))
    clock.now = 10
    ledger.append(fact(2))
    assert [(entry.seq, entry.time) for entry in ledger.entries()] == [(1, 1_000), (2, 10)]
    assert list(ledger.verify()) == []
    ledger.close()


def test_an_entry_is_in_the_file_when_its_future_has_its_result(path: Path, ledger: Ledger) -> None:
    ledger.submit(fact(1)).result()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM entry").fetchone() == (1,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
    assert ledger._store.rows("PRAGMA synchronous") == [(2,)]
    assert ledger._store.rows("PRAGMA secure_delete") == [(1,)]


def test_what_waits_together_shares_one_transaction(path: Path, ledger: Ledger) -> None:
    with ledger._store.lock:  # the writer has to wait, as for a slow disk
        futures = [ledger.submit(fact(number)) for number in range(1, 101)]
    assert [future.result().seq for future in futures] == list(range(1, 101))
    ledger.close()
    db = sqlite3.connect(path)
    (checkpoints,) = db.execute("SELECT count(*) FROM checkpoint").fetchone()
    db.close()
    assert checkpoints <= 3
    assert findings(path) == []


def test_what_nobody_waits_for_shares_the_transaction_of_what_comes_next_or_comes_by_itself(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARED_SECONDS", 200.0)
    idle = ledger.submit(fact(1), urgent=False)
    ledger.append(fact(2))
    assert idle.done()
    assert ledger._store.rows("SELECT size FROM checkpoint") == [(2,)]  # one transaction
    monkeypatch.setattr(module, "SHARED_SECONDS", 0.01)
    assert ledger.submit(fact(3), urgent=False).result(20).seq == 3


def test_many_threads_append_without_a_gap(path: Path, ledger: Ledger) -> None:
    def work() -> None:
        for number in range(20):
            ledger.append(fact(number))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in ledger.entries()] == list(range(1, 161))
    assert list(ledger.verify()) == []


def test_verify_finds_nothing_wrong_while_entries_come(ledger: Ledger) -> None:
    def work() -> None:
        for number in range(300):
            ledger.append(fact(number))

    thread = threading.Thread(target=work)
    thread.start()
    found = []
    while thread.is_alive():
        found += list(ledger.verify())
    thread.join()
    assert found == []


def test_fcl_06_a_fact_whose_caller_gave_up_is_not_written(ledger: Ledger) -> None:
    with ledger._store.lock:
        first = ledger.submit(fact(1))
        while not first.running():
            pass  # the writer took it and waits for the file
        given_up = ledger.submit(fact(2))
        assert given_up.cancel()
    first.result()
    ledger.append(fact(3))
    assert [entry.body for entry in ledger.entries()] == [{"segment": 1}, {"segment": 3}]


@pytest.mark.parametrize(
    ("fault", "name"),
    [("PRAGMA max_page_count=1", "SQLITE_FULL"), ("PRAGMA query_only=1", "SQLITE_READONLY")],
)
def test_fcl_06_a_full_or_read_only_disk_fails_every_waiting_fact_and_the_writer_lives_on(
    ledger: Ledger, fault: str, name: str
) -> None:
    ledger.append(fact(1))
    ledger._store.connection.execute(fault)
    with ledger._store.lock:
        futures = [ledger.submit(Fact(Kind.STARTED, None, None, {"text": "x" * 5_000})) for _ in range(3)]
    for future in futures:
        with pytest.raises(VaultError) as caught:
            future.result()
        assert name in caught.value.message
        assert "free space" in caught.value.hint
    ledger._store.connection.execute("PRAGMA max_page_count=100000")
    ledger._store.connection.execute("PRAGMA query_only=0")
    assert ledger.append(fact(2)).seq == 2
    assert list(ledger.verify()) == []


def test_a_body_that_is_not_json_is_refused_before_it_can_spoil_a_group(ledger: Ledger) -> None:
    with pytest.raises(TypeError):
        ledger.submit(Fact(Kind.STARTED, None, None, {"a": object()}))
    with pytest.raises(ValueError):
        ledger.submit(Fact(Kind.STARTED, None, None, {"a": float("nan")}))
    assert ledger.append(fact()).seq == 1


def test_after_close_nothing_is_taken_and_the_thread_is_gone(path: Path) -> None:
    ledger = Ledger(path)
    future: Future[Entry] = ledger.submit(fact(1))
    ledger.close()
    ledger.close()
    assert future.result().seq == 1
    assert not ledger._writer.is_alive()
    with pytest.raises(VaultError, match="closed"):
        ledger.append(fact(2))


def test_no_submit_waits_for_ever_when_the_ledger_closes_under_it(path: Path) -> None:
    ledger = Ledger(path)
    futures: list[Future[Entry]] = []
    start = threading.Barrier(5)

    def work() -> None:
        start.wait()
        futures.extend(ledger.submit(fact(number)) for number in range(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    ledger.close()
    for thread in threads:
        thread.join()
    refused = [future for future in futures if future.exception(timeout=5) is not None]
    again = Ledger(path)
    assert len(futures) == 800
    assert len(refused) + again.size() == 800
    again.close()


def test_entries_are_found_by_recording_and_from_a_place_on(path: Path, ledger: Ledger) -> None:
    for number in range(1, 6):
        ledger.append(fact(number, recording=("cd" if number % 2 else "ab") * 16))
    assert [entry.seq for entry in ledger.entries(recording="cd" * 16)] == [1, 3, 5]
    assert [entry.seq for entry in ledger.entries(after=3)] == [4, 5]


def test_entries_come_in_pages_and_none_is_lost_between_two(path: Path) -> None:
    ledger = Ledger(path)
    futures = [ledger.submit(fact(number)) for number in range(2_001)]
    futures[-1].result()
    assert [entry.seq for entry in ledger.entries()] == list(range(1, 2_002))
    ledger.close()
    assert findings(path) == []


def test_the_root_goes_on_where_it_was_after_reopening(path: Path) -> None:
    one = Ledger(path, clock=Ticks(), random=bytes)
    for number in range(3):
        one.append(fact(number))
    root = one.root()
    one.close()
    two = Ledger(path, clock=Ticks(), random=bytes)
    assert (two.root(), two.size()) == (root, 3)
    two.append(fact(3))
    whole = two.root()
    two.close()
    other = Ledger(path.with_name("other.db"), clock=Ticks(), random=bytes)
    for number in range(4):
        other.append(fact(number))
    assert other.root() == whole
    other.close()


def test_an_erased_body_is_gone_from_the_file_and_the_tree_stays_whole(path: Path) -> None:
    ledger = Ledger(path)
    secret = "a-name-that-is-nowhere-else"
    entry = ledger.append(Fact(Kind.STARTED, None, None, {"text": secret}))
    ledger.append(fact(2))
    ledger._store.truncate_log()
    assert secret.encode() in path.read_bytes()
    ledger.forget([entry.seq])
    assert [entry.body for entry in ledger.entries()] == [None, {"segment": 2}]
    assert list(ledger.verify()) == []
    ledger.close()
    assert not any(secret.encode() in file.read_bytes() for file in path.parent.iterdir())


@pytest.mark.usefixtures("impatient")
def test_an_erasure_of_a_body_that_another_program_keeps_alive_is_not_called_done(path: Path, ledger: Ledger) -> None:
    ledger.append(fact(1))
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM entry").fetchall()
    with pytest.raises(VaultError, match="held open"):
        ledger.forget([1])
    reader.close()


EDITED = "replace(leaf, 'started', 'stopped')"
ATTACKS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "an edited text": (
        (f"UPDATE entry SET leaf = {EDITED} WHERE seq = 4",),
        ["entry 4 changed: its text does not match its hash"],
    ),
    "an edited hash": (
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 10",),
        ["entry 10 changed: its text does not match its hash"],
    ),
    "an edited body": (
        ("UPDATE body SET body = '{\"segment\":99}' WHERE seq = 4",),
        ["entry 4 changed in its body or salt"],
    ),
    "an edited salt": (
        ("UPDATE body SET salt = zeroblob(32) WHERE seq = 4",),
        ["entry 4 changed in its body or salt"],
    ),
    "a removed body": (
        ("DELETE FROM body WHERE seq = 4",),
        ["entry 4 without its body, though that was never erased"],
    ),
    "a removed entry": (
        ("DELETE FROM body WHERE seq = 4", "DELETE FROM entry WHERE seq = 4"),
        ["entry 4 missing"],
    ),
    "a cut tail": (
        ("DELETE FROM body WHERE seq > 8", "DELETE FROM entry WHERE seq > 8"),
        ["entries 9 to 10 cut off: a checkpoint knows of them"],
    ),
    "an added entry": (
        (
            "INSERT INTO entry SELECT 11, recording, leaf, hash FROM entry WHERE seq = 10",
            "INSERT INTO body SELECT 11, salt, body FROM body WHERE seq = 10",
        ),
        ["entry 11 replaced by entry 10", "entry 11 added by someone else: no checkpoint knows of them"],
    ),
    "two swapped entries": (
        (
            "UPDATE entry SET seq = 100 WHERE seq = 4",
            "UPDATE entry SET seq = 4 WHERE seq = 6",
            "UPDATE entry SET seq = 6 WHERE seq = 100",
            "UPDATE body SET seq = 100 WHERE seq = 4",
            "UPDATE body SET seq = 4 WHERE seq = 6",
            "UPDATE body SET seq = 6 WHERE seq = 100",
        ),
        [
            "entry 4 replaced by entry 6",
            "entry 4 not what leads to the checkpoint after them",
            "entry 6 replaced by entry 4",
        ],
    ),
    "an entry filed elsewhere": (
        ("UPDATE entry SET recording = 'elsewhere' WHERE seq = 4",),
        ["entry 4 filed under another recording"],
    ),
    "an edited root": (
        ("UPDATE checkpoint SET root = zeroblob(32) WHERE size = 4",),
        ["entry 4 not what leads to the checkpoint after them"],
    ),
    "a body without an entry": (
        ("INSERT INTO body SELECT 77, salt, body FROM body WHERE seq = 4",),
        ["entry 77 a body without an entry"],
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_bas_11_verify_names_what_was_changed(ten: Path, attack: str) -> None:
    statements, expected = ATTACKS[attack]
    change(ten, *statements)
    assert findings(ten) == expected


def rewritten(path: Path, seq: int, edit: Callable[[str], str]) -> None:
    """Change an entry's text and give it the right hash again: what a careful forger does."""
    db = sqlite3.connect(path, isolation_level=None)
    (leaf,) = db.execute("SELECT leaf FROM entry WHERE seq = ?", (seq,)).fetchone()
    leaf = edit(leaf)
    db.execute("UPDATE entry SET leaf = ?, hash = ? WHERE seq = ?", (leaf, leaf_hash(leaf.encode()), seq))
    db.close()


def test_a_text_changed_together_with_its_hash_is_found_by_the_checkpoint(ten: Path) -> None:
    rewritten(ten, 4, lambda leaf: leaf.replace("started", "stopped"))
    assert findings(ten) == ["entry 4 not what leads to the checkpoint after them"]


def test_a_text_that_is_no_entry_is_named(ten: Path) -> None:
    rewritten(ten, 4, lambda _leaf: "{}")
    assert findings(ten)[0] == "entry 4 no entry any more"


@pytest.mark.parametrize(
    "attack", ["a cut tail", "a removed entry", "an added entry", "an edited hash", "two swapped entries"]
)
def test_nothing_is_appended_to_a_damaged_tree(ten: Path, attack: str) -> None:
    change(ten, *ATTACKS[attack][0])
    ledger = Ledger(ten)
    assert not ledger.trusted()
    with pytest.raises(VaultError) as caught:
        ledger.append(fact())
    assert "audit verify" in caught.value.hint
    ledger.close()


def test_a_ledger_that_something_outside_contradicts_takes_nothing_more(ledger: Ledger) -> None:
    ledger.append(fact(1))
    ledger.distrust("the index knows more")
    with pytest.raises(VaultError, match="the index knows more"):
        ledger.append(fact(2))


def test_many_changed_entries_do_not_multiply_the_work(path: Path) -> None:
    ledger = Ledger(path)
    with ledger._store.lock:
        futures = [ledger.submit(fact(number)) for number in range(300)]
    futures[-1].result()
    ledger.close()
    change(path, "UPDATE entry SET hash = zeroblob(32) WHERE seq <= 200")
    assert len([line for line in findings(path) if "text does not match" in line]) == 200


def test_a_file_that_is_no_database_is_an_error_with_a_hint(path: Path) -> None:
    path.write_bytes(b"this is no database, however long it is" * 200)
    with pytest.raises(VaultError) as caught:
        Ledger(path)
    assert caught.value.hint
    with pytest.raises(VaultError):
        Ledger(path.parent / "no-such-folder" / "ledger.db")


def test_a_ledger_without_its_tables_does_not_open_and_is_let_go(ten: Path) -> None:
    change(ten, "DROP TABLE checkpoint")
    with pytest.raises(VaultError, match="could not be read"):
        Ledger(ten)
    change(ten, "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, root BLOB NOT NULL, time INTEGER NOT NULL)")
    assert not Ledger(ten).trusted()
