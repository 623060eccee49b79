"""The private copies of Asterisk, SIPp and their company: found from anywhere, made once, from the host's own archive."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pbx import prepare

PREPARE = Path(prepare.__file__)


def run(folder: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    return subprocess.run(
        [str(part) for part in command], cwd=folder, env=os.environ | environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.pbx
@pytest.mark.parametrize(("program", "flag"), [("asterisk", "-V"), ("sox", "--version"), ("age-1.1", "--version")])
def test_a_program_starts_from_any_folder_and_through_a_link(tmp_path: Path, program: str, flag: str) -> None:
    (tmp_path / "link").symlink_to(prepare.PBX / "bin" / program)
    assert run(tmp_path, "./link", flag).stdout == run(Path("/"), prepare.PBX / "bin" / program, flag).stdout != ""


@pytest.mark.pbx
def test_arguments_reach_the_program_unchanged(tmp_path: Path) -> None:
    name = "a b'\"$HOME*.wav"
    made = run(tmp_path, prepare.PBX / "bin" / "sox", "-n", "-r", "8000", name, "trim", "0", "0.1")
    assert made.returncode == 0, made.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.pbx
def test_both_versions_of_age_are_what_their_names_say() -> None:
    versions = (prepare.PBX / "versions.txt").read_text()
    assert "age-1.1    1.1." in versions
    assert run(Path("/"), prepare.PBX / "bin" / "age", "--version").stdout.strip() in versions


@pytest.mark.pbx
def test_a_second_run_changes_nothing_and_takes_less_than_a_second() -> None:
    # Else this test would be the first run, and pull the copy from under the others.
    assert (prepare.PBX / "recipe").read_text() == prepare.recipe(), "prepare.py has changed: run make pbx"
    before = {path: path.stat().st_mtime_ns for path in prepare.PBX.glob("*")}
    begun = time.monotonic()
    done = run(Path("/"), sys.executable, PREPARE)
    assert time.monotonic() - begun < 1
    assert done.stdout == (prepare.PBX / "versions.txt").read_text()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_without_apt_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "tests" / "pbx").mkdir(parents=True)
    shutil.copy(PREPARE, tmp_path / "tests" / "pbx")
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, sys.executable, "tests/pbx/prepare.py", PATH=str(tmp_path / "empty"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "install asterisk" in done.stderr


def test_the_archive_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBIAN_MIRROR", "http://mirror.example/debian")
    assert prepare.mirror() == "http://mirror.example/debian"


def test_a_broken_download_is_removed_so_that_the_next_run_fetches_it_again(tmp_path: Path) -> None:
    if shutil.which("dpkg") is None:
        pytest.fail("this test needs dpkg, which every Debian has")
    broken = tmp_path / "broken.deb"
    broken.write_bytes(b"half a package")
    with pytest.raises(prepare.CannotPrepare, match="try again"):
        prepare.unpack(broken, tmp_path / "target")
    assert not broken.exists()


def test_no_name_of_an_archive_is_written_in_the_project() -> None:
    listed = run(prepare.ROOT, "git", "ls-files", "-z").stdout.split("\0")
    texts = [path for name in listed if name and (path := prepare.ROOT / name).is_file()]
    assert len(texts) > 50
    marks = [b"deb" + b".debian.org", b"snapshot" + b".debian.org", b"ftp." + b"debian.org"]
    assert not [path.name for path in texts if any(mark in path.read_bytes() for mark in marks)]
