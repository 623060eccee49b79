"""What is owed beside the caller's answer: contracts, periods, agents, and a log without numbers."""

from dataclasses import replace
from typing import Any

import pytest

from gdprcall.policy.model import Basis, Contract, Controller, Line, Role
from gdprcall.policy.staff import AgentBasis, Agents
from tests.policies import ACME, CONTRACT, LAWFUL, PROCESSED, SHA256, SUPPORT, found, of

C = Basis.CONSENT


def test_doc_03_a_processor_with_a_whole_contract_is_lawful() -> None:
    assert found(SUPPORT, controller=PROCESSED) == []


@pytest.mark.parametrize(
    ("controller", "field", "severity"),
    [
        (replace(PROCESSED, contract=None), "contract", "refuse"),
        (replace(PROCESSED, contract=replace(CONTRACT, clauses=tuple("abcdefg"))), "contract.clauses", "refuse"),
        (replace(PROCESSED, contract=replace(CONTRACT, clauses=())), "contract.clauses", "refuse"),
        (replace(PROCESSED, contract=replace(CONTRACT, sets_out=("duration",))), "contract.sets_out", "refuse"),
        (replace(PROCESSED, contract=replace(CONTRACT, reference=" ")), "contract.reference", "refuse"),
        (replace(PROCESSED, contract=replace(CONTRACT, date="2027-01-01")), "contract.date", "refuse"),
        (replace(ACME, contract=Contract("C", "2026-01-01", SHA256, (), ())), "contract", "warn"),
    ],
)
def test_doc_03_what_a_processors_contract_lacks_is_named(controller: Controller, field: str, severity: str) -> None:
    assert found(SUPPORT, controller=controller) == [("DOC-03", f"controllers.acme.{field}", severity)]


def test_doc_04_a_processor_is_warned_of_a_line_that_its_controller_has_not_approved() -> None:
    line = replace(SUPPORT, approved_by="")
    assert found(line, controller=PROCESSED) == [("DOC-04", "lines.support.approved_by", "warn")]
    assert found(line, controller=replace(ACME, operator=Role.CONTROLLER)) == []


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (of(C, retention_days=184), "retention_days"),
        (of(C, purpose="training", retention_days=365), "retention_days"),
        (of(C, purpose="documentation"), "retention_reason"),
        (of(Basis.CONTRACT, retention_reason=" "), "retention_reason"),
    ],
)
def test_ret_01_a_long_or_unreasoned_retention_warns_until_a_reason_is_written(line: Line, field: str) -> None:
    assert found(line) == [("RET-01", f"lines.support.{field}", "warn")]
    assert found(replace(line, retention_reason="the authority asked for it")) == []


def test_ret_01_half_a_year_for_quality_needs_no_reason() -> None:
    assert found(of(C, retention_days=183)) == []


@pytest.mark.parametrize(
    ("agents", "field", "severity"),
    [
        (Agents(), "agents", "warn"),
        (Agents(AgentBasis.WORKS_AGREEMENT, "", "2026-01-31"), "agents.notice", "refuse"),
        (Agents(AgentBasis.WORKS_AGREEMENT, "2026-1", ""), "agents.acknowledged_on", "refuse"),
        (Agents(AgentBasis.CONSENT, "2026-1", "2026-01-31"), "agents.basis", "warn"),
    ],
)
def test_pty_01_the_agents_side_is_asked_for(agents: Agents, field: str, severity: str) -> None:
    assert found(of(C, agents=agents)) == [("PTY-01", f"lines.support.{field}", severity)]


def test_pty_01_a_public_authority_records_no_agent_on_a_legitimate_interest() -> None:
    line = of(C, agents=Agents(AgentBasis.LEGITIMATE_INTEREST, "2026-1", "2026-01-31"))
    authority = replace(ACME, public_authority=True, officer="dpo@acme.example")
    assert found(line) == []
    assert found(line, controller=authority) == [("PTY-01", "lines.support.agents.basis", "refuse")]


@pytest.mark.parametrize(("id_", "warned"), [("l46701749001", True), ("did_1234567", True), ("line_123456", False)])
def test_bas_11_a_name_like_a_number_would_stand_in_ledger_and_log(id_: str, warned: bool) -> None:
    assert bool(found(of(C, id=id_))) is warned
    if warned:
        assert found(of(C, id=id_)) == [("BAS-11", f"lines.{id_}", "warn")]


@pytest.mark.parametrize("rate", [0.001, 0.1, 1.0])
def test_bas_10_a_part_of_the_calls_is_lawful_where_no_law_wants_them_all(rate: float) -> None:
    changes: dict[str, Any] = {"sample_rate": rate}
    assert found(of(C, **changes)) == []
    assert bool(found(of(Basis.LEGAL_OBLIGATION, **changes))) is (rate < 1)
    assert LAWFUL[C].sample_rate == 1
