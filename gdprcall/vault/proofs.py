"""How long each decision is kept as proof, and where in the ledger it stands: a second, small projection beside the index.

It follows the ledger by a place of its own, only when somebody asks, so no call waits for it. It erases nothing.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gdprcall.times import DAY_MS
from gdprcall.vault.database import Store
from gdprcall.vault.entry import Entry, Kind

PROOF_DAYS, REFUSAL_DAYS = 1096, 30
"""What counts for decisions that do not say themselves how long they are kept: those of earlier releases."""

TABLES = (
    """CREATE TABLE proof (
        seq INTEGER PRIMARY KEY, decision TEXT NOT NULL, recording TEXT, keep_days INTEGER NOT NULL,
        refused INTEGER NOT NULL, until INTEGER, forgotten INTEGER NOT NULL) STRICT""",
    "CREATE INDEX proof_decision ON proof (decision)",
    "CREATE INDEX proof_recording ON proof (recording) WHERE recording IS NOT NULL",
    "CREATE INDEX proof_until ON proof (until) WHERE until IS NOT NULL",
    "CREATE TABLE proven (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT",
    "INSERT INTO proven VALUES (1, 0)",
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One decision as proof: its entries in the ledger, its recording, and until when it is kept (milliseconds).

    ``until`` is None as long as that cannot be known: the recording lives.
    """

    decision: str
    entries: tuple[int, ...]
    recording: str | None
    until: int | None


class Proofs:
    """The proofs of an index."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def applied(self) -> int:
        """Return the number of the last ledger entry that was taken in."""
        ((seq,),) = self._store.rows("SELECT seq FROM proven")
        return int(str(seq))

    def apply(self, entries: Sequence[Entry]) -> None:
        """Take entries in, in one transaction; those that are in already are passed over."""
        with self._store.transaction() as db:
            ((done,),) = db.execute("SELECT seq FROM proven").fetchall()
            for entry in entries:
                if entry.seq > done:
                    done = entry.seq
                    _project(db, entry)
            db.execute("UPDATE proven SET seq = ?", (done,))

    def due(self, now: int) -> list[Proof]:
        """Return the decisions whose time as proof is over, the longest overdue first."""
        sql = """SELECT decision FROM proof WHERE until <= ? AND NOT forgotten AND NOT EXISTS (
            SELECT 1 FROM proof other WHERE other.decision = proof.decision
            AND (other.until IS NULL OR other.until > ?)) GROUP BY decision ORDER BY max(until), decision"""
        ids = [str(id_) for (id_,) in self._store.rows(sql, (now, now))]
        return [proof for proof in map(self.find, ids) if proof is not None]

    def find(self, decision: str) -> Proof | None:
        """Return the proof of a decision; None once it was forgotten."""
        sql = "SELECT seq, recording, until FROM proof WHERE decision = ? AND NOT forgotten ORDER BY seq"
        rows = self._store.rows(sql, (decision,))
        if not rows:
            return None
        ends = [None if until is None else int(str(until)) for _, _, until in rows]
        recording = next((str(one) for _, one, _ in rows if one is not None), None)
        known = [end for end in ends if end is not None]
        entries = tuple(int(str(seq)) for seq, _, _ in rows)
        return Proof(decision, entries, recording, max(known) if len(known) == len(ends) else None)

    def unfinished(self) -> list[int]:
        """Return the numbers of entries that were said to be forgotten, and may not be: a crash came."""
        return [int(str(seq)) for (seq,) in self._store.rows("SELECT seq FROM proof WHERE forgotten ORDER BY seq")]

    def finished(self, entries: Sequence[int]) -> None:
        """Let go of entries whose bodies are gone."""
        with self._store.transaction() as db:
            db.executemany("DELETE FROM proof WHERE seq = ?", [(seq,) for seq in entries])


def _project(db: sqlite3.Connection, entry: Entry) -> None:
    body = entry.body or {}
    if entry.kind is Kind.DECISION:
        _decided(db, entry, body)
    elif entry.kind is Kind.ERASED and entry.recording is not None:
        # What was refused in the end is kept no longer than it takes to destroy what had been granted before.
        sql = """UPDATE proof SET until = ? + iif(refused, 0, keep_days) * ?
            WHERE recording = ? AND until IS NULL"""
        db.execute(sql, (entry.time, DAY_MS, entry.recording))
    elif entry.kind is Kind.FORGOTTEN:
        ids = body.get("decisions")
        known = [(id_,) for id_ in ids if isinstance(id_, str)] if isinstance(ids, list) else []
        db.executemany("UPDATE proof SET forgotten = 1 WHERE decision = ?", known)


def _decided(db: sqlite3.Connection, entry: Entry, body: Mapping[str, object]) -> None:
    decision = body.get("decision")
    if not isinstance(decision, str):
        # The first ledgers forgot the whole decision with its recording; the index remembers which one it was.
        rows = db.execute("SELECT id FROM decision WHERE recording = ?", (entry.recording,)).fetchall()
        decision = rows[0][0] if rows else None
    if decision is None:
        return
    recorded, days = entry.recording is not None, body.get("keep_days")
    if type(days) is not int or not 0 < days < 100_000:
        days = PROOF_DAYS if recorded else REFUSAL_DAYS
    if not recorded:
        db.execute("UPDATE proof SET refused = 1 WHERE decision = ?", (decision,))
    until = None if recorded else entry.time + days * DAY_MS
    values = (entry.seq, decision, entry.recording, days, int(not recorded), until)
    db.execute("INSERT OR IGNORE INTO proof VALUES (?, ?, ?, ?, ?, ?, 0)", values)
