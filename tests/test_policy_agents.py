"""Agents who each stand for themselves: whose voice may be recorded, what is wrong with what is written, what is said of it."""

from dataclasses import replace

import pytest

from gdprcall import profiles, schema
from gdprcall.policy import agents
from gdprcall.policy.explain import explain
from gdprcall.policy.finding import Finding
from gdprcall.policy.model import Basis, Controller, Line, Policy
from gdprcall.policy.staff import Agent, AgentBasis, Agents
from tests.policies import ACME, LAWFUL, SUPPORT, TODAY

WORKS = AgentBasis.WORKS_AGREEMENT
EACH = Agents(notice="2026-2", each=True)
NAMED = replace(SUPPORT, agents=EACH)
ANNA = Agent("north", ("PJSIP/201", "Local/201@floor"), WORKS, "2026-2", "2026-02-01")


def policy(*known: Agent, line: Line = NAMED, controller: Controller = ACME) -> Policy:
    return Policy({"acme": controller}, {line.id: line}, profiles.installed(), {agent.id: agent for agent in known})


@pytest.mark.parametrize(
    ("channel", "interface"),
    [
        ("PJSIP/201-0000001f", "PJSIP/201"),
        ("PJSIP/desk-north-0000001f", "PJSIP/desk-north"),
        ("Local/201@floor-0000001f;1", "Local/201@floor"),
        ("Local/201@floor-0000001f;2", "Local/201@floor"),
        ("SIP/201-1234567890", "SIP/201"),
        ("", ""),
    ],
)
def test_a_channel_is_of_the_interface_that_its_name_begins_with(channel: str, interface: str) -> None:
    assert agents.interface(channel) == interface


@pytest.mark.parametrize(
    ("agent", "channel", "reason"),
    [
        (ANNA, "PJSIP/201-0000001f", ""),
        (ANNA, "Local/201@floor-0000001f;1", ""),
        (ANNA, "PJSIP/2011-0000001f", "agent_unknown"),
        (ANNA, "", "agent_unknown"),
        (replace(ANNA, acknowledged_on=""), "PJSIP/201-0000001f", "agent_unacknowledged"),
        (replace(ANNA, notice=" "), "PJSIP/201-0000001f", "agent_unacknowledged"),
        (replace(ANNA, acknowledged_on="2026-12-01"), "PJSIP/201-0000001f", "agent_unacknowledged"),
        (replace(ANNA, acknowledged_on=TODAY), "PJSIP/201-0000001f", ""),
        (replace(ANNA, notice="2026-1"), "PJSIP/201-0000001f", "agent_old_notice"),
    ],
)
def test_pty_01_only_who_has_acknowledged_the_lines_notice_by_today_may_be_recorded(
    agent: Agent, channel: str, reason: str
) -> None:
    found = agents.standing(policy(agent), NAMED, channel, TODAY)
    assert (found.reason, found.ready) == (reason, not reason)
    assert (found.agent is None) is (reason == "agent_unknown")


def test_pty_01_a_line_that_wants_no_certain_notice_takes_any() -> None:
    line = replace(NAMED, agents=Agents(each=True))
    assert agents.standing(policy(ANNA, line=line), line, "PJSIP/201-0000001f", TODAY).ready


def found(known: Policy) -> list[tuple[str, str, str]]:
    return [(one.rule, one.place, one.severity) for one in _findings(known)]


def _findings(known: Policy) -> list[Finding]:
    return list(agents.check(known, TODAY))


@pytest.mark.parametrize(
    ("known", "place", "severity"),
    [
        ((), "lines.support.agents", "warn"),
        ((replace(ANNA, acknowledged_on=""),), "agents.north.acknowledged_on", "warn"),
        ((replace(ANNA, acknowledged_on="2027-01-01"),), "agents.north.acknowledged_on", "warn"),
        ((replace(ANNA, notice="2026-1"),), "agents.north.notice", "warn"),
        ((replace(ANNA, basis=AgentBasis.CONSENT),), "agents.north.basis", "warn"),
        ((ANNA, replace(ANNA, id="south", interfaces=("PJSIP/201",))), "agents.south.interfaces", "refuse"),
    ],
)
def test_pty_01_what_is_wrong_with_the_agents_is_named(known: tuple[Agent, ...], place: str, severity: str) -> None:
    assert found(policy(*known)) == [("PTY-01", place, severity)]


def test_pty_01_agents_who_have_acknowledged_are_in_order() -> None:
    assert found(policy(ANNA)) == []
    assert agents.unready(policy(ANNA), TODAY) == []
    assert agents.unready(policy(replace(ANNA, notice="1")), TODAY) == [replace(ANNA, notice="1")]


def test_pty_01_what_a_country_wants_of_agents_it_wants_of_each() -> None:
    german = replace(ACME, country="DE")
    employed = replace(ANNA, basis=AgentBasis.EMPLOYMENT_CONTRACT)
    assert found(policy(ANNA, controller=german)) == []
    assert found(policy(employed, controller=german)) == [("PRF-DE", "agents.north.basis", "warn")]


def test_pty_01_a_public_authority_records_no_agent_of_its_own_interest() -> None:
    authority = replace(ACME, public_authority=True)
    known = policy(replace(ANNA, basis=AgentBasis.LEGITIMATE_INTEREST), controller=authority)
    assert found(known) == [("PTY-01", "agents.north.basis", "refuse")]


@pytest.mark.parametrize("basis", Basis)
def test_pty_02_a_line_in_plain_words_says_what_becomes_of_agents_and_of_private_calls(basis: Basis) -> None:
    line = replace(LAWFUL[basis], agents=EACH)
    ways = {way.when: way.then for way in explain(policy(ANNA, line=line), line, ()).ways}
    bound = basis in {Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST}
    (agent,) = [then for when, then in ways.items() if "acknowledged" in when]
    (private,) = [then for when, then in ways.items() if "private call, as" in when]
    assert ("recorded all the same" if bound else "destroyed") in agent
    assert ("wish is noted" if bound else "stays") in private
    assert any("prefix" in when for when in ways) is not line.must
    (told,) = [way.then for way in explain(policy(ANNA, line=line), line, ()).told if way.when == "the agent"]
    assert told == "has acknowledged notice 2026-2 for himself: 1 of the 1 who are named have"


def test_an_interface_is_a_technology_and_a_name() -> None:
    given = {"interfaces": ["PJSIP/201"], "basis": "works_agreement"}
    assert schema.Agent.model_validate(given).acknowledged_on is None
    for bad in (["201"], ["PJSIP/"], ["PJSIP/a b"], ["PJSIP/201;1"], []):
        with pytest.raises(ValueError, match="interfaces"):
            schema.Agent.model_validate(given | {"interfaces": bad})
