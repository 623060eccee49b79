"""What the ledger makes known of recipients: whose they are, who proved to hold the identity, and what was asked of whom.

It is a part of the index, with its own tables, and as little a source of anything.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.vault.entry import Entry, Kind

TABLES = (
    """CREATE TABLE recipient (controller TEXT NOT NULL, recipient TEXT NOT NULL, place INTEGER, used INTEGER NOT NULL,
        enrolled_at INTEGER, canary_at INTEGER, PRIMARY KEY (controller, recipient)) STRICT""",
    """CREATE TABLE challenge (answer_sha256 TEXT PRIMARY KEY, controller TEXT NOT NULL, recipient TEXT NOT NULL,
        purpose TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT""",
)
"""``place`` is where a recipient stands among those of its controller, 0 first; without one it is no longer, or not
yet, among them. ``used`` is whether it ever was."""

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one recipient; times in milliseconds."""

    controller: str
    recipient: str
    place: int | None
    used: bool
    enrolled_at: int | None
    canary_at: int | None


def read(folder: Path) -> list[Known]:
    """Return what is known of all recipients, without opening the vault; raises VaultError when that cannot be read.

    While a daemon runs it is what the daemon knows; nothing is known of a vault that is not there yet.
    """
    path = folder / "index.db"
    try:
        if not path.exists():
            return []
        # Without a log beside it nothing is outside the file; looking must leave no files of another owner there.
        how = "mode=ro" if path.with_name("index.db-wal").exists() else "immutable=1"
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'recipient'").fetchone():
                return []
            return [known(row) for row in db.execute(f"SELECT {COLUMNS} FROM recipient")]  # noqa: S608 # a constant
    except (sqlite3.Error, OSError) as error:
        raise VaultError(f"{path} cannot be read", "use sudo, or the user gdprcall") from error


COLUMNS = "controller, recipient, place, used, enrolled_at, canary_at"


def known(row: tuple[object, ...]) -> Known:
    """Return what a row of ``COLUMNS`` says."""
    controller, recipient, place, used, enrolled_at, canary_at = row
    return Known(str(controller), str(recipient), place, bool(used), enrolled_at, canary_at)  # type: ignore[arg-type]  # the table is STRICT


def _changed(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    recipients = body.get("recipients")
    texts = [text for text in recipients if isinstance(text, str)] if isinstance(recipients, list) else []
    db.execute("UPDATE recipient SET place = NULL WHERE controller = ?", (entry.controller or "",))
    for place, text in enumerate(dict.fromkeys(texts)):
        db.execute(
            """INSERT INTO recipient VALUES (?, ?, ?, 1, NULL, NULL)
                ON CONFLICT DO UPDATE SET place = excluded.place, used = 1""",
            (entry.controller or "", text, place),
        )


def _challenged(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    names = ("answer_sha256", "recipient", "purpose")
    answer, recipient, purpose = (str(body.get(name, "")) for name in names)
    until = body.get("expires_at")
    values = (answer, entry.controller or "", recipient, purpose, until if isinstance(until, int) else 0)
    # What has expired can be answered no more, and would only pile up.
    db.execute("DELETE FROM challenge WHERE expires_at < ?", (entry.time,))
    db.execute("INSERT OR REPLACE INTO challenge VALUES (?, ?, ?, ?, ?)", values)


def _proven(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    db.execute("DELETE FROM challenge WHERE answer_sha256 = ?", (str(body.get("answer_sha256", "")),))
    enrolled = entry.time if entry.kind is Kind.RECIPIENT_ENROLLED else None
    # Who enrols opens something just then, so that counts as the first canary.
    db.execute(
        """INSERT INTO recipient VALUES (?, ?, NULL, 0, ?, ?) ON CONFLICT DO UPDATE
            SET enrolled_at = coalesce(enrolled_at, excluded.enrolled_at), canary_at = excluded.canary_at""",
        (entry.controller or "", str(body.get("recipient", "")), enrolled, entry.time),
    )


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.RECIPIENTS_CHANGED: _changed,
    Kind.RECIPIENT_CHALLENGED: _challenged,
    Kind.RECIPIENT_ENROLLED: _proven,
    Kind.CANARY_ANSWERED: _proven,
}
