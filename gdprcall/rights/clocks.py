"""The deadlines of the law, as arithmetic: one month to answer a person, two more if he is told in time, 72 hours for a breach.

It knows no clock, no file and no country: the present, the time zone and the holidays are given to it. Times are milliseconds
since 1970, and a deadline is the first moment that is too late.
"""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from gdprcall.policy.model import Regime

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ANSWER_MONTHS, EXTENDED_MONTHS = 1, 3
"""Months from the first day on (Art. 12(3)): the extension is by two further months of the same period, not of another."""
BREACH_HOURS = 72
SATURDAY = 5


def _no_holiday(_day: date) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where a controller's days begin and end, and which of them are public holidays."""

    zone: tzinfo = UTC
    holiday: Callable[[date], bool] = _no_holiday

    def day(self, moment: int) -> date:
        """Return the day in which a moment lies."""
        return datetime.fromtimestamp(moment // 1000, self.zone).date()

    def end(self, day: date) -> int:
        """Return the moment at which a day is over, which need not be 24 hours after it began."""
        return round(datetime.combine(day + timedelta(days=1), time(), self.zone).timestamp()) * 1000

    def working(self, day: date) -> date:
        """Return the day itself, or the next one that is neither Saturday, Sunday nor a public holiday."""
        while day.weekday() >= SATURDAY or self.holiday(day):
            day += timedelta(days=1)
        return day


@dataclass(frozen=True, slots=True)
class Received:
    """What a request's clock runs by; ``asked`` is when the person was asked who he is, ``identified`` when he had shown it."""

    regime: Regime
    received: int
    asked: int | None = None
    identified: int | None = None
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """How long a request may take: ``due`` is the moment that counts here, ``latest`` what the law at most gives.

    ``first`` is the day it runs from, ``last`` and ``latest_day`` the last days; ``paused`` are whole days that did not
    count, and while ``waiting`` they grow, and the deadline with them.
    """

    first: date
    last: date
    latest_day: date
    due: int
    latest: int
    paused: int = 0
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Hours:
    """A period of hours: ``strict`` counts from the moment itself, ``outer`` from the full hour after it."""

    strict: int
    outer: int


def term(request: Received, now: int, calendar: Calendar) -> Term:
    """Return until when a request must be answered (GDPR Art. 12(3); UK GDPR Art. 12A).

    It ends with the last hour of the same date of a later month, or of that month's last day (Regulation 1182/71 Art. 3(2)(c));
    what falls on a day on which nobody works may be done on the next working day (Art. 3(4), and so the ICO), and is due
    on its own day here. The time in which a person was asked who he is (Art. 12(6)) does not count: in the EU it is a pause
    (EDPB Guidelines 01/2022, 157), in the UK the clock begins when he has shown it. Who was asked too late stops nothing.
    """
    bare = months_after(calendar.day(request.received), ANSWER_MONTHS)
    asked = request.asked
    if asked is None or asked >= calendar.end(bare):
        return _ending(calendar, calendar.day(request.received), request.extended)
    end, waiting = (now, True) if request.identified is None else (request.identified, False)
    end = max(end, asked, request.received)
    if request.regime is Regime.UK_GDPR:
        return _ending(calendar, calendar.day(end), request.extended, waiting=waiting)
    paused = (end - max(asked, request.received)) // DAY_MS
    return _ending(calendar, calendar.day(request.received), request.extended, paused, waiting=waiting)


def first_month(request: Received, now: int, calendar: Calendar) -> Term:
    """Return the term without its extension: by then an extension, or a refusal, must be told (Art. 12(3), 12(4))."""
    plain = Received(request.regime, request.received, request.asked, request.identified)
    return term(plain, now, calendar)


def months_after(day: date, count: int) -> date:
    """Return the same date so many months later, or the last day of that month where it has no such date."""
    years, month = divmod(day.month - 1 + count, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def days_left(deadline: Term, now: int, calendar: Calendar) -> int:
    """Return how many days remain after today: 0 on the last day, less than 0 when it is over."""
    return (deadline.last - calendar.day(now)).days


def breach(aware: int, hours: int = BREACH_HOURS) -> Hours:
    """Return until when an authority must be told of a breach (Art. 33(1)): week-ends and changes of the clock count like any hour.

    Regulation 1182/71 does not count the hour in which it became known (Art. 3(1)), and moves no period of hours to a
    working day (Art. 3(4)).
    """
    outer = -(-aware // HOUR_MS) * HOUR_MS
    return Hours(aware + hours * HOUR_MS, outer + hours * HOUR_MS)


def _ending(calendar: Calendar, first: date, extended: bool, paused: int = 0, *, waiting: bool = False) -> Term:
    last = months_after(first, EXTENDED_MONTHS if extended else ANSWER_MONTHS) + timedelta(days=paused)
    latest = calendar.working(last)
    return Term(first, last, latest, calendar.end(last), calendar.end(latest), paused, waiting)
