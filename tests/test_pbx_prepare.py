"""The private copies of Asterisk, SIPp and their company: found from anywhere, made once, from the host's own archive."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pbx import prepare, speech

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
    assert "age-1.1        1.1." in prepare.stamp("root-age-1.1").read_text()
    assert run(Path("/"), prepare.PBX / "bin" / "age", "--version").stdout.strip() in prepare.stamp("root").read_text()


@pytest.mark.pbx
def test_a_second_run_changes_nothing_and_takes_less_than_a_second() -> None:
    # Else this test would be the first run, and pull the copy from under the others.
    ordinary = [name for name, world in prepare.WORLDS.items() if world.wanted]
    assert all(prepare.is_ready(name) for name in ordinary), "a world has changed: run make pbx"
    # The speech beside them is made by whichever test needs it first, perhaps now.
    before = {path: path.stat().st_mtime_ns for path in prepare.PBX.glob("*") if path.name != speech.FOLDER.name}
    begun = time.monotonic()
    done = run(Path("/"), sys.executable, PREPARE)
    assert time.monotonic() - begun < 1
    assert done.stdout.splitlines() == [
        line for name in ordinary for line in prepare.stamp(name).read_text().splitlines()[1:]
    ]
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


def test_only_what_apt_would_install_is_unpacked_whatever_else_its_cache_holds() -> None:
    said = (
        "Inst sox (14.7 Debian:testing [amd64])\nInst libc6 (2:2.43-7 Debian:testing [amd64]) []\nConf sox (14.7 x)\n"
    )
    assert prepare.archives_of(said) == {"sox_14.7", "libc6_2%3a2.43-7"}


def program(folder: Path, name: str, says: str) -> None:
    """Write a program that says one line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("asterisk", "taken"),
    [("Asterisk 20.9.3", True), ("Asterisk 18.0.0", True), ("Asterisk 16.28.0", False), ("?", False)],
)
def test_the_hosts_own_asterisk_is_taken_if_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asterisk: str, taken: bool
) -> None:
    program(tmp_path / "bin", "asterisk", asterisk)
    program(tmp_path / "bin", "sipp", "SIPp v3.7.3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    own = {"asterisk": str(tmp_path / "bin/asterisk"), "sipp": str(tmp_path / "bin/sipp")}
    assert prepare.host_asterisk() == (own if taken else {})


def test_an_asterisk_without_sipp_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "asterisk", "Asterisk 22.1.0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{prepare.PBX / 'bin'}")
    assert prepare.host_asterisk() == {}


WORLDS = {
    # machine: (folder of libc, loader and what it is a link to)
    "amd64": ("usr/lib/x86_64-linux-gnu", "usr/lib64/ld-linux-x86-64.so.2"),
    "amd64 before usr was merged": ("lib/x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    "arm64": ("usr/lib/aarch64-linux-gnu", "usr/lib/ld-linux-aarch64.so.1"),
}


@pytest.mark.parametrize("machine", WORLDS)
def test_the_loader_and_the_libraries_of_each_kind_of_machine_are_found(tmp_path: Path, machine: str) -> None:
    libraries, loader = WORLDS[machine]
    world = tmp_path / "world"
    for name in (f"{libraries}/libc.so.6", f"{libraries}/{Path(loader).name}", "usr/bin/sox"):
        (world / name).parent.mkdir(parents=True, exist_ok=True)
        (world / name).write_text("")
    (world / loader).parent.mkdir(parents=True, exist_ok=True)
    (world / loader).symlink_to(f"/{libraries}/{Path(loader).name}")
    text = prepare.wrapper(world, "sox")
    assert f'exec "$root/{libraries}/{Path(loader).name}" --library-path "$root/{libraries}' in text
    assert '"$root/usr/bin/sox" "$@"' in text
    assert "LD_LIBRARY_PATH" not in text


def test_libraries_beside_the_folders_of_the_machines_kind_are_found_too(tmp_path: Path) -> None:
    folder = "usr/lib/x86_64-linux-gnu"
    for name in (f"{folder}/libc.so.6", "usr/lib64/ld-linux-x86-64.so.2", "usr/sbin/asterisk", "usr/lib/libown.so.1"):
        (tmp_path / "world" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "world" / name).write_text("")
    assert f'--library-path "$root/{folder}:$root/usr/lib" ' in prepare.wrapper(tmp_path / "world", "asterisk")


@pytest.fixture
def building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Prepare in a folder of its own, from worlds that only note that they are unpacked."""
    unpacked: list[str] = []
    monkeypatch.setattr(prepare, "PBX", tmp_path / ".pbx")
    worlds = {
        "root": prepare.World("new", ("sox",), {}, 1),
        "root-old": prepare.World("old", ("sox",), {}, 2, wanted=False),
    }
    monkeypatch.setattr(prepare, "WORLDS", worlds)
    monkeypatch.setattr(prepare, "unpack_world", lambda name, _step: unpacked.append(name))
    return unpacked


def test_a_world_on_demand_is_built_only_when_it_is_named_and_rebuilds_no_other(building: list[str]) -> None:
    assert prepare.main([]) == 0
    assert building == ["root"]
    assert prepare.main(["root-old"]) == prepare.main(["root-old"]) == prepare.main([]) == 0
    assert building == ["root", "root-old"]


def test_a_world_whose_entry_changed_is_built_anew_and_no_other(
    building: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.main(["root", "root-old"])
    changed = dict(prepare.WORLDS) | {"root-old": prepare.World("old", ("sox", "age"), {}, 2, wanted=False)}
    monkeypatch.setattr(prepare, "WORLDS", changed)
    prepare.main(["root", "root-old"])
    assert building == ["root", "root-old", "root-old"]


def test_a_world_that_could_not_be_built_is_not_ready(building: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str, _step: str) -> None:
        raise prepare.CannotPrepare("the archive is away")

    monkeypatch.setattr(prepare, "unpack_world", fail)
    assert prepare.main([]) == 1
    assert not prepare.is_ready("root")
    assert building == []


def test_a_world_that_nobody_knows_is_named(building: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["root-3"]) == 1
    assert "no such world: root-3" in capsys.readouterr().err
    assert building == []


def test_programs_of_the_host_are_started_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "PBX", tmp_path)
    monkeypatch.setattr(prepare, "WORLDS", {"root": prepare.World("none", (), {"sipp": "sipp"}, 1)})
    program(tmp_path / "host", "sipp", "SIPp v3.7.3-TLS.")
    host = {"sipp": str(tmp_path / "host/sipp")}
    prepare.write_wrappers("root", host)
    assert run(Path("/"), tmp_path / "bin/sipp").stdout == "SIPp v3.7.3-TLS.\n"
    assert prepare.version("sipp", "-v") == "3.7.3-TLS"


def test_a_program_that_does_not_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "PBX", tmp_path)
    program(tmp_path / "bin", "sox", "cannot open shared object file")
    with pytest.raises(prepare.CannotPrepare, match=r"sox of the private copy does not start: cannot open"):
        prepare.version("sox", "--version")
