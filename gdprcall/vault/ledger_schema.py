"""The tables of the ledger, how they came to be what they are, and how the body of an entry leaves them.

It opens no file, and writes no entry.
"""

import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database, Migrations

migrations = Migrations("gdprcall.ledger")


@migrations()
def first(db: Database) -> None:
    """Create entries, bodies and checkpoints."""
    for sql in (
        "CREATE TABLE entry (seq INTEGER PRIMARY KEY, recording TEXT, leaf TEXT NOT NULL, hash BLOB NOT NULL) STRICT",
        "CREATE INDEX entry_recording ON entry (recording, seq) WHERE recording IS NOT NULL",
        "CREATE TABLE body (seq INTEGER PRIMARY KEY REFERENCES entry, salt BLOB NOT NULL, body TEXT NOT NULL) STRICT",
        "CREATE TABLE erased (seq INTEGER PRIMARY KEY REFERENCES entry) STRICT",
        "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, root BLOB NOT NULL, time INTEGER NOT NULL) STRICT",
    ):
        db.conn.execute(sql)


@migrations()
def signed_checkpoints(db: Database) -> None:
    """Keep what was signed, and when it was first handed out."""
    db.conn.execute(
        "CREATE TABLE signed (size INTEGER PRIMARY KEY, note TEXT NOT NULL, verifier TEXT NOT NULL, handed INTEGER) STRICT"
    )


@migrations()
def callers_of_the_erased(db: Database) -> None:
    """Forget who called in the decisions of what was erased already: the first ledgers kept it in there."""
    told = """SELECT seq FROM entry JOIN body USING (seq)
        WHERE leaf LIKE '%"kind":"decision"%' AND body LIKE '%"subject":"%'
        AND recording IN (SELECT recording FROM entry WHERE leaf LIKE '%"kind":"erased"%')"""
    forget(db.conn, [int(str(seq)) for (seq,) in db.conn.execute(told).fetchall()])


def forget(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Remove the bodies of entries, and mark that they were erased."""
    values = [(seq,) for seq in seqs]
    db.executemany("INSERT OR IGNORE INTO erased VALUES (?)", values)
    # Overwritten in its own length first: what SQLite leaves behind of a removed row then says nothing.
    overwritten = "salt = zeroblob(length(salt)), body = printf('%*s', length(body), '')"
    db.executemany(f"UPDATE body SET {overwritten} WHERE seq = ?", values)  # noqa: S608 # a constant
    db.executemany("DELETE FROM body WHERE seq = ?", values)
