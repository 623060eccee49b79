"""Lawful controllers and lines, one for each basis, to break a rule on; and what is found wrong with them."""

from dataclasses import replace
from typing import Any

from gdprcall import profiles
from gdprcall.policy import duties, rules
from gdprcall.policy.finding import Finding
from gdprcall.policy.model import (
    Assessment,
    Basis,
    Contract,
    Controller,
    Line,
    OnRefuse,
    Override,
    Policy,
    Purpose,
    Role,
)
from gdprcall.policy.staff import AgentBasis, Agents

SHA256 = "0" * 64
TODAY = "2026-11-25"
ACME = Controller(
    "acme",
    "Acme",
    "privacy@acme.example",
    "AT",
    "https://acme.example",
    ("age1",),
    address="Am Graben 1, Wien",
    authority="DSB",
)
CONTRACT = Contract("C-17", "2026-01-31", SHA256, duties.SETS_OUT, tuple(duties.CLAUSES))
PROCESSED = replace(ACME, operator=Role.PROCESSOR, contract=CONTRACT)
ADVICE = Override("opinion 7", SHA256, ("DE",))
SUPPORT = Line(
    "support",
    "acme",
    "quality",
    Basis.CONSENT,
    ("en", "sv"),
    30,
    approved_by="A. Officer",
    agents=Agents(AgentBasis.WORKS_AGREEMENT, "2026-1", "2026-01-31"),
)
LAWFUL: dict[Basis, Line] = {
    Basis.CONSENT: SUPPORT,
    Basis.CONTRACT: replace(
        SUPPORT,
        basis=Basis.CONTRACT,
        purpose="contract_proof",
        no_other_proof_reason="orders are given by telephone alone",
        retention_reason="the period to contest",
    ),
    Basis.LEGAL_OBLIGATION: replace(
        SUPPORT,
        basis=Basis.LEGAL_OBLIGATION,
        purpose="regulated_service",
        law="Directive 2014/65/EU art. 16(7)",
        member_state="EU",
        min_retention_days=1827,
        retention_days=1827,
        must=True,
        on_refuse=OnRefuse.ROUTE,
    ),
    Basis.VITAL_INTEREST: replace(
        SUPPORT,
        basis=Basis.VITAL_INTEREST,
        purpose="emergency",
        emergency=True,
        emergency_reason="an address that was not understood is heard again",
    ),
    Basis.PUBLIC_TASK: replace(SUPPORT, basis=Basis.PUBLIC_TASK, law="Police Act s. 3", member_state="AT"),
    Basis.LEGITIMATE_INTEREST: replace(
        SUPPORT,
        basis=Basis.LEGITIMATE_INTEREST,
        interest="to settle complaints",
        assessment=Assessment("LIA-1", "2026-01-31", SHA256, "2027-01-31"),
    ),
}


def of(basis: Basis, **changes: Any) -> Line:
    """Return the lawful line of a basis with changes."""
    return replace(LAWFUL[basis], **changes)


def policy(*lines: Line, controller: Controller = ACME) -> Policy:
    return Policy({controller.id: controller}, {line.id: line for line in lines}, profiles.installed())


def findings(*lines: Line, controller: Controller = ACME) -> list[Finding]:
    """Return what is wrong where every basis and option is served and every purpose can be spoken of."""
    return rules.check(
        policy(*lines, controller=controller),
        {"de", "en", "sv"},
        set(Purpose),
        served=set(Basis),
        options=rules.OPTIONS,
        today=TODAY,
    )


def found(*lines: Line, controller: Controller = ACME) -> list[tuple[str, str, str]]:
    """Return requirement, place and severity of each finding."""
    return [(f.rule, f.place, f.severity) for f in findings(*lines, controller=controller)]
