"""What each lawful basis needs of a line: broken one thing at a time, each named after its requirement."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdprcall.policy import bases
from gdprcall.policy.model import Assessment, Basis, Keys, OnRefuse, Regime
from tests.policies import ACME, LAWFUL, SHA256, found, of

C, K, L, V, P, LI = (
    Basis.CONSENT, Basis.CONTRACT, Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST, Basis.PUBLIC_TASK, Basis.LEGITIMATE_INTEREST,
)  # fmt: skip
SOURCE = Path(__file__).read_text()
REFUSED: list[tuple[str, Basis, dict[str, Any], str]] = [
    ("BAS-04", K, {"autostart": True}, "autostart"),
    ("BAS-04", K, {"no_other_proof_reason": " "}, "no_other_proof_reason"),
    ("BAS-04", K, {"purpose": "quality"}, "purpose"),
    ("BAS-04", K, {"purpose": "training"}, "purpose"),
    ("BAS-04", K, {"on_refuse": OnRefuse.HANG_UP}, "on_refuse"),
    ("BAS-05", L, {"law": ""}, "law"),
    ("BAS-05", L, {"member_state": ""}, "member_state"),
    ("BAS-05", L, {"member_state": "US"}, "member_state"),
    ("BAS-05", L, {"min_retention_days": 0}, "min_retention_days"),
    ("BAS-05", L, {"retention_days": 1826}, "min_retention_days"),
    ("BAS-05", L, {"must": False}, "must"),
    ("BAS-05", L, {"on_refuse": OnRefuse.SAME_SERVICE}, "on_refuse"),
    ("BAS-05", L, {"on_refuse": OnRefuse.HANG_UP}, "on_refuse"),
    ("INF-05", L, {"autostart": True}, "autostart"),
    ("BAS-10", L, {"sample_rate": 0.5}, "sample_rate"),
    ("BAS-06", V, {"emergency": False}, "emergency"),
    ("BAS-06", V, {"emergency_reason": ""}, "emergency_reason"),
    ("BAS-06", V, {"purpose": "quality"}, "purpose"),
    ("BAS-06", V, {"notice_deferred": True}, "full_notice_url"),
    ("BAS-06", V, {"on_refuse": OnRefuse.ROUTE}, "on_refuse"),
    ("BAS-07", P, {"law": ""}, "law"),
    ("BAS-07", P, {"member_state": ""}, "member_state"),
    ("BAS-07", P, {"keys": Keys(object="")}, "object"),
    ("INF-05", P, {"autostart": True}, "autostart"),
    ("BAS-08", LI, {"keys": Keys(object="")}, "object"),
    ("BAS-08", LI, {"interest": ""}, "interest"),
    ("BAS-08", LI, {"assessment": None}, "assessment"),
    ("BAS-08", LI, {"assessment": Assessment("L", "2026-02-01", SHA256, "2026-02-01")}, "assessment.review_by"),
    ("INF-05", LI, {"autostart": True}, "autostart"),
    ("CON-05", C, {"on_refuse": OnRefuse.HANG_UP}, "on_refuse"),
    ("CON-05", C, {"on_refuse": OnRefuse.ROUTE}, "on_refuse"),
    ("CON-05", C, {"must": True}, "must"),
    ("CON-08", C, {"min_retention_days": 10}, "min_retention_days"),
    ("CON-02", C, {"autostart": True}, "autostart"),
    ("FCL-02", K, {"must": True}, "must"),
    ("FCL-02", V, {"must": True}, "must"),
    ("FCL-02", P, {"must": True}, "must"),
    ("FCL-02", LI, {"must": True}, "must"),
    ("RET-01", K, {"min_retention_days": 10}, "min_retention_days"),
    ("RET-01", V, {"min_retention_days": 10}, "min_retention_days"),
    ("RET-01", LI, {"min_retention_days": 10}, "min_retention_days"),
]
WARNED: list[tuple[str, Basis, dict[str, Any], str]] = [
    ("BAS-08", LI, {"assessment": Assessment("L", "2025-02-01", SHA256, "2026-02-01")}, "assessment.review_by"),
    ("BAS-08", LI, {"assessment": Assessment("L", "2027-02-01", SHA256, "2028-02-01")}, "assessment.date"),
    ("BAS-08", LI, {"on_refuse": OnRefuse.ROUTE}, "on_refuse"),
    ("BAS-07", P, {"on_refuse": OnRefuse.HANG_UP}, "on_refuse"),
    ("BAS-03", C, {"assessment": LAWFUL[LI].assessment}, "assessment"),
    ("BAS-03", C, {"interest": "to settle complaints"}, "interest"),
    ("BAS-03", C, {"law": "Police Act s. 3"}, "law"),
    ("BAS-03", C, {"emergency": True}, "emergency"),
]


def rows(rule: str) -> pytest.MarkDecorator:
    """Return the rows of both tables that are about one requirement."""
    chosen = [
        (*row[1:], severity)
        for table, severity in ((REFUSED, "refuse"), (WARNED, "warn"))
        for row in table
        if row[0] == rule
    ]
    return pytest.mark.parametrize(("basis", "changes", "field", "severity"), chosen)


def breaks(rule: str, basis: Basis, changes: dict[str, Any], field: str, severity: str) -> None:
    assert found(of(basis, **changes)) == [(rule, f"lines.support.{field}", severity)]


@rows("BAS-03")
def test_bas_03_a_line_keeps_no_basis_in_reserve(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-03", basis, changes, field, severity)


@rows("BAS-04")
def test_bas_04_a_contract_is_recorded_from_its_own_moment_if_nothing_else_proves_it(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-04", basis, changes, field, severity)


@rows("BAS-05")
def test_bas_05_a_legal_obligation_names_its_law_and_its_periods_and_must_be_recorded(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-05", basis, changes, field, severity)


@rows("BAS-06")
def test_bas_06_vital_interest_is_for_emergencies_and_a_notice_that_is_published(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-06", basis, changes, field, severity)


@rows("BAS-07")
def test_bas_07_a_public_task_names_its_law_and_can_be_objected_to(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-07", basis, changes, field, severity)


@rows("BAS-08")
def test_bas_08_a_legitimate_interest_is_named_weighed_and_can_be_objected_to(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-08", basis, changes, field, severity)


@rows("BAS-10")
def test_bas_10_what_a_law_wants_recorded_is_no_sample(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("BAS-10", basis, changes, field, severity)


@rows("CON-02")
def test_con_02_nothing_is_recorded_before_the_answer(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("CON-02", basis, changes, field, severity)


@rows("CON-05")
def test_con_05_who_refuses_is_served_the_same(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("CON-05", basis, changes, field, severity)


@rows("CON-08")
def test_con_08_a_consent_that_can_be_withdrawn_is_kept_for_no_least_time(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("CON-08", basis, changes, field, severity)


@rows("FCL-02")
def test_fcl_02_only_a_law_keeps_a_call_from_being_served_unrecorded(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("FCL-02", basis, changes, field, severity)


@rows("INF-05")
def test_inf_05_nobody_is_recorded_before_being_told(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-05", basis, changes, field, severity)


@rows("RET-01")
def test_ret_01_only_a_law_forbids_an_earlier_deletion(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("RET-01", basis, changes, field, severity)


def test_every_row_of_the_tables_has_a_test() -> None:
    assert all(f"def test_{row[0].lower().replace('-', '_')}_" in SOURCE for row in (*REFUSED, *WARNED))


def test_bas_08_a_public_authority_has_no_legitimate_interest() -> None:
    authority = replace(ACME, public_authority=True, officer="dpo@acme.example")
    assert found(LAWFUL[LI], controller=authority) == [("BAS-08", "lines.support.basis", "refuse")]
    assert found(LAWFUL[P], controller=authority) == []


@pytest.mark.parametrize("basis", [L, P])
def test_bas_05_and_bas_07_the_law_is_that_of_the_controllers_own_union_or_kingdom(basis: Basis) -> None:
    rule = "BAS-05" if basis is L else "BAS-07"
    british = replace(ACME, country="GB", regime=Regime.UK_GDPR)
    assert found(of(basis, member_state="GB")) == [(rule, "lines.support.member_state", "refuse")]
    assert found(of(basis, member_state="GB"), controller=british) == []
    assert found(of(basis, member_state="EU"), controller=british) == [(rule, "lines.support.member_state", "warn")]


def test_bas_06_an_emergency_may_tell_later_if_the_notice_is_published() -> None:
    assert found(of(V, notice_deferred=True, full_notice_url="acme.example/112")) == []


def test_bas_08_without_a_day_no_date_is_held_against_a_line() -> None:
    old = of(LI, assessment=Assessment("L", "2020-02-01", SHA256, "2021-02-01"))
    assert list(bases.line(old, ACME, "lines.support", "")) == []
