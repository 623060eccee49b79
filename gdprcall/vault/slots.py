"""Slots as rows: tables of a fixed size each, one set that counts, and one in which new headers wait for the ledger's word.

A row never changes its length. Nothing here opens a file or says when what is written.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError

SLOT_SIZES = (512, 2048, 4096)
LENGTH_BYTES = 2
"""A slot begins with the length of what it holds, so that being empty is zeros like the rest of an empty slot."""

SLOTS = tuple(f"slot_{size}" for size in SLOT_SIZES)
STAGED = tuple(f"staged_{size}" for size in SLOT_SIZES)
"""What is to take the place of a slot once the ledger says so: the same sizes, destroyed together with the slots."""


migrations = Migrations("gdprcall.keys")


class Slot(StrEnum):
    """What a slot holds."""

    HEADER = "header"
    NUMBER = "number"


def _create(db: Database, tables: tuple[str, ...]) -> None:
    for size, table in zip(SLOT_SIZES, tables, strict=True):
        db.conn.execute(
            f"""
            CREATE TABLE {table} (
                recording TEXT NOT NULL CHECK (length(recording) = 32),
                segment INTEGER NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('header', 'number')),
                slot BLOB NOT NULL CHECK (length(slot) = {size}),
                PRIMARY KEY (recording, segment, kind)
            ) STRICT
            """
        )


@migrations()
def first(db: Database) -> None:
    """Create the slots; one table per size, and no column but the slot that ever changes."""
    _create(db, SLOTS)


@migrations()
def rewrapped(db: Database) -> None:
    """Create the place where new headers wait for the ledger's word; between two rewraps it is empty."""
    _create(db, STAGED)


@dataclass(frozen=True, slots=True)
class Held:
    """One slot with what it holds."""

    recording: str
    segment: int
    kind: Slot
    data: bytes


Place = tuple[str, int, str]
"""What names a slot: recording, segment and kind."""

After = tuple[int, int]
"""Where a page of slots begins: the number of the table, and the row after which."""

FIRST: After = (0, 0)
GET = "SELECT slot FROM {} WHERE recording = ? AND segment = ? AND kind = ?"


def fitted(data: bytes, tables: tuple[str, ...]) -> tuple[str, bytes]:
    """Return the table of the smallest slot that ``data`` fits, and the slot; raises VaultError."""
    for size, table in zip(SLOT_SIZES, tables, strict=True):
        if data and len(data) + LENGTH_BYTES <= size:
            return table, (len(data).to_bytes(LENGTH_BYTES, "big") + data).ljust(size, b"\0")
    raise VaultError(f"{len(data)} bytes fit no slot", "use fewer recipients for this controller")


def put(db: sqlite3.Connection, table: str, place: Place, slot: bytes) -> None:
    """Put a fitted slot into its place; the places of other sizes must be empty."""
    db.execute(
        f"INSERT INTO {table} VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET slot = excluded.slot",  # noqa: S608 # a constant
        (*place, slot),
    )


def empty(db: sqlite3.Connection, tables: tuple[str, ...], places: Sequence[Place]) -> None:
    """Overwrite what places hold in ``tables``, in their own length."""
    for table in tables:
        db.executemany(
            f"UPDATE {table} SET slot = zeroblob(length(slot)) WHERE recording = ? AND segment = ? AND kind = ?",  # noqa: S608 # a constant
            places,
        )


def held_at(db: sqlite3.Connection, tables: tuple[str, ...], place: Place) -> tuple[str, bytes] | None:
    """Return the table in which a place holds something, and what; None if it does not."""
    for table in tables:
        for data in held_in(db.execute(GET.format(table), place).fetchall()):
            return table, data
    return None


def waiting(row: tuple[object, ...]) -> Iterator[Held]:
    """Yield what a row holds, if it holds something."""
    recording, segment, kind, slot = row
    for data in held_in([(slot,)]):
        yield Held(str(recording), int(str(segment)), Slot(str(kind)), data)


def held_in(rows: list[tuple[object, ...]]) -> Iterator[bytes]:
    """Yield what slots hold, those that hold something."""
    for (slot,) in rows:
        assert isinstance(slot, bytes)
        length = int.from_bytes(slot[:LENGTH_BYTES], "big")
        if length:
            yield slot[LENGTH_BYTES : LENGTH_BYTES + length]
