"""The values of the consent dialogue: how it can end, where it stands, what happens, and what is to be done.

They decide nothing: what follows from what is said in ``table.py`` and ``dialogue.py``.
"""

from dataclasses import dataclass
from enum import StrEnum


class Basis(StrEnum):
    """The lawful bases of GDPR Art. 6(1)(a) to (f), by the names that the policy gives them."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


class Outcome(StrEnum):
    """How a dialogue ended; the code that is kept with the decision."""

    GRANTED = "granted"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    INVALID = "invalid"
    HANGUP_IN_PROMPT = "hangup_in_prompt"
    PROMPT_ERROR = "prompt_error"
    NO_DTMF = "no_dtmf"
    INFORMED = "informed"
    OBJECTED = "objected"
    LEGAL_REQUIRED = "legal_required"
    ROUTED = "routed"
    WITHDRAWN = "withdrawn"
    MINOR = "minor"
    SYSTEM_FAIL = "system_fail"


class State(StrEnum):
    """Where a dialogue stands; ``unrecorded`` is final for the question of recording."""

    NEW = "new"
    ASKING = "asking"
    EXPLAINING = "explaining"
    NOTING = "noting"
    READY = "ready"
    CONFIRMING = "confirming"
    RECORDING = "recording"
    STOPPED = "stopped"
    CONCLUDED = "concluded"
    UNRECORDED = "unrecorded"


class Sound(StrEnum):
    """What a note means for the sound of the call."""

    NONE = "none"
    BEGINS = "begins"
    KEPT = "kept"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one line in one language; times in milliseconds.

    ``refuse`` is the key that says no: to a consent, to an interest (Art. 21), to a contract, or to a duty, where it
    leads elsewhere. ``notice`` is the sound of the full notice, ``more`` its key; without a sound there is no such key.
    ``must`` is the dialplan's word: such a call is routed away, not served unrecorded. ``sampled`` is the draw for this
    call, ``deferred`` lets a notice come later (vital interest), ``explicit`` says that the prompt names special
    categories of data (Art. 9(2)(a)), ``spoken`` that an agent may note a spoken yes, ``dtmf`` whether keys can come.
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
class Withdrawn:
    """The caller took the consent back (Art. 7(3)), or objected (Art. 21): by ``key``, or ``spoken`` to the agent."""

    method: str = "key"


@dataclass(frozen=True, slots=True)
class MinorSuspected:
    """The agent thinks that the caller is a child."""

    method: str = "agent"


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
class Failed:
    """A command, the prompt or the system failed; ``reason`` is a code, never a text with data in it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The call left the dialogue: ``hangup``, or ``left`` when Asterisk took it on without us; the prompt so far."""

    how: str = "hangup"
    heard_ms: int = 0


ByAgent = MinorSuspected | ContractBegun | ContractEnded | SpokenYes
Event = Started | Played | Digit | NoInput | Noted | PartyJoined | Withdrawn | ByAgent | Failed | Ended


# Commands: what the front end, the ledger and the recorder must do, in this order.


@dataclass(frozen=True, slots=True)
class Ask:
    """Stop what is playing, play ``prompt`` and listen for ``digits`` until ``timeout_ms`` after its end."""

    asked: int
    prompt: str
    digits: str
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Let the question go on: the key did not count."""


_BEGINNING = frozenset({Outcome.GRANTED, Outcome.INFORMED, Outcome.LEGAL_REQUIRED})


@dataclass(frozen=True, slots=True)
class Note:
    """Make this outcome durable; comes back as ``Noted`` or ``Failed``."""

    outcome: Outcome
    reason: str = ""
    means: Sound | None = None

    @property
    def sound(self) -> Sound:
        """What the note means for the sound; unless it is said, its outcome tells."""
        if self.means is not None:
            return self.means
        if self.outcome in _BEGINNING:
            return Sound.BEGINS
        return Sound.DESTROYED if self.outcome is Outcome.WITHDRAWN else Sound.NONE


@dataclass(frozen=True, slots=True)
class Record:
    """Give the call back with the verdict that starts the recording, and whether the caller's key may end it."""

    withdrawable: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """Give the call back unrecorded; with the agent's word, and another note, a recording may begin later."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Let the recording begin in the running call."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running recording."""

    reason: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Destroy everything that was recorded under this decision."""


@dataclass(frozen=True, slots=True)
class Route:
    """Give the call back: it must not be served unrecorded."""


@dataclass(frozen=True, slots=True)
class Release:
    """Give the call back: it goes on unrecorded, to the same service."""


Command = Ask | Listen | Note | Record | Hold | Begin | Stop | Erase | Route | Release


@dataclass(frozen=True, slots=True)
class Consent:
    """The dialogue of one call so far.

    ``asked`` numbers what was played, ``tries`` counts questions, ``notices`` full notices; ``heard_all`` says that the
    present prompt was heard to its end. ``then`` is what a note that is being written makes possible, ``held`` that the
    call went on without being recorded, open for a word of the agent.
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
    then: Record | Hold | Begin | None = None
