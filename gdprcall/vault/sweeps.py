"""What the index knows of the sweeps by which expired recordings go: when each was, and what it did."""

import sqlite3
from collections.abc import Callable, Mapping

from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE sweep (
        seq INTEGER PRIMARY KEY, controller TEXT NOT NULL, at INTEGER NOT NULL, erased INTEGER NOT NULL,
        failed INTEGER NOT NULL) STRICT""",
)


def _swept(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    counts = [value if isinstance(value := body.get(name), int) else 0 for name in ("erased", "failed")]
    db.execute(
        "INSERT OR REPLACE INTO sweep VALUES (?, ?, ?, ?, ?)", (entry.seq, entry.controller or "", entry.time, *counts)
    )


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {Kind.SWEPT: _swept}
