"""A processor's instructions: a policy that its controller has not approved as it is now does not take effect (DOC-04)."""

import json
from pathlib import Path
from typing import Any

import pytest

from gdprcall import config, instructions, log, terms
from gdprcall.cli.main import run
from gdprcall.errors import ConfigError
from tests.breachhouse import write_config


class Office:
    """A command line over a configuration in which acme approves its policies, and beta does not care to."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.path = write_config(folder)
        text = self.path.read_text()
        self.path.write_text(text.replace('name = "Acme Insurance"\n', 'name = "Acme Insurance"\napproves = true\n'))
        (folder / "sounds").mkdir(exist_ok=True)

    def __call__(self, *words: str, status: int = 0) -> str:
        found = run(["--config", str(self.path), "documents", "approve", *words])
        said = self._capture.readouterr()
        assert found == status, said.out + said.err
        return said.out + said.err

    def lines(self) -> set[str]:
        """Return the lines on which something may be recorded."""
        return set(terms.holding(config.load(self.path)).policy.lines)

    def sha256(self, line: str = "support") -> str:
        known = config.load(self.path).policy
        return known.sha256(known.lines[line])


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    return Office(tmp_path, capsys)


BY = ("--by", "A. Officer, Acme")


def test_doc_04_what_nobody_has_approved_is_not_recorded_and_the_others_are(office: Office) -> None:
    assert office.lines() == {"orders", "desk"}
    (found,) = [one for one in config.load(office.path).warnings if one.place == "lines.support"]
    assert (found.rule, found.refuses) == ("DOC-04", False)
    assert "documents approve support" in found.mend


def test_doc_04_what_is_approved_takes_effect_and_a_change_waits_again(office: Office) -> None:
    told = office("support", *BY, "--yes")
    assert f"approved: support, policy {office.sha256()}" in told
    assert office.lines() == {"support", "orders", "desk"}
    text = office.path.read_text()
    office.path.write_text(text.replace("[lines.support]", "[lines.support]\nretention_days = 90"))
    assert office.lines() == {"orders", "desk"}
    office.path.write_text(text)
    assert office.lines() == {"support", "orders", "desk"}, "what was approved once is approved"


def test_doc_04_who_approved_what_and_when_stands_in_a_file(office: Office) -> None:
    office("support", *BY, "--yes", "--json")
    (one,) = instructions.BOOK.load(instructions.BOOK.beside(office.path))
    assert (one.controller, one.line, one.sha256, one.by) == ("acme", "support", office.sha256(), "A. Officer, Acme")
    assert one.at.endswith("Z")


def test_doc_04_another_policy_than_was_read_is_not_approved(office: Office) -> None:
    assert "not the policy that was read" in office("support", *BY, "--sha256", "ab" * 32, "--yes", status=1)
    office("support", *BY, "--sha256", office.sha256(), "--yes")
    assert "support" in office.lines()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("nothing", *BY, "--yes"), 3, "there is no line"),
        (("support", "--by", " ", "--yes"), 2, "names nobody"),
        (("support", *BY), 1, "no terminal"),
    ],
)
def test_what_cannot_be_approved_is_told_and_nothing_is_written(
    office: Office, words: tuple[str, ...], status: int, said: str
) -> None:
    assert said in office(*words, status=status)
    assert not instructions.BOOK.beside(office.path).exists()


def test_a_dry_run_approves_nothing(office: Office) -> None:
    assert "would approve: support" in office("support", *BY, "--dry-run")
    assert not instructions.BOOK.beside(office.path).exists()


@pytest.mark.parametrize(
    "text",
    [
        "[[instruction]]\nline = 1\n",
        "nonsense",
        "[[instruction]]\n" + "".join(f'{name} = ""\n' for name in instructions.Instruction.__slots__),
    ],
)
def test_a_file_that_cannot_be_read_approves_nothing(office: Office, text: str) -> None:
    instructions.BOOK.beside(office.path).write_text(text)
    with pytest.raises(ConfigError):
        config.load(office.path)


def test_the_log_says_which_line_waits(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(json=True)
    office.lines()
    told: list[dict[str, Any]] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")
    ]
    assert [(one["event"], one["line"]) for one in told if one["event"] == "instruction_pending"] == [
        ("instruction_pending", "support")
    ]
