"""What the index knows of breaches of personal data (Art. 33(5)): the register, who was told, and which recordings are concerned.

What is said of a breach stands in entries of its own, which can be forgotten; the fields here are the last ones that were said.
In the ledger nothing is ever edited.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gdprcall.vault.database import Store
from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE breach (
        id TEXT PRIMARY KEY, incident TEXT NOT NULL, controller TEXT NOT NULL, trigger TEXT NOT NULL,
        regime TEXT NOT NULL, role TEXT NOT NULL, zone TEXT NOT NULL, opened_at INTEGER NOT NULL,
        aware_at INTEGER, hours INTEGER NOT NULL, decided_at INTEGER, closed_at INTEGER, outcome TEXT NOT NULL,
        records INTEGER NOT NULL, persons INTEGER NOT NULL, evidence INTEGER NOT NULL, fields TEXT NOT NULL,
        forgotten_at INTEGER) STRICT""",
    "CREATE INDEX breach_open ON breach (controller, opened_at) WHERE closed_at IS NULL",
    """CREATE TABLE breach_entry (
        breach TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (breach, seq)) STRICT""",
    """CREATE TABLE breach_told (
        seq INTEGER PRIMARY KEY, breach TEXT NOT NULL, told TEXT NOT NULL, phase INTEGER NOT NULL,
        sent_at INTEGER NOT NULL, reference TEXT NOT NULL, count INTEGER NOT NULL) STRICT""",
    "CREATE INDEX breach_told_of ON breach_told (breach, sent_at)",
    """CREATE TABLE breach_recording (
        breach TEXT NOT NULL, recording TEXT NOT NULL, PRIMARY KEY (breach, recording)) WITHOUT ROWID, STRICT""",
    """CREATE TABLE breach_reminder (
        breach TEXT NOT NULL, duty TEXT NOT NULL, hour INTEGER NOT NULL, PRIMARY KEY (breach, duty, hour)) STRICT""",
    "CREATE TABLE contact_test (seq INTEGER PRIMARY KEY, controller TEXT NOT NULL, at INTEGER NOT NULL) STRICT",
)
WORDED = frozenset({Kind.BREACH_WORDS, Kind.BREACH_AFFECTED})
"""What is forgotten of a breach when its time is over: what was said of it, and which recordings it concerned."""
COLUMNS = (
    "id, incident, controller, trigger, regime, role, zone, opened_at, aware_at, hours, decided_at, closed_at, outcome, "
    "records, persons, evidence, fields, forgotten_at"
)


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach of one controller; times in milliseconds.

    ``incident`` is what those of several controllers have in common, ``hours`` the period of whoever must tell first,
    ``decided_at`` when the risk was decided, ``evidence`` the last entry of the ledger that a trigger stands on.
    """

    id: str
    incident: str
    controller: str
    trigger: str
    regime: str
    role: str
    zone: str
    opened_at: int
    aware_at: int | None
    hours: int
    decided_at: int | None
    closed_at: int | None
    outcome: str
    records: int
    persons: int
    evidence: int
    fields: Mapping[str, object]
    forgotten_at: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """One notice that was sent: to whom, its phase from 1 on, when, its receipt, and to how many persons."""

    to: str
    phase: int
    sent_at: int
    reference: str
    count: int
    seq: int


class Breaches:
    """The breaches of an index."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, id_: str) -> Breach | None:
        """Return one breach."""
        return next(iter(self._rows("id = ?", (id_,))), None)

    def all(self, controller: str | None = None, *, closed: bool = False) -> list[Breach]:
        """Return the open breaches of a controller, or of all; with ``closed`` the others too, the oldest first."""
        terms = [*(["controller = ?"] if controller is not None else []), *([] if closed else ["closed_at IS NULL"])]
        return self._rows(" AND ".join(terms) or "1", () if controller is None else (controller,))

    def of_trigger(self, trigger: str, controller: str) -> list[Breach]:
        """Return what a trigger has opened for a controller, the oldest first."""
        return self._rows("trigger = ? AND controller = ?", (trigger, controller))

    def entries(self, id_: str) -> list[tuple[int, Kind]]:
        """Return where in the ledger a breach is told of, and by which kind of entry, in order."""
        sql = "SELECT seq, kind FROM breach_entry WHERE breach = ? ORDER BY seq"
        return [(int(str(seq)), Kind(str(kind))) for seq, kind in self._store.rows(sql, (id_,))]

    def told(self, id_: str) -> list[Told]:
        """Return who was told of a breach, in order."""
        sql = "SELECT told, phase, sent_at, reference, count, seq FROM breach_told WHERE breach = ? ORDER BY seq"
        return [Told(*row) for row in self._store.rows(sql, (id_,))]  # type: ignore[arg-type]  # the table is STRICT

    def recordings(self, id_: str) -> list[str]:
        """Return the recordings that a breach concerns."""
        sql = "SELECT recording FROM breach_recording WHERE breach = ? ORDER BY recording"
        return [str(one) for (one,) in self._store.rows(sql, (id_,))]

    def languages(self, id_: str) -> dict[str, int]:
        """Return in which languages the persons were asked whose recordings a breach concerns, and how many recordings each has."""
        sql = """SELECT d.language, count(*) FROM breach_recording b JOIN recording r ON r.id = b.recording
            JOIN decision d ON d.id = r.decision WHERE b.breach = ? GROUP BY d.language ORDER BY d.language"""
        return {str(language): int(str(count)) for language, count in self._store.rows(sql, (id_,))}

    def reminded(self, id_: str) -> set[tuple[str, int]]:
        """Return of which duties somebody was reminded, at which hours."""
        rows = self._store.rows("SELECT duty, hour FROM breach_reminder WHERE breach = ?", (id_,))
        return {(str(duty), int(str(hour))) for duty, hour in rows}

    def contact_tested(self, controller: str) -> int | None:
        """Return when a controller's contact for breaches was last tested (milliseconds)."""
        ((last,),) = self._store.rows("SELECT max(at) FROM contact_test WHERE controller = ?", (controller,))
        return None if last is None else int(str(last))

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Breach]:
        sql = f"SELECT {COLUMNS} FROM breach WHERE {where} ORDER BY opened_at, id"  # noqa: S608 # no value is pasted
        return [_breach(row) for row in self._store.rows(sql, values)]


def _breach(row: tuple[object, ...]) -> Breach:
    values = dict(zip(COLUMNS.split(", "), row, strict=True))
    return Breach(**values | {"fields": json.loads(str(values["fields"]))})  # type: ignore[arg-type]  # the table is STRICT


def _opened(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values: dict[str, object] = {name: _text(body, name) for name in "breach incident trigger regime role zone".split()}
    values |= {"controller": entry.controller or "", "at": entry.time, "hours": _number(body, "hours")}
    values |= {name: _number(body, name) for name in ("records", "persons", "evidence")}
    db.execute(
        """INSERT OR IGNORE INTO breach VALUES (:breach, :incident, :controller, :trigger, :regime, :role, :zone, :at,
            NULL, :hours, NULL, NULL, '', :records, :persons, :evidence, '{}', NULL)""",
        values,
    )


def _affected(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    ids = body.get("recordings")
    rows = [(_text(body, "breach"), one) for one in ids if isinstance(one, str)] if isinstance(ids, list) else []
    db.executemany("INSERT OR IGNORE INTO breach_recording VALUES (?, ?)", rows)


def _fields(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    fields = body.get("fields")
    if isinstance(fields, dict):
        _set(db, entry, body, "fields = json_patch(fields, ?)", json.dumps(fields))


def _decided(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "decided_at = ?", entry.time)


def _aware(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "aware_at = ?, hours = ?", _number(body, "aware_at"), _number(body, "hours"))


def _evidence(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "evidence = max(evidence, ?)", _number(body, "evidence"))


def _told(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (entry.seq, _text(body, "breach"), _text(body, "to"), _number(body, "phase"), _number(body, "sent_at"))
    more = (_text(body, "reference"), _number(body, "count"))
    db.execute("INSERT OR REPLACE INTO breach_told VALUES (?, ?, ?, ?, ?, ?, ?)", values + more)


def _reminded(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (_text(body, "breach"), _text(body, "duty"), _number(body, "hour"))
    db.execute("INSERT OR IGNORE INTO breach_reminder VALUES (?, ?, ?)", values)


def _closed(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "closed_at = ?, outcome = ?", entry.time, _text(body, "outcome"))


def _forgotten(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # Overwritten in its own length first, for what SQLite leaves behind of a row that shrinks.
    _set(db, entry, body, "fields = printf('%.*c', length(fields), '-')")
    _set(db, entry, body, "fields = '{}', forgotten_at = ?", entry.time)
    db.execute("DELETE FROM breach_recording WHERE breach = ?", (_text(body, "breach"),))
    kinds = ", ".join(f"'{kind}'" for kind in sorted(WORDED))
    db.execute(f"DELETE FROM breach_entry WHERE breach = ? AND kind IN ({kinds})", (_text(body, "breach"),))  # noqa: S608 # constants


def _tested(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    db.execute("INSERT OR REPLACE INTO contact_test VALUES (?, ?, ?)", (entry.seq, entry.controller or "", entry.time))


def _set(db: sqlite3.Connection, entry: Entry, body: Body, change: str, *values: object) -> None:
    sql = f"UPDATE breach SET {change} WHERE id = ? AND controller = ?"  # noqa: S608 # constants of this file
    db.execute(sql, (*values, _text(body, "breach"), entry.controller or ""))


Change = Callable[[sqlite3.Connection, Entry, Body], None]


def _noted(change: Change) -> Change:
    """Return a change that also remembers where in the ledger the breach is told of."""

    def noted(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
        if breach := _text(body, "breach"):
            change(db, entry, body)
            db.execute(
                "INSERT OR IGNORE INTO breach_entry SELECT id, ?, ? FROM breach WHERE id = ? AND controller = ?",
                (entry.seq, str(entry.kind), breach, entry.controller or ""),
            )

    return noted


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _number(body: Body, name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) and abs(value) < 1 << 47 else 0


CHANGES: Mapping[Kind, Change] = {
    Kind.BREACH_OPENED: _noted(_opened),
    Kind.BREACH_AFFECTED: _noted(_affected),
    Kind.BREACH_WORDS: _noted(_fields),
    Kind.BREACH_AWARE: _noted(_aware),
    Kind.BREACH_DECIDED: _noted(_decided),
    Kind.BREACH_EVIDENCE: _noted(_evidence),
    Kind.BREACH_TOLD: _noted(_told),
    Kind.BREACH_REMINDED: _reminded,
    Kind.BREACH_CLOSED: _noted(_closed),
    Kind.BREACH_FORGOTTEN: _noted(_forgotten),
    Kind.CONTACT_TESTED: _tested,
}
