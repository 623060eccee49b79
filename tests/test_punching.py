"""Holes in files: punched, found again, and told where none can be."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdprcall.vault.punching import hole, in_memory, punch, punches
from tests import recorders

PAGE = 65_536


@pytest.fixture(params=["memory", "disk"])
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    with (recorders.on_disk if request.param == "disk" else recorders.in_memory)() as made:
        yield made


def test_what_is_punched_reads_as_zeros_takes_no_room_and_leaves_the_size(folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(b"\1" * 4 * PAGE)
    before = recorders.plaintext(path)
    with path.open("r+b") as file:
        punch(file.fileno(), PAGE, 2 * PAGE)
        assert hole(file.fileno(), 4 * PAGE) == (PAGE, 3 * PAGE)
    assert path.read_bytes() == b"\1" * PAGE + bytes(2 * PAGE) + b"\1" * PAGE
    assert before - recorders.plaintext(path) == 2 * PAGE


def test_looking_for_a_hole_moves_no_reader(folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(bytes(range(256)) * 512)
    with path.open("r+b") as file:
        assert hole(file.fileno(), 2 * PAGE) is None
        punch(file.fileno(), PAGE, PAGE)
        assert hole(file.fileno(), 2 * PAGE) == (PAGE, 2 * PAGE)
        assert file.read(4) == b"\0\1\2\3"
    (folder / "empty").touch()
    with (folder / "empty").open("rb") as file:
        assert hole(file.fileno(), 0) is None


def test_a_file_that_is_not_open_for_writing_is_not_punched(folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(b"\1" * PAGE)
    with path.open("rb") as file, pytest.raises(OSError, match="Bad file descriptor"):
        punch(file.fileno(), 0, PAGE)


def test_it_is_known_where_holes_can_be_punched_and_nothing_is_left_of_the_trial(folder: Path) -> None:
    assert punches(folder)
    assert os.listdir(folder) == []
    assert not punches(folder / "missing")
    assert not punches(Path("/proc"))


def test_it_is_known_what_is_memory() -> None:
    assert in_memory(Path("/dev/shm"))
    assert in_memory(Path("/dev/shm/not/there/yet"))
    assert not in_memory(Path("/proc"))
    with recorders.on_disk() as disk:
        assert not in_memory(disk)
