"""Policies: values with a hash, and the rules that no line may break."""

from dataclasses import replace

import pytest

from gdprcall.policy import rules
from gdprcall.policy.model import Basis, Controller, Keys, Line, Policy

ACME = Controller("acme", "Acme", "privacy@acme.example", "SE", "https://acme.example", ("age1",))
SUPPORT = Line("support", "acme", "quality", Basis.CONSENT, ("en", "sv"), 30)


def policy(line: Line = SUPPORT, controller: Controller = ACME) -> Policy:
    return Policy({controller.id: controller}, {line.id: line})


def found(line: Line) -> list[tuple[str, str]]:
    return [(f.rule, f.place) for f in rules.check(policy(line), {"en", "sv"}, {"quality"})]


def test_a_lawful_line_has_no_findings() -> None:
    assert found(SUPPORT) == []


@pytest.mark.parametrize("basis", [basis for basis in Basis if basis is not Basis.CONSENT])
def test_bas_01_a_basis_that_is_not_supported_is_refused(basis: Basis) -> None:
    assert found(replace(SUPPORT, basis=basis)) == [("BAS-01", "lines.support.basis")]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (replace(SUPPORT, controller="nobody"), "BAS-01"),
        (replace(SUPPORT, purpose="marketing"), "INF-01"),
        (replace(SUPPORT, languages=("en", "fi")), "INF-03"),
        (replace(SUPPORT, keys=Keys("1", "1")), "CON-05"),
        (replace(SUPPORT, keys=Keys(withdraw="*99")), "CON-07"),
        (replace(SUPPORT, keys=Keys(withdraw="")), "CON-07"),
        (replace(SUPPORT, keys=Keys(withdraw="x")), "CON-07"),
    ],
)
def test_each_broken_rule_is_found_and_refuses(line: Line, rule: str) -> None:
    (finding,) = rules.check(policy(line), {"en", "sv"}, {"quality"})
    assert finding.rule == rule
    assert finding.refuses
    assert finding.mend


@pytest.mark.parametrize(
    ("wanted", "spoken"), [("sv", "sv"), ("SV", "sv"), ("sv_SE", "sv"), ("sv-FI", "sv"), ("fr", "en"), ("", "en")]
)
def test_inf_03_a_caller_is_asked_in_his_language_if_the_line_speaks_it(wanted: str, spoken: str) -> None:
    assert SUPPORT.language_for(wanted) == spoken


def test_the_hash_of_a_line_changes_with_anything_that_it_promises() -> None:
    before = policy().sha256(SUPPORT)
    assert before == policy().sha256(SUPPORT)
    for line in (
        replace(SUPPORT, retention_days=31),
        replace(SUPPORT, keys=Keys("3")),
        replace(SUPPORT, languages=("en",)),
    ):
        assert policy(line).sha256(line) != before
    other = replace(ACME, recipients=("age1other",))
    assert policy(SUPPORT, other).sha256(SUPPORT) != before
