"""Countries and sectors: which rules hold for a line, and for one call by what is known of the caller's country."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gdprcall import profiles
from gdprcall.policy.jurisdiction import REPLACED, Held, rules_for
from gdprcall.policy.model import Basis, Controller, Keys, Line, Override, Regime
from gdprcall.policy.profile import Backing, Kind, Profiles
from gdprcall.policy.staff import AgentBasis, Agents
from tests.policies import ACME, ADVICE, LAWFUL, SHA256, SUPPORT, findings, found, of

C, K, L, V, P, LI = (
    Basis.CONSENT, Basis.CONTRACT, Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST, Basis.PUBLIC_TASK, Basis.LEGITIMATE_INTEREST,
)  # fmt: skip
KNOWN = profiles.installed()


def at(country: str) -> Controller:
    return replace(ACME, country=country, regime=Regime.UK_GDPR if country == "GB" else Regime.EU_GDPR)


def held(line: Line, own: str, caller: str) -> Held:
    return rules_for(KNOWN, line, at(own), caller)


CASES: list[tuple[str, str, Basis, Mapping[str, Any], str, str]] = [
    # country, requirement, basis, changes, field, severity
    ("DE", "BAS-08", LI, {}, "basis", "refuse"),
    ("DE", "PRF-DE", P, {}, "basis", "warn"),
    ("DE", "PRF-DE", K, {}, "basis", "refuse"),
    ("DE", "PRF-DE", C, {"agents": Agents(AgentBasis.EMPLOYMENT_CONTRACT, "1", "2026-01-31")}, "agents", "warn"),
    ("DK", "BAS-08", LI, {"purpose": "training"}, "basis", "refuse"),
    ("DK", "BAS-08", LI, {}, "basis", "warn"),
    ("DK", "PRF-DK", LI, {"purpose": "documentation", "retention_reason": "r"}, "no_other_proof_reason", "refuse"),
    ("FR", "PRF-FR", C, {}, "sample_rate", "refuse"),
    ("FR", "PRF-FR", C, {"sample_rate": 0.1, "retention_days": 184, "retention_reason": "r"}, "retention_days", "warn"),
    ("FR", "PRF-FR", C, {"purpose": "contract_proof", "retention_reason": "r"}, "no_other_proof_reason", "refuse"),
    ("BE", "PRF-BE", C, {"retention_days": 31}, "retention_days", "warn"),
    ("PT", "PRF-PT", C, {"retention_days": 31}, "retention_days", "warn"),
    ("PT", "PRF-PT", V, {"retention_days": 91}, "retention_days", "warn"),
    ("PT", "PRF-PT", L, {"retention_days": 2558}, "retention_days", "warn"),
    ("PT", "BAS-08", LI, {}, "basis", "warn"),
    ("HU", "PRF-HU", L, {"min_retention_days": 365}, "min_retention_days", "warn"),
    ("HU", "PRF-HU", C, {"purpose": "regulated_service"}, "basis", "warn"),
    ("ES", "PRF-ES", C, {}, "languages", "warn"),
    ("SE", "BAS-09", LI, {}, "basis", "warn"),
    ("SE", "BAS-09", P, {}, "basis", "warn"),
]


def cases(country: str) -> pytest.MarkDecorator:
    """Return the rows of the table that are about one country."""
    return pytest.mark.parametrize(
        ("rule", "basis", "changes", "field", "severity"), [row[1:] for row in CASES if row[0] == country]
    )


def objects(country: str, rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str) -> None:
    assert (rule, f"lines.support.{field}", severity) in found(of(basis, **changes), controller=at(country))


@cases("DE")
def test_prf_de_only_consent_will_do_and_the_agents_agree(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("DE", rule, basis, changes, field, severity)


@cases("DK")
def test_prf_dk_training_needs_consent_and_documentation_a_reason(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("DK", rule, basis, changes, field, severity)


@cases("FR")
def test_prf_fr_not_every_call_half_a_year_and_no_other_proof(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("FR", rule, basis, changes, field, severity)


@cases("BE")
def test_prf_be_quality_is_kept_a_month(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("BE", rule, basis, changes, field, severity)


@cases("PT")
def test_prf_pt_callers_agree_and_each_purpose_has_its_period(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("PT", rule, basis, changes, field, severity)


@cases("HU")
def test_prf_hu_a_public_service_records_and_keeps_five_years(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("HU", rule, basis, changes, field, severity)


@cases("ES")
def test_prf_es_customers_are_asked_in_a_language_of_spain(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("ES", rule, basis, changes, field, severity)


@cases("SE")
def test_bas_09_of_a_country_without_a_profile_the_strictest_is_assumed(
    rule: str, basis: Basis, changes: Mapping[str, Any], field: str, severity: str
) -> None:
    objects("SE", rule, basis, changes, field, severity)


def test_prf_ie_the_notice_is_owed_and_a_person_sees_to_it() -> None:
    assert found(LAWFUL[LI], controller=at("IE")) == []
    ireland = KNOWN.of_country("IE")
    assert ireland is not None
    assert [rule.kind for rule in ireland.rules] == [Kind.TOLD]


@pytest.mark.parametrize(
    ("country", "line"),
    [
        ("DE", LAWFUL[C]),
        ("DE", LAWFUL[L]),
        ("DE", of(LI, override=ADVICE)),
        ("DK", of(LI, purpose="documentation", retention_reason="r", no_other_proof_reason="r")),
        ("DK", of(C, purpose="training")),
        ("FR", of(C, sample_rate=0.1)),
        ("BE", LAWFUL[LI]),
        ("PT", LAWFUL[C]),
        ("HU", LAWFUL[L]),
        ("IE", LAWFUL[LI]),
        ("GB", LAWFUL[LI]),
        ("SE", LAWFUL[C]),
        ("SE", of(LI, override=Override("opinion", SHA256, ("SE",)))),
    ],
)
def test_bas_09_what_a_country_allows_has_no_findings(country: str, line: Line) -> None:
    assert found(line, controller=at(country)) == []


def test_prf_es_a_language_of_spain_among_the_lines_is_enough() -> None:
    missing = [("INF-03", "lines.support.languages", "refuse")]  # there is no Spanish prompt yet
    assert found(of(C, languages=("es-ES", "en")), controller=at("ES")) == missing


def test_prf_at_what_is_passed_on_needs_consent() -> None:
    passes_on = replace(ACME, disclosed_to=("Quality Ltd",))
    assert found(LAWFUL[LI], controller=passes_on) == [("PRF-AT", "lines.support.basis", "warn")]
    assert found(LAWFUL[C], controller=passes_on) == []


def test_prf_uk_each_country_is_under_its_own_regime() -> None:
    assert found(SUPPORT, controller=replace(ACME, country="GB")) == [("PRF-UK", "controllers.acme.regime", "warn")]
    mixed = replace(ACME, regime=Regime.UK_GDPR)
    assert found(SUPPORT, controller=mixed) == [("BAS-09", "controllers.acme.regime", "refuse")]


def test_prf_mifid_orders_are_recorded_by_law_always_and_for_five_years() -> None:
    assert found(of(L, profiles=("MIFID",))) == []
    assert found(of(C, profiles=("MIFID",))) == [
        ("PRF-MIFID", "lines.support.basis", "refuse"),
        ("PRF-MIFID", "lines.support.must", "refuse"),
        ("PRF-MIFID", "lines.support.min_retention_days", "refuse"),
    ]
    short = of(L, profiles=("MIFID",), min_retention_days=1826)
    assert found(short) == [("PRF-MIFID", "lines.support.min_retention_days", "refuse")]


def test_prf_pci_a_line_with_card_payments_can_pause() -> None:
    assert found(of(C, profiles=("PCI",))) == [("PRF-PCI", "lines.support.pause", "refuse")]
    assert found(of(C, profiles=("PCI",), keys=Keys(pause="*7"))) == []


@pytest.mark.parametrize("name", ["DE", "mifid", "", "NOPE"])
def test_bas_09_a_line_names_sectors_that_exist_and_no_countries(name: str) -> None:
    assert found(of(C, profiles=(name,))) == [("BAS-09", "lines.support.profiles", "refuse")]


def test_a_rule_that_is_known_at_second_hand_never_refuses_and_one_that_was_read_does() -> None:
    for backing in Backing:
        assert backing.severity == ("refuse" if backing in {Backing.READ, Backing.QUOTED} else "warn")
    (finding,) = findings(of(C, retention_days=31), controller=at("BE"))
    assert finding.article.startswith("Act of 13 June 2005")


# One call.


def test_bas_09_a_german_caller_of_a_danish_controller_is_asked_for_consent() -> None:
    line = of(LI, purpose="documentation", no_other_proof_reason="r")
    assert held(line, "DK", "DK").basis is LI
    german = held(line, "DK", "DE")
    assert (german.basis, german.countries, german.because) == (C, ("DK", "DE"), ("PRF-DE",))


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("caller", ["", "SE", "US", "ZZ"])
def test_bas_09_an_unknown_country_is_the_strictest_but_for_a_law_and_a_life(basis: Basis, caller: str) -> None:
    for own in ("AT", "", "SE"):
        assert held(LAWFUL[basis], own, caller).basis is (C if basis in REPLACED else basis)


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("caller", ["AT", "IE", "GB", "DE", "DK", "PT", "FR", "ES", "HU", "BE", "", "XX"])
@pytest.mark.parametrize("own", ["AT", "DE", "GB", "SE"])
def test_bas_09_the_callers_country_never_makes_it_laxer(basis: Basis, caller: str, own: str) -> None:
    line = LAWFUL[basis]
    alone, both = held(line, own, own), held(line, own, caller)
    assert both.basis in {alone.basis, C}
    assert both.retention_days <= alone.retention_days
    assert both.retention_days >= line.min_retention_days
    assert set(alone.because) <= set(both.because)


def test_bas_09_the_shorter_retention_of_both_countries_holds() -> None:
    line = of(C, retention_days=90)
    assert held(line, "AT", "AT").retention_days == 90
    assert held(line, "AT", "BE").retention_days == 30
    assert held(line, "BE", "AT").because == ("PRF-BE",)
    assert held(line, "AT", "").retention_days == 30
    assert held(LAWFUL[L], "AT", "PT").retention_days == 1827


def test_bas_09_advice_frees_the_countries_that_it_names_and_no_other() -> None:
    advised = of(LI, override=Override("opinion", SHA256, ("DE", "SE")))
    assert held(advised, "SE", "SE").basis is LI
    assert held(advised, "SE", "DE").basis is LI
    assert held(advised, "SE", "DK").basis is C
    assert held(advised, "SE", "").basis is C


def test_bas_09_without_profiles_everything_is_unknown() -> None:
    assert rules_for(Profiles(), LAWFUL[LI], ACME, "AT").basis is C
    assert rules_for(Profiles(), LAWFUL[LI], ACME, "AT").profiles == ("strictest",)


def test_what_is_held_names_countries_and_profiles_but_knows_no_number() -> None:
    assert {*Held.__dataclass_fields__} == {"basis", "retention_days", "countries", "profiles", "because"}
    assert held(LAWFUL[LI], "AT", "GB").profiles == ("AT", "UK")


def test_every_kind_of_rule_is_used_by_a_profile() -> None:
    assert {rule.kind for profile in KNOWN.by_id.values() for rule in profile.rules} == set(Kind)
