import ensurepip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pbx import environment

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = ROOT / "Makefile"
TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE.read_text(), re.MULTILINE)) - {"install-program", "install-files"}


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # A make around these tests must not lend them its flags and its jobs.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=folder, env=clean, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with what decides whether the environment is made again, and one that was made."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    ready = tmp_path / ".venv" / ".ready"
    ready.parent.mkdir()
    ready.touch()
    os.utime(tmp_path / "setup.cfg", (1, 1))
    os.utime(tmp_path / "pyproject.toml", (1, 1))
    return tmp_path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What install puts beside the program."""
    place = tmp_path_factory.mktemp("installed")
    done = make("install-files", f"DESTDIR={place}", "prefix=/opt/gdprcall")
    assert done.returncode == 0, done.stderr
    return place


def test_the_default_is_help_and_it_names_every_target() -> None:
    said = make().stdout
    assert {line.split()[0] for line in said.splitlines()[2:]} == TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_target_can_be_shown_without_being_run(target: str, copy: Path) -> None:
    done = make("-n", target, folder=copy)
    assert done.returncode == 0, done.stderr


def test_a_second_run_finds_the_environment_ready(copy: Path) -> None:
    assert make("-q", "venv", folder=copy).returncode == 0


@pytest.mark.parametrize(
    ("statuses", "runs", "passes"),
    [
        ("0", 1, True),
        ("1 0", 2, True),
        ("1 1", 2, False),
        ("1 5", 2, False),  # nothing was run again
        ("2", 1, False),  # broken off, or a file that cannot be read
        ("3", 1, False),
    ],
)
def test_real_calls_that_failed_are_placed_once_more_and_a_run_that_did_not_end_is_none(
    copy: Path, statuses: str, runs: int, passes: bool
) -> None:
    (copy / ".cache").mkdir()
    tools = copy / ".venv" / "bin"
    tools.mkdir()
    for name in ("ruff", "mypy", "python"):
        (tools / name).write_text("#!/bin/sh\n")
    # Pytest's own exit statuses, one for each run of the real calls.
    (tools / "coverage").write_text(
        f"""#!/bin/bash
echo "$*" >> asked
[[ "$*" == *"-m pbx"* ]] || exit 0
statuses=({statuses}); exit "${{statuses[$(grep -c -e "-m pbx" asked) - 1]}}"
"""
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    done = make("test", folder=copy)
    asked = [line for line in (copy / "asked").read_text().splitlines() if "-m pbx" in line]
    assert (len(asked), done.returncode == 0) == (runs, passes), done.stdout + done.stderr
    assert all(("--last-failed" in line) is bool(place) for place, line in enumerate(asked))


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml"])
def test_a_change_of_the_dependencies_makes_the_environment_again(copy: Path, name: str) -> None:
    later = (copy / ".venv" / ".ready").stat().st_mtime + 5
    os.utime(copy / name, (later, later))
    assert make("-q", "venv", folder=copy).returncode == 1


def test_a_machine_without_a_fitting_python_gets_one_sentence(copy: Path) -> None:
    (copy / ".venv" / ".ready").unlink()
    done = make("venv", "PYTHON=", folder=copy)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no Python 3.11 or newer was found; install it with apt")


def test_a_failed_download_fails_the_target_and_is_tried_again(copy: Path) -> None:
    (copy / ".venv" / ".ready").unlink()
    python = copy / ".venv" / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\ncase "$*" in *--version*) exit 0;; *) echo no network; exit 1;; esac\n')
    python.chmod(0o755)
    done = make("venv", "PYTHON=true", folder=copy)
    assert done.returncode == 2
    assert "no network" in done.stdout
    assert not (copy / ".venv" / ".ready").exists()


def test_ci_runs_make_test_and_nothing_else(tmp_path: Path) -> None:
    stand_in = tmp_path / "make"
    stand_in.write_text('#!/bin/sh\necho "$PWD: make $*"\nexit 3\n')
    stand_in.chmod(0o755)
    outside = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci/run"], cwd="/", env=outside, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{ROOT}: make test\n", 3)


def test_a_python_without_ensurepip_gets_its_pip_from_a_wheel(tmp_path: Path) -> None:
    # Debian's own ensurepip keeps its wheels in the place that is looked into.
    folders = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    wheel = next(wheel for folder in folders for wheel in folder.glob("pip-*.whl"))
    place = tmp_path / "host" / environment.WHEELS
    place.mkdir(parents=True)
    shutil.copy(wheel, place)
    found = environment.pip_wheel(tmp_path / "host")
    assert found == place / wheel.name
    environment.make(tmp_path / "venv", wheel=found)
    pip = [tmp_path / "venv" / "bin" / "python", "-m", "pip", "--version"]
    assert str(tmp_path / "venv") in subprocess.run(pip, capture_output=True, text=True, check=True).stdout


def test_what_is_installed_names_where_it_lies_and_not_where_it_was_packed(installed: Path) -> None:
    texts = {path: path.read_text() for path in installed.rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if str(installed) in text]
    units = installed / "opt/gdprcall/lib/systemd/system"
    assert "\nExecStart=/opt/gdprcall/bin/gdprcall serve\n" in (units / "gdprcall.service").read_text()
    stop = "/opt/gdprcall/lib/gdprcall/stop-recordings"
    assert f"\nExecStart={stop}\n" in (units / "gdprcall-onfailure.service").read_text()
    assert os.access(installed / stop[1:], os.X_OK)


@pytest.mark.parametrize(
    ("file", "begins"),
    [
        ("share/man/man1/gdprcall.1", ".TH GDPRCALL 1"),
        ("share/bash-completion/completions/gdprcall", "_gdprcall_completion() {"),
        ("share/zsh/site-functions/_gdprcall", "#compdef gdprcall"),
        ("share/fish/vendor_completions.d/gdprcall.fish", "function _gdprcall_completion;"),
        ("share/gdprcall/dialplan/gdprcall.conf", "; gdprcall:"),
    ],
)
def test_page_completions_and_dialplan_are_installed(installed: Path, file: str, begins: str) -> None:
    assert (installed / "opt/gdprcall" / file).read_text().lstrip().startswith(begins)


def test_every_unit_and_dialplan_file_of_the_project_is_installed(installed: Path) -> None:
    names = {path.name for path in installed.rglob("*")}
    shipped = {path.name for path in (ROOT / "systemd").rglob("*") if path.is_file()} - {"README.md", "gdprcall.toml"}
    shipped |= {path.name for path in (ROOT / "dialplan").rglob("*")}
    assert shipped <= names
    assert (installed / "etc/gdprcall/gdprcall.toml.sample").is_file()


def test_uninstall_removes_all_that_was_installed_and_keeps_the_configuration(installed: Path, tmp_path: Path) -> None:
    place = tmp_path / "root"
    shutil.copytree(installed, place)
    own = place / "etc/gdprcall/gdprcall.toml"
    own.write_text("# the site's own")
    assert make("uninstall", f"DESTDIR={place}", "prefix=/opt/gdprcall").returncode == 0
    assert [path for path in place.rglob("*") if path.is_file() or path.is_symlink()] == [own]


@pytest.mark.pbx
def test_the_installed_program_runs_and_no_script_names_the_place_of_packing(tmp_path: Path) -> None:
    done = make("install", f"DESTDIR={tmp_path}", "prefix=/opt/gdprcall")
    assert done.returncode == 0, done.stderr
    private = tmp_path / "opt/gdprcall/lib/gdprcall"
    command = [private / "bin/python", "-m", "gdprcall", "--version"]
    assert subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout.startswith("gdprcall")
    assert (tmp_path / "opt/gdprcall/bin/gdprcall").readlink() == Path("/opt/gdprcall/lib/gdprcall/bin/gdprcall")
    files = [*private.glob("bin/*"), *private.rglob("*.pyc")]
    assert not [file for file in files if file.is_file() and str(tmp_path).encode() in file.read_bytes()]
