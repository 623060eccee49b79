"""What the index knows of the requests of persons (Art. 12 to 22): the register, and where in the ledger each stands.

It knows who asked as a pseudonym alone, and none of the words. What is personal stands in entries of its own, right behind
those that tell of it (``personal``): their bodies can be forgotten, and the register stays whole.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from gdprcall.vault.database import Store
from gdprcall.vault.entry import Entry, Kind

Body = Mapping[str, object]
TABLES = (
    """CREATE TABLE request (
        id TEXT PRIMARY KEY, controller TEXT NOT NULL, type TEXT NOT NULL, channel TEXT NOT NULL,
        marketing INTEGER NOT NULL, language TEXT NOT NULL, regime TEXT NOT NULL, zone TEXT NOT NULL,
        country TEXT NOT NULL, received_at INTEGER NOT NULL, opened_at INTEGER NOT NULL, asked_at INTEGER,
        code TEXT NOT NULL, code_until INTEGER NOT NULL, codes INTEGER NOT NULL, attempts INTEGER NOT NULL,
        identified_at INTEGER, method TEXT NOT NULL, extended_at INTEGER, closed_at INTEGER, outcome TEXT NOT NULL,
        ground TEXT NOT NULL, forgotten_at INTEGER, subject TEXT) STRICT""",
    "CREATE INDEX request_open ON request (controller, received_at) WHERE closed_at IS NULL",
    "CREATE INDEX request_subject ON request (controller, subject) WHERE subject IS NOT NULL",
    """CREATE TABLE request_entry (
        request TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (request, seq)) STRICT""",
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; times in milliseconds.

    ``asked_at`` is when a code was first given out, ``attempts`` how often the code of now was tried, ``codes`` how many
    there were. ``outcome`` is empty, ``answered`` or ``refused``.
    """

    id: str
    controller: str
    type: str
    channel: str
    marketing: bool
    language: str
    regime: str
    zone: str
    country: str
    received_at: int
    opened_at: int
    asked_at: int | None
    code: str
    code_until: int
    codes: int
    attempts: int
    identified_at: int | None
    method: str
    extended_at: int | None
    closed_at: int | None
    outcome: str
    ground: str
    forgotten_at: int | None
    subject: str | None


WORDED = (Kind.REQUEST_EXTENDED, Kind.REQUEST_ANSWERED, Kind.REQUEST_REFUSED)
"""What is told with words of a person, in an entry ``request_words`` right behind it."""
LATEST = 1 << 47
"""Some milliseconds in the year 6429: what is later is no time of anybody's request."""
COLUMNS = ", ".join(field.name for field in fields(Request))


class Requests:
    """The requests of an index."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, id_: str) -> Request | None:
        """Return one request."""
        return next(iter(self._rows("id = ?", (id_,))), None)

    def all(self, controller: str | None = None, *, closed: bool = False) -> list[Request]:
        """Return the open requests of a controller, or of all; with ``closed`` the others too, the oldest first."""
        terms = [*(["controller = ?"] if controller is not None else []), *([] if closed else ["closed_at IS NULL"])]
        return self._rows(" AND ".join(terms) or "1", () if controller is None else (controller,))

    def of_person(self, controller: str, subject: str) -> list[Request]:
        """Return the requests of a person with a controller, the oldest first."""
        return self._rows("controller = ? AND subject = ?", (controller, subject))

    def entries(self, id_: str, kind: Kind | None = None) -> list[int]:
        """Return where in the ledger a request is told of, in order; of one kind of entry, or of all."""
        sql = "SELECT seq FROM request_entry WHERE request = ? AND (? IS NULL OR kind = ?) ORDER BY seq"
        return [int(str(seq)) for (seq,) in self._store.rows(sql, (id_, kind, kind))]

    def personal(self, id_: str) -> list[int]:
        """Return where in the ledger what is personal of a request stands, or stood: who asked, his number, the words."""
        behind = {Kind.REQUEST_OPENED: (1, 2), **dict.fromkeys(WORDED, (1,))}
        sql = "SELECT seq, kind FROM request_entry WHERE request = ? ORDER BY seq"
        rows = [(int(str(seq)), Kind(str(kind))) for seq, kind in self._store.rows(sql, (id_,))]
        return [seq + place for seq, kind in rows for place in behind.get(kind, ())]

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Request]:
        sql = f"SELECT {COLUMNS} FROM request WHERE {where} ORDER BY received_at, id"  # noqa: S608 # no value is pasted
        return [_request(row) for row in self._store.rows(sql, values)]


def _request(row: tuple[object, ...]) -> Request:
    values = dict(zip(COLUMNS.split(", "), row, strict=True))
    return Request(**values | {"marketing": bool(values["marketing"])})  # type: ignore[arg-type]  # the table is STRICT


def _opened(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    texts = {name: _text(body, name) for name in "request type channel language regime zone country".split()}
    values: dict[str, object] = {**texts, "marketing": int(body.get("marketing") is True), "opened": entry.time}
    values |= {"received": _moment(body, "received_at", entry.time), "controller": entry.controller or ""}
    db.execute(
        """INSERT OR IGNORE INTO request VALUES (:request, :controller, :type, :channel, :marketing, :language, :regime,
            :zone, :country, :received, :opened, NULL, '', 0, 0, 0, NULL, '', NULL, NULL, '', '', NULL, NULL)""",
        values,
    )


def _person(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "subject = ?", _text(body, "subject") or None)


def _code(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (entry.time, _text(body, "code"), _number(body, "until"))
    _set(
        db,
        entry,
        body,
        "asked_at = coalesce(asked_at, ?), code = ?, code_until = ?, codes = codes + 1, attempts = 0",
        *values,
    )


def _tried(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "attempts = attempts + 1")


def _identified(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # What the code was is of no use any more.
    _set(db, entry, body, "identified_at = ?, method = ?, code = ''", entry.time, _text(body, "method"))


def _extended(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    _set(db, entry, body, "extended_at = coalesce(extended_at, ?)", entry.time)


def _closed(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    outcome = "answered" if entry.kind is Kind.REQUEST_ANSWERED else "refused"
    _set(
        db, entry, body, "closed_at = ?, outcome = ?, ground = ?, code = ''", entry.time, outcome, _text(body, "ground")
    )


def _forgotten(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # Overwritten in its own length first, for what SQLite leaves behind of a row that shrinks.
    _set(db, entry, body, "subject = printf('%.*c', length(subject), '-')")
    _set(db, entry, body, "subject = NULL, forgotten_at = ?", entry.time)


def _set(db: sqlite3.Connection, entry: Entry, body: Body, change: str, *values: object) -> None:
    sql = f"UPDATE request SET {change} WHERE id = ? AND controller = ?"  # noqa: S608 # constants of this file
    db.execute(sql, (*values, _text(body, "request"), entry.controller or ""))


def _noted(
    change: Callable[[sqlite3.Connection, Entry, Body], None],
) -> Callable[[sqlite3.Connection, Entry, Body], None]:
    """Return a change that also remembers where in the ledger the request is told of."""

    def noted(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
        if request := _text(body, "request"):
            change(db, entry, body)
            db.execute(
                "INSERT OR IGNORE INTO request_entry SELECT id, ?, ? FROM request WHERE id = ? AND controller = ?",
                (entry.seq, str(entry.kind), request, entry.controller or ""),
            )

    return noted


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _moment(body: Body, name: str, otherwise: int) -> int:
    value = _number(body, name)
    return value if 0 < value < LATEST else otherwise


def _number(body: Body, name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) and abs(value) < 1 << 63 else 0


CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.REQUEST_OPENED: _noted(_opened),
    Kind.REQUEST_PERSON: _person,
    Kind.REQUEST_CODE: _noted(_code),
    Kind.REQUEST_TRIED: _noted(_tried),
    Kind.REQUEST_IDENTIFIED: _noted(_identified),
    Kind.REQUEST_EXTENDED: _noted(_extended),
    Kind.REQUEST_ANSWERED: _noted(_closed),
    Kind.REQUEST_REFUSED: _noted(_closed),
    Kind.REQUEST_FORGOTTEN: _noted(_forgotten),
}
