"""What the index knows of the erasures of persons: which were begun and are not certified yet.

Who asked is in it as a mark that only the same number makes again, and that is forgotten once the erasure is certified.
"""

import sqlite3
from collections.abc import Callable, Mapping

from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE erasure (
        id TEXT PRIMARY KEY, controller TEXT NOT NULL, mark TEXT NOT NULL, seq INTEGER NOT NULL,
        certified_at INTEGER) STRICT""",
)
OPEN = "SELECT id, mark FROM erasure WHERE (? IS NULL OR controller = ?) AND certified_at IS NULL ORDER BY seq"


def _asked(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (_text(body, "certificate"), entry.controller or "", entry.seq)
    db.execute("INSERT OR IGNORE INTO erasure VALUES (?, ?, '', ?, NULL)", values)


def _person(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (_text(body, "mark"), _text(body, "certificate"), entry.controller or "")
    db.execute("UPDATE erasure SET mark = ? WHERE id = ? AND controller = ? AND certified_at IS NULL", values)


def _certified(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # Overwritten in its own length first, for what SQLite leaves behind of a row that shrinks.
    for change in ("mark = printf('%.*c', length(mark), '-')", "mark = ''"):
        sql = f"UPDATE erasure SET {change}, certified_at = ? WHERE id = ? AND controller = ?"  # noqa: S608 # constants
        db.execute(sql, (entry.time, _text(body, "certificate"), entry.controller or ""))


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.ERASURE_ASKED: _asked,
    Kind.ERASURE_PERSON: _person,
    Kind.ERASURE_CERTIFIED: _certified,
}
