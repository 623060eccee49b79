"""The profiles as data: each rule says where it is from, how it is known, and what to do."""

import re

import pytest

from gdprcall import profiles
from gdprcall.errors import ConfigError
from gdprcall.policy.model import Basis, Purpose, Regime
from gdprcall.policy.profile import Kind, Profile, Rule
from gdprcall.policy.staff import AgentBasis

KNOWN = profiles.installed()
RULES = [(profile, rule) for profile in KNOWN.by_id.values() for rule in profile.rules]
ALLOWED = {
    Kind.BASIS: set(Basis),
    Kind.AGENTS: set(AgentBasis),
    Kind.REGIME: set(Regime),
    Kind.LANGUAGE: {"es", "ca", "eu", "gl"},
}
GOOD = """
id = "XX"
name = "Nowhere"
countries = ["XX"]
[[rules]]
kind = "told"
text = "t"
article = "a"
backing = "memory"
source = "https://example.com"
date = "2026"
"""


def test_every_country_and_sector_of_the_list_is_there() -> None:
    assert set(KNOWN.by_id) == {"DE", "DK", "FR", "BE", "PT", "HU", "AT", "IE", "ES", "UK", "MIFID", "PCI"}
    assert KNOWN.sectors == ("MIFID", "PCI")


def test_no_country_has_two_profiles() -> None:
    named = [country for profile in KNOWN.countries for country in profile.countries]
    assert len(named) == len(set(named)) == 10
    found = KNOWN.of_country("GB")
    assert found is not None
    assert found.id == "UK"
    assert KNOWN.of_country("SE") is KNOWN.of_country("") is None


@pytest.mark.parametrize(("profile", "rule"), RULES)
def test_every_rule_says_where_it_is_from_and_what_to_do(profile: Profile, rule: Rule) -> None:
    assert rule.text
    assert rule.article
    assert re.fullmatch(r"https?://\S+", rule.source)
    assert re.search(r"\d{4}", rule.date)
    assert bool(rule.mend) is (rule.kind is not Kind.TOLD)
    assert set(rule.purposes) <= set(Purpose)
    assert set(rule.bases) <= set(Basis)
    assert (rule.days > 0) is (rule.kind in {Kind.AT_MOST, Kind.AT_LEAST})
    assert set(rule.allowed) <= ALLOWED.get(rule.kind, set())
    assert bool(rule.allowed) is (rule.kind in ALLOWED)
    assert profile.requirement == f"PRF-{profile.id}"


def test_a_rule_without_purposes_or_bases_concerns_all() -> None:
    assert Rule(*[Kind.TOLD, "t", "", "a", "read", "s", "d"]).concerns("quality", "consent")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "",
        GOOD.replace('kind = "told"', 'kind = "maybe"'),
        GOOD.replace('backing = "memory"', 'backing = "hearsay"'),
        GOOD.replace('source = "https://example.com"', ""),
        GOOD.replace('date = "2026"', ""),
        GOOD + 'colour = "red"',
        GOOD.replace('countries = ["XX"]', "countries = 7"),
        GOOD + "days = []",
    ],
)
def test_a_broken_profile_is_refused_by_name(text: str) -> None:
    assert profiles.parse("xx.toml", GOOD).id == "XX"
    with pytest.raises(ConfigError, match=r"xx\.toml"):
        profiles.parse("xx.toml", text)
