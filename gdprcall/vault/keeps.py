"""What stands against the end of a recording, and who is never to be recorded: the part of the index that knows.

A restriction is the person's right and a hold the controller's claim (Art. 18, 17(3)(e)): two flags, and neither is the other.
It weighs nothing.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gdprcall.errors import Refused
from gdprcall.times import rfc3339
from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE keep (
        recording TEXT NOT NULL, flag TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, since INTEGER NOT NULL,
        review_at INTEGER, PRIMARY KEY (recording, flag, name)) WITHOUT ROWID, STRICT""",
    """CREATE TABLE never_record (
        seq INTEGER PRIMARY KEY, controller TEXT NOT NULL, subject TEXT NOT NULL, since INTEGER NOT NULL) STRICT""",
    "CREATE INDEX never_record_subject ON never_record (controller, subject)",
)
COLUMNS = "recording, flag, name, owner, since, review_at"
RESTRICTION, HOLD = "restriction", "hold"
HAS = "EXISTS (SELECT 1 FROM keep WHERE recording = r.id)"
"""SQL for whether anything stands against the end of the recording in a row ``r``."""
HAS_RESTRICTION, HAS_HOLD = (f"{HAS[:-1]} AND flag = '{flag}')" for flag in (RESTRICTION, HOLD))


class StillKept(Refused):
    """A recording is not destroyed: a hold or a restriction stands against it."""


@dataclass(frozen=True, slots=True)
class Keep:
    """One reason to keep a recording: ``name`` is the ground of a restriction (a to d) or the matter of a hold.

    Times in milliseconds; only a hold has an owner and a review.
    """

    recording: str
    flag: str
    name: str
    owner: str
    since: int
    review_at: int | None

    def as_json(self) -> dict[str, object]:
        """Return it with RFC 3339 times."""
        review = None if self.review_at is None else rfc3339(self.review_at)
        values = {"recording": self.recording, "flag": self.flag, "name": self.name, "owner": self.owner}
        return values | {"since": rfc3339(self.since), "review_at": review}


def keep(row: tuple[object, ...]) -> Keep:
    """Return what a row of ``COLUMNS`` says."""
    return Keep(*row)  # type: ignore[arg-type]  # the table is STRICT


def _restricted(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _put(db, entry, RESTRICTION, _text(body, "ground"), "", None)


def _held(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    review = body.get("review_at")
    at = review if isinstance(review, int) and abs(review) < 1 << 63 else 0
    _put(db, entry, HOLD, _text(body, "matter"), _text(body, "owner"), at)


def _put(db: sqlite3.Connection, entry: Entry, flag: str, name: str, owner: str, review: int | None) -> None:
    db.execute(
        """INSERT INTO keep SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS
            (SELECT 1 FROM recording WHERE id = ? AND state = 'erased')
        ON CONFLICT DO UPDATE SET owner = excluded.owner, review_at = excluded.review_at""",
        (entry.recording, flag, name, owner, entry.time, review, entry.recording),
    )


def _lifted(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    flag, name = (RESTRICTION, "ground") if entry.kind is Kind.RESTRICTION_LIFTED else (HOLD, "matter")
    values = (entry.recording, flag, _text(body, name))
    db.execute("DELETE FROM keep WHERE recording = ? AND flag = ? AND name = ?", values)


def _never(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (entry.seq, entry.controller or "", _text(body, "subject"), entry.time)
    db.execute("INSERT OR REPLACE INTO never_record VALUES (?, ?, ?, ?)", values)


def _may(db: sqlite3.Connection, _entry: Entry, body: Body) -> None:
    marks = body.get("marks")
    seqs = [(seq,) for seq in marks if isinstance(seq, int)] if isinstance(marks, list) else []
    db.executemany("DELETE FROM never_record WHERE seq = ?", seqs)


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.RESTRICTED: _restricted,
    Kind.HELD: _held,
    Kind.RESTRICTION_LIFTED: _lifted,
    Kind.HOLD_LIFTED: _lifted,
    Kind.NEVER_RECORD: _never,
    Kind.MAY_RECORD: _may,
}
WITHOUT_RECORDING = frozenset({Kind.NEVER_RECORD, Kind.MAY_RECORD})
TOLD_BY_BODY = frozenset({Kind.NEVER_RECORD})
