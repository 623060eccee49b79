"""The values of the consent dialogue: the terms, what happens, and where the dialogue of one call stands.

They decide nothing: what follows from what is said in ``table.py`` and ``dialogue.py``.
"""

from dataclasses import dataclass

from gdprcall.consent.commands import Begin, Hold, Record
from gdprcall.consent.outcomes import Basis, Outcome, State


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one line in one language; times in milliseconds.

    ``refuse`` is the key that says no: to a consent, to an interest (Art. 21), to a contract, or to a duty, where it
    leads elsewhere. ``notice`` is the sound of the full notice, ``more`` its key; without a sound there is no such key.
    ``must`` is the dialplan's word: such a call is routed away, not served unrecorded. ``sampled`` is the draw for this
    call, ``deferred`` lets a notice come later (vital interest), ``explicit`` says that the prompt names special
    categories of data (Art. 9(2)(a)), ``spoken`` that an agent may note a spoken yes, ``dtmf`` whether keys can come,
    ``joins`` that who joins the call is asked too, so that the recording only pauses until then,
    ``read`` that the agent reads the question out and no prompt is played.
    """

    prompt: str
    mandatory_ms: int
    accept: str
    refuse: str
    attempts: int
    timeout_ms: int
    must: bool = False
    basis: Basis = Basis.CONSENT
    more: str = ""
    notice: str = ""
    sampled: bool = True
    deferred: bool = False
    explicit: bool = False
    spoken: bool = False
    dtmf: bool = True
    joins: bool = False
    read: bool = False


# Events: what happened to the call.


@dataclass(frozen=True, slots=True)
class Started:
    """The call is in the hands of the front end and can be asked."""


@dataclass(frozen=True, slots=True)
class Played:
    """The prompt of question ``asked`` was heard to its end; ``heard_ms`` long."""

    asked: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed when ``heard_ms`` of the prompt of question ``asked`` had been heard."""

    asked: int
    digit: str
    heard_ms: int

    def __repr__(self) -> str:
        """Leave the digit out: values are logged when something goes wrong."""
        return f"Digit(asked={self.asked}, heard_ms={self.heard_ms})"


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nobody pressed a key in the time that question ``asked`` allows after its prompt."""

    asked: int


@dataclass(frozen=True, slots=True)
class Noted:
    """The evidence of ``outcome`` is durable."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PartyJoined:
    """Somebody who was not asked is about to be heard in a recorded call."""

    why: str = "party_joined"


@dataclass(frozen=True, slots=True)
class Paused:
    """Something began that must not be recorded: ``card``, ``hold``, or an operator's word."""

    why: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """What must not be recorded is over; of a ``party`` it says that all who are there have been asked."""

    why: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The caller took the consent back (Art. 7(3)), or objected (Art. 21): by ``key``, or ``spoken`` to the agent."""

    method: str = "key"


@dataclass(frozen=True, slots=True)
class MinorSuspected:
    """The agent thinks that the caller is a child."""

    method: str = "agent"


@dataclass(frozen=True, slots=True)
class PrivateCall:
    """The agent keeps the rest of the call out of the recording: a private one (by ``key`` in the call)."""

    method: str = "key"


@dataclass(frozen=True, slots=True)
class AgentUnready:
    """The agent who talks with the caller has not acknowledged that he is recorded; ``why`` is a code."""

    why: str = "agent_unacknowledged"


@dataclass(frozen=True, slots=True)
class ContractBegun:
    """The agent says that what is spoken now makes a contract."""


@dataclass(frozen=True, slots=True)
class ContractEnded:
    """The agent says that the contract has been made."""


@dataclass(frozen=True, slots=True)
class SpokenYes:
    """The agent read the question out and heard a yes; only a second one, after asking again, confirms it."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Who was asked by the agent pressed the keys that agree, in the running call."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A command, the prompt or the system failed; ``reason`` is a code, never a text with data in it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The call left the dialogue: ``hangup``, or ``left`` when Asterisk took it on without us; the prompt so far."""

    how: str = "hangup"
    heard_ms: int = 0


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody in charge wants no recording of this call, or no more of it; ``why`` names his role."""

    why: str = "stopped_by_officer"


ByAgent = MinorSuspected | ContractBegun | ContractEnded | SpokenYes | Agreed | PrivateCall | AgentUnready
ByOrder = Paused | Resumed | StopAsked
Event = Started | Played | Digit | NoInput | Noted | PartyJoined | ByOrder | Withdrawn | ByAgent | Failed | Ended


@dataclass(frozen=True, slots=True)
class Consent:
    """The dialogue of one call so far.

    ``asked`` numbers what was played, ``tries`` counts questions, ``notices`` full notices; ``heard_all`` says that the
    present prompt was heard to its end. ``then`` is what a note that is being written makes possible, ``held`` that the
    call went on without being recorded, open for a word of the agent. ``pauses`` is why nothing is recorded just now,
    ``closed`` that after a contract no other one is recorded.
    """

    terms: Terms
    state: State = State.NEW
    asked: int = 0
    heard_ms: int = 0
    outcome: Outcome | None = None
    tries: int = 0
    notices: int = 0
    heard_all: bool = False
    acknowledged: bool = False
    wished: bool = False
    held: bool = False
    closed: bool = False
    then: Record | Hold | Begin | None = None
    pauses: frozenset[str] = frozenset()
