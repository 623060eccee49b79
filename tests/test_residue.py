"""The search for overwritten bytes: it misses nothing, wherever and however it lies, and invents nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.vault import residue

SECRET = bytes(range(100, 132))
OTHER = bytes(range(150, 193))


def looked(path: Path, *needles: bytes) -> set[bytes]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return residue.found(descriptor, needles)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("at", range(17))
def test_it_is_found_at_any_place_and_at_the_end(tmp_path: Path, at: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * at + SECRET)
    assert looked(path, SECRET, OTHER) == {SECRET}


@pytest.mark.parametrize("before", range(1, len(SECRET)))
def test_it_is_found_across_the_end_of_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(residue, "CHUNK", 256)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(512 - before) + SECRET + os.urandom(300))
    assert looked(path, SECRET) == {SECRET}


def test_a_part_of_it_is_not_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(SECRET[:-1] + b"x" + SECRET[1:])
    assert looked(path, SECRET) == set()


def test_nothing_to_look_for_and_nothing_to_look_in(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert looked(path, SECRET) == set()
    path.write_bytes(SECRET)
    assert looked(path) == set()


@given(
    data=st.binary(max_size=400),
    needles=st.lists(st.binary(min_size=16, max_size=60), max_size=4),
    at=st.integers(0, 400),
)
def test_it_finds_what_a_plain_search_finds(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, needles: list[bytes], at: int
) -> None:
    path = tmp_path_factory.mktemp("residue") / "file"
    mixed = data[:at] + (needles[0] if needles else b"") + data[at:]
    path.write_bytes(mixed)
    assert looked(path, *needles) == {needle for needle in needles if needle in mixed}
