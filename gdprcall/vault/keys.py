"""What can be destroyed: age headers and sealed numbers, each in a slot of fixed size that is overwritten in place.

A row never changes its length, because SQLite leaves copies of moved cells behind. Nothing here can open a header.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import VaultError
from gdprcall.vault import residue
from gdprcall.vault.database import Store
from gdprcall.vault.slots import (
    FIRST,
    GET,
    SLOT_SIZES,
    SLOTS,
    STAGED,
    After,
    Held,
    Place,
    Slot,
    empty,
    fitted,
    held_at,
    held_in,
    migrations,
    put,
    waiting,
)

__all__ = ["After", "Held", "Keys", "Place", "Shredded", "Slot", "fingerprint"]

CHECKPOINT_TRIES = 3
WRAPPED_COLUMNS = 43
"""The length in base64 of a wrapped file key: the line of a header that must not survive anywhere."""

TAIL_BYTES = 32
PAGE = 500


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was overwritten: how many slots, and in how many cases the old bytes were still found in a file after it."""

    slots: int
    residue: int


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
        table, slot = fitted(data, SLOTS)
        with self._store.transaction() as db:
            empty(db, SLOTS, [(recording, segment, kind)])
            put(db, table, (recording, segment, kind), slot)

    def stage(self, wanted: Iterable[Held]) -> None:
        """Keep what is to take the place of slots, durably; until ``swap`` nothing changes; raises VaultError."""
        slots = [((one.recording, one.segment, one.kind), *fitted(one.data, STAGED)) for one in wanted]
        with self._store.transaction() as db:
            empty(db, STAGED, [place for place, _, _ in slots])
            for place, table, slot in slots:
                put(db, table, place, slot)

    def staged(self) -> list[Held] | None:
        """Return what waits to take its place; None when there was nothing to swap since ``forget_staged``."""
        rows = [row for table in STAGED for row in self._store.rows(f"SELECT * FROM {table}")]  # noqa: S608 # a constant
        return [held for row in rows for held in waiting(row)] if rows else None

    def swap(self, places: Sequence[Place]) -> None:
        """Put what is staged in its place, in one transaction; what was there is overwritten, and to be purged."""
        with self._store.transaction() as db:
            for place in places:
                found = held_at(db, STAGED, place)
                if found is not None:
                    table, slot = fitted(found[1], SLOTS)
                    empty(db, tuple(other for other in SLOTS if other != table), [place])
                    put(db, table, place, slot)
            empty(db, STAGED, places)

    def unstage(self, places: Sequence[Place]) -> None:
        """Overwrite what is staged and shall not take its place after all; raises VaultError."""
        with self._store.transaction() as db:
            empty(db, STAGED, places)

    def forget_staged(self) -> None:
        """Remove the rows of what was staged, of which only zeros are left: others would be left in gaps by it."""
        with self._store.transaction() as db:
            for size, table in zip(SLOT_SIZES, STAGED, strict=True):
                if not db.execute(f"SELECT 1 FROM {table} WHERE slot <> zeroblob({size}) LIMIT 1").fetchone():  # noqa: S608 # a constant
                    db.execute(f"DELETE FROM {table}")  # noqa: S608 # a constant

    def purge(self, old: list[bytes]) -> int:
        """Cut the log, look for the keys in headers that were overwritten, and return how many are still found.

        Raises VaultError.
        """
        return len(self._purge({needle for header in old for needle in _wrapped(header)}))

    def rewrite(self) -> None:
        """Write the whole file anew and cut the log: nothing that was overwritten is left then; raises VaultError."""
        self._store.vacuum()
        self._cut()

    def get(self, recording: str, segment: int, kind: Slot) -> bytes | None:
        """Return what a slot holds; None if there is none or it was destroyed."""
        for table in SLOTS:
            for data in held_in(self._store.rows(GET.format(table), (recording, segment, kind))):
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
        after: After | None = FIRST
        while after is not None:
            page, after = self.page(after)
            yield from page

    def page(self, after: After) -> tuple[list[Held], After | None]:
        """Return the next slots that hold something, and where to go on, or None at the end.

        In the order in which they were made, as everything else of a recording was: neighbours here are neighbours in
        the other files too. No row is ever removed, so even a rewrite of the file keeps their numbers.
        """
        table, number = after
        sql = f"SELECT rowid, * FROM {SLOTS[table]} WHERE rowid > ? ORDER BY rowid LIMIT {PAGE}"  # noqa: S608 # a constant
        rows = self._store.rows(sql, (number,))
        found = [held for row in rows for held in waiting(row[1:])]
        if len(rows) == PAGE:
            return found, (table, int(str(rows[-1][0])))
        return found, (table + 1, 0) if table + 1 < len(SLOTS) else None

    def rows(self) -> int:
        """Return how many slots there are, empty ones among them."""
        return sum(int(str(self._store.rows(f"SELECT count(*) FROM {table}")[0][0])) for table in SLOTS)  # noqa: S608 # a constant

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
        left = self._purge({needle for slots in old.values() for needle in _needles(slots)})
        return {
            recording: Shredded(len(slots), len(left.intersection(_needles(slots)))) for recording, slots in old.items()
        }

    def _purge(self, needles: set[bytes]) -> set[bytes]:
        self._cut()
        left = self._still_found(needles)
        if left:
            # Old copies in the gaps between rows: only a rewrite of the whole file removes them.
            self.rewrite()
            left = self._still_found(needles)
        return left

    def _overwrite(self, places: list[tuple[str, int | None]]) -> dict[str, list[bytes]]:
        old: dict[str, list[bytes]] = {recording: [] for recording, _ in places}
        where = "recording = ? AND segment = coalesce(?, segment)"
        with self._store.transaction() as db:
            for size, table in [*zip(SLOT_SIZES, SLOTS, strict=True), *zip(SLOT_SIZES, STAGED, strict=True)]:
                for place in places:
                    rows = db.execute(f"SELECT slot FROM {table} WHERE {where}", place).fetchall()  # noqa: S608 # a constant
                    old[place[0]] += held_in(rows)
                db.executemany(f"UPDATE {table} SET slot = zeroblob({size}) WHERE {where}", places)  # noqa: S608 # a constant
        return old

    def _cut(self) -> None:
        if not any(self._store.truncate_log() for _ in range(CHECKPOINT_TRIES)):
            raise VaultError("keys.db is held open, so its log could not be cut", "close other programs that read it")

    def _still_found(self, needles: set[bytes]) -> set[bytes]:
        if not needles:
            return set()
        # The log may be opened and closed at will: SQLite keeps no locks on it.
        with open(self._store.path.with_name(self._store.path.name + "-wal"), "rb") as log:
            return residue.found(self._descriptor, needles) | residue.found(log.fileno(), needles)


def _needles(slots: list[bytes]) -> Iterator[bytes]:
    """Yield what may be nowhere any more of slots: each wrapped file key, and the end (a MAC or a tag)."""
    for data in slots:
        yield from _wrapped(data)
        yield data[-TAIL_BYTES:]


def _wrapped(data: bytes) -> Iterator[bytes]:
    """Yield each wrapped file key in a header, as it stands there."""
    yield from (line for line in data.split(b"\n") if len(line) == WRAPPED_COLUMNS and b" " not in line)
