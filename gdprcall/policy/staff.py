"""Agents as the policy has them: on what basis their voices are recorded, and what they have acknowledged.

Values; agents.py says who of them may be recorded.
"""

from dataclasses import dataclass
from enum import StrEnum


class AgentBasis(StrEnum):
    """On what basis the voices of agents are recorded; consent is one in name only, so it warns."""

    LEGITIMATE_INTEREST = "legitimate_interest"
    EMPLOYMENT_CONTRACT = "employment_contract"
    LEGAL_OBLIGATION = "legal_obligation"
    WORKS_AGREEMENT = "works_agreement"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Agents:
    """On what basis agents are recorded, their notice, the day of it; with ``each`` they are ``Agent``'s, for this or any notice.

    With ``tone`` they hear on the telephone what their lamp shows.
    """

    basis: AgentBasis | None = None
    notice: str = ""
    acknowledged_on: str = ""
    each: bool = False
    tone: bool = False


ANYBODY = Agents()
"""Nothing is said of the agents."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, or those of a queue, by the names that Asterisk has for their telephones, such as ``PJSIP/201``."""

    id: str
    interfaces: tuple[str, ...]
    basis: AgentBasis
    notice: str
    acknowledged_on: str = ""
