"""The README's section on papers: its commands run in their order, its table is that of the papers, its sample is read."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from gdprcall import config, papers
from gdprcall.cli.main import root, run
from tests.paperhouse import filled
from tests.pbx.prepare import ROOT
from tests.test_papers import Office

SECTION = (ROOT / "README.md").read_text().split("\n### The papers\n")[1].split("\n##")[0]
COMMANDS = [line for block in re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL) for line in block.splitlines()]
NAMED = {"list", "check", "show", "write", "subprocessors"}


def test_every_command_of_the_section_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("weasyprint", exc_type=(ImportError, OSError))  # type: ignore[arg-type]  # pango may be missing
    monkeypatch.chdir(tmp_path)
    office = Office(tmp_path, capsys)
    for command in COMMANDS:
        words = shlex.split(command)
        assert words[:2] == ["gdprcall", "documents"]
        said = office(*words[2:], status=4 if words[2] == "check" else 0)
        assert said
    for kind in ("md", "html", "pdf"):
        assert (tmp_path / "papers" / "acme" / f"addendum.{kind}").stat().st_size > 1000


def test_every_option_and_every_command_of_the_section_exists() -> None:
    runner, named = CliRunner(), set()
    for command in COMMANDS:
        words = shlex.split(command)
        shown = runner.invoke(root, [*words[1:3], "--help"]).output
        named.add(words[2])
        assert all(word in shown for word in words if word.startswith("--")), command
    assert named == NAMED == set(runner.invoke(root, ["documents", "--help"]).output.split()) & NAMED


def test_the_table_of_the_section_names_every_paper() -> None:
    told = re.findall(r"^\| (`[^|]*) \|", SECTION, re.MULTILINE)
    assert sorted(name for cell in told for name in re.findall(r"`([a-z-]+)`", cell)) == sorted(papers.NAMES)


def test_the_sample_of_the_section_is_read(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)
    path = filled(tmp_path)
    text = path.read_text()
    path.write_text(text[: text.index("[operator]")] + text[text.index("[lines.fraud]") :] + sample)
    known = config.load(path).parties
    assert known.operator.name == tomllib.loads(sample)["operator"]["name"]
    assert known.dpias["acme"].status == "done"
    assert [one.name for one in known.subprocessors] == ["Host AG"]


def test_the_commands_of_the_officers_page_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "README.md").read_text().split("\n### The officer's page\n")[1].split("\n##")[0]
    (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    path = filled(tmp_path)
    (tmp_path / "spool").mkdir(exist_ok=True)
    for command in block.splitlines():
        words = shlex.split(command)
        assert words[:2] == ["gdprcall", "report"]
        assert run(["--config", str(path), *words[1:]]) == 0
    assert capsys.readouterr().out.count("acme") >= 3
    assert (tmp_path / "half-a-year.html").stat().st_size > 5000
