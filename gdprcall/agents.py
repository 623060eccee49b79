"""Who answers a recorded call, where each agent stands for himself: whether he may be recorded, and the note of it.

It ends nothing itself, and writes down no name of a channel: an agent is known by what the policy calls him.
"""

import asyncio
from collections.abc import Callable

from gdprcall.consent.dialogue import AgentUnready, Event
from gdprcall.errors import VaultError
from gdprcall.log import get_logger
from gdprcall.policy.agents import Standing, standing
from gdprcall.policy.model import Basis, Line, Policy
from gdprcall.times import now_ms, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind

RECORDED_ALL_THE_SAME = frozenset({Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST})
"""Where a law, or a life, leaves no choice: an agent without an acknowledgement is told of, and recorded."""
NOT_NOTED = "agent_not_noted"


def wants_agent(policy: Policy | None, line: str, basis: str) -> bool:
    """Whether a recording of a line is kept only with a note of the agent who answered."""
    known = policy.lines.get(line) if policy else None
    return known is not None and known.agents.each and basis not in RECORDED_ALL_THE_SAME


def look_at(policy: Policy, line: Line, channel: str, uniqueid: str) -> Standing:
    """Return how whoever is behind ``channel`` stands today; ``uniqueid`` is the caller's, for the log."""
    found = standing(policy, line, channel, rfc3339(now_ms())[:10])
    if not found.ready:
        get_logger().error("agent_unready", line=line.id, uniqueid=uniqueid, reason=found.reason)
    return found


def fact(recording: str, controller: str, found: Standing) -> Fact:
    """Return what is noted of who answered: which agent, on what basis, what he acknowledged when (Art. 5(2))."""
    agent = found.agent
    body: dict[str, object] = {"agent": agent.id if agent else "", "lacks": found.reason}
    if agent is not None:
        body |= {"basis": str(agent.basis), "notice": agent.notice, "acknowledged_on": agent.acknowledged_on}
    return Fact(Kind.AGENT, recording, controller, body)


def noted(vault: Vault, recording: str) -> bool:
    """Whether it is noted which agent answered; reads the ledger."""
    return any(vault.ledger.entries(recording=recording, kinds={Kind.AGENT}))


class Attendance:
    """Whoever answers one call: he is noted before anything of the recording is kept, or ends it.

    What is not recorded yet, and may never be, leaves no note of an agent: his goes with that which begins it.
    """

    def __init__(self, vault: Vault, line: Line) -> None:
        self._vault = vault
        self._line = line
        self._recording = ""  # the one that has begun last
        self._found: Standing | None = None

    async def met(self, found: Standing, deliver: Callable[[Event], None]) -> None:
        """Take somebody who answered; what cannot be noted counts as unknown, and comes to the dialogue by ``deliver``."""
        if not found.ready:
            deliver(AgentUnready(found.reason))
        if not found.ready and self._line.basis not in RECORDED_ALL_THE_SAME:
            return
        self._found = found
        if self._recording:
            try:
                await asyncio.wrap_future(self._vault.submit(fact(self._recording, self._line.controller, found)))
            except VaultError as error:
                get_logger().error("evidence_failed", recording=self._recording, hint=error.hint)
                deliver(AgentUnready(NOT_NOTED))

    def grant(self, recording: str) -> list[Fact]:
        """Return what is to be noted together with what begins a recording, of which a call may have several."""
        self._recording = recording
        return [fact(recording, self._line.controller, self._found)] if self._found else []
