"""The values of the dialogue in which a caller uses his rights by telephone: its terms, what happens, what must be done.

They decide nothing: what follows from what is said in ``telephone.py``. No key that was pressed is shown by any of them.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from gdprcall.consent.values import Digit, Ended, Failed, NoInput, Played, Started
from gdprcall.policy.selfservice import Proof


class State(StrEnum):
    """Where the dialogue of one call stands."""

    NEW = "new"
    MENU = "menu"
    CODE = "code"
    TIME = "time"
    CHOICE = "choice"
    BUSY = "busy"
    LEAVING = "leaving"
    OVER = "over"


class Outcome(StrEnum):
    """What came of a call, in the words of the log."""

    NOTHING = "nothing"
    WITHHELD = "withheld"
    UNCONFIRMED = "unconfirmed"
    IDENTIFIED = "identified"
    ENTERED = "entered"
    NEVER_RECORD = "never_record"
    ERASED = "erased"
    ERASED_IN_PART = "erased_in_part"
    FAILED = "failed"


SERVED = frozenset({Outcome.IDENTIFIED, Outcome.ENTERED, Outcome.NEVER_RECORD, Outcome.ERASED, Outcome.ERASED_IN_PART})


class Wish(StrEnum):
    """What a caller may ask for."""

    ACCESS = "access"
    ERASURE = "erasure"
    NEVER_RECORD = "never_record"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one call: whether it has a number, and what it takes for a wish to be carried out at once."""

    number: bool
    erasure: Proof = Proof.REQUEST
    never_record: Proof = Proof.REQUEST


# Events, beside those of every front end.


@dataclass(frozen=True, slots=True)
class Kept:
    """The caller has shown who he is: so many recordings are kept, the last for so many days, some of them held."""

    count: int
    days: int
    held: bool = False


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """What was entered shows nobody; what of it was wrong is not said."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A request is in the register; so many days remain to answer it."""

    days: int


@dataclass(frozen=True, slots=True)
class NeverRecorded:
    """The caller is never to be recorded."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What nothing stands against is destroyed; of the rest, if there is any, he is told within so many days."""

    rest_days: int | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """What was asked for could not be done; somebody is told of it, and the caller where to turn to."""


Result = Kept | Unconfirmed | Entered | NeverRecorded | Erased | Impossible
Event = Started | Digit | NoInput | Played | Failed | Ended | Result


# Commands.


@dataclass(frozen=True, slots=True)
class Say:
    """Stop what is playing, play these sounds in a row, and listen until ``timeout_ms`` after their end."""

    asked: int
    sounds: tuple[str, ...]
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Let the question go on: the key did not end it."""


@dataclass(frozen=True, slots=True)
class Check:
    """See whether the code and the time of a call show who calls; comes back as ``Kept`` or ``Unconfirmed``."""

    code: str = field(repr=False)
    time: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter a request, of somebody who is ``identified`` or is to be called back; comes back as ``Entered``."""

    wish: Wish
    identified: bool


@dataclass(frozen=True, slots=True)
class CarryOut:
    """Do at once what the caller wants; comes back as ``Erased`` or ``NeverRecorded``."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class Finish:
    """Give the call back, and say whether it was served."""

    served: bool


Deed = Check | Enter | CarryOut
Command = Say | Listen | Deed | Finish


@dataclass(frozen=True, slots=True)
class Talk:
    """The dialogue of one call so far; ``asked`` numbers what was said, ``result`` waits for the end of "one moment".

    ``keys`` are those of an entry that is not whole yet, ``code`` the whole one; neither is shown.
    """

    terms: Terms
    state: State = State.NEW
    asked: int = 0
    tries: int = 0
    entries: int = 0
    identified: bool = False
    outcome: Outcome = Outcome.NOTHING
    result: Result | None = None
    keys: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
