"""What the index knows of the packages that persons were given who asked for what is recorded of them (Art. 15).

It knows whose package one is only as its controller's: who asked is in none of its rows.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE access_package (
        id TEXT PRIMARY KEY, controller TEXT NOT NULL, request TEXT NOT NULL, reason TEXT NOT NULL,
        language TEXT NOT NULL, begun_at INTEGER NOT NULL, packaged_at INTEGER, sha256 TEXT NOT NULL) STRICT""",
)
COLUMNS = "id, controller, request, reason, language, begun_at, packaged_at, sha256"


@dataclass(frozen=True, slots=True)
class Package:
    """One package: for which request and why, and when it was begun and whole (milliseconds)."""

    id: str
    controller: str
    request: str
    reason: str
    language: str
    begun_at: int
    packaged_at: int | None
    sha256: str


def mark(id_: str, subject: str) -> str:
    """Return what ties a package, or an erasure, to a person's pseudonym without telling it."""
    return hashlib.sha256(f"{id_}{subject}".encode()).hexdigest()


def package(row: tuple[object, ...]) -> Package:
    """Return the package of a row of ``COLUMNS``."""
    return Package(*row)  # type: ignore[arg-type]  # the table is STRICT


def _begun(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    if text := _text(body, "package"):
        values = (text, entry.controller or "", *(_text(body, name) for name in ("request", "reason", "language")))
        db.execute("INSERT OR IGNORE INTO access_package VALUES (?, ?, ?, ?, ?, ?, NULL, '')", (*values, entry.time))


def _packaged(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    db.execute(
        "UPDATE access_package SET packaged_at = ?, sha256 = ? WHERE id = ?",
        (entry.time, _text(body, "sha256"), _text(body, "package")),
    )


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.ACCESS_BEGUN: _begun,
    Kind.ACCESS_PACKAGED: _packaged,
}
