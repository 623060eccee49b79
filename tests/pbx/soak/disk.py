"""What lies on disk, read without any code of the program: SQLite files read-only, payloads, sound, the age tool.

A reader that may not write leaves a crashed database as it is: recovering it is left to the program under test.
"""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.pbx.prepare import PBX

Part = tuple[str, int]
"""A recording's id and the number of a segment of it."""

DATABASES = ("ledger.db", "keys.db", "index.db")
SLOTS = ("slot_512", "slot_2048", "slot_4096")
WRAPPED_COLUMNS = 43
"""The length in base64 of a wrapped file key, which stands alone on a line of an age header."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger; ``time`` in milliseconds; ``body`` is None once it was erased."""

    seq: int
    time: int
    kind: str
    recording: str | None
    body: dict[str, object] | None
    leaf: str


@dataclass(frozen=True)
class Disk:
    """All that matters of a vault and a spool at one moment."""

    entries: tuple[Entry, ...] = ()
    headers: dict[Part, bytes] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    spool: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()

    def of(self, recording: str) -> list[Entry]:
        """Return the entries of one recording, in order."""
        return self._by_recording.get(recording, [])

    @property
    def _by_recording(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] | None = self.__dict__.get("_found")
        if found is None:
            found = {}
            for entry in self.entries:
                if entry.recording is not None:
                    found.setdefault(entry.recording, []).append(entry)
            self.__dict__["_found"] = found
        return found


def read(vault: Path, spool: Path) -> Disk:
    """Return what lies in a vault and a spool; raises sqlite3.Error when a database cannot be read."""
    # First: what is sealed in this moment then has its entry and is still named, rather than having neither.
    waiting = frozenset(path.name for path in spool.iterdir())
    headers, numbers = _slots(vault)
    return Disk(
        entries=tuple(_entries(vault)),
        headers=headers,
        numbers=frozenset(numbers),
        objects=frozenset(str(path.relative_to(vault / "objects")) for path in (vault / "objects").rglob("*.*")),
        spool=waiting,
        damaged=tuple(_damaged(vault)),
    )


def decided(vault: Path, recording: str) -> bool:
    """Whether a granted decision of ``recording`` can be read from the ledger's file now."""
    sql = "SELECT body FROM entry JOIN body USING (seq) WHERE entry.recording = ?"
    try:
        with closing(_connect(vault / "ledger.db")) as db:
            return any(json.loads(body).get("outcome") == "granted" for (body,) in db.execute(sql, (recording,)))
    except sqlite3.Error:
        return False


def opened(vault: Path, header: bytes, part: Part, identity: Path) -> bytes | None:
    """Return the sound of a segment as the public age tool opens it with the controller's identity, or None."""
    payload = vault / "objects" / part[0][:2] / f"{part[0]}.{part[1]}"
    if not header or not payload.exists():
        return None
    command = [str(PBX / "bin" / "age"), "-d", "-i", str(identity)]
    done = subprocess.run(command, input=header + payload.read_bytes(), capture_output=True, check=False, timeout=30)
    return done.stdout if done.returncode == 0 else None


def wrapped_keys(header: bytes) -> list[bytes]:
    """Return the lines of a header that hold a wrapped file key."""
    return [line for line in header.split(b"\n") if len(line) == WRAPPED_COLUMNS and b" " not in line]


def raw_keys(vault: Path) -> bytes:
    """Return every byte of keys.db and its log."""
    return b"".join(path.read_bytes() for path in sorted(vault.glob("keys.db*")) if not path.name.endswith("-shm"))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5, isolation_level=None)


def _entries(vault: Path) -> Iterator[Entry]:
    sql = "SELECT entry.seq, leaf, body FROM entry LEFT JOIN body USING (seq) ORDER BY entry.seq"
    with closing(_connect(vault / "ledger.db")) as db:
        rows = db.execute(sql).fetchall()
    for seq, leaf, body in rows:
        fields = json.loads(leaf)
        known = None if body is None else json.loads(body)
        yield Entry(seq, fields["time"], fields["kind"], fields["recording"], known, leaf)


def _slots(vault: Path) -> tuple[dict[Part, bytes], set[str]]:
    headers: dict[Part, bytes] = {}
    numbers = set()
    with closing(_connect(vault / "keys.db")) as db:
        rows = [row for table in SLOTS for row in db.execute(f"SELECT recording, segment, kind, slot FROM {table}")]
    for recording, segment, kind, slot in rows:
        data = slot[2 : 2 + int.from_bytes(slot[:2], "big")]
        if any(slot) and kind == "header":
            headers[recording, segment] = data
        elif any(slot):
            numbers.add(recording)
    return headers, numbers


def _damaged(vault: Path) -> Iterator[str]:
    for name in DATABASES:
        with closing(_connect(vault / name)) as db:
            said = [row[0] for row in db.execute("PRAGMA integrity_check")]
        if said != ["ok"]:
            yield f"{name}: {said[0]}"
