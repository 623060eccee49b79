"""The append-only record of all decisions and deeds: a Merkle tree (RFC 6962) over salted, erasable bodies.

An entry is never changed and never removed. Its body can be erased without breaking the tree, because the leaf holds
only a salted commitment to it; no leaf holds a number, a name or a digit.
"""

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gdprcall.errors import VaultError
from gdprcall.times import Clock, now_ms
from gdprcall.vault.checkpoint import Signed, root_of
from gdprcall.vault.database import Store
from gdprcall.vault.entry import Entry, Fact, Kind, entry_of
from gdprcall.vault.ledger_schema import forget, migrations
from gdprcall.vault.merkle import EMPTY_ROOT, Tree, leaf_hash
from gdprcall.vault.proof import Finding, Row, canonical, commitment, examine

__all__ = ["Entry", "Fact", "Kind", "Ledger"]
SALT_BYTES = 32
GROUP = 512
"""How many entries share one transaction at most, so that no caller waits for an endless group."""
SHARED_SECONDS = 0.2
"""How long facts that nobody waits for wait for others to share a transaction with."""
PAGE = 1000
"""How many rows are read at once: between two pages the writer has its turn."""
PART = 20_000
"""How many rows are looked through at once for what few of them are."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Facts on their way to the file, together: when they were submitted, each with the text that will be kept."""

    facts: tuple[tuple[Fact, str], ...]
    time: int
    future: Future[Entry]
    urgent: bool


class _Made(NamedTuple):
    """One entry, and what is kept of it in the file."""

    entry: Entry
    leaf: str
    hash: bytes
    salt: bytes
    body: str


class Ledger:
    """The ledger file, and the one thread that writes it: all that waits together shares one fsync."""

    def __init__(self, path: Path, *, clock: Clock = now_ms, random: Callable[[int], bytes] = os.urandom) -> None:
        self._store = Store(path, migrations)
        self._clock = clock
        self._random = random
        try:
            self._tree, signed_root = self._read_tree()
            self._fault = self._distrust(signed_root)
        except VaultError:
            self._store.close()
            raise
        self.last_erased = 0
        """The number of the last entry since it was opened that tells of an erasure."""
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()

    def submit(self, *facts: Fact, urgent: bool = True) -> Future[Entry]:
        """Queue facts, all or none of which will stand there, one right after the other.

        The future gives the entry of the first once they are durable (fsynced), or VaultError. The entries' time is the time of this call. What is not ``urgent`` waits a moment for others, to share their fsync. Raises ValueError or TypeError for a body that is not JSON.
        """
        texts = tuple((fact, canonical(dict(fact.body))) for fact in facts)
        waiting = _Waiting(texts, self._clock(), Future(), urgent)
        # Held so that nothing is queued behind the end mark, where nobody would ever answer it.
        with self._gate:
            if self._closed:
                waiting.future.set_exception(VaultError("the ledger is closed", "open the vault again"))
            elif self._fault:
                waiting.future.set_exception(VaultError(self._fault, "run: gdprcall audit verify"))
            else:
                self._waiting.put(waiting)
        return waiting.future

    def append(self, fact: Fact) -> Entry:
        """Return the entry of a fact once it is durable; raises VaultError."""
        return self.submit(fact).result()

    def size(self) -> int:
        """Return how many entries there are."""
        return self._tree.size

    def root(self) -> bytes:
        """Return the tree's hash now."""
        return self._tree.root()

    def head(self) -> tuple[int, bytes]:
        """Return how many durable entries there are, and the root of just these."""
        tree = self._tree
        return tree.size, tree.root()

    def hashes(self) -> Iterator[bytes]:
        """Yield the hash of each entry's text as it stands there now, in order; what is missing is passed over."""
        for _, leaf in self._paged("SELECT seq, leaf FROM entry WHERE seq > ?", 0, ()):
            yield leaf_hash(str(leaf).encode())

    def row(self, seq: int) -> tuple[str, bytes | None, str | None]:
        """Return text, salt and body of an entry, without the last two once they were erased; raises VaultError."""
        found = self._store.rows("SELECT leaf, salt, body FROM entry LEFT JOIN body USING (seq) WHERE seq = ?", (seq,))
        if not found:
            raise VaultError(f"entry {seq} of the ledger is missing", "run: gdprcall audit verify")
        return found[0]  # type: ignore[return-value]  # the tables are STRICT

    def entry(self, seq: int) -> Entry:
        """Return an entry by its number; raises VaultError."""
        leaf, _, body = self.row(seq)
        return entry_of((seq, leaf, body))

    def key_entries(self) -> list[Entry]:
        """Return the entries that tell by which keys checkpoints are signed."""
        sql = """SELECT entry.seq, leaf, body FROM entry LEFT JOIN body USING (seq)
            WHERE entry.seq > ? AND entry.seq <= ? AND leaf LIKE '%"kind":"log_key"%' ORDER BY entry.seq"""
        # In parts, so that the writer has its turn.
        parts = (self._store.rows(sql, (after, after + PART)) for after in range(0, self.size(), PART))
        return [entry for part in parts for entry in map(entry_of, part) if entry.kind is Kind.LOG_KEY]

    def keep(self, signed: Signed) -> None:
        """Keep a signed checkpoint durably, in the place of another of the same size; raises VaultError."""
        handed = self._clock() if signed.handed else None
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO signed VALUES (?, ?, ?, ?)", (signed.size, signed.note, signed.verifier, handed)
            )

    def signed(self, last: int = -1) -> list[Signed]:
        """Return the ``last`` signed checkpoints (default all), the newest first."""
        sql = "SELECT size, note, verifier, handed IS NOT NULL FROM signed ORDER BY size DESC LIMIT ?"
        return [
            Signed(int(str(n)), str(note), str(key), bool(out)) for n, note, key, out in self._store.rows(sql, (last,))
        ]

    def distrust(self, fault: str) -> None:
        """Take no entry any more until the ledger is opened again: something outside shows that it is not the one."""
        self._fault = self._fault or fault

    def trusted(self) -> bool:
        """Whether the ledger ended, when it was opened, as it had ended when it was closed."""
        return not self._fault

    def entries(self, after: int = 0, recording: str | None = None, kinds: Collection[Kind] = ()) -> Iterator[Entry]:
        """Yield the entries with a higher number than ``after``, in order, a page at a time; of these ``kinds`` alone."""
        where = "" if recording is None else "AND entry.recording = ?"
        extra = () if recording is None else (recording,)
        # The text is looked at before it is parsed: most of a recording's entries are of other kinds.
        told = " OR ".join(f'leaf LIKE \'%"kind":"{kind}"%\'' for kind in sorted(kinds))
        where += f" AND ({told})" if told else ""
        sql = f"SELECT entry.seq, leaf, body FROM entry LEFT JOIN body USING (seq) WHERE entry.seq > ? {where}"  # noqa: S608 # no value is pasted
        for entry in map(entry_of, self._paged(sql, after, extra)):
            if not kinds or entry.kind in kinds:
                yield entry

    def forget(self, seqs: Sequence[int]) -> None:
        """Erase the bodies of entries; their leaves stay, and the tree stays whole; raises VaultError."""
        with self._store.transaction() as db:
            forget(db, seqs)
        if not self._store.truncate_log():
            raise VaultError("ledger.db is held open, so its log could not be cut", "close other programs that read it")

    def verify(self) -> Iterator[Finding]:
        """Yield everything that was changed, cut, added or moved since it was written; new entries may come meanwhile.

        A known gap: whoever can write the file can also mark a body as erased.
        """
        ((last, size),) = self._store.rows(
            "SELECT (SELECT coalesce(max(seq), 0) FROM entry), (SELECT coalesce(max(size), 0) FROM checkpoint)"
        )
        sql = """SELECT entry.seq, entry.recording, leaf, hash, salt, body, erased.seq IS NOT NULL, root
            FROM entry LEFT JOIN body USING (seq) LEFT JOIN erased USING (seq)
            LEFT JOIN checkpoint ON checkpoint.size = entry.seq WHERE entry.seq > ? AND entry.seq <= ?"""
        rows = (Row(*row) for row in self._paged(sql, 0, (last,)))  # type: ignore[arg-type]  # the tables are STRICT
        yield from examine(rows, size)  # type: ignore[arg-type]  # the tables are STRICT
        for (seq,) in self._store.rows("SELECT seq FROM body WHERE seq NOT IN (SELECT seq FROM entry)"):
            yield Finding("ledger", f"entry {seq}", "a body without an entry")

    def snapshot(self, target: Path) -> None:
        """Write a whole copy of what is durable; see ``Store.snapshot``."""
        self._store.snapshot(target)

    def shorten_log(self) -> None:
        """Move the write-ahead log into the file if it is long; see ``Store.shorten_log``."""
        self._store.shorten_log()

    def close(self) -> None:
        """Write what waits, and close the file; later submits fail."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._writer.join()
        self._store.close()

    def _paged(self, sql: str, after: int, extra: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
        """Yield the rows of ``sql``, whose first column is entry.seq and first parameter the number to go on after."""
        while True:
            rows = self._store.rows(f"{sql} ORDER BY entry.seq LIMIT {PAGE}", (after, *extra))
            yield from rows
            if len(rows) < PAGE:
                return
            after = int(str(rows[-1][0]))

    def _read_tree(self) -> tuple[Tree, bytes]:
        """Return the tree as it is, and what its root was when the last checkpoint was signed."""
        tree, root = Tree(), EMPTY_ROOT
        size = next((signed.size for signed in self.signed(1)), 0)
        for _, value in self._paged("SELECT seq, hash FROM entry WHERE seq > ?", 0, ()):
            assert isinstance(value, bytes)
            tree.append(value)
            root = tree.root() if tree.size == size else root
        return tree, root

    def _distrust(self, signed_root: bytes) -> str:
        """Return why nothing may be appended: an entry on top of a damaged tree would hide where it was damaged."""
        last = self._store.rows("SELECT size, root FROM checkpoint ORDER BY size DESC LIMIT 1")
        ((end,),) = self._store.rows("SELECT coalesce(max(seq), 0) FROM entry")
        if (last or [(0, EMPTY_ROOT)]) != [(self._tree.size, self._tree.root())] or end != self._tree.size:
            return "the ledger is not as it was left: entries were cut, added or changed"
        if any(root_of(signed.note) != signed_root for signed in self.signed(1)):
            return "the ledger is not what its last signed checkpoint says"
        return ""

    def _write(self) -> None:
        group: list[_Waiting | None] = []
        while None not in group:
            group = self._group()
            # A fact whose caller gave up waiting is dropped: what was not believed must not stand there either.
            self._commit([item for item in group if item and item.future.set_running_or_notify_cancel()])

    def _group(self) -> list[_Waiting | None]:
        """Return what waits, as soon as something is urgent or has waited long enough; None is the end."""
        group, left = [self._waiting.get()], SHARED_SECONDS
        end = time.monotonic() + left
        with suppress(queue.Empty):
            while len(group) < GROUP:
                last = group[-1]
                left = 0 if last is None or last.urgent else min(left, max(0, end - time.monotonic()))
                group.append(self._waiting.get(timeout=left))
        return group

    def _commit(self, work: list[_Waiting]) -> None:
        if not work:
            return
        tree = self._tree.copy()
        try:
            made = [[self._made(tree, item.time, *fact) for fact in item.facts] for item in work]
            rows = [row for rows in made for row in rows]
            with self._store.transaction() as db:
                sql = "INSERT INTO entry (seq, recording, leaf, hash) VALUES (?, ?, ?, ?)"
                db.executemany(sql, [(row.entry.seq, row.entry.recording, row.leaf, row.hash) for row in rows])
                db.executemany("INSERT INTO body VALUES (?, ?, ?)", [(r.entry.seq, r.salt, r.body) for r in rows])
                db.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (tree.size, tree.root(), self._clock()))
        except Exception as error:  # noqa: BLE001 # the thread's top: whatever it was, nobody may take it for durable
            known = error if isinstance(error, VaultError) else VaultError(type(error).__name__)
            for item in work:
                failed = VaultError(f"nothing was noted: {known.message}", known.hint)
                failed.__cause__ = error
                item.future.set_exception(failed)
            return
        self._tree = tree
        erased = [row.entry.seq for row in rows if row.entry.kind is Kind.ERASED]
        self.last_erased = max([self.last_erased, *erased])
        for item, first in zip(work, made, strict=True):
            item.future.set_result(first[0].entry)

    def _made(self, tree: Tree, time: int, fact: Fact, body: str) -> _Made:
        seq, salt = tree.size + 1, self._random(SALT_BYTES)
        fields = {"commit": commitment(salt, body), "controller": fact.controller, "kind": fact.kind}
        leaf = canonical(fields | {"recording": fact.recording, "seq": seq, "time": time})
        value = leaf_hash(leaf.encode())
        tree.append(value)
        entry = Entry(seq, time, fact.kind, fact.recording, fact.controller, json.loads(body))
        return _Made(entry, leaf, value, salt, body)
