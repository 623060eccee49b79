"""The keys of running calls: for the owner alone, counted in place, overwritten before they are gone, never on a disk."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall.errors import VaultError
from gdprcall.vault.memory import Kept, Memory, count
from tests import recorders
from tests.vaults import recording_id

REC = recording_id()
KEPT = Kept(bytes(range(16)), bytes(range(16, 32)), "ab" * 32, ("0123456789abcdef",), (7, 99), 1, 0)


@pytest.fixture
def memory() -> Iterator[Memory]:
    with recorders.in_memory() as folder:
        yield Memory(folder / "keys")


def test_what_is_kept_is_read_again_and_counted_in_its_place(memory: Memory) -> None:
    assert memory.read(REC, 1) is None
    memory.keep(REC, 1, KEPT)
    assert memory.read(REC, 1) == KEPT
    inode = (memory.folder / f"{REC}.1").stat().st_ino
    counter = memory.counter(REC, 1)
    count(counter, 12, 131_116)
    os.close(counter)
    assert memory.read(REC, 1) == Kept(KEPT.file_key, KEPT.nonce, "ab" * 32, KEPT.recipients, (7, 99), 12, 131_116)
    assert (memory.folder / f"{REC}.1").stat().st_ino == inode
    assert list(memory.names()) == [(REC, 1)]


def test_it_is_for_the_owner_alone_and_shows_no_key(memory: Memory) -> None:
    memory.keep(REC, 1, KEPT)
    assert stat.S_IMODE(memory.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((memory.folder / f"{REC}.1").stat().st_mode) == 0o600
    assert KEPT.file_key.hex() not in repr(KEPT)
    assert repr(KEPT.file_key) not in repr(KEPT)


def test_what_is_forgotten_was_overwritten_and_forgetting_twice_does_nothing(memory: Memory) -> None:
    memory.forget(REC, 1)
    memory.keep(REC, 1, KEPT)
    with (memory.folder / f"{REC}.1").open("rb") as file:
        size = len(file.read())
        memory.forget(REC, 1)
        file.seek(0)
        assert file.read() == bytes(size)
    assert (memory.read(REC, 1), list(memory.names())) == (None, [])
    memory.forget(REC, 1)


def test_what_a_kill_left_half_written_is_no_key_and_is_forgotten_too(memory: Memory) -> None:
    memory.keep(REC, 1, KEPT)
    (memory.folder / f"{REC}.1").rename(memory.folder / f"{REC}.1.new")
    assert memory.read(REC, 1) is None
    assert list(memory.names()) == [(REC, 1)]
    memory.forget(REC, 1)
    assert os.listdir(memory.folder) == []


@pytest.mark.parametrize("content", [b"", b"short", bytes(16), bytes(16) + b"[1]", bytes(16) + b'{"file_key": "zz"}'])
def test_what_is_damaged_is_no_key(memory: Memory, content: bytes) -> None:
    memory.keep(REC, 1, KEPT)
    (memory.folder / f"{REC}.1").write_bytes(content)
    assert memory.read(REC, 1) is None


def test_no_key_is_written_to_a_disk() -> None:
    with recorders.on_disk() as disk:
        with pytest.raises(VaultError, match="not in memory"):
            Memory(disk / "keys").keep(REC, 1, KEPT)
        assert not list((disk / "keys").iterdir())
    with pytest.raises(VaultError, match="cannot be used"):
        Memory(Path("/dev/shm/not/there")).keep(REC, 1, KEPT)


def test_a_name_that_is_no_recordings_is_refused_and_a_strange_file_is_left_alone(memory: Memory) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        memory.read("../../etc/passwd", 1)
    memory.keep(REC, 1, KEPT)
    (memory.folder / "note.txt").touch()
    assert list(memory.names()) == [(REC, 1)]
