"""What is known of decisions and recordings, as a projection of the ledger: applied in order, and again without harm.

It is never the source of anything: a crash between ledger and index heals by applying the rest.
"""

from collections.abc import Mapping
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault import breaches, certificates, holders, keeps, packages, proofs, requests
from gdprcall.vault.database import Store
from gdprcall.vault.holders import Known
from gdprcall.vault.index_schema import EXPIRING, KEYS, migrations
from gdprcall.vault.ledger import Entry
from gdprcall.vault.projection import project
from gdprcall.vault.rows import DecisionRow, RecordingRow, SegmentRow, Wanted
from gdprcall.vault.statistics import Statistics

# What is counted of the segments is asked for each row that is wanted: grouping would read all rows before the first.
RECORDING = f"""
    SELECT r.id, r.call, r.controller, r.line, r.purpose, r.basis, r.decision, coalesce(d.outcome, ''), r.state,
        r.started_at, (SELECT coalesce(sum(seconds), 0.0) FROM segment WHERE recording = r.id),
        (SELECT count(*) FROM segment WHERE recording = r.id), r.retention_days, r.expires_at,
        d.withdrawn_at IS NOT NULL, r.subject, r.intended AND r.state <> 'erased',
        {keeps.HAS_RESTRICTION}, {keeps.HAS_HOLD}
    FROM recording r LEFT JOIN decision d ON d.id = r.decision
"""  # noqa: S608 # constants
DECISION = """
    SELECT id, call, uniqueid, controller, line, purpose, basis, outcome, reason, language, prompt_sha256, heard_ms,
        mandatory_ms, attempts, policy_sha256, decided_at, recording, withdrawn_at FROM decision
"""
SEGMENT = """
    SELECT recording, segment, state, seconds, started_at, closed_at, expires_at, payload_sha256, payload_bytes,
        header_sha256 FROM segment
"""


IMPORTED = "imported"
"""The reason of a decision under which a recording of an archive is taken in."""
IMPORT_MS = 3_600_000
Key = tuple[object, ...]
"""What names a row of a table."""


class Index:
    """The index file."""

    def __init__(self, path: Path) -> None:
        # What a power cut takes of it is applied again from the ledger.
        self._store = Store(path, migrations, durable=False)
        ((seq,),) = self._store.rows("SELECT seq FROM applied")
        self._applied = int(str(seq))
        self.proofs = proofs.Proofs(self._store)
        self.requests = requests.Requests(self._store)
        self.breaches = breaches.Breaches(self._store)
        self.statistics = Statistics(self._store)

    def applied(self) -> int:
        """Return the number of the last ledger entry that is in the index."""
        return self._applied

    def apply(self, entries: list[Entry]) -> None:
        """Bring entries in, in one transaction; those that are in already are passed over.

        Raises VaultError when one is missing between them: a projection with a hole would be believed.
        """
        with self._store.lock:
            self._apply(entries)

    def _apply(self, entries: list[Entry]) -> None:
        done = self._applied
        with self._store.transaction() as db:
            for entry in entries:
                if entry.seq <= done:
                    continue
                if entry.seq != done + 1:
                    raise VaultError("the index does not follow the ledger", "run: gdprcall audit verify")
                done = entry.seq
                project(db, entry)
            db.execute("UPDATE applied SET seq = ?", (done,))
        self._applied = done

    def decisions(self, wanted: Wanted) -> list[DecisionRow]:
        """Return decisions, the newest first."""
        where, values = _where(
            {"controller = ?": wanted.controller, "line = ?": wanted.line, "outcome = ?": wanted.outcome}
            | {"decided_at >= ?": wanted.since, "decided_at < ?": wanted.until}
        )
        rows = self._store.rows(f"{DECISION} {where} ORDER BY decided_at DESC, id LIMIT ?", (*values, wanted.limit))
        return [_decision(row) for row in rows]

    def decision(self, id_: str) -> DecisionRow | None:
        """Return one decision."""
        return next((_decision(row) for row in self._store.rows(f"{DECISION} WHERE id = ?", (id_,))), None)

    def decisions_count(self, controller: str | None = None) -> int:
        """Return how many decisions there are, of one controller or of all."""
        where, values = _where({"controller = ?": controller})
        ((count,),) = self._store.rows(f"SELECT count(*) FROM decision {where}", values)  # noqa: S608 # no value is pasted
        return int(str(count))

    def recordings(self, wanted: Wanted) -> list[RecordingRow]:
        """Return recordings, the newest first."""
        where, values = _where(
            {"r.controller = ?": wanted.controller, "r.line = ?": wanted.line, "r.state = ?": wanted.state}
            | {"r.subject = ?": wanted.subject, "d.outcome = ?": wanted.outcome}
            | {"r.started_at >= ?": wanted.since, "r.started_at < ?": wanted.until}
        )
        return self._recordings(where, "r.started_at DESC, r.id DESC", (*values, wanted.limit))

    def count(self, state: str) -> int:
        """Return how many recordings are in a state."""
        ((count,),) = self._store.rows("SELECT count(*) FROM recording WHERE state = ?", (state,))
        return int(str(count))

    def first_end(self, state: str) -> int | None:
        """Return when the first of the recordings in a state expires (milliseconds), None without any."""
        ((first,),) = self._store.rows("SELECT min(expires_at) FROM recording WHERE state = ?", (state,))
        return None if first is None else int(str(first))

    def recording(self, id_: str) -> RecordingRow | None:
        """Return one recording."""
        return next(iter(self._recordings("WHERE r.id = ?", "r.id", (id_, 1))), None)

    def claim(self, id_: str) -> tuple[str, bool] | None:
        """Return whose a recording is, and whether it is to stay: neither erased nor about to be, nor withdrawn, unless it is kept."""
        sql = f"""SELECT r.controller, r.state <> 'erased' AND NOT r.intended AND (d.withdrawn_at IS NULL OR {keeps.HAS})
            FROM recording r LEFT JOIN decision d ON d.id = r.decision WHERE r.id = ?"""  # noqa: S608 # constants
        return next(((str(whose), bool(stays)) for whose, stays in self._store.rows(sql, (id_,))), None)

    def due(self, now: int, limit: int = 1000) -> list[RecordingRow]:
        """Return what expired by ``now`` and is over, the longest overdue first; what is held or restricted stays.

        That is also what was granted and never came to a file: the caller's sealed number lies there still.
        """
        where = f"WHERE r.{EXPIRING} AND r.expires_at <= ? AND NOT {keeps.HAS}"
        return self._recordings(where, "r.expires_at, r.id", (now, limit))

    def shortened(self, now: int, controller: str, line: str, days: int) -> list[RecordingRow]:
        """Return what would have expired by ``now`` if it had been kept for so many days, and was to be kept for longer."""
        shorter = f"r.controller = ? AND r.line = ? AND r.retention_days > ? AND NOT {keeps.HAS}"
        where = f"WHERE r.{EXPIRING} AND {shorter} AND r.expires_at - (r.retention_days - ?) * {DAY_MS} <= ?"
        return self._recordings(where, "r.expires_at, r.id", (controller, line, days, days, now, -1))

    def unfinished(self, now: int) -> list[RecordingRow]:
        """Return the granted recordings of which nothing more is known at ``now``, and nobody wants them gone.

        One that is being imported has its decision a moment before its sound.
        """
        where = "WHERE r.state IN ('recording', 'spooled') AND NOT r.intended AND d.withdrawn_at IS NULL"
        where += " AND (d.reason <> ? OR d.decided_at < ?)"
        return self._recordings(where, "r.started_at, r.id", (IMPORTED, now - IMPORT_MS, -1))

    def unerased(self) -> list[RecordingRow]:
        """Return the recordings that are to be destroyed and are not: by a withdrawal that nothing stands against, or an intent."""
        where = f"WHERE r.state <> 'erased' AND (r.intended OR (d.withdrawn_at IS NOT NULL AND NOT {keeps.HAS}))"
        return self._recordings(where, "r.started_at, r.id", (-1,))

    def _recordings(self, where: str, order: str, values: tuple[object, ...]) -> list[RecordingRow]:
        rows = self._store.rows(f"{RECORDING} {where} ORDER BY {order} LIMIT ?", values)
        return [_recording(row) for row in rows]

    def segments(self, recording: str | None = None) -> list[SegmentRow]:
        """Return the segments of one recording, or of all that are not erased."""
        where, values = ("WHERE recording = ?", (recording,)) if recording else ("", ())
        rows = self._store.rows(f"{SEGMENT} {where} ORDER BY recording, segment", values)
        return [SegmentRow(*row) for row in rows]  # type: ignore[arg-type]  # the table is STRICT

    def sealed_segments(self) -> int:
        """Return how many segments there are."""
        ((count,),) = self._store.rows("SELECT count(*) FROM segment")
        return int(str(count))

    def segment_of(self, payload_sha256: str) -> tuple[str, int] | None:
        """Return recording and number of the segment that was sealed with this payload."""
        rows = self._store.rows(
            "SELECT recording, segment FROM segment WHERE payload_sha256 = ? LIMIT 1", (payload_sha256,)
        )
        return (str(rows[0][0]), int(str(rows[0][1]))) if rows else None

    def names(self) -> tuple[set[str], set[tuple[str, int]]]:
        """Return the ids of all recordings, and recording and number of all segments."""
        ids = {str(id_) for (id_,) in self._store.rows("SELECT id FROM recording")}
        rows = self._store.rows("SELECT recording, segment FROM segment")
        return ids, {(str(recording), int(str(segment))) for recording, segment in rows}

    def keys_kept_until(self, controller: str) -> int | None:
        """Return when the last backup of a controller's keys ends (milliseconds), None if there never was one."""
        ((last,),) = self._store.rows("SELECT max(expires_at) FROM key_backup WHERE controller = ?", (controller,))
        return None if last is None else int(str(last))

    def recipients(self) -> list[Known]:
        """Return what is known of every recipient that was ever used or enrolled."""
        rows = self._store.rows(f"SELECT {holders.COLUMNS} FROM recipient ORDER BY controller, place, recipient")  # noqa: S608 # a constant
        return [holders.known(row) for row in rows]

    def package(self, id_: str) -> packages.Package | None:
        """Return what is known of a package that a person was given."""
        rows = self._store.rows(f"SELECT {packages.COLUMNS} FROM access_package WHERE id = ?", (id_,))  # noqa: S608 # a constant
        return packages.package(rows[0]) if rows else None

    def keeps(self, recording: str | None = None, controller: str | None = None) -> list[keeps.Keep]:
        """Return what stands against the end of one recording, or of all of a controller or of the house, by its review."""
        where, values = _where({"recording = ?": recording, "controller = ?": controller})
        columns = keeps.COLUMNS.replace("recording", "keep.recording")
        sql = f"SELECT {columns} FROM keep JOIN recording ON recording.id = keep.recording"  # noqa: S608 # constants
        rows = self._store.rows(
            f"{sql} {where} ORDER BY review_at IS NULL, review_at, keep.recording, flag, name", values
        )
        return [keeps.keep(row) for row in rows]

    def erasures(self, controller: str | None = None) -> list[tuple[str, str]]:
        """Return the erasures of persons that were begun and are not certified: their numbers, and whose by a mark."""
        rows = self._store.rows(certificates.OPEN, (controller, controller))
        return [(str(id_), str(whose)) for id_, whose in rows]

    def marks(self) -> set[tuple[str, str]]:
        """Return who is never to be recorded: controller and subject."""
        rows = self._store.rows("SELECT controller, subject FROM never_record")
        return {(str(controller), str(subject)) for controller, subject in rows}

    def never_record(self, controller: str, subject: str) -> list[int]:
        """Return by which entries of the ledger a person is never to be recorded; none if he may be."""
        sql = "SELECT seq FROM never_record WHERE controller = ? AND subject = ? ORDER BY seq"
        return [int(str(seq)) for (seq,) in self._store.rows(sql, (controller, subject))]

    def first(self, sql: str, *values: object) -> int | None:
        """Return the one number that a query gives, None for none."""
        ((found,),) = self._store.rows(sql, values)
        return None if found is None else int(str(found))

    def page(self, table: str, after: Key, limit: int, until: Key | None = None) -> dict[Key, dict[str, object]]:
        """Return rows of one of ``TABLES`` in the order of their keys, each by its key, without who called."""
        names = KEYS[table]
        key, marks = ", ".join(names), ", ".join("?" * len(names))
        terms = [f"({key}) > ({marks})"] * bool(after) + [f"({key}) <= ({marks})"] * (until is not None)
        where = f"WHERE {' AND '.join(terms)}" if terms else ""
        columns = [str(row[1]) for row in self._store.rows(f"PRAGMA table_info({table})") if row[1] != "subject"]
        sql = f"SELECT {', '.join(columns)} FROM {table} {where} ORDER BY {key} LIMIT ?"  # noqa: S608 # constants
        rows = [dict(zip(columns, row, strict=True)) for row in self._store.rows(sql, (*after, *(until or ()), limit))]
        return {tuple(row[name] for name in names): row for row in rows}

    def row(self, table: str, key: Key) -> dict[str, object] | None:
        """Return one row of one of ``TABLES``."""
        names = KEYS[table]
        where = " AND ".join(f"{name} = ?" for name in names)
        columns = [str(row[1]) for row in self._store.rows(f"PRAGMA table_info({table})") if row[1] != "subject"]
        rows = self._store.rows(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", key)  # noqa: S608 # constants
        return dict(zip(columns, rows[0], strict=True)) if rows else None

    def snapshot(self, target: Path) -> None:
        """Write a whole copy; see ``Store.snapshot``."""
        self._store.snapshot(target)

    def truncate_log(self) -> bool:
        """Cut the write-ahead log, so that erased rows are in no file."""
        return self._store.truncate_log()

    def shorten_log(self) -> None:
        """Move the write-ahead log into the file if it is long; see ``Store.shorten_log``."""
        self._store.shorten_log()

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def _where(terms: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    given = {term: value for term, value in terms.items() if value is not None}
    return (f"WHERE {' AND '.join(given)}" if given else ""), tuple(given.values())


def _decision(row: tuple[object, ...]) -> DecisionRow:
    return DecisionRow(*row)  # type: ignore[arg-type]  # the table is STRICT


def _recording(row: tuple[object, ...]) -> RecordingRow:
    values = [bool(value) if place in {14, 16, 17, 18} else value for place, value in enumerate(row)]
    return RecordingRow(*values)  # type: ignore[arg-type]  # the table is STRICT
