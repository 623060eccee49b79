"""The README's section on breaches: its commands run in their order as one case, and each of its options is there."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gdprcall import breach
from gdprcall.cli.main import root
from gdprcall.deadlines import Deadlines
from gdprcall.rights.breaches import REMIND_HOURS
from gdprcall.roles import MAY, Role
from tests.pbx.prepare import ROOT
from tests.test_cli_exits import Shell

SECTION = (ROOT / "README.md").read_text().split("\n### When something happened\n")[1].split("\n##")[0]
COMMANDS = [line for block in re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL) for line in block.splitlines()]


def test_every_command_of_the_section_runs_as_one_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path, capsys)
    assert shell("vault", "backup", str(tmp_path / "backup"))[0] == 0
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
    id_, said = "", []
    for command in COMMANDS:
        given = command.replace("BREACH", id_).replace("YESTERDAY", yesterday)
        words = shlex.split(given.replace("/srv/backup/gdprcall", str(tmp_path / "backup")))
        assert words[:2] == ["gdprcall", "breach"]
        status, out, err = shell(*words[1:])
        assert status == 0, f"{command}\n{out}{err}"
        id_ = (re.findall(r"^breach ([0-9a-f]{32}): ", out, re.MULTILINE) or [id_])[0]
        said.append(out)
    told = "".join(said)
    assert "would open: 1 recording of 1 person with acme" in said[0]
    assert "\nauthority\t47 h 59 min left" in told
    assert "phase 1" in (tmp_path / "first-notice.html").read_text()
    assert "\nclosed\n" in f"\n{told}"


def test_every_option_and_every_command_of_the_section_exists() -> None:
    runner, named = CliRunner(), set()
    for command in COMMANDS:
        words = shlex.split(command)
        shown = runner.invoke(root, [*words[1:3], "--help"]).output
        named.add(words[2])
        assert all(word in shown for word in words if word.startswith("--")), command
    assert named == {name.removeprefix("breach/") for name in breach.OPERATIONS}


def test_the_figures_of_the_section_are_those_of_the_program() -> None:
    told, known = " ".join(SECTION.split()), Deadlines()
    assert f"`controller_hours`, default {known.controller_hours}" in told
    assert ("default five years" in told, known.keep_days) == (True, 1827)
    assert ("for half a year" in told, known.contact_days) == (True, 183)
    assert ("at 24, 48, 60 and 70 hours" in told, REMIND_HOURS) == (True, (24, 48, 60, 70))
    assert "an auditor `list`, `show` and `check`, an operator `open` and `check`" in told
    may = {role: {name.removeprefix("breach/") for name in MAY[role] if name.startswith("breach/")} for role in MAY}
    assert may[Role.OFFICER] == {name.removeprefix("breach/") for name in breach.OPERATIONS}
    assert may[Role.AUDITOR] == {"list", "show", "check"}
    assert may[Role.OPERATOR] == {"open", "check"}
    assert may[Role.REVIEWER] == set()
