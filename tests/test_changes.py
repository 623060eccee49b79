"""Two versions of a policy: what changes, what must not, and that what was decided keeps its hash."""

from dataclasses import replace

import pytest

from gdprcall.policy.changes import changes
from gdprcall.policy.model import Basis, Line, Policy
from tests.policies import ACME, LAWFUL, SUPPORT, policy


def found(new: Line, old: Line = SUPPORT) -> list[tuple[str, str, str]]:
    return [(f.rule, f.place.removeprefix("lines.support."), f.severity) for f in changes(policy(old), policy(new))]


def test_con_09_what_does_not_change_needs_no_word() -> None:
    assert found(SUPPORT) == []
    assert found(replace(SUPPORT, version=2)) == []


@pytest.mark.parametrize(
    "new", [replace(SUPPORT, languages=("sv",)), replace(SUPPORT, retention_days=7), replace(SUPPORT, attempts=1)]
)
def test_con_09_other_terms_have_another_version(new: Line) -> None:
    assert found(new) == [("CON-09", "version", "warn")]
    assert found(replace(new, version=2)) == []


def test_con_09_a_version_never_goes_back() -> None:
    assert found(SUPPORT, replace(SUPPORT, version=3)) == [("CON-09", "version", "refuse")]


def test_con_09_another_key_of_the_controller_is_another_version_too() -> None:
    other = policy(SUPPORT, controller=replace(ACME, recipients=("age1other",)))
    assert [f.rule for f in changes(policy(SUPPORT), other)] == ["CON-09"]


def test_inf_07_another_purpose_needs_another_line() -> None:
    assert found(replace(SUPPORT, purpose="training", version=2)) == [("INF-07", "purpose", "refuse")]


def test_inf_07_another_controller_needs_another_line() -> None:
    beta = replace(ACME, id="beta")
    after = Policy({"acme": ACME, "beta": beta}, {"support": replace(SUPPORT, controller="beta", version=2)})
    assert [(f.rule, f.severity) for f in changes(policy(SUPPORT), after)] == [("INF-07", "refuse")]


def test_bas_03_another_basis_holds_for_new_calls_alone() -> None:
    other = replace(LAWFUL[Basis.LEGITIMATE_INTEREST], version=2)
    assert found(other) == [("BAS-03", "basis", "warn")]


def test_ret_02_a_longer_retention_holds_for_new_recordings_alone() -> None:
    assert found(replace(SUPPORT, retention_days=60, version=2)) == [("RET-02", "retention_days", "warn")]


def test_a_line_that_is_new_or_gone_changes_nothing_of_the_others() -> None:
    other = replace(SUPPORT, id="sales")
    assert changes(policy(SUPPORT), policy(SUPPORT, other)) == changes(policy(SUPPORT, other), policy(SUPPORT)) == []


def test_what_was_decided_under_an_old_policy_keeps_its_hash() -> None:
    before = policy(SUPPORT)
    kept = before.sha256(SUPPORT)
    after = policy(replace(SUPPORT, retention_days=7, version=2))
    assert after.sha256(after.lines["support"]) != kept
    assert before.sha256(before.lines["support"]) == kept
