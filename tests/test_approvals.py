"""Approvals of draft languages: exactly these texts, by this controller, and never others."""

from dataclasses import replace
from pathlib import Path

import pytest

from gdprcall.errors import ConfigError
from gdprcall.policy.model import Policy
from gdprcall.prompts import approvals, texts
from gdprcall.prompts.approvals import Approval
from tests.voices import ACME, SUPPORT

FRENCH = Approval("acme", "fr", texts.sha256("fr"), 'Jeanne "la juriste" Roux', "2026-11-25T10:00:00.000Z")
POLICY = Policy({"acme": ACME}, {"support": replace(SUPPORT, languages=("en", "fr"))})


def test_what_was_approved_is_read_again_and_what_stood_there_stays(tmp_path: Path) -> None:
    path = tmp_path / approvals.BOOK.file
    assert approvals.BOOK.load(path) == ()
    polish = replace(FRENCH, language="pl", by="Łukasz")
    approvals.BOOK.add(path, FRENCH)
    approvals.BOOK.add(path, polish)
    assert approvals.BOOK.load(path) == (FRENCH, polish)
    assert path.read_text().startswith("# Who approved")


def test_a_draft_that_nobody_approved_is_refused_with_its_place() -> None:
    (found,) = approvals.findings(POLICY, ())
    assert (found.rule, found.place, found.refuses) == ("INF-03", "lines.support.languages", True)
    assert "'fr'" in found.text
    assert "gdprcall prompts approve fr --controller acme" in found.mend


def test_an_approved_draft_may_be_spoken() -> None:
    assert approvals.findings(POLICY, (FRENCH,)) == []
    assert approvals.state((FRENCH,), "acme", "fr") == "approved"
    assert approvals.state((), "acme", "en") == "finished"


@pytest.mark.parametrize(
    "other",
    [
        replace(FRENCH, sha256="0" * 64),
        replace(FRENCH, controller="bolt"),
        replace(FRENCH, language="it"),
    ],
    ids=["texts", "controller", "language"],
)
def test_an_approval_of_something_else_is_none(other: Approval) -> None:
    assert approvals.state((other,), "acme", "fr") == "draft"
    assert len(approvals.findings(POLICY, (other,))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[[approval]]\ncontroller = 'acme'\n",
        "approval = ['yes']\n",
        "[[approval]]\ncontroller = 1\nlanguage = 'fr'\nsha256 = 'x'\nby = 'y'\nat = 'z'\n",
        "[[approval]]\ncontroller = 'acme'\nlanguage = 'fr'\nsha256 = 'x'\nby = ' '\nat = 'z'\n",
        "no toml",
    ],
)
def test_a_file_that_cannot_be_read_approves_nothing_and_is_not_written_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / approvals.BOOK.file
    path.write_text(text)
    with pytest.raises(ConfigError):
        approvals.BOOK.load(path)
    with pytest.raises(ConfigError):
        approvals.BOOK.add(path, FRENCH)
    assert path.read_text() == text
