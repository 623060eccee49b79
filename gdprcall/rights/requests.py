"""The requests of persons: what may be asked, on which grounds it may be refused, and how long is left, in words.

It notes nothing; what was noted comes as a row of the register, and the present is given to it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import partial
from zoneinfo import ZoneInfo

from gdprcall.errors import ConfigError, Refused
from gdprcall.policy.model import Regime
from gdprcall.rights import clocks, workdays
from gdprcall.rights.clocks import Calendar, Received, Term
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.requests import Request

Json = dict[str, object]


class Type(StrEnum):
    """What a person may ask for (Art. 7(3), 15 to 21)."""

    ACCESS = "access"
    ERASURE = "erasure"
    RECTIFICATION = "rectification"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    PORTABILITY = "portability"
    WITHDRAWAL = "withdrawal"


class Channel(StrEnum):
    """How a request came."""

    PHONE = "phone"
    MAIL = "mail"
    EMAIL = "email"
    COUNTER = "counter"


class Ground(StrEnum):
    """Why a request may be refused; there is no other reason."""

    MANIFESTLY_UNFOUNDED = "manifestly_unfounded"
    EXCESSIVE = "excessive"
    NOT_IDENTIFIED = "not_identified"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGAL_CLAIMS = "legal_claims"
    OTHERS_RIGHTS = "others_rights"
    COMPELLING_GROUNDS = "compelling_grounds"
    NOT_APPLICABLE = "not_applicable"
    DATA_ARE_ACCURATE = "data_are_accurate"
    NO_CONDITION = "no_condition"


_ARTICLES_15_TO_21 = frozenset(Type) - {Type.WITHDRAWAL}
GROUNDS: Mapping[Ground, tuple[str, frozenset[Type]]] = {
    Ground.MANIFESTLY_UNFOUNDED: ("Art. 12(5)(b)", _ARTICLES_15_TO_21),
    Ground.EXCESSIVE: ("Art. 12(5)(b)", _ARTICLES_15_TO_21),
    Ground.NOT_IDENTIFIED: ("Art. 11(2), 12(2), 12(6)", frozenset(Type)),
    Ground.LEGAL_OBLIGATION: ("Art. 17(3)(b)", frozenset({Type.ERASURE})),
    Ground.LEGAL_CLAIMS: ("Art. 17(3)(e)", frozenset({Type.ERASURE})),
    Ground.OTHERS_RIGHTS: ("Art. 15(4), 20(4)", frozenset({Type.ACCESS, Type.PORTABILITY})),
    Ground.COMPELLING_GROUNDS: ("Art. 21(1)", frozenset({Type.OBJECTION})),
    Ground.NOT_APPLICABLE: ("Art. 20(1)(a)", frozenset({Type.PORTABILITY})),
    Ground.DATA_ARE_ACCURATE: ("Art. 16", frozenset({Type.RECTIFICATION})),
    Ground.NO_CONDITION: ("Art. 18(1)", frozenset({Type.RESTRICTION})),
}
"""Each ground with its article, and what can be refused on it."""

SHOWN_WHO = frozenset({Type.ACCESS, Type.PORTABILITY, Type.ERASURE, Type.RECTIFICATION})
"""What gives data out, destroys or changes it: not for somebody who has not shown who he is."""
CALLBACK = "callback"
METHODS = (CALLBACK, "eid", "document", "account")
"""How somebody may have shown who he is: the first is checked by us, of the others the register keeps the name alone."""
PATIENCE_DAYS = 30
"""After how many days without an answer to the question who he is a person's request is to be looked at again."""


class State(StrEnum):
    """How a request stands."""

    OPEN = "open"
    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands at one moment, and how long is left of its term; a closed one has none left."""

    row: Request
    state: State
    term: Term
    now: int
    left: int

    @property
    def overdue(self) -> bool:
        """Whether it should have been answered by now."""
        return self.row.closed_at is None and self.now >= self.term.due

    def presses(self, days: int) -> bool:
        """Whether it is due within so many days, or a person was asked who he is long ago and has not said."""
        asked = self.row.asked_at
        forsaken = self.state is State.WAITING and asked is not None and self.now - asked > PATIENCE_DAYS * DAY_MS
        return self.row.closed_at is None and (
            self.overdue or forsaken or (not self.term.waiting and self.left <= days)
        )

    def as_json(self) -> Json:
        """Return the request as it is listed; who asked stays out of it."""
        row, term = self.row, self.term
        times = {name: getattr(row, name) for name in _TIMES}
        return {
            "id": row.id,
            "controller": row.controller,
            "type": row.type,
            "marketing": row.marketing,
            "channel": row.channel,
            "state": str(self.state),
            **{name: None if value is None else rfc3339(value) for name, value in times.items()},
            "method": row.method or None,
            "ground": row.ground or None,
            "due": term.last.isoformat(),
            "due_at": rfc3339(term.due),
            "latest": term.latest_day.isoformat(),
            "extended_to": term.last.isoformat() if row.extended_at is not None else None,
            "paused_days": term.paused,
            "days_left": self.left if row.closed_at is None else None,
            "overdue": self.overdue,
            "remains": self.remains(),
        }

    def remains(self) -> str:
        """Return how long is left, in words."""
        if self.row.closed_at is not None:
            return f"{self.state}, too late" if self.row.closed_at >= self.term.due else str(self.state)
        if self.term.waiting:
            asked = (self.now - (self.row.asked_at or self.now)) // DAY_MS
            return f"waits for the person, asked {_days(asked)} ago; then {_days(self.left)} left"
        return said(self.left)


EARLIEST = timezone(timedelta(hours=14))
"""Where each day of the world begins and ends first."""
_TIMES = "received_at opened_at asked_at identified_at extended_at closed_at".split()


def said(left: int) -> str:
    """Return the days after today that remain, in words."""
    match left:
        case 0:
            return "due today"
        case 1:
            return "due tomorrow"
        case -1:
            return "overdue since yesterday"
        case _:
            return f"overdue by {_days(-left)}" if left < 0 else f"{_days(left)} left"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def calendar(row: Request) -> Calendar:
    """Return the calendar by which a request is counted; by the earliest of all where its time zone is not known any more."""
    zone: tzinfo = EARLIEST
    with suppress(ValueError, OSError, LookupError):
        zone = ZoneInfo(row.zone)
    holiday = partial(workdays.is_holiday, row.country) if row.country else _never
    return Calendar(zone, holiday)


def _never(_day: date) -> bool:
    return False


def standing(row: Request, now: int) -> Standing:
    """Return how a request stands."""
    days = calendar(row)
    # What came after its end changes nothing of it any more.
    at = now if row.closed_at is None else row.closed_at
    term = clocks.term(_received(row), at, days)
    state = State(row.outcome) if row.outcome else State.WAITING if _waits(row) else State.OPEN
    return Standing(row, state, term, now, clocks.days_left(term, now, days))


def first_month(row: Request, now: int) -> Term:
    """Return by when an extension or a refusal must be told (Art. 12(3), 12(4))."""
    return clocks.first_month(_received(row), now, calendar(row))


def ordered(found: Iterable[Standing]) -> list[Standing]:
    """Return requests in the order in which they are due, the closed ones last."""
    return sorted(found, key=lambda one: (one.row.closed_at is not None, one.term.due, one.row.received_at, one.row.id))


def refuse_refusal(row: Request, ground: str) -> str:
    """Return the article of a ground; raises ConfigError where it is none, and Refused where it is none for this request."""
    if ground not in set(Ground):
        raise ConfigError("a request is refused on a ground of the law", f"grounds: {', '.join(Ground)}")
    article, types = GROUNDS[Ground(ground)]
    if row.marketing:
        raise Refused("an objection to direct marketing is never refused (Art. 21(3))", "stop it, and answer")
    if Type(row.type) not in types:
        fit = ", ".join(one for one, (_, fits) in GROUNDS.items() if Type(row.type) in fits)
        raise Refused(f"{article} is no ground to refuse a request for {row.type}", f"grounds for it: {fit}")
    return article


def refuse_extension(row: Request, now: int) -> None:
    """Raise Refused where the time of a request cannot be extended (Art. 12(3))."""
    if row.extended_at is not None:
        raise Refused("the time of this request was extended already", "it is extended once, by two months")
    if row.marketing or row.type == Type.WITHDRAWAL:
        raise Refused(
            "this is carried out at once, and has no extension (Art. 7(3), 21(3))", "carry it out, and answer"
        )
    last = first_month(row, now)
    if now >= last.due:
        text = f"the first month was over on {last.last}, and an extension must be told within it (Art. 12(3))"
        raise Refused(text, "answer the request now")


def refuse_unidentified(row: Request) -> None:
    """Raise Refused where a person has not shown who he is, and what he asks for needs it (Art. 12(6))."""
    if row.identified_at is None and row.type in SHOWN_WHO:
        text = f"who asks has not shown who he is, and this is a request for {row.type}"
        raise Refused(text, f"run: gdprcall requests identify {row.id} --ask")


def _received(row: Request) -> Received:
    regime = Regime.UK_GDPR if row.regime == Regime.UK_GDPR else Regime.EU_GDPR
    return Received(regime, row.received_at, row.asked_at, row.identified_at, extended=row.extended_at is not None)


def _waits(row: Request) -> bool:
    return row.asked_at is not None and row.identified_at is None
