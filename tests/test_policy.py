"""Policies: values with a hash, and the rules that no line may break whatever its basis."""

import json
from dataclasses import replace

import pytest

from gdprcall.policy import rules
from gdprcall.policy.model import Basis, Demand, Direction, Keys, Line, Policy, Purpose, canonical
from tests.policies import ACME, LAWFUL, SUPPORT, found, of, policy


def check(line: Line) -> list[rules.Finding]:
    return rules.check(policy(line), {"en", "sv"}, {"quality"})


@pytest.mark.parametrize("basis", Basis)
def test_a_lawful_line_of_any_basis_has_no_findings(basis: Basis) -> None:
    assert found(LAWFUL[basis]) == []


def test_bas_10_a_policy_without_lines_records_nothing_and_is_lawful() -> None:
    assert rules.check(Policy({}, {}), {"en"}, {"quality"}) == []


@pytest.mark.parametrize("basis", [basis for basis in Basis if basis is not Basis.CONSENT])
def test_bas_01_a_lawful_basis_that_a_daemon_cannot_serve_is_refused(basis: Basis) -> None:
    refused = rules.check(policy(LAWFUL[basis]), {"en", "sv"}, set(Purpose), served={Basis.CONSENT})
    assert [(f.rule, f.place, f.severity) for f in refused] == [("BAS-01", "lines.support.basis", "refuse")]
    assert refused[0].mend.startswith('write basis = "')


def test_bas_01_a_basis_that_is_served_is_not_refused_for_being_one() -> None:
    for basis in rules.SERVED_BASES:
        assert rules.check(policy(LAWFUL[basis]), {"en", "sv"}, set(Purpose)) == []


@pytest.mark.parametrize(
    ("changes", "rule", "field", "option"),
    [
        ({"direction": Direction.OUTBOUND, "source": "our form"}, "PTY-08", "direction", "outbound"),
        ({"sample_rate": 0.1}, "BAS-10", "sample_rate", "sample_rate"),
        (
            {"art9": True, "art9_condition": "a", "art9_content": "your health"},
            "CON-11",
            "art9_condition",
            "explicit",
        ),
        ({"keys": Keys(pause="*7")}, "PRF-PCI", "pause", "pause"),
    ],
)
def test_what_the_daemon_does_not_carry_out_yet_is_refused_instead_of_passed_over(
    changes: dict[str, object], rule: str, field: str, option: str
) -> None:
    line = of(Basis.CONSENT, **changes)
    refused = rules.check(policy(line), {"en", "sv"}, {"quality"})
    if option not in rules.SERVED_OPTIONS:
        assert [(f.rule, f.place, f.severity) for f in refused] == [(rule, f"lines.support.{field}", "refuse")]
    assert rules.check(policy(line), {"en", "sv"}, {"quality"}, options={option}) == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (replace(SUPPORT, controller="nobody"), "BAS-01"),
        (replace(SUPPORT, basis="because"), "BAS-01"),
        (replace(SUPPORT, purpose="emergency"), "INF-01"),
        (replace(SUPPORT, languages=("en", "fi")), "INF-03"),
        (replace(SUPPORT, keys=Keys("1", "1")), "CON-05"),
        (replace(SUPPORT, keys=Keys(withdraw="*99")), "CON-07"),
        (replace(SUPPORT, keys=Keys(withdraw="")), "CON-07"),
        (replace(SUPPORT, keys=Keys(withdraw="x")), "CON-07"),
    ],
)
def test_each_broken_rule_is_found_and_refuses(line: Line, rule: str) -> None:
    (finding,) = check(line)
    assert finding.rule == rule
    assert finding.refuses
    assert finding.mend
    assert finding.article.startswith("Art. ")


@pytest.mark.parametrize(
    "purpose", ["quality and training", "quality,training", "quality+training", "quality/training"]
)
def test_con_06_a_line_asks_for_one_purpose(purpose: str) -> None:
    (finding,) = check(replace(SUPPORT, purpose=purpose))
    assert (finding.rule, finding.refuses) == ("CON-06", True)
    assert "a line for each" in finding.mend


@pytest.mark.parametrize("purpose", ["marketing", "", "Quality", "voiceprint", "emotion"])
def test_bas_02_a_purpose_is_one_of_a_list(purpose: str) -> None:
    (finding,) = check(replace(SUPPORT, purpose=purpose))
    assert (finding.rule, finding.refuses) == ("BAS-02", True)


def test_bas_03_the_same_purpose_on_two_bases_warns_that_a_no_must_hold_on_both() -> None:
    other = of(Basis.LEGITIMATE_INTEREST, id="sales")
    assert found(SUPPORT, other) == [("BAS-03", "lines.sales.basis", "warn")]
    assert found(SUPPORT, replace(other, purpose="training")) == []
    assert found(SUPPORT, replace(SUPPORT, id="sales")) == []


def test_sec_09_two_controllers_with_one_pseudonym_key_or_one_recipient_are_refused() -> None:
    other = replace(ACME, id="beta", pseudonym_key="pseudonym-key-acme")
    both = Policy({"acme": ACME, "beta": other}, {})
    assert [(f.rule, f.place, f.severity) for f in rules.check(both, set(), set())] == [
        ("SEC-09", "controllers.beta.pseudonym_key", "refuse"),
        ("SEC-09", "controllers.beta.recipients[0]", "refuse"),
    ]


@pytest.mark.parametrize(
    ("wanted", "spoken"), [("sv", "sv"), ("SV", "sv"), ("sv_SE", "sv"), ("sv-FI", "sv"), ("fr", "en"), ("", "en")]
)
def test_inf_03_a_caller_is_asked_in_his_language_if_the_line_speaks_it(wanted: str, spoken: str) -> None:
    assert SUPPORT.language_for(wanted) == spoken


def test_the_hash_of_a_line_changes_with_anything_that_it_promises() -> None:
    before = policy(SUPPORT).sha256(SUPPORT)
    assert before == policy(SUPPORT).sha256(replace(SUPPORT))
    for line in (
        replace(SUPPORT, retention_days=31),
        replace(SUPPORT, keys=Keys("3")),
        replace(SUPPORT, languages=("en",)),
        replace(SUPPORT, version=2),
        replace(SUPPORT, sample_rate=0.5),
        replace(SUPPORT, keys=Keys(object="8")),
    ):
        assert policy(line).sha256(line) != before
    other = replace(ACME, recipients=("age1other",))
    assert policy(SUPPORT, controller=other).sha256(SUPPORT) != before


def test_the_canonical_form_names_every_field_of_a_line_and_of_its_controller() -> None:
    form = json.loads(canonical(ACME, SUPPORT))
    assert form["line"].keys() == {*Line.__dataclass_fields__}
    assert form["controller"].keys() == {*type(ACME).__dataclass_fields__}
    assert form["line"]["agents"]["basis"] == "works_agreement"
    assert canonical(ACME, SUPPORT).isascii()


def test_a_line_says_what_the_dialplan_should_and_where_the_whole_notice_is() -> None:
    assert SUPPORT.demand is Demand.MAY
    assert LAWFUL[Basis.LEGAL_OBLIGATION].demand is Demand.MUST
    assert SUPPORT.full_notice(ACME) == ACME.notice_url
    assert replace(SUPPORT, full_notice_url="acme.example/all").full_notice(ACME) == "acme.example/all"
