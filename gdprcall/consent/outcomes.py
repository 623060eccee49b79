"""How a dialogue can end, where it stands, and on which basis: names, kept with the decision."""

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
    PRIVATE = "private"
    UNACKNOWLEDGED = "unacknowledged"
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
    PAUSED = "paused"
    STOPPED = "stopped"
    CONCLUDED = "concluded"
    UNRECORDED = "unrecorded"


class Sound(StrEnum):
    """What a note means for the sound of the call."""

    NONE = "none"
    BEGINS = "begins"
    KEPT = "kept"
    DESTROYED = "destroyed"


class Ending(StrEnum):
    """What the caller's key does to a running recording: consent is withdrawn, an objection is made, or nothing ended."""

    WITHDRAWAL = "withdrawal"
    OBJECTION = "objection"
    NONE = "none"
