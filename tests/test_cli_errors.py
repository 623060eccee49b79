"""The command line as a process: whatever goes wrong is a line and a status, and never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gdprcall import __version__
from gdprcall.cli import output
from gdprcall.cli.main import main
from gdprcall.doctor.finding import FAIL, Finding
from tests import vaults
from tests.test_cli_exits import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def ran(
    *words: str, environment: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run the program; no traceback is ever seen."""
    given = {name: value for name, value in os.environ.items() if name != "GDPRCALL_CONFIG"} | dict(environment or {})
    done = subprocess.run(
        [sys.executable, "-m", "gdprcall", *words],
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=given,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_a_configuration_that_is_not_there_is_status_2_and_named(tmp_path: Path) -> None:
    done = ran("--config", str(tmp_path / "none.toml"), "check")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the configuration {tmp_path}/none.toml cannot be read")
    assert "\nhint: " in done.stderr


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert ran("--config", str(tmp_path), "check").returncode == 2


def test_every_mistake_of_a_configuration_is_named_at_once(shell: Shell) -> None:
    text = shell.config.read_text().replace('"consent"', '"contract"').replace('"SE"', '"Sweden"')
    shell.config.write_text(text)
    done = ran("--config", str(shell.config), "check", "--json")
    assert done.returncode == 2
    assert [mistake["place"] for mistake in json.loads(done.stdout)["mistakes"]] == ["controllers.acme.country"]
    assert "controllers.acme.country" in done.stderr


def test_the_environment_names_the_configuration_and_the_option_counts_more(shell: Shell, tmp_path: Path) -> None:
    assert ran("check", environment={"GDPRCALL_CONFIG": str(shell.config)}).returncode == 0
    wrong = {"GDPRCALL_CONFIG": str(tmp_path / "none.toml")}
    assert ran("check", environment=wrong).returncode == 2
    assert ran("--config", str(shell.config), "check", environment=wrong).returncode == 0


def test_the_version_is_the_packages(shell: Shell) -> None:
    assert ran("--version").stdout == f"gdprcall, version {__version__}\n"


@pytest.mark.parametrize("words", [(), ("recordings",), ("nonsense",), ("check", "--nonsense")])
def test_wrong_usage_is_two_lines_and_status_2(words: tuple[str, ...]) -> None:
    done = ran(*words)
    assert (done.returncode, done.stdout) == (2, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: see: gdprcall")


def test_a_reader_that_goes_away_ends_it_without_a_word(shell: Shell) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = ran("--config", str(shell.config), "manual", stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_daemon_refuses_a_configuration_with_mistakes_with_status_2(shell: Shell) -> None:
    shell.config.write_text(shell.config.read_text() + "\n[nonsense]\n")
    done = ran("--config", str(shell.config), "serve", "--log", "json")
    assert done.returncode == 2
    assert "nonsense: unknown key" in done.stderr


def test_the_daemon_refuses_to_start_beside_an_identity(shell: Shell) -> None:
    (shell.folder / "secrets" / "acme").write_text(vaults.ACME.identities[0].encode())
    done = ran("--config", str(shell.config), "serve")
    assert done.returncode == 2
    assert "must not be on the PBX" in done.stderr
    assert "AGE-SECRET-KEY-" not in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_completion_script_completes_by_asking_the_program(name: str) -> None:
    script = ran("completion", name).stdout
    assert "_GDPRCALL_COMPLETE" in script
    asked = {"_GDPRCALL_COMPLETE": f"{name}_complete", "COMP_WORDS": "gdprcall rec", "COMP_CWORD": "1"}
    if name == "fish":
        asked |= {"COMP_CWORD": "rec"}
    assert "recordings" in ran(environment=asked).stdout


def test_a_file_that_cannot_be_read_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/some/where")

    monkeypatch.setattr("gdprcall.simulate.run", fails)
    status, _, err = shell("simulate", "support", "1")
    assert (status, err.splitlines()[0]) == (1, "error: /some/where: Permission denied")


def test_a_fault_without_a_file_is_named_by_its_kind(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("gdprcall.simulate.run", fails)
    assert shell("simulate", "support", "1")[2].splitlines()[0] == "error: TimeoutError"


def test_doctor_prints_each_finding_with_its_mend_and_is_status_4_when_one_fails(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Finding("spool", FAIL, "is not there", "mount it")
    found = [failing]

    async def examine(_config: object) -> list[Finding]:
        return found

    monkeypatch.setattr("gdprcall.doctor.examine", examine)
    status, out, err = shell("doctor")
    assert status == 4
    assert out.splitlines() == ["FAIL  spool: is not there", "      mend: mount it"]
    assert "1 of 1 checks failed" in err
    status, out, _ = shell("doctor", "--json")
    assert (status, json.loads(out)) == (4, [failing.as_json()])
    found.clear()
    assert shell("doctor")[0] == 0


def programs(folder: Path) -> str:
    """Make an espeak-ng and a sox that give a second of silence; return the PATH on which they are found."""
    folder.mkdir()
    for name, sound in (("espeak-ng", "printf RIFF"), ("sox", "head -c 16000 /dev/zero")):
        (folder / name).write_text(f"#!/bin/sh\ncat >/dev/null\n{sound}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_prompts_are_built_once_and_then_found(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin"))
    assert json.loads(shell("prompts", "list", "--json")[1])[0]["fit"] is False
    built, notice = json.loads(shell("prompts", "build", "--json")[1])
    assert notice["kind"] == "notice"
    assert (built["line"], built["language"], built["new"]) == ("support", "en", True)
    status, out, _ = shell("prompts", "build")
    assert status == 0
    assert out.splitlines()[1].split("\t")[:3] == ["support", "en", "no"]
    listed, *_ = json.loads(shell("prompts", "list", "--json")[1])
    assert (listed["fit"], listed["sha256"]) == (True, built["sha256"])


def test_prompts_without_a_synthesiser_say_what_to_install(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, _, err = shell("prompts", "build")
    assert (status, "apt-get install" in err) == (2, True)


def test_a_policy_without_lines_is_said_to_record_nothing(shell: Shell) -> None:
    text = shell.config.read_text()
    shell.config.write_text(text[: text.index("[lines.")])
    status, out, _ = shell("check")
    assert (status, "nothing is recorded" in out) == (0, True)


def test_values_are_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_fields(
        {"none": None, "yes": True, "empty": {}, "inner": {"a": 1}, "rows": [{"b": False}], "list": [1]}
    )
    assert capsys.readouterr().out.splitlines() == [
        "none   -",
        "yes    yes",
        "empty  {}",
        "inner:",
        "  a  1",
        "rows:",
        "  - b=no",
        "list   [1]",
    ]


def test_a_mistake_without_a_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.complain("it is broken", "")
    assert capsys.readouterr().err == "error: it is broken\n"


def test_the_process_ends_with_the_commands_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gdprcall", "--config", "/nowhere/x.toml", "check"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
