"""Agents who each stand for themselves: whose voice may be recorded in a call, and what is wrong with what is written of them.

It judges values only: who is in a call, and what day it is, it is told.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gdprcall.policy import jurisdiction
from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Controller, Line, Policy
from gdprcall.policy.staff import Agent, AgentBasis, Agents

UNIQUE = re.compile(r"-[0-9a-f]{8,}(;[12])?$")
"""What Asterisk puts behind an interface to name one channel of it: ``PJSIP/201-0000001f``, ``Local/201@desk-0000001f;1``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the voice of the one who answered may be recorded: ``reason`` says why not, ``agent`` who it is if known."""

    agent: Agent | None
    reason: str = ""

    @property
    def ready(self) -> bool:
        """Whether it may be."""
        return not self.reason


def interface(channel: str) -> str:
    """Return the interface that a channel belongs to: its name without what makes it unique."""
    return UNIQUE.sub("", channel)


def standing(policy: Policy, line: Line, channel: str, today: str) -> Standing:
    """Return how the one behind a channel stands on a line whose agents each stand for themselves.

    ``today`` is an ISO date. Somebody who is not named has acknowledged nothing, whoever it is.
    """
    known = next((agent for agent in policy.agents.values() if interface(channel) in agent.interfaces), None)
    return Standing(known, lacks(known, line.agents.notice, today) if known else "agent_unknown")


def unready(policy: Policy, today: str) -> list[Agent]:
    """Return the agents whose own acknowledgement is missing, lies ahead, or is of no notice of some line's."""
    wanted = {line.agents.notice for line in policy.lines.values() if line.agents.each} or {""}
    return [agent for agent in policy.agents.values() if any(lacks(agent, notice, today) for notice in wanted)]


def lacks(agent: Agent, notice: str, today: str) -> str:
    """Return why an agent's acknowledgement does not hold where ``notice`` is wanted (empty: any), or nothing.

    Without ``today`` no day lies ahead.
    """
    if not agent.acknowledged_on or not agent.notice.strip():
        return "agent_unacknowledged"
    if today and agent.acknowledged_on > today:
        return "agent_unacknowledged"
    return "agent_old_notice" if notice and agent.notice != notice else ""


def check(policy: Policy, today: str) -> Iterator[Finding]:
    """Yield what is wrong with the agents who are named, each for himself, and with the lines that want them so."""
    taken: dict[str, str] = {}
    for agent in policy.agents.values():
        place = f"agents.{agent.id}"
        for one in agent.interfaces:
            other = taken.setdefault(one, agent.id)
            if other != agent.id:
                text = f"an interface of {other} is given to this one too: whose acknowledgement holds is not known"
                yield refuse("PTY-01", f"{place}.interfaces", text, "name each interface once")
        if agent.basis is AgentBasis.CONSENT:
            text = "an agent can hardly say no to his employer: his consent is seldom free"
            yield warn("PTY-01", f"{place}.basis", text, "find another basis, such as a works agreement")
        if reason := lacks(agent, "", today):
            text = "has not acknowledged a notice yet: calls that this agent takes are not recorded"
            yield warn(
                "PTY-01", f"{place}.{'notice' if not agent.notice.strip() else 'acknowledged_on'}", text, _MEND[reason]
            )
    for line in policy.lines.values():
        if line.agents.each:
            yield from _line(policy, line, f"lines.{line.id}")


_MEND = {
    "agent_unacknowledged": "give the notice, and write its version and the day",
    "agent_old_notice": "give the new notice, and write its version and the day",
}


def _line(policy: Policy, line: Line, place: str) -> Iterator[Finding]:
    if not policy.agents:
        text = "each agent stands for himself here, and none is named: nothing is recorded"
        yield warn(
            "PTY-01", f"{place}.agents", text, 'name them: [agents.desk] interfaces = ["PJSIP/201"], basis, notice …'
        )
    owner = policy.controllers.get(line.controller)
    for agent in policy.agents.values():
        if lacks(agent, line.agents.notice, "") == "agent_old_notice":
            text = f"acknowledged notice {agent.notice}, and {line.id} wants {line.agents.notice}: not recorded there"
            yield warn("PTY-01", f"agents.{agent.id}.notice", text, _MEND["agent_old_notice"])
        if owner is not None:
            yield from _of_owner(policy, line, owner, agent, place)


def _of_owner(policy: Policy, line: Line, owner: Controller, agent: Agent, place: str) -> Iterator[Finding]:
    if owner.public_authority and agent.basis is AgentBasis.LEGITIMATE_INTEREST:
        text = "a public authority has no legitimate interest in the performance of its tasks"
        yield refuse(
            "PTY-01", f"agents.{agent.id}.basis", text, f"name another basis, or keep this agent off {line.id}"
        )
    # What the country has against the basis of all agents, it has against that of each.
    alone = replace(line, agents=Agents(agent.basis))
    for finding in jurisdiction.line(alone, owner, policy.profiles, place):
        if finding.place == f"{place}.agents":
            yield replace(finding, place=f"agents.{agent.id}.basis")
