"""The append-only record of all decisions and deeds: a Merkle tree (RFC 6962) over salted, erasable bodies.

An entry is never changed and never removed. Its body can be erased without breaking the tree, because the leaf holds
only a salted commitment to it; no leaf holds a number, a name or a digit.
"""

import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError
from gdprcall.times import Clock, now_ms
from gdprcall.vault.database import Store
from gdprcall.vault.merkle import Tree, leaf_hash

SALT_BYTES = 32
GROUP = 512
"""How many entries share one transaction at most, so that no caller waits for an endless group."""


class Kind(StrEnum):
    """What an entry tells."""

    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPED = "daemon_stopped"
    DECISION = "decision"
    STARTED = "started"
    NOT_STARTED = "not_started"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"
    SEALED = "sealed"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"
    ERASURE_INTENDED = "erasure_intended"
    ERASED = "erased"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is to be appended; ``body`` is JSON."""

    kind: Kind
    recording: str | None
    controller: str | None
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the ledger; ``time`` in milliseconds; ``body`` is None once erased."""

    seq: int
    time: int
    kind: Kind
    recording: str | None
    controller: str | None
    body: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, which one, and how."""

    where: str
    name: str
    detail: str


migrations = Migrations("gdprcall.ledger")


@migrations()
def first(db: Database) -> None:
    """Create entries, bodies and checkpoints."""
    db.conn.executescript(
        """
        CREATE TABLE entry (seq INTEGER PRIMARY KEY, recording TEXT, leaf TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
        CREATE INDEX entry_recording ON entry (recording) WHERE recording IS NOT NULL;
        CREATE TABLE body (seq INTEGER PRIMARY KEY REFERENCES entry, salt BLOB NOT NULL, body TEXT NOT NULL) STRICT;
        CREATE TABLE erased (seq INTEGER PRIMARY KEY REFERENCES entry) STRICT;
        CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, root BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
        """
    )


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class Ledger:
    """The ledger file, and the one thread that writes it: all that waits together shares one fsync."""

    def __init__(self, path: Path, *, clock: Clock = now_ms, random: Callable[[int], bytes] = os.urandom) -> None:
        self._store = Store(path, migrations)
        self._clock = clock
        self._random = random
        self._tree = Tree(hash_ for (hash_,) in self._store.rows("SELECT hash FROM entry ORDER BY seq"))  # type: ignore[misc]  # a BLOB column
        self._waiting: queue.SimpleQueue[tuple[Fact, Future[Entry]] | None] = queue.SimpleQueue()
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()

    def submit(self, fact: Fact) -> Future[Entry]:
        """Queue a fact; the future gives its entry once it is durable, or VaultError."""
        future: Future[Entry] = Future()
        if self._closed:
            future.set_exception(VaultError("the ledger is closed"))
        else:
            self._waiting.put((fact, future))
        return future

    def append(self, fact: Fact) -> Entry:
        """Return the entry of a fact once it is durable; raises VaultError."""
        return self.submit(fact).result()

    def size(self) -> int:
        """Return how many entries there are."""
        return self._tree.size

    def root(self) -> bytes:
        """Return the tree's hash now."""
        with self._store.lock:
            return self._tree.root()

    def entries(self, after: int = 0, recording: str | None = None) -> Iterator[Entry]:
        """Yield the entries with a higher number than ``after``, in order, a thousand at a time."""
        where = "" if recording is None else "AND entry.recording = ?"
        extra = () if recording is None else (recording,)
        while True:
            rows = self._store.rows(
                "SELECT entry.seq, leaf, body FROM entry LEFT JOIN body USING (seq) "  # noqa: S608 # no value is pasted
                f"WHERE entry.seq > ? {where} ORDER BY entry.seq LIMIT 1000",
                (after, *extra),
            )
            for row in rows:
                yield _entry(row)
            if len(rows) < 1000:
                return
            after = int(str(rows[-1][0]))

    def forget(self, seqs: Sequence[int]) -> None:
        """Erase the bodies of entries; their leaves stay, and the tree stays whole."""
        with self._store.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO erased VALUES (?)", [(seq,) for seq in seqs])
            db.executemany("DELETE FROM body WHERE seq = ?", [(seq,) for seq in seqs])
        self._store.truncate_log()

    def verify(self) -> Iterator[Finding]:
        """Yield everything that was changed, cut, added or put in another place since it was written."""
        tree = Tree()
        checkpoints = {int(str(size)): root for size, root in self._store.rows("SELECT size, root FROM checkpoint")}
        erased = {seq for (seq,) in self._store.rows("SELECT seq FROM erased")}
        for seq, leaf, stored, salt, body in self._store.rows(
            "SELECT seq, leaf, hash, salt, body FROM entry LEFT JOIN body USING (seq) ORDER BY seq"
        ):
            number = int(str(seq))
            if number != tree.size + 1:
                yield Finding("ledger", f"entry {tree.size + 1}", "is missing")
                return
            yield from _check_entry(number, str(leaf), stored, salt, body, number in erased)
            tree.append(leaf_hash(str(leaf).encode()))
            if number in checkpoints and checkpoints.pop(number) != tree.root():
                yield Finding(
                    "ledger", f"entries up to {number}", "do not lead to the checkpoint that was written with them"
                )
        for size in sorted(checkpoints):
            yield Finding("ledger", f"entry {size}", "was cut off: a checkpoint knows it")
        if tree.size and not self._store.rows("SELECT 1 FROM checkpoint WHERE size = ?", (tree.size,)):
            yield Finding("ledger", f"entry {tree.size}", "was added by someone else: no checkpoint knows it")

    def close(self) -> None:
        """Write what waits, and close the file."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._writer.join()
            self._store.close()

    def _write(self) -> None:
        while True:
            group = [self._waiting.get()]
            while len(group) < GROUP and not self._waiting.empty():
                group.append(self._waiting.get())
            # A fact whose caller gave up waiting is dropped: what was not believed must not stand there either.
            work = [item for item in group if item is not None and item[1].set_running_or_notify_cancel()]
            self._commit(work)
            if None in group:
                return

    def _commit(self, work: list[tuple[Fact, Future[Entry]]]) -> None:
        if not work:
            return
        tree = self._tree.copy()
        try:
            with self._store.transaction() as db:
                made = [self._insert(db, tree, fact) for fact, _ in work]
                db.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (tree.size, tree.root(), self._clock()))
        except Exception as error:  # noqa: BLE001 # the thread's top: whatever it was, nobody may take it for durable
            hint = error.hint if isinstance(error, VaultError) else ""
            for _, future in work:
                future.set_exception(VaultError(f"the ledger was not written: {type(error).__name__}", hint))
            return
        self._tree = tree
        for (_, future), entry in zip(work, made, strict=True):
            future.set_result(entry)

    def _insert(self, db: object, tree: Tree, fact: Fact) -> Entry:
        entry = Entry(tree.size + 1, self._clock(), fact.kind, fact.recording, fact.controller, dict(fact.body))
        salt, body = self._random(SALT_BYTES), canonical(entry.body)
        leaf = canonical(
            {
                "commit": commitment(salt, body),
                "controller": entry.controller,
                "kind": entry.kind,
                "recording": entry.recording,
                "seq": entry.seq,
                "time": entry.time,
            }
        )
        hash_ = leaf_hash(leaf.encode())
        execute = db.execute  # type: ignore[attr-defined]  # sqlite3.Connection
        execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (entry.seq, entry.recording, leaf, hash_))
        execute("INSERT INTO body VALUES (?, ?, ?)", (entry.seq, salt, body))
        tree.append(hash_)
        return entry


def commitment(salt: bytes, body: str) -> str:
    """Return what a leaf holds of its body: nothing that can be guessed without the salt."""
    return hashlib.sha256(salt + body.encode()).hexdigest()


def _entry(row: tuple[object, ...]) -> Entry:
    _, leaf, body = row
    fields = json.loads(str(leaf))
    return Entry(
        fields["seq"],
        fields["time"],
        Kind(fields["kind"]),
        fields["recording"],
        fields["controller"],
        None if body is None else json.loads(str(body)),
    )


def _check_entry(seq: int, leaf: str, stored: object, salt: object, body: object, erased: bool) -> Iterator[Finding]:
    name = f"entry {seq}"
    if leaf_hash(leaf.encode()) != stored:
        yield Finding("ledger", name, "was changed: its text does not match its hash")
        return
    try:
        fields = json.loads(leaf)
        number, commit = fields["seq"], fields["commit"]
    except (ValueError, KeyError, TypeError):
        yield Finding("ledger", name, "is no entry")
        return
    if number != seq:
        yield Finding("ledger", name, f"stands in the place of entry {number}")
    if body is None:
        if not erased:
            yield Finding("ledger", name, "has lost its body without an erasure")
    elif not isinstance(salt, bytes) or commitment(salt, str(body)) != commit:
        yield Finding("ledger", name, "has a body that was changed")
