"""From what the file says to policy values: one controller or line each, with the defaults that hang on others.

It judges nothing: what is wrong becomes a value all the same, and rules.py names it.
"""

import datetime

from gdprcall import schema
from gdprcall.policy.model import (
    Assessment,
    Basis,
    Contract,
    Controller,
    Direction,
    ForeignRecorder,
    Keys,
    Line,
    OnJoin,
    OnRefuse,
    Override,
    Policy,
    Regime,
    Role,
)
from gdprcall.policy.profile import Profiles
from gdprcall.policy.selfservice import Proof, SelfService
from gdprcall.policy.staff import Agent, AgentBasis, Agents

AS_WRITTEN = (
    *("controller", "purpose", "attempts", "version", "approved_by", "must", "min_retention_days", "retention_reason"),
    *("full_notice_url", "law", "member_state", "interest", "no_other_proof_reason", "autostart", "emergency"),
    *("emergency_reason", "notice_deferred", "sample_rate", "art9", "art9_condition", "art9_content", "minors"),
    *("source", "charged", "spoken", "pause_seconds", "agent_asks", "legs"),
)


def policy(file: schema.File, profiles: Profiles) -> Policy:
    """Return the policy that the file describes."""
    controllers = {id_: controller(id_, section) for id_, section in file.controllers.items()}
    lines = {id_: line(id_, section, controllers.get(section.controller)) for id_, section in file.lines.items()}
    agents = {id_: agent(id_, section) for id_, section in file.agents.items()}
    offered = {id_: _service(section.self_service) for id_, section in file.controllers.items() if section.self_service}
    return Policy(controllers, lines, profiles, agents, offered)


def controller(id_: str, section: schema.Controller) -> Controller:
    """Return one controller; without a word on the regime, its country says which one."""
    return Controller(
        id=id_,
        name=section.name,
        contact=section.contact,
        country=section.country,
        notice_url=section.notice_url,
        recipients=tuple(section.recipients),
        retention_days=section.retention_days,
        proof_days=section.proof_days,
        refusal_days=section.refusal_days,
        address=section.address,
        officer=section.officer,
        authority=section.authority,
        regime=Regime(section.regime or (Regime.UK_GDPR if section.country == "GB" else Regime.EU_GDPR)),
        operator=Role(section.operator),
        contract=_contract(section.contract) if section.contract else None,
        public_authority=section.public_authority,
        disclosed_to=tuple(section.disclosed_to),
        transfers=tuple(section.transfers),
        pseudonym_key=section.pseudonym_key,
    )


def line(id_: str, section: schema.Line, owner: Controller | None) -> Line:
    """Return one line; what it leaves open is as its controller or its basis has it."""
    bound = section.basis == Basis.LEGAL_OBLIGATION
    return Line(
        id=id_,
        basis=Basis(section.basis) if section.basis in set(Basis) else section.basis,  # type: ignore[arg-type]  # rules refuses it
        languages=tuple(section.languages),
        retention_days=section.retention_days or (owner.retention_days if owner else 30),
        keys=_keys(section),
        timeout_ms=section.timeout_seconds * 1000,
        direction=Direction(section.direction),
        # Who may not switch it off is offered another way; everybody else goes on as before.
        on_refuse=OnRefuse(section.on_refuse or (OnRefuse.ROUTE if bound else OnRefuse.SAME_SERVICE)),
        assessment=_assessment(section.assessment) if section.assessment else None,
        override=_override(section.override) if section.override else None,
        agents=_agents(section.agents),
        joins=OnJoin(section.joins),
        profiles=tuple(section.profiles),
        foreign_recorder=ForeignRecorder(section.foreign_recorder),
        **{name: getattr(section, name) for name in AS_WRITTEN},
    )


def agent(id_: str, section: schema.Agent) -> Agent:
    """Return one agent; a queue's "/n" after an interface is no part of a channel's name."""
    interfaces = tuple(interface.removesuffix("/n") for interface in section.interfaces)
    return Agent(id_, interfaces, AgentBasis(section.basis), section.notice, _day(section.acknowledged_on))


def _service(section: schema.SelfService) -> SelfService:
    return SelfService(tuple(section.languages), Proof(section.erasure), Proof(section.never_record))


def _keys(section: schema.Line) -> Keys:
    # "0" is only a default: a line that has it for something else has no key for the full notice.
    more = (
        section.more
        if section.more is not None
        else ""
        if "0" in {section.accept, section.refuse, section.object}
        else "0"
    )
    return Keys(section.accept, section.refuse, section.withdraw, section.object, more, section.pause)


def _contract(section: schema.Contract) -> Contract:
    said, clauses = tuple(sorted(set(section.sets_out))), tuple(sorted(set(section.clauses)))
    return Contract(section.reference, _day(section.date), section.sha256, said, clauses)


def _assessment(section: schema.Assessment) -> Assessment:
    return Assessment(section.id, _day(section.date), section.sha256, _day(section.review_by))


def _override(section: schema.Override) -> Override:
    return Override(section.reference, section.sha256, tuple(sorted(section.countries)))


def _agents(section: schema.Agents | None) -> Agents:
    if section is None:
        return Agents()
    basis = AgentBasis(section.basis) if section.basis else None
    return Agents(basis, section.notice, _day(section.acknowledged_on), section.each, section.tone)


def _day(date: datetime.date | None) -> str:
    return date.isoformat() if date else ""
