"""What is known of decisions and recordings, as a projection of the ledger: applied in order, and again without harm.

It is never the source of anything: a crash between ledger and index heals by applying the rest.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlite_utils import Database, Migrations

from gdprcall.vault.database import Store
from gdprcall.vault.ledger import Entry, Kind
from gdprcall.vault.rows import DecisionRow, RecordingRow, SegmentRow, Wanted

migrations = Migrations("gdprcall.index")


@migrations()
def first(db: Database) -> None:
    """Create decisions, recordings, segments and the place in the ledger."""
    db.conn.executescript(
        """
        CREATE TABLE applied (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
        INSERT INTO applied VALUES (1, 0);
        CREATE TABLE decision (
            id TEXT PRIMARY KEY, call TEXT NOT NULL, uniqueid TEXT NOT NULL, controller TEXT NOT NULL,
            line TEXT NOT NULL, purpose TEXT NOT NULL, basis TEXT NOT NULL, outcome TEXT NOT NULL,
            reason TEXT NOT NULL, language TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, heard_ms INTEGER NOT NULL,
            mandatory_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, policy_sha256 TEXT NOT NULL,
            decided_at INTEGER NOT NULL, recording TEXT, withdrawn_at INTEGER) STRICT;
        CREATE INDEX decision_time ON decision (decided_at);
        CREATE TABLE recording (
            id TEXT PRIMARY KEY, call TEXT NOT NULL, controller TEXT NOT NULL, line TEXT NOT NULL,
            purpose TEXT NOT NULL, basis TEXT NOT NULL, decision TEXT NOT NULL, state TEXT NOT NULL,
            started_at INTEGER NOT NULL, retention_days INTEGER NOT NULL, expires_at INTEGER, subject TEXT) STRICT;
        CREATE INDEX recording_time ON recording (started_at);
        CREATE INDEX recording_due ON recording (expires_at) WHERE state IN ('sealed', 'quarantined');
        CREATE INDEX recording_state ON recording (state) WHERE state = 'recording';
        CREATE INDEX recording_subject ON recording (controller, subject) WHERE subject IS NOT NULL;
        CREATE TABLE segment (
            recording TEXT NOT NULL, segment INTEGER NOT NULL, state TEXT NOT NULL, seconds REAL NOT NULL,
            started_at INTEGER NOT NULL, closed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            payload_sha256 TEXT NOT NULL, payload_bytes INTEGER NOT NULL, header_sha256 TEXT NOT NULL,
            PRIMARY KEY (recording, segment)) STRICT;
        """
    )


RECORDING = """
    SELECT r.id, r.call, r.controller, r.line, r.purpose, r.basis, r.decision, coalesce(d.outcome, ''), r.state,
        r.started_at, coalesce(sum(s.seconds), 0.0), count(s.segment), r.retention_days, r.expires_at,
        d.withdrawn_at IS NOT NULL, r.subject
    FROM recording r LEFT JOIN decision d ON d.id = r.decision LEFT JOIN segment s ON s.recording = r.id
"""
DECISION = """
    SELECT id, call, uniqueid, controller, line, purpose, basis, outcome, reason, language, prompt_sha256, heard_ms,
        mandatory_ms, attempts, policy_sha256, decided_at, recording, withdrawn_at FROM decision
"""
SEGMENT = """
    SELECT recording, segment, state, seconds, started_at, closed_at, expires_at, payload_sha256, payload_bytes,
        header_sha256 FROM segment
"""


class Index:
    """The index file."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path, migrations)

    def applied(self) -> int:
        """Return the number of the last ledger entry that is in the index."""
        ((seq,),) = self._store.rows("SELECT seq FROM applied")
        return int(str(seq))

    def apply(self, entries: list[Entry]) -> None:
        """Bring entries in, in one transaction; those that are in already are passed over."""
        with self._store.transaction() as db:
            ((done,),) = db.execute("SELECT seq FROM applied").fetchall()
            for entry in entries:
                if entry.seq > done:
                    _APPLY.get(entry.kind, _nothing)(db, entry, entry.body or {})
                    db.execute("UPDATE applied SET seq = ?", (entry.seq,))

    def decisions(self, wanted: Wanted) -> list[DecisionRow]:
        """Return decisions, the newest first."""
        where, values = _where(
            {"controller = ?": wanted.controller, "line = ?": wanted.line, "outcome = ?": wanted.outcome}
            | {"decided_at >= ?": wanted.since}
        )
        rows = self._store.rows(f"{DECISION} {where} ORDER BY decided_at DESC, id LIMIT ?", (*values, wanted.limit))
        return [_decision(row) for row in rows]

    def decision(self, id_: str) -> DecisionRow | None:
        """Return one decision."""
        return next((_decision(row) for row in self._store.rows(f"{DECISION} WHERE id = ?", (id_,))), None)

    def recordings(self, wanted: Wanted) -> list[RecordingRow]:
        """Return recordings, the newest first."""
        where, values = _where(
            {"r.controller = ?": wanted.controller, "r.line = ?": wanted.line, "r.state = ?": wanted.state}
            | {"r.started_at >= ?": wanted.since}
        )
        order = "GROUP BY r.id ORDER BY r.started_at DESC, r.id LIMIT ?"
        return [_recording(row) for row in self._store.rows(f"{RECORDING} {where} {order}", (*values, wanted.limit))]

    def recording(self, id_: str) -> RecordingRow | None:
        """Return one recording."""
        rows = self._store.rows(f"{RECORDING} WHERE r.id = ? GROUP BY r.id", (id_,))
        return next((_recording(row) for row in rows), None)

    def due(self, now: int, limit: int = 1000) -> list[RecordingRow]:
        """Return the sealed recordings that expired by ``now``, the longest overdue first."""
        where = "WHERE r.state IN ('sealed', 'quarantined') AND r.expires_at <= ?"
        rows = self._store.rows(f"{RECORDING} {where} GROUP BY r.id ORDER BY r.expires_at LIMIT ?", (now, limit))
        return [_recording(row) for row in rows]

    def segments(self, recording: str | None = None) -> list[SegmentRow]:
        """Return the segments of one recording, or of all that are not erased."""
        where, values = ("WHERE recording = ?", (recording,)) if recording else ("", ())
        rows = self._store.rows(f"{SEGMENT} {where} ORDER BY recording, segment", values)
        return [SegmentRow(*row) for row in rows]  # type: ignore[arg-type]  # the table is STRICT

    def truncate_log(self) -> bool:
        """Cut the write-ahead log, so that erased rows are in no file."""
        return self._store.truncate_log()

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def _where(terms: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    given = {term: value for term, value in terms.items() if value is not None}
    return (f"WHERE {' AND '.join(given)}" if given else ""), tuple(given.values())


def _decision(row: tuple[object, ...]) -> DecisionRow:
    return DecisionRow(*row)  # type: ignore[arg-type]  # the table is STRICT


def _recording(row: tuple[object, ...]) -> RecordingRow:
    values = [bool(value) if place == 14 else value for place, value in enumerate(row)]
    return RecordingRow(*values)  # type: ignore[arg-type]  # the table is STRICT


Body = Mapping[str, object]


def _nothing(_db: sqlite3.Connection, _entry: Entry, _body: Body) -> None:
    pass


def _decided(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    names = (
        "decision call uniqueid line purpose basis outcome reason language prompt_sha256 heard_ms mandatory_ms "
        "attempts policy_sha256 retention_days subject"
    ).split()
    values = {name: body.get(name) for name in names}
    values |= {"controller": entry.controller, "time": entry.time, "recording": entry.recording}
    # The same decision noted again (a second key right after the first) takes the later outcome and keeps its recording.
    db.execute(
        """INSERT INTO decision VALUES (:decision, :call, :uniqueid, :controller, :line, :purpose, :basis, :outcome,
            :reason, :language, :prompt_sha256, :heard_ms, :mandatory_ms, :attempts, :policy_sha256, :time,
            :recording, NULL)
        ON CONFLICT DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
            decided_at = excluded.decided_at""",
        values,
    )
    if entry.recording is not None:
        db.execute(
            """INSERT OR IGNORE INTO recording VALUES (:recording, :call, :controller, :line, :purpose, :basis,
                :decision, 'recording', :time, :retention_days, NULL, :subject)""",
            values,
        )


def _not_started(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    db.execute("UPDATE recording SET state = 'not_started' WHERE id = ? AND state = 'recording'", (entry.recording,))


def _discarded(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    if body.get("reason") == "empty":
        _not_started(db, entry, body)


def _withdrawn(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    # Withdrawal is for the future (Art. 7(3)): the grant stays what it was, with the time at which it ended.
    db.execute(
        "UPDATE decision SET withdrawn_at = ?, outcome = 'withdrawn' WHERE recording = ? AND withdrawn_at IS NULL",
        (entry.time, entry.recording),
    )


def _sealed(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    state = "sealed" if entry.kind is Kind.SEALED else "quarantined"
    names = "segment seconds started_at closed_at expires_at payload_sha256 payload_bytes header_sha256".split()
    values = {name: body.get(name) for name in names} | {"recording": entry.recording, "state": state}
    db.execute(
        """INSERT OR REPLACE INTO segment VALUES (:recording, :segment, :state, :seconds, :started_at, :closed_at,
            :expires_at, :payload_sha256, :payload_bytes, :header_sha256)""",
        values,
    )
    if state == "quarantined":
        values |= {"controller": entry.controller or ""}
        db.execute(
            """INSERT OR IGNORE INTO recording VALUES (:recording, '', :controller, '', '', '', '', 'quarantined',
                :started_at, 0, :expires_at, NULL)""",
            values,
        )
    db.execute(
        """UPDATE recording SET state = :state, expires_at = max(coalesce(expires_at, 0), :expires_at),
            started_at = CASE WHEN :segment = 1 THEN :started_at ELSE started_at END
        WHERE id = :recording AND state <> 'erased'""",
        values,
    )


def _erased(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    db.execute("DELETE FROM segment WHERE recording = ?", (entry.recording,))
    db.execute("UPDATE recording SET state = 'erased', subject = NULL WHERE id = ?", (entry.recording,))


_APPLY: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.DECISION: _decided,
    Kind.NOT_STARTED: _not_started,
    Kind.DISCARDED: _discarded,
    Kind.WITHDRAWN: _withdrawn,
    Kind.SEALED: _sealed,
    Kind.QUARANTINED: _sealed,
    Kind.ERASED: _erased,
}
