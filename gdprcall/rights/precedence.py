"""Who wins over a recording: law's minimum, a legal hold, a restriction, a person's request, expiry. Pure.

It weighs what it is given and says why; it reads no clock and no vault, and destroys and releases nothing itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gdprcall.roles import Role


class Ground(StrEnum):
    """Why a recording is restricted: the letters of Art. 18(1)."""

    ACCURACY = "a"
    UNLAWFUL = "b"
    CLAIMS = "c"
    OBJECTION = "d"


class Request(StrEnum):
    """What would destroy a recording, or take it out of use."""

    ERASURE = "erasure"
    WITHDRAWAL = "withdrawal"
    OBJECTION = "objection"
    UPHELD = "objection upheld"
    EXPIRY = "expiry"


class Outcome(StrEnum):
    """What is to be done: ``restrict`` means that a documented decision is owed (Art. 21(1))."""

    ERASE = "erase"
    RESTRICT = "restrict"
    KEEP = "keep"


class Why(StrEnum):
    """What decided, by its article."""

    LAW = "a law's minimum is running, Art. 17(3)(b)"
    HOLD = "a legal hold, Art. 17(3)(e)"
    RESTRICTION = "a restriction, Art. 18"
    ERASURE = "an erasure that nothing stands against, Art. 17(1)"
    WITHDRAWN = "the consent was withdrawn, Art. 7(3), 17(1)(b)"
    NO_CONSENT = "it does not rest on consent, Art. 7(3)"
    MARKETING = "an objection to direct marketing, Art. 21(3)"
    OBJECTED = "an objection that is not decided yet, Art. 18(1)(d)"
    UPHELD = "an objection was upheld, Art. 17(1)(c)"
    NO_OBJECTION = "its basis knows no objection, Art. 21(1)"
    EXPIRED = "its time is over, Art. 5(1)(e)"
    NOT_EXPIRED = "its time is not over"


class Exception18(StrEnum):
    """What a restricted recording may be used for (Art. 18(2))."""

    CONSENT = "consent of the person"
    CLAIMS = "legal claims"
    PROTECTION = "protection of others"


class Denied(StrEnum):
    """Why a recording is not released."""

    ROLE = "the role may not"
    RESTRICTED = "it is restricted, and none of the exceptions of Art. 18(2) was named"


@dataclass(frozen=True, slots=True)
class State:
    """What is true of a recording: its basis, what stands against its end, and its times in milliseconds.

    ``law_until`` is the end of a law's minimum, ``expires_at`` of its retention; the moment itself is over.
    """

    basis: str
    expires_at: int
    law_until: int | None = None
    held: bool = False
    restricted: Ground | None = None
    marketing: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a recording, and why."""

    outcome: Outcome
    why: Why


OBJECTABLE = frozenset({"legitimate_interest", "public_task"})
"""The bases that can be objected to: Art. 6(1)(e) and (f)."""
DECIDES = frozenset({Role.ADMIN, Role.OFFICER})
"""Who lifts a restriction or a hold, and uses what is restricted."""
HEARS = DECIDES | {Role.REVIEWER}

Rule = tuple[Why, Callable[[State, Request, int], bool]]

AGAINST: tuple[Rule, ...] = (
    (Why.LAW, lambda state, _request, now: state.law_until is not None and now < state.law_until),
    (Why.HOLD, lambda state, _request, _now: state.held),
    # An objection that is upheld ends the very restriction that waited for it, and no other.
    (
        Why.RESTRICTION,
        lambda state, request, _now: (
            state.restricted is not None and not (request is Request.UPHELD and state.restricted is Ground.OBJECTION)
        ),
    ),
)
"""What stands against the end of a recording, the strongest first."""

Row = tuple[Request, Callable[[State, int], bool], Verdict]

ENDS: tuple[Row, ...] = (
    (Request.ERASURE, lambda _state, _now: True, Verdict(Outcome.ERASE, Why.ERASURE)),
    (Request.WITHDRAWAL, lambda state, _now: state.basis == "consent", Verdict(Outcome.ERASE, Why.WITHDRAWN)),
    (Request.WITHDRAWAL, lambda _state, _now: True, Verdict(Outcome.KEEP, Why.NO_CONSENT)),
    (Request.OBJECTION, lambda state, _now: state.marketing, Verdict(Outcome.ERASE, Why.MARKETING)),
    (Request.OBJECTION, lambda state, _now: state.basis in OBJECTABLE, Verdict(Outcome.RESTRICT, Why.OBJECTED)),
    (Request.OBJECTION, lambda _state, _now: True, Verdict(Outcome.KEEP, Why.NO_OBJECTION)),
    (Request.UPHELD, lambda state, _now: state.marketing, Verdict(Outcome.ERASE, Why.MARKETING)),
    (Request.UPHELD, lambda state, _now: state.basis in OBJECTABLE, Verdict(Outcome.ERASE, Why.UPHELD)),
    (Request.UPHELD, lambda _state, _now: True, Verdict(Outcome.KEEP, Why.NO_OBJECTION)),
    (Request.EXPIRY, lambda state, now: now >= state.expires_at, Verdict(Outcome.ERASE, Why.EXPIRED)),
    (Request.EXPIRY, lambda _state, _now: True, Verdict(Outcome.KEEP, Why.NOT_EXPIRED)),
)
"""What a request comes to where nothing stands against it; the first row that fits counts."""


def weigh(state: State, request: Request, now: int) -> Verdict:
    """Return what a request comes to at ``now`` (milliseconds): the strongest reason against it, or its own row.

    An objection that only restricts destroys nothing, so a law's minimum and a hold do not stand against it: storage is
    all they ask for (Art. 18(2)).
    """
    own = next(verdict for asked, fits, verdict in ENDS if asked is request and fits(state, now))
    if own.outcome is not Outcome.ERASE:
        return own
    stands = next((why for why, holds in AGAINST if holds(state, request, now)), None)
    if stands is None:
        return own
    # What the law or a claim keeps of direct marketing is no longer used for it (Art. 21(3)).
    kept = Outcome.RESTRICT if own.why is Why.MARKETING and state.restricted is None else Outcome.KEEP
    return Verdict(kept, stands)


def may_override(state: State) -> bool:
    """Whether compelling grounds may be set against an objection; never in direct marketing (Art. 21(2), (3))."""
    return not state.marketing and state.basis in OBJECTABLE


def denied(state: State, role: Role, exception: Exception18 | None) -> Denied | None:
    """Return why a role may not have a recording released, or None if it may; a hold alone blocks no use (Art. 17(3)(e))."""
    if role not in HEARS:
        return Denied.ROLE
    if state.restricted is None:
        return None
    if exception is None:
        return Denied.RESTRICTED
    return None if role in DECIDES else Denied.ROLE
