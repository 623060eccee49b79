"""What the index knows of releases and of who may release more than a few: for the rule of four eyes.

It decides nothing.
"""

import sqlite3
from collections.abc import Callable, Mapping

from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE release (
        seq INTEGER PRIMARY KEY, actor TEXT NOT NULL, at INTEGER NOT NULL) STRICT""",
    "CREATE INDEX release_actor ON release (actor, at)",
    """CREATE TABLE approval (
        seq INTEGER PRIMARY KEY, actor TEXT NOT NULL, at INTEGER NOT NULL, count INTEGER NOT NULL) STRICT""",
    "CREATE INDEX approval_actor ON approval (actor, at)",
)
RELEASED = "SELECT count(*) FROM release WHERE actor = ? AND at > ?"
APPROVED = "SELECT coalesce(sum(count), 0) FROM approval WHERE actor = ? AND at > ?"


def _released(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # What goes into a person's package is counted by its request.
    if not body.get("package"):
        db.execute("INSERT OR REPLACE INTO release VALUES (?, ?, ?)", (entry.seq, _text(body, "actor"), entry.time))


def _approved(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    count = body.get("count")
    number = count if isinstance(count, int) and 0 < count < 1 << 31 else 0
    values = (entry.seq, _text(body, "for"), entry.time, number)
    db.execute("INSERT OR REPLACE INTO approval VALUES (?, ?, ?, ?)", values)


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.RELEASED: _released,
    Kind.BULK_APPROVED: _approved,
}
WITHOUT_RECORDING = frozenset({Kind.BULK_APPROVED})
