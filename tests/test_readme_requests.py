"""The README's section on persons who ask: its commands run in their order, and each of its options is there."""

import re
import shlex
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from gdprcall import register
from gdprcall.cli.main import root
from gdprcall.register import identifying
from gdprcall.roles import MAY, Role
from tests.pbx.prepare import ROOT
from tests.test_requests import CALLED, Desk, desk

__all__ = ["desk"]
SECTION = (ROOT / "README.md").read_text().split("\n### A person asks\n")[1].split("\n### ")[0]
COMMANDS = [line for block in re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL) for line in block.splitlines()]


def test_every_command_of_the_section_runs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    # The sample call of the section, and the days of a story that goes on while the calendar does.
    called = datetime.fromtimestamp(CALLED / 1000, ZoneInfo("Europe/Stockholm"))
    assert abs((called - datetime.fromisoformat("2026-01-01T01:10+01:00")).total_seconds()) < 3600
    request = code = ""
    for command in COMMANDS:
        words = shlex.split(command.replace("REQUEST", request).replace("CODE", code))
        assert words[:2] == ["gdprcall", "requests"]
        words = [today(word) if words[index] == "--received" else word for index, word in enumerate(words[1:])]
        status, out, err = desk.shell(*words)
        assert status == 0, f"{command}\n{out}{err}"
        request = (re.findall(r"^request ([0-9a-f]{32}): ", out, re.MULTILINE) or [request])[0]
        code = "".join((re.findall(r"say: (\d{4}) (\d{4})$", out, re.MULTILINE) or [tuple(code)])[0])
    assert [row["state"] for row in desk.json("list", "--all")] == ["open", "refused", "answered"]


def test_a_person_asks_for_their_data_in_six_commands(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    section = (ROOT / "README.md").read_text().split("\n### A person asks for their data\n")[1].split("\n### ")[0]
    (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    commands = block.splitlines()
    assert len(commands) == 6
    request = code = ""
    for command in commands:
        words = shlex.split(command.replace("REQUEST", request).replace("CODE", code).replace("TODAY", today("")))
        status, out, err = desk.shell(*words[1:])
        assert status == 0, f"{command}\n{out}{err}"
        request = (re.findall(r"^request ([0-9a-f]{32}): ", out, re.MULTILINE) or [request])[0]
        code = "".join((re.findall(r"say: (\d{4}) (\d{4})$", out, re.MULTILINE) or [tuple(code)])[0])
    (sound,) = (desk.folder / "for-the-person").rglob("*.wav")
    assert sound.stat().st_size > 44
    assert "# " not in (desk.folder / "for-the-person" / "letter.txt").read_text()
    assert desk.json("list", "--all")[0]["state"] == "answered"


def today(word: str) -> str:
    """Return the day of a story as one of now: what has not come yet is refused, and what is long past cannot be extended."""
    return datetime.now(ZoneInfo("Europe/Stockholm")).date().isoformat() + ("T00:00" if "T" in word else "")


def test_every_option_and_every_command_of_the_section_exists() -> None:
    runner, named = CliRunner(), set()
    for command in COMMANDS:
        words = shlex.split(command)
        shown = runner.invoke(root, [*words[1:3], "--help"]).output
        named.add(words[2])
        assert all(word in shown for word in words if word.startswith("--")), command
    assert named == {name.removeprefix("requests/") for name in register.OPERATIONS}


def test_the_figures_of_the_section_are_those_of_the_program() -> None:
    told = " ".join(SECTION.split())
    assert "a code of eight digits" in told
    assert "Three attempts for a code, three codes, two weeks" in told
    limits = (identifying.CODE_DIGITS, identifying.ATTEMPTS, identifying.CODES, identifying.CODE_DAYS)
    assert limits == (8, 3, 3, 14)
    assert (identifying.WINDOW_MS, "within an hour" in told) == (3_600_000, True)
    assert "An officer may all of this, an auditor `list` and `check`, an operator `check`." in told
    known = {role: {name for name in MAY[role] if name.startswith("requests/")} for role in Role if role in MAY}
    assert known[Role.OFFICER] == set(register.OPERATIONS)
    assert known[Role.AUDITOR] == {"requests/list", "requests/check"}
    assert known[Role.OPERATOR] == {"requests/check"}
    assert known[Role.REVIEWER] == set()
