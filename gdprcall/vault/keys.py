"""What can be destroyed: age headers and sealed numbers, each in a slot of fixed size that is overwritten in place.

A slot never changes its size, because SQLite leaves copies of moved cells behind. Nothing here can open a header.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlite_utils import Database, Migrations

from gdprcall.errors import VaultError
from gdprcall.vault.database import Store

SLOT_SIZES = (512, 2048, 4096)
CHECKPOINT_TRIES = 20

migrations = Migrations("gdprcall.keys")


class Slot(StrEnum):
    """What a slot holds."""

    HEADER = "header"
    NUMBER = "number"


@migrations()
def first(db: Database) -> None:
    """Create the slots; one table per size, so that rows of one table never differ in length."""
    for size in SLOT_SIZES:
        db.conn.execute(
            f"""
            CREATE TABLE slot_{size} (
                recording TEXT NOT NULL CHECK (length(recording) = 32),
                segment INTEGER NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('header', 'number')),
                used INTEGER NOT NULL,
                slot BLOB NOT NULL CHECK (length(slot) = {size}),
                PRIMARY KEY (recording, segment, kind)
            ) STRICT
            """
        )


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was overwritten: how many slots, whether the log was cut, and whether the old bytes were looked for."""

    slots: int
    log_truncated: bool
    residue: int


def fingerprint(recipient: str) -> str:
    """Return the short name of a recipient: 16 hex digits of the SHA-256 of its text."""
    return hashlib.sha256(recipient.encode()).hexdigest()[:16]


class Keys:
    """The file of slots."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path, migrations)

    def put(self, recording: str, segment: int, kind: Slot, data: bytes) -> None:
        """Keep ``data`` durably; a slot that holds something else already is overwritten; raises VaultError."""
        size = next((size for size in SLOT_SIZES if len(data) <= size), None)
        if size is None:
            raise VaultError(f"{len(data)} bytes fit no slot", "use fewer recipients for this controller")
        with self._store.transaction() as db:
            for other in SLOT_SIZES:
                if other != size:
                    where = "recording = ? AND segment = ? AND kind = ?"
                    db.execute(
                        f"UPDATE slot_{other} SET used = 0, slot = zeroblob({other}) WHERE {where}",  # noqa: S608 # a constant
                        (recording, segment, kind),
                    )
            db.execute(
                f"INSERT INTO slot_{size} VALUES (?, ?, ?, ?, ?) "  # noqa: S608 # a constant
                "ON CONFLICT DO UPDATE SET used = excluded.used, slot = excluded.slot",
                (recording, segment, kind, len(data), data.ljust(size, b"\0")),
            )

    def get(self, recording: str, segment: int, kind: Slot) -> bytes | None:
        """Return what a slot holds; None if there is none or it was destroyed."""
        for size in SLOT_SIZES:
            rows = self._store.rows(
                f"SELECT used, slot FROM slot_{size} WHERE recording = ? AND segment = ? AND kind = ? AND used > 0",  # noqa: S608 # a constant
                (recording, segment, kind),
            )
            for used, slot in rows:
                if isinstance(slot, bytes) and isinstance(used, int):
                    return slot[:used]
        return None

    def names(self, kind: Slot) -> list[tuple[str, int]]:
        """Return recording and segment of every slot of a kind that still holds something."""
        found: list[tuple[str, int]] = []
        for size in SLOT_SIZES:
            rows = self._store.rows(
                f"SELECT recording, segment FROM slot_{size} WHERE kind = ? AND used > 0",  # noqa: S608 # a constant
                (kind,),
            )
            found += [(str(recording), int(str(segment))) for recording, segment in rows]
        return sorted(found)

    def destroy(self, recording: str) -> Shredded:
        """Overwrite every slot of a recording, cut the log, and look for what was overwritten; raises VaultError.

        Raises when a reader keeps the log open or the old bytes are still found: then it is not destroyed.
        """
        with self._store.lock:
            old = self._overwrite(recording)
            truncated = any(self._store.truncate_log() for _ in range(CHECKPOINT_TRIES))
            if not truncated:
                raise VaultError(
                    "keys.db is held open, so its log could not be cut", "close other programs that read it"
                )
            residue = sum(self._found(data) for data in old)
        if residue:
            raise VaultError(f"{residue} overwritten slots are still found in keys.db")
        return Shredded(len(old), truncated, residue)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _overwrite(self, recording: str) -> list[bytes]:
        old: list[bytes] = []
        with self._store.transaction() as db:
            for size in SLOT_SIZES:
                rows = db.execute(
                    f"SELECT used, slot FROM slot_{size} WHERE recording = ? AND used > 0",  # noqa: S608 # a constant
                    (recording,),
                ).fetchall()
                old += [bytes(slot)[:used] for used, slot in rows]
                db.execute(
                    f"UPDATE slot_{size} SET used = 0, slot = zeroblob({size}) WHERE recording = ?",  # noqa: S608 # a constant
                    (recording,),
                )
        return old

    def _found(self, data: bytes) -> bool:
        # The MAC at a header's end and the wrapped key before it are unique; the tail is what to look for.
        needle = data[-64:]
        files = (self._store.path, self._store.path.with_name(self._store.path.name + "-wal"))
        return any(file.exists() and needle in file.read_bytes() for file in files)
