"""Breaches of personal data: what the register holds of one, which duties it brings, and how long is left, in words.

It notes nothing; what was noted comes as a row of the register, and the present is given to it (Art. 33, 34).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gdprcall.rights import clocks
from gdprcall.rights.clocks import HOUR_MS
from gdprcall.rights.facts import zone_of
from gdprcall.rights.severity import Risk
from gdprcall.times import rfc3339
from gdprcall.vault.breaches import Breach, Told

Json = dict[str, object]
PROCESSOR = "processor"
UNINTELLIGIBLE = "unintelligible"
"""The exemption that holds only as long as it is true."""
MINUTE_MS = 60_000
DAY_HOURS = 24
REMIND_HOURS = (24, 48, 60, 70)
"""When somebody is reminded of a period of 72 hours; of another one at the same parts of it."""


class State(StrEnum):
    """How a breach stands."""

    SUSPECTED = "suspected"
    OPEN = "open"
    CLOSED = "closed"
    NO_BREACH = "no_breach"


class To(StrEnum):
    """Who is told of a breach."""

    CONTROLLER = "controller"
    AUTHORITY = "authority"
    PERSONS = "persons"
    PUBLIC = "public"


ARTICLES: Mapping[str, str] = {
    To.CONTROLLER: "Art. 33(2)",
    To.AUTHORITY: "Art. 33(1)",
    To.PERSONS: "Art. 34(1)",
    To.PUBLIC: "Art. 34(3)(c)",
}


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody who must be told: since when, by when (``due``; ``outer`` is the law's outer bound), and when that was done.

    ``due`` is None where the law says "without undue delay" and no hours.
    """

    to: To
    since: int
    due: int | None
    outer: int | None
    done: int | None

    def late(self, now: int) -> bool:
        """Whether it was done too late, or is not done and should be."""
        end = now if self.done is None else self.done
        return self.due is not None and end >= self.due

    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.done is None

    def mark(self, now: int) -> int | None:
        """Return the last hour after its beginning at which somebody is to be reminded and that is over, None for none yet."""
        passed = (now - self.since) // HOUR_MS
        return max((hour for hour in _marks(self, passed) if hour <= passed), default=None)

    def as_json(self, now: int, zone: str) -> Json:
        """Return it with its clock in words."""
        return {
            "to": str(self.to),
            "article": ARTICLES[self.to],
            "due": None if self.due is None else rfc3339(self.due),
            "outer": None if self.outer is None else rfc3339(self.outer),
            "done": None if self.done is None else rfc3339(self.done),
            "overdue": self.open() and self.late(now),
            "late": self.late(now),
            "remains": remains(self, now, zone),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How a breach stands at one moment."""

    row: Breach
    state: State
    duties: tuple[Duty, ...]
    now: int

    @property
    def open_duties(self) -> tuple[Duty, ...]:
        """The duties that are still to be done, what is due first at the top."""
        left = [one for one in self.duties if one.open()]
        return tuple(sorted(left, key=lambda one: (one.due is None, one.due or one.since)))

    @property
    def overdue(self) -> bool:
        """Whether a duty should have been done by now."""
        return any(one.late(self.now) for one in self.open_duties)

    @property
    def presses(self) -> bool:
        """Whether somebody must do something: look at a suspicion, or tell somebody."""
        return self.state is State.SUSPECTED or bool(self.open_duties)

    def as_json(self) -> Json:
        """Return the breach as it is listed; what is said of it in words stays out."""
        row, first = self.row, next(iter(self.open_duties), None)
        return {
            "id": row.id,
            "incident": row.incident,
            "controller": row.controller,
            "state": str(self.state),
            "trigger": row.trigger,
            "regime": row.regime,
            "role": row.role,
            "opened_at": rfc3339(row.opened_at),
            "aware_at": None if row.aware_at is None else rfc3339(row.aware_at),
            "closed_at": None if row.closed_at is None else rfc3339(row.closed_at),
            "records": row.records,
            "persons": row.persons,
            "risk": row.fields.get("risk"),
            "next": None if first is None else str(first.to),
            "deadline": None if first is None or first.due is None else rfc3339(first.due),
            "overdue": self.overdue,
            "remains": self.remains(),
            "duties": [one.as_json(self.now, row.zone) for one in self.duties],
        }

    def remains(self) -> str:
        """Return what is to be done next, and how long is left for it."""
        if self.state is State.SUSPECTED:
            return f"suspected {_span(self.now - self.row.opened_at)} ago: look into it, then say aware or close"
        if self.state in {State.CLOSED, State.NO_BREACH}:
            return str(self.state)
        first = next(iter(self.open_duties), None)
        if first is None:
            return "nobody is left to be told: close it when it is over"
        return f"tell the {first.to}: {remains(first, self.now, self.row.zone)}"


def standing(row: Breach, told: Iterable[Told], now: int) -> Standing:
    """Return how a breach stands."""
    if row.closed_at is not None:
        state = State.NO_BREACH if row.outcome == State.NO_BREACH else State.CLOSED
    else:
        state = State.SUSPECTED if row.aware_at is None else State.OPEN
    return Standing(row, state, tuple(duties(row, list(told))), now)


def duties(row: Breach, told: list[Told]) -> list[Duty]:
    """Return who must be told of a breach, once somebody is aware of it.

    A processor tells its controller and nobody else, at once and without weighing the risk (Art. 33(2), EDPB 9/2022). A
    controller tells the authority, unless it has decided that there is hardly a risk (Art. 33(1)), and the persons where
    the risk is high and no exemption holds (Art. 34).
    """
    if row.aware_at is None or row.outcome == State.NO_BREACH:
        return []
    hours = clocks.breach(row.aware_at, row.hours)
    if row.role == PROCESSOR:
        return [Duty(To.CONTROLLER, row.aware_at, hours.strict, hours.outer, _first(told, To.CONTROLLER))]
    found = []
    risk, exemption = row.fields.get("risk"), row.fields.get("exemption")
    if exemption == UNINTELLIGIBLE and not unintelligible(row.fields):
        exemption = "none"
    if risk != Risk.NONE:
        found.append(Duty(To.AUTHORITY, row.aware_at, hours.strict, hours.outer, _first(told, To.AUTHORITY)))
    if risk == Risk.HIGH and exemption not in {UNINTELLIGIBLE, "mitigated"}:
        to = To.PUBLIC if exemption == "disproportionate" else To.PERSONS
        found.append(Duty(to, row.decided_at or row.aware_at, None, None, _first(told, to)))
    return found


def unintelligible(fields: Mapping[str, object]) -> bool:
    """Whether what was taken can be read by nobody: it is encrypted, and the keys are safe (Art. 34(3)(a))."""
    return fields.get("encrypted") == "yes" and fields.get("key_state") == "safe"


def remains(duty: Duty, now: int, zone: str) -> str:
    """Return how long is left for a duty, as a person says it."""
    if duty.done is not None:
        return f"told {local(duty.done, zone)}" + (", too late" if duty.late(now) else "")
    if duty.due is None:
        return f"without undue delay, owed for {_span(now - duty.since)}"
    if now >= duty.due:
        return f"overdue by {_span(now - duty.due)}, was due {local(duty.due, zone)}"
    return f"{_span(duty.due - now)} left, until {local(duty.due, zone)}"


def local(moment: int, zone: str, *, weekday: bool = True) -> str:
    """Return a moment as a clock on the controller's wall shows it, such as ``Mon 2026-11-23 17:45 CET``."""
    shown = datetime.fromtimestamp(moment // 1000, zone_of(zone))
    return f"{shown:%a %Y-%m-%d %H:%M %Z}" if weekday else f"{shown:%Y-%m-%d %H:%M %Z}"


def ordered(found: Iterable[Standing]) -> list[Standing]:
    """Return breaches in the order in which something must be done, the closed ones last."""

    def key(one: Standing) -> tuple[bool, bool, int, str]:
        first = next(iter(one.open_duties), None)
        due = first.due if first is not None and first.due is not None else one.row.opened_at
        return one.row.closed_at is not None, not one.presses, due, one.row.id

    return sorted(found, key=key)


def missing(row: Breach) -> list[str]:
    """Return the fields without which a breach cannot be closed: facts, effects, what was done, the reasoning (Art. 33(5)).

    A processor weighs no risk: that is its controller's (Art. 33(2)).
    """
    wanted = ["facts", "consequences", "measures"]
    wanted += [] if row.role == PROCESSOR else ["risk", "risk_reason"]
    return [name for name in wanted if not row.fields.get(name)]


def _first(told: list[Told], to: To) -> int | None:
    return min((one.sent_at for one in told if one.to == to), default=None)


def _marks(duty: Duty, passed: int) -> list[int]:
    """Return the hours at which to remind: parts of the period, its end, and then each day."""
    if duty.due is None:
        return [*range(0, passed + 1, DAY_HOURS)]
    whole = (duty.due - duty.since) // HOUR_MS
    parts = [hour * whole // clocks.BREACH_HOURS for hour in REMIND_HOURS]
    # A processor tells at once, so he is reminded at once.
    at_once = [0] if duty.to is To.CONTROLLER else []
    return [*at_once, *parts, *range(whole, max(whole, passed) + 1, DAY_HOURS)]


def _span(ms: int) -> str:
    minutes = max(0, ms) // MINUTE_MS
    hours, rest = divmod(minutes, 60)
    days, over = divmod(hours, DAY_HOURS)
    if hours < 4 * DAY_HOURS:
        return f"{hours} h {rest:02d} min"
    return f"{days} days {over} h"
