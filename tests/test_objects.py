"""The payload files: written once, whole or not at all, and gone when they are said to be gone."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from gdprcall.errors import VaultError
from gdprcall.vault import objects as module
from gdprcall.vault.objects import HashingSink, Objects

A = "ab" * 16


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "objects")


def writing(data: bytes):
    def fill(sink: HashingSink) -> None:
        sink.write(data)

    return fill


def test_a_payload_is_stored_under_its_name_with_its_size_and_hash(objects: Objects) -> None:
    stored = objects.write(A, 2, writing(b"payload"))
    path = objects.folder / "ab" / f"{A}.2"
    assert path.read_bytes() == b"payload"
    assert (stored.size, stored.sha256) == (7, hashlib.sha256(b"payload").hexdigest())
    assert objects.stored(A, 2) == stored
    assert objects.sha256(A, 2) == stored.sha256
    assert list(objects.names()) == [(A, 2)]
    assert list(objects.strangers()) == []


def test_sec_09_files_and_folders_are_for_nobody_else(objects: Objects) -> None:
    objects.write(A, 1, writing(b"payload"))
    path = objects.path(A, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(objects.folder.stat().st_mode) == 0o700


def test_nothing_is_overwritten(objects: Objects) -> None:
    objects.write(A, 1, writing(b"first"))
    with pytest.raises(VaultError, match="nothing is overwritten"):
        objects.write(A, 1, writing(b"second"))
    assert objects.path(A, 1).read_bytes() == b"first"
    assert list(objects.strangers()) == []


def test_a_failure_midway_leaves_nothing(objects: Objects) -> None:
    def fail(sink: HashingSink) -> None:
        sink.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        objects.write(A, 1, fail)
    assert [path for path in objects.folder.rglob("*") if path.is_file()] == []
    objects.write(A, 1, writing(b"whole"))


def test_fcl_05_a_full_disk_is_an_error_with_a_hint(objects: Objects) -> None:
    def full(_sink: HashingSink) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(VaultError) as caught:
        objects.write(A, 1, full)
    assert "No space left" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("recording", "segment"),
    [("../../../etc/passwd", 1), ("AB" * 16, 1), ("ab" * 15, 1), (A, 0), (A, -1), (A + "\n", 1), ("", 1)],
)
def test_what_is_no_recording_never_becomes_a_path(objects: Objects, recording: str, segment: int) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        objects.write(recording, segment, writing(b""))


def test_a_removed_payload_is_gone_and_removing_again_says_there_was_none(objects: Objects) -> None:
    objects.write(A, 1, writing(b"payload"))
    assert objects.remove(A, 1)
    assert not os.path.lexists(objects.path(A, 1))
    assert not objects.remove(A, 1)
    assert objects.stored(A, 1) is None
    with pytest.raises(VaultError, match="missing"):
        objects.sha256(A, 1)


def test_a_payload_that_cannot_be_removed_is_an_error(objects: Objects) -> None:
    objects.path(A, 1).mkdir(parents=True)
    with pytest.raises(VaultError, match="removed"):
        objects.remove(A, 1)


def test_a_payload_that_comes_back_is_not_called_removed(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.write(A, 1, writing(b"payload"))

    def sync_and_restore(folder: Path) -> None:
        (folder / f"{A}.1").write_bytes(b"restored by somebody else")

    monkeypatch.setattr(module, "sync_folder", sync_and_restore)
    with pytest.raises(VaultError, match="still there"):
        objects.remove(A, 1)


def test_an_unreadable_payload_is_an_error(objects: Objects) -> None:
    objects.path(A, 1).mkdir(parents=True)
    with pytest.raises(VaultError, match="cannot be read"):
        objects.stored(A, 1)


def test_what_a_crash_left_half_written_is_removed_at_the_next_opening(objects: Objects) -> None:
    objects.write(A, 1, writing(b"payload"))
    (objects.folder / "ab" / f"{A}.2.partial").write_bytes(b"half")
    again = Objects(objects.folder)
    assert list(again.names()) == [(A, 1)]
    assert sorted(path.name for path in (objects.folder / "ab").iterdir()) == [f"{A}.1"]


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file is in the way")
    with pytest.raises(VaultError) as caught:
        Objects(tmp_path / "missing" / "objects")
    assert caught.value.hint


def test_every_durable_step_is_synchronised_before_the_name_appears(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, link = os.fsync, os.link

    def watched_fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        order.append(f"fsync {kind}")
        fsync(descriptor)

    def watched_link(source: Path, target: Path) -> None:
        order.append("name")
        link(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "link", watched_link)
    objects.write(A, 1, writing(b"payload"))
    assert order == ["fsync folder", "fsync file", "name", "fsync folder"]


def test_strangers_are_named_and_payloads_are_not(objects: Objects) -> None:
    objects.write(A, 1, writing(b"payload"))
    (objects.folder / "ab" / "notes.txt").write_text("x")
    (objects.folder / "cd").mkdir()
    (objects.folder / "cd" / f"{A}.1").write_text("in the wrong folder")
    (objects.folder / "ab" / f"{A}.3").symlink_to("/etc/passwd")
    found = sorted(str(path) for path in objects.strangers())
    assert found == [f"ab/{A}.3", "ab/notes.txt", f"cd/{A}.1"]


def test_the_segments_of_one_recording_are_found(objects: Objects) -> None:
    for segment in (1, 2, 10):
        objects.write(A, segment, writing(b"payload"))
    objects.write("ab" + "00" * 15, 1, writing(b"another"))
    assert objects.segments(A) == [1, 2, 10]
    assert objects.segments("no recording") == []
