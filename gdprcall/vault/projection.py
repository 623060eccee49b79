"""What each kind of ledger entry changes in the index: the whole meaning of the ledger for what is known, in one place.

It decides nothing and reads no clock: the same entries always give the same rows.
"""

import sqlite3
from collections.abc import Callable, Mapping

from gdprcall.times import DAY_MS
from gdprcall.vault import breaches, certificates, holders, keeps, packages, releases, requests, sweeps
from gdprcall.vault.ledger import Entry, Kind

Body = Mapping[str, object]


def project(db: sqlite3.Connection, entry: Entry) -> None:
    """Change the tables of the index as ``entry`` says; what lost its body or names no recording changes nothing."""
    change = _CHANGES.get(entry.kind)
    named = entry.recording is not None or entry.kind in _WITHOUT_RECORDING
    if change is not None and named and not (entry.body is None and entry.kind in _TOLD_BY_BODY):
        change(db, entry, entry.body or {})


def _decided(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    texts = "decision call uniqueid line purpose basis outcome reason language prompt_sha256 policy_sha256".split()
    numbers = "heard_ms mandatory_ms attempts retention_days".split()
    values = _texts(body, texts) | _numbers(body, numbers)
    values |= {"controller": entry.controller or "", "time": entry.time, "recording": entry.recording}
    # The same decision noted again (a second key right after the first, the agent's word) has the later outcome and keeps
    # its recording, or gets one.
    db.execute(
        """INSERT INTO decision VALUES (:decision, :call, :uniqueid, :controller, :line, :purpose, :basis, :outcome,
            :reason, :language, :prompt_sha256, :heard_ms, :mandatory_ms, :attempts, :policy_sha256, :time,
            :recording, NULL)
        ON CONFLICT DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
            decided_at = excluded.decided_at, recording = coalesce(recording, excluded.recording)""",
        values,
    )
    if entry.recording is not None:
        # Until something is sealed, the time of the decision is all that retention can count from.
        values |= {"expires_at": entry.time + int(str(values["retention_days"])) * DAY_MS}
        # The first ledgers have it in here; now it is an entry of its own.
        values |= {"subject": _texts(body, ["subject"])["subject"] or None}
        db.execute(
            """INSERT OR IGNORE INTO recording VALUES (:recording, :call, :controller, :line, :purpose, :basis,
                :decision, 'recording', :time, :retention_days, :expires_at, :subject, 0)""",
            values,
        )


def _called(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    subject = _texts(body, ["subject"])["subject"] or None
    db.execute("UPDATE recording SET subject = ? WHERE id = ? AND NOT intended", (subject, entry.recording))


def _corrected(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    if body.get("field") == "language":
        values = _texts(body, ["new", "decision"])
        db.execute("UPDATE decision SET language = :new WHERE id = :decision", values)


def _started(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # A further segment of a call whose earlier ones are sealed.
    db.execute(
        """UPDATE recording SET state = 'recording' WHERE id = ? AND state IN ('spooled', 'sealed')
            AND NOT EXISTS (SELECT 1 FROM segment WHERE recording = recording.id AND segment = ?)""",
        (entry.recording, _numbers(body, ["segment"])["segment"]),
    )


def _stopped(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    db.execute("UPDATE recording SET state = 'spooled' WHERE id = ? AND state = 'recording'", (entry.recording,))


def _not_started(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    _settle(db, entry.recording, "'not_started'")


def _discarded(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    if body.get("reason") in {"empty", "overheard"}:
        _settle(db, entry.recording, "'not_started'")


def _withdrawn(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    # Withdrawal is for the future (Art. 7(3)): the grant stays what it was, with the time at which it ended.
    outcome = body["reason"] if body.get("reason") in _TAKEN_BACK else "withdrawn"
    db.execute(
        "UPDATE decision SET withdrawn_at = ?, outcome = ? WHERE recording = ? AND withdrawn_at IS NULL",
        (entry.time, outcome, entry.recording),
    )


def _sealed(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    state = "sealed" if entry.kind is Kind.SEALED else "quarantined"
    numbers = "segment started_at closed_at expires_at payload_bytes".split()
    values = _numbers(body, numbers) | _texts(body, ["payload_sha256", "header_sha256"])
    seconds = body.get("seconds")
    values |= {"seconds": seconds if isinstance(seconds, int | float) else 0.0}
    values |= {"recording": entry.recording, "state": state, "controller": entry.controller or ""}
    if state == "quarantined":
        db.execute(
            """INSERT OR IGNORE INTO recording VALUES (:recording, '', :controller, '', '', '', '', 'quarantined',
                :started_at, 0, :expires_at, NULL, 0)""",
            values,
        )
    db.execute(
        """INSERT OR REPLACE INTO segment SELECT :recording, :segment, :state, :seconds, :started_at, :closed_at,
            :expires_at, :payload_sha256, :payload_bytes, :header_sha256
        WHERE NOT EXISTS (SELECT 1 FROM recording WHERE id = :recording AND state = 'erased')""",
        values,
    )
    db.execute(
        """UPDATE recording SET (started_at, expires_at, state) =
            (SELECT min(started_at), max(expires_at), min(state) FROM segment WHERE recording = :recording)
        WHERE id = :recording AND state <> 'erased'""",
        values,
    )


def _settle(db: sqlite3.Connection, recording: str | None, otherwise: str) -> None:
    """Set the state that the sealed segments give; ``otherwise`` is SQL for a recording without any."""
    db.execute(
        f"""UPDATE recording SET state = coalesce(
            (SELECT min(state) FROM segment WHERE recording = recording.id), {otherwise})
        WHERE id = ? AND state <> 'erased'""",  # noqa: S608 # a constant; 'quarantined' sorts before 'sealed'
        (recording,),
    )


def _erasure_intended(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    # Overwritten in its own length first, for what SQLite leaves behind of a row that shrinks.
    db.execute("UPDATE recording SET subject = printf('%.*c', length(subject), '-') WHERE id = ?", (entry.recording,))
    db.execute("UPDATE recording SET subject = NULL, intended = 1 WHERE id = ?", (entry.recording,))


def _erased(db: sqlite3.Connection, entry: Entry, _body: Body) -> None:
    for table in ("segment", "keep"):
        db.execute(f"DELETE FROM {table} WHERE recording = ?", (entry.recording,))  # noqa: S608 # a constant
    db.execute(
        "UPDATE recording SET state = 'erased', subject = NULL, expires_at = NULL WHERE id = ?", (entry.recording,)
    )


def _keys_backed_up(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    values = (entry.controller or "", _numbers(body, ["expires_at"])["expires_at"])
    db.execute("INSERT OR IGNORE INTO key_backup VALUES (?, ?)", values)


def _rewrapped(db: sqlite3.Connection, entry: Entry, body: Body) -> None:
    if body.get("slot") == "header":
        values = (
            _texts(body, ["header_sha256"])["header_sha256"],
            entry.recording,
            _numbers(body, ["segment"])["segment"],
        )
        db.execute("UPDATE segment SET header_sha256 = ? WHERE recording = ? AND segment = ?", values)


def _forgotten(db: sqlite3.Connection, _entry: Entry, body: Body) -> None:
    for name, sql in (
        ("decisions", "DELETE FROM decision WHERE id = ?"),
        ("recordings", "DELETE FROM recording WHERE id = ? AND state = 'erased'"),
    ):
        ids = body.get(name)
        db.executemany(sql, [(id_,) for id_ in ids if isinstance(id_, str)] if isinstance(ids, list) else [])


# An entry that stands cannot be mended, so whatever its body lacks or holds, it must not stop the index for ever.
def _texts(body: Body, names: list[str]) -> dict[str, object]:
    return {name: value if isinstance(value := body.get(name), str) else "" for name in names}


def _numbers(body: Body, names: list[str]) -> dict[str, object]:
    fits = {name: value for name in names if isinstance(value := body.get(name), int) and abs(value) < 1 << 63}
    return {name: fits.get(name, 0) for name in names}


_TAKEN_BACK = ("withdrawn", "objected", "minor", "unacknowledged")
_WITHOUT_RECORDING = (
    frozenset(
        {Kind.DECISION, Kind.FORGOTTEN, Kind.KEYS_BACKED_UP, Kind.REWRAP_EXPORTED, *holders.CHANGES, *packages.CHANGES}
    )
    | requests.CHANGES.keys()
    | breaches.CHANGES.keys()
    | sweeps.CHANGES.keys()
    | certificates.CHANGES.keys()
    | keeps.WITHOUT_RECORDING
    | releases.WITHOUT_RECORDING
)
_TOLD_BY_BODY = (
    frozenset({Kind.DECISION, Kind.SUBJECT, Kind.SEALED, Kind.QUARANTINED, Kind.REWRAPPED}) | keeps.TOLD_BY_BODY
)

_CHANGES: Mapping[Kind, Callable[[sqlite3.Connection, Entry, Body], None]] = {
    Kind.DECISION: _decided,
    Kind.SUBJECT: _called,
    Kind.STARTED: _started,
    Kind.CORRECTED: _corrected,
    Kind.STOPPED: _stopped,
    Kind.NOT_STARTED: _not_started,
    Kind.DISCARDED: _discarded,
    Kind.WITHDRAWN: _withdrawn,
    Kind.SEALED: _sealed,
    Kind.QUARANTINED: _sealed,
    Kind.ERASURE_INTENDED: _erasure_intended,
    Kind.ERASED: _erased,
    Kind.KEYS_BACKED_UP: _keys_backed_up,
    Kind.FORGOTTEN: _forgotten,
    Kind.REWRAPPED: _rewrapped,
    Kind.REWRAP_EXPORTED: _keys_backed_up,
    **holders.CHANGES,
    **packages.CHANGES,
    **keeps.CHANGES,
    **requests.CHANGES,
    **sweeps.CHANGES,
    **certificates.CHANGES,
    **releases.CHANGES,
    **breaches.CHANGES,
}
