"""Malformed and unlawful configurations, one file each: every one is refused for the reason that its first lines name.

The rules of law are judged twice: as the daemon is today, and as if it served every basis and every option.
"""

import re
from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.errors import ConfigError
from gdprcall.mistakes import Mistaken
from gdprcall.policy import rules
from gdprcall.policy.finding import ARTICLES
from gdprcall.policy.model import Basis

FILES = sorted((Path(__file__).parent / "unlawful").glob("*.toml"))
COVERED = (
    *(f"BAS-{number:02}" for number in (1, 2, 4, 5, 6, 7, 8, 9, 10)),
    *("CON-05", "CON-06", "CON-07", "CON-08", "CON-11"),
    *("INF-01", "INF-02", "INF-03", "INF-04", "INF-05", "INF-06", "INF-08"),
    *("RET-01", "RGT-01", "RGT-03", "PTY-01", "PTY-08", "DOC-03", "PRF-DE", "PRF-DK", "PRF-FR", "PRF-MIFID", "PRF-PCI"),
)
"""What refuses; BAS-03, BAS-11 and CON-10 only warn, CON-09 and INF-07 are about two configurations."""


def expected(path: Path) -> list[str]:
    return sorted(re.findall(r"^# expect: (.*)$", path.read_text(errors="replace"), re.MULTILINE))


def refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert caught.value.exit_status == 2
    assert caught.value.hint
    return caught.value


def served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SERVED_BASES", frozenset(Basis))
    monkeypatch.setattr(rules, "SERVED_OPTIONS", frozenset(rules.OPTIONS))


def test_there_are_a_hundred_and_they_cover_every_requirement_that_refuses() -> None:
    assert len(FILES) >= 100
    named = {line.split(" ")[0] for path in FILES for line in expected(path)}
    assert set(COVERED) <= named


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_refused_for_what_it_says_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch)
    error = refused(path)
    if expected(path) == ["TOML"]:
        assert "is no TOML" in error.message
        return
    assert isinstance(error, Mistaken)
    assert sorted(f"{finding.rule} {finding.place}" for finding in error.findings) == expected(path)
    for finding in error.findings:
        assert finding.mend
        assert not finding.rule or finding.article
        assert finding.place in error.message
        assert finding.rule in error.message


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_refused_by_the_daemon_of_today_too(path: Path) -> None:
    error = refused(path)
    if isinstance(error, Mistaken):
        assert {*expected(path)} <= {f"{finding.rule} {finding.place}" for finding in error.findings}


def test_every_article_is_of_a_requirement_that_somebody_cites() -> None:
    source = "".join(path.read_text() for path in Path(config.__file__).parent.rglob("*.py"))
    assert [rule for rule in ARTICLES if source.count(f'"{rule}"') < 2] == []
