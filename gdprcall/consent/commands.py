"""What the dialogue says must be done: the front end, the ledger and the recorder carry it out, in this order.

Values; they decide nothing.
"""

from dataclasses import dataclass

from gdprcall.consent.outcomes import Ending, Outcome, Sound


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
    """Give the call back with the verdict that starts the recording, and what the caller's key means for it."""

    ending: Ending = Ending.WITHDRAWAL


@dataclass(frozen=True, slots=True)
class Hold:
    """Give the call back unrecorded; with the agent's word, and another note, a recording may begin later."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Let the recording begin in the running call."""


@dataclass(frozen=True, slots=True)
class Renew:
    """What is noted and recorded from here on has a decision and a recording of its own."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running recording."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """End the running segment; the recording may go on later with another."""

    why: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Begin the next segment, once it is noted."""


@dataclass(frozen=True, slots=True)
class Erase:
    """Destroy everything that was recorded under this decision."""


@dataclass(frozen=True, slots=True)
class Route:
    """Give the call back: it must not be served unrecorded."""


@dataclass(frozen=True, slots=True)
class Release:
    """Give the call back: it goes on unrecorded, to the same service."""


Command = Ask | Listen | Note | Record | Hold | Begin | Renew | Pause | Resume | Stop | Erase | Route | Release
