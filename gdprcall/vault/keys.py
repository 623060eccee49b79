"""What can be destroyed: age headers and sealed numbers, each in a slot of fixed size that is overwritten in place.

A row never changes its length, because SQLite leaves copies of moved cells behind. Nothing here can open a header.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError
from gdprcall.vault import residue
from gdprcall.vault.database import Store

SLOT_SIZES = (512, 2048, 4096)
LENGTH_BYTES = 2
"""A slot begins with the length of what it holds, so that being empty is zeros like the rest of an empty slot."""

CHECKPOINT_TRIES = 3
WRAPPED_COLUMNS = 43
"""The length in base64 of a wrapped file key: the line of a header that must not survive anywhere."""

TAIL_BYTES = 32
PAGE = 500

migrations = Migrations("gdprcall.keys")


class Slot(StrEnum):
    """What a slot holds."""

    HEADER = "header"
    NUMBER = "number"


@migrations()
def first(db: Database) -> None:
    """Create the slots; one table per size, and no column but the slot that ever changes."""
    for size in SLOT_SIZES:
        db.conn.execute(
            f"""
            CREATE TABLE slot_{size} (
                recording TEXT NOT NULL CHECK (length(recording) = 32),
                segment INTEGER NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('header', 'number')),
                slot BLOB NOT NULL CHECK (length(slot) = {size}),
                PRIMARY KEY (recording, segment, kind)
            ) STRICT
            """
        )


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was overwritten: how many slots, and in how many cases the old bytes were still found in a file after it."""

    slots: int
    residue: int


@dataclass(frozen=True, slots=True)
class Held:
    """One slot with what it holds."""

    recording: str
    segment: int
    kind: Slot
    data: bytes


def fingerprint(recipient: str) -> str:
    """Return the short name of a recipient: 16 hex digits of the SHA-256 of its text."""
    return hashlib.sha256(recipient.encode()).hexdigest()[:16]


class Keys:
    """The file of slots."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path, migrations)
        # Kept open until the connection is closed: closing any descriptor of a database file drops the locks that
        # SQLite holds on it in this process.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def put(self, recording: str, segment: int, kind: Slot, data: bytes) -> None:
        """Keep ``data`` durably; what its slot held before is overwritten; raises VaultError."""
        size = next((size for size in SLOT_SIZES if len(data) + LENGTH_BYTES <= size), None)
        if size is None or not data:
            raise VaultError(f"{len(data)} bytes fit no slot", "use fewer recipients for this controller")
        slot = (len(data).to_bytes(LENGTH_BYTES, "big") + data).ljust(size, b"\0")
        with self._store.transaction() as db:
            for other in SLOT_SIZES:
                db.execute(
                    f"UPDATE slot_{other} SET slot = zeroblob({other}) "  # noqa: S608 # a constant
                    "WHERE recording = ? AND segment = ? AND kind = ?",
                    (recording, segment, kind),
                )
            db.execute(
                f"INSERT INTO slot_{size} VALUES (?, ?, ?, ?) "  # noqa: S608 # a constant
                "ON CONFLICT DO UPDATE SET slot = excluded.slot",
                (recording, segment, kind, slot),
            )

    def get(self, recording: str, segment: int, kind: Slot) -> bytes | None:
        """Return what a slot holds; None if there is none or it was destroyed."""
        for size in SLOT_SIZES:
            rows = self._store.rows(
                f"SELECT slot FROM slot_{size} WHERE recording = ? AND segment = ? AND kind = ?",  # noqa: S608 # a constant
                (recording, segment, kind),
            )
            for data in _held(rows):
                return data
        return None

    def names(self, kind: Slot, shard: str = "") -> list[tuple[str, int]]:
        """Return recording and segment of every slot of a kind that still holds something, sorted.

        Those alone whose recording begins with ``shard``, in lower-case hex digits.
        """
        found: list[tuple[str, int]] = []
        for size in SLOT_SIZES:
            rows = self._store.rows(
                f"SELECT recording, segment FROM slot_{size} WHERE recording >= ? AND recording < ? "  # noqa: S608 # a constant
                f"AND kind = ? AND slot <> zeroblob({size})",
                (shard, f"{shard}g", kind),
            )
            found += [(str(recording), int(str(segment))) for recording, segment in rows]
        return sorted(found)

    def held(self) -> Iterator[Held]:
        """Yield every slot that holds something, a page at a time: between two pages others have their turn."""
        for size in SLOT_SIZES:
            after: tuple[object, ...] = ("", 0, "")
            sql = (
                f"SELECT recording, segment, kind, slot FROM slot_{size} WHERE (recording, segment, kind) > (?, ?, ?) "  # noqa: S608 # a constant
                f"ORDER BY recording, segment, kind LIMIT {PAGE}"
            )
            while rows := self._store.rows(sql, after):
                for recording, segment, kind, slot in rows:
                    for data in _held([(slot,)]):
                        yield Held(str(recording), int(str(segment)), Slot(str(kind)), data)
                after = rows[-1][:3]

    def destroy(self, recording: str, segment: int | None = None) -> Shredded:
        """Overwrite the slots of a recording (or of one segment), cut the log, and look for what was overwritten.

        Raises VaultError when another program keeps the log open: then nothing is known to be gone; do it again.
        """
        return self._destroy([(recording, segment)])[recording]

    def destroy_all(self, recordings: Iterable[str]) -> dict[str, Shredded]:
        """Overwrite all slots of many recordings in one transaction, with one cut and one search; see ``destroy``."""
        return self._destroy([(recording, None) for recording in recordings])

    def shorten_log(self) -> None:
        """Move the write-ahead log into the file if it is long; see ``Store.shorten_log``."""
        self._store.shorten_log()

    def close(self) -> None:
        """Close the file."""
        self._store.close()
        os.close(self._descriptor)

    def _destroy(self, places: list[tuple[str, int | None]]) -> dict[str, Shredded]:
        old = self._overwrite(places)
        self._cut()
        left = self._still_found(old)
        if left:
            # Old copies in the gaps between rows: only a rewrite of the whole file removes them.
            self._store.vacuum()
            self._cut()
            left = self._still_found(old)
        return {
            recording: Shredded(len(slots), len(left.intersection(_needles(slots)))) for recording, slots in old.items()
        }

    def _overwrite(self, places: list[tuple[str, int | None]]) -> dict[str, list[bytes]]:
        old: dict[str, list[bytes]] = {recording: [] for recording, _ in places}
        where = "recording = ? AND segment = coalesce(?, segment)"
        with self._store.transaction() as db:
            for size in SLOT_SIZES:
                for place in places:
                    rows = db.execute(f"SELECT slot FROM slot_{size} WHERE {where}", place).fetchall()  # noqa: S608 # a constant
                    old[place[0]] += _held(rows)
                db.executemany(f"UPDATE slot_{size} SET slot = zeroblob({size}) WHERE {where}", places)  # noqa: S608 # a constant
        return old

    def _cut(self) -> None:
        if not any(self._store.truncate_log() for _ in range(CHECKPOINT_TRIES)):
            raise VaultError("keys.db is held open, so its log could not be cut", "close other programs that read it")

    def _still_found(self, old: Mapping[str, list[bytes]]) -> set[bytes]:
        needles = {needle for slots in old.values() for needle in _needles(slots)}
        if not needles:
            return set()
        # The log may be opened and closed at will: SQLite keeps no locks on it.
        with open(self._store.path.with_name(self._store.path.name + "-wal"), "rb") as log:
            return residue.found(self._descriptor, needles) | residue.found(log.fileno(), needles)


def _held(rows: list[tuple[object, ...]]) -> Iterator[bytes]:
    for (slot,) in rows:
        assert isinstance(slot, bytes)
        length = int.from_bytes(slot[:LENGTH_BYTES], "big")
        if length:
            yield slot[LENGTH_BYTES : LENGTH_BYTES + length]


def _needles(slots: list[bytes]) -> Iterator[bytes]:
    """Yield what may be nowhere any more of slots: each wrapped file key, and the end (a MAC or a tag)."""
    for data in slots:
        yield from (line for line in data.split(b"\n") if len(line) == WRAPPED_COLUMNS and b" " not in line)
        yield data[-TAIL_BYTES:]
