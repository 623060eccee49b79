"""The slots: what is destroyed is in no file any more, and a row never changes its length."""

import random as seeded
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.errors import VaultError
from gdprcall.vault import keys as module
from gdprcall.vault.keys import Keys, Slot, fingerprint

A, B = "aa" * 16, "bb" * 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
def keys(path: Path) -> Iterator[Keys]:
    opened = Keys(path)
    yield opened
    opened.close()


def header(seed: int, recipients: int = 1) -> bytes:
    """A real age header, the same for the same seed."""
    source = seeded.Random(seed)
    people = [age.X25519Identity.generate(source.randbytes).recipient() for _ in range(recipients)]
    return age.make_header(source.randbytes(16), people, random=source.randbytes)


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def wrapped(data: bytes) -> list[bytes]:
    """The wrapped file keys of a header: what opens the recording together with an identity."""
    return [line for line in data.split(b"\n") if len(line) == 43 and b" " not in line]


def test_what_is_kept_comes_back_after_reopening(path: Path) -> None:
    keys = Keys(path)
    for size in (1, 510, 511, 2046, 2047, 4094):
        keys.put(A, size, Slot.HEADER, bytes([size % 251 + 1]) * size)
    keys.put(A, 1, Slot.NUMBER, b"sealed")
    keys.close()
    keys = Keys(path)
    for size in (1, 510, 511, 2046, 2047, 4094):
        assert keys.get(A, size, Slot.HEADER) == bytes([size % 251 + 1]) * size
    assert keys.get(A, 1, Slot.NUMBER) == b"sealed"
    assert keys.get(B, 1, Slot.HEADER) is None
    assert keys.names(Slot.NUMBER) == [(A, 1)]
    keys.close()


@pytest.mark.parametrize("size", [0, 4095])
def test_fcl_05_what_fits_no_slot_is_refused(keys: Keys, size: int) -> None:
    with pytest.raises(VaultError, match="fit no slot"):
        keys.put(A, 1, Slot.HEADER, b"x" * size)


def test_ret_06_secure_delete_wal_and_full_synchronisation_are_on(keys: Keys) -> None:
    assert keys._store.rows("PRAGMA secure_delete") == [(1,)]
    assert keys._store.rows("PRAGMA synchronous") == [(2,)]
    assert keys._store.rows("PRAGMA journal_mode") == [("wal",)]


def test_a_kept_header_is_on_the_disk_when_put_returns(path: Path, keys: Keys) -> None:
    keys.put(A, 1, Slot.HEADER, header(1))
    assert wrapped(header(1))[0] in on_disk(path)


def test_ret_06_a_destroyed_header_is_in_no_file(path: Path, keys: Keys) -> None:
    for segment in (1, 2):
        keys.put(A, segment, Slot.HEADER, header(segment, recipients=2))
    keys.put(A, 0, Slot.NUMBER, header(3) + b"payload of the number, sealed")
    keys.put(B, 1, Slot.HEADER, header(4))
    needles = [key for seed, people in ((1, 2), (2, 2), (3, 1)) for key in wrapped(header(seed, people))]
    assert len(needles) == 5
    assert all(needle in on_disk(path) for needle in needles)
    shredded = keys.destroy(A)
    assert (shredded.slots, shredded.residue) == (3, 0)
    assert not any(needle in on_disk(path) for needle in needles)
    assert (path.parent / "keys.db-wal").stat().st_size == 0
    assert keys.get(A, 1, Slot.HEADER) is None
    assert keys.names(Slot.HEADER) == [(B, 1)]
    assert keys.get(B, 1, Slot.HEADER) == header(4)


def test_one_segment_can_be_destroyed_alone(keys: Keys) -> None:
    for segment in (1, 2):
        keys.put(A, segment, Slot.HEADER, header(segment))
    assert keys.destroy(A, 2).slots == 1
    assert keys.names(Slot.HEADER) == [(A, 1)]


def test_destroying_again_finds_nothing_to_destroy(keys: Keys) -> None:
    keys.put(A, 1, Slot.HEADER, header(1))
    assert keys.destroy(A).slots == 1
    assert keys.destroy(A).slots == 0
    assert keys.destroy(B).slots == 0


def test_a_slot_can_be_filled_again_and_keeps_no_copy_of_before(path: Path, keys: Keys) -> None:
    keys.put(A, 1, Slot.HEADER, header(1))
    keys.put(A, 1, Slot.HEADER, header(2, recipients=6))  # another size of slot
    assert keys.get(A, 1, Slot.HEADER) == header(2, recipients=6)
    assert keys.names(Slot.HEADER) == [(A, 1)]
    keys.destroy(A)
    assert not any(key in on_disk(path) for key in wrapped(header(1)) + wrapped(header(2, recipients=6)))


def test_rows_never_change_their_length(keys: Keys) -> None:
    lengths = (
        "SELECT length(recording), segment, length(kind), length(slot), typeof(slot) FROM slot_512 ORDER BY recording"
    )
    keys.put(A, 1, Slot.HEADER, header(1))
    before = keys._store.rows(lengths)
    keys.destroy(A)
    assert keys._store.rows(lengths) == before
    keys.put(A, 1, Slot.HEADER, header(2, recipients=3))
    assert keys._store.rows(lengths) == before


@pytest.mark.parametrize("seed", range(4))
def test_ret_06_no_destroyed_header_stays_among_many_interleaved_writes(path: Path, seed: int) -> None:
    source = seeded.Random(seed)
    keys = Keys(path)
    kept: dict[str, bytes] = {}
    gone: list[bytes] = []
    for number in range(300):
        recording = source.randbytes(16).hex()
        kept[recording] = header(seed * 1000 + number, source.choice([1, 2, 3, 5]))
        keys.put(recording, 1, Slot.HEADER, kept[recording])
        if source.random() < 0.4:
            victim = source.choice(sorted(kept))
            gone += wrapped(kept.pop(victim))
            assert keys.destroy(victim).residue == 0
    files = on_disk(path)
    assert len(gone) > 100
    assert not any(needle in files for needle in gone)
    assert all(keys.get(recording, 1, Slot.HEADER) == data for recording, data in kept.items())
    keys.close()


@pytest.mark.usefixtures("impatient")
def test_a_reader_that_keeps_the_log_open_is_an_error_and_not_a_destruction(
    path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_TRIES", 1)
    keys.put(A, 1, Slot.HEADER, header(1))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM slot_512").fetchone()
    with pytest.raises(VaultError) as caught:
        keys.destroy(A)
    assert "held open" in caught.value.message
    assert caught.value.hint
    reader.close()
    keys.destroy(A)
    assert not any(key in on_disk(path) for key in wrapped(header(1)))


def test_old_bytes_in_a_gap_are_found_and_the_file_is_rewritten_without_them(path: Path) -> None:
    Keys(path).close()
    careless = sqlite3.connect(path, isolation_level=None)
    careless.execute("PRAGMA secure_delete=0")
    careless.execute("CREATE TABLE stray (data BLOB)")
    careless.execute("INSERT INTO stray VALUES (?)", (header(1),))
    careless.execute("DROP TABLE stray")
    careless.close()
    assert wrapped(header(1))[0] in on_disk(path)
    keys = Keys(path)
    keys.put(A, 1, Slot.HEADER, header(1))
    assert keys.destroy(A).residue == 0
    assert wrapped(header(1))[0] not in on_disk(path)
    keys.close()


def test_a_copy_that_cannot_be_removed_is_told(path: Path) -> None:
    Keys(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE stray (data BLOB)")
    other.execute("INSERT INTO stray VALUES (?)", (header(1),))
    other.close()
    keys = Keys(path)
    keys.put(A, 1, Slot.HEADER, header(1))
    assert keys.destroy(A).residue == 2  # the wrapped key and the MAC
    keys.close()


def test_looking_for_old_bytes_does_not_drop_the_locks_of_the_database(path: Path, keys: Keys) -> None:
    keys.put(A, 1, Slot.HEADER, header(1))
    keys.destroy(A)
    keys.put(B, 1, Slot.HEADER, header(2))
    # Another process that closes the file last would remove the log; that it does not is what the locks are for.
    script = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT count(*) FROM slot_512'); c.close()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert (path.parent / "keys.db-wal").stat().st_size > 0
    assert keys.get(B, 1, Slot.HEADER) == header(2)


def test_a_fingerprint_is_short_and_of_the_text() -> None:
    assert fingerprint("age1a") != fingerprint("age1b")
    assert len(fingerprint("age1a")) == 16
