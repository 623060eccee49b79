"""The deadlines of the law: the month by the calendar, its extension and its pause, and 72 hours of breach."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from gdprcall.policy.model import Regime
from gdprcall.rights import clocks
from gdprcall.rights.clocks import Calendar, Received, Term

STOCKHOLM = Calendar(ZoneInfo("Europe/Stockholm"))
EU, UK = Regime.EU_GDPR, Regime.UK_GDPR


def at(text: str) -> int:
    """Return a time with its zone in milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def term(received: str, *, zone: str = "Europe/Stockholm", now: str = "2031-01-01T00:00:00Z", **more: object) -> Term:
    given = {name: at(value) if isinstance(value, str) else value for name, value in more.items() if name != "regime"}
    regime = more.get("regime", EU)
    assert isinstance(regime, Regime)
    return clocks.term(Received(regime, at(received), **given), at(now), Calendar(ZoneInfo(zone)))  # type: ignore[arg-type]


def test_rgt_01_a_request_of_31_january_2026_is_due_on_28_february_and_at_most_on_monday_2_march() -> None:
    found = term("2026-01-31T09:00:00+01:00")
    assert found.last == date(2026, 2, 28)
    assert found.due == at("2026-03-01T00:00:00+01:00"), "with the expiry of the last hour"
    assert (found.latest_day, found.latest_day.strftime("%A")) == (date(2026, 3, 2), "Monday")
    assert found.latest == at("2026-03-03T00:00:00+01:00")


@pytest.mark.parametrize(
    ("received", "last"),
    [
        ("2026-03-05", "2026-04-05"),  # EDPB Guidelines 01/2022, 160
        ("2026-08-31", "2026-09-30"),  # the same: the next month is shorter
        ("2026-09-03", "2026-10-03"),  # the ICO's example
        ("2026-03-31", "2026-04-30"),  # the ICO's example
        ("2028-01-31", "2028-02-29"),
        ("2027-01-29", "2027-02-28"),
        ("2026-12-31", "2027-01-31"),
        ("2026-12-01", "2027-01-01"),
        ("2028-02-29", "2028-03-29"),
    ],
)
@pytest.mark.parametrize("regime", [EU, UK])
def test_rgt_01_the_month_ends_on_the_same_date_or_on_the_months_last_day(
    received: str, last: str, regime: Regime
) -> None:
    assert term(f"{received}T12:00:00+00:00", zone="Europe/London", regime=regime).last == date.fromisoformat(last)


def test_rgt_01_two_further_months_count_from_the_same_day() -> None:
    assert term("2026-01-31T09:00:00+01:00", extended=True).last == date(2026, 4, 30)
    assert term("2026-11-30T09:00:00+01:00", extended=True).last == date(2027, 2, 28)
    first = clocks.first_month(Received(EU, at("2026-01-31T09:00:00+01:00"), extended=True), 0, STOCKHOLM)
    assert first.last == date(2026, 2, 28), "by then it must be told"


def test_rgt_01_the_day_is_the_controllers_and_not_that_of_utc() -> None:
    late = "2026-06-30T23:30:00+00:00"
    assert term(late).first == date(2026, 7, 1)
    assert term(late).last == date(2026, 8, 1)
    assert term(late, zone="Atlantic/Azores").last == date(2026, 7, 30)
    assert term("2026-07-01T03:30:00Z", zone="America/New_York").first == date(2026, 6, 30)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-02-28T12:00:00+01:00", "2026-03-29T00:00:00+01:00"),  # the last hour before the clocks go forward
        ("2026-03-01T12:00:00+01:00", "2026-04-02T00:00:00+02:00"),
        ("2026-02-28T23:59:59+01:00", "2026-03-29T00:00:00+01:00"),
        ("2026-03-29T12:00:00+02:00", "2026-04-30T00:00:00+02:00"),
        ("2026-09-25T12:00:00+02:00", "2026-10-26T00:00:00+01:00"),  # a day of 25 hours ends an hour later
    ],
)
def test_rgt_01_days_of_23_and_25_hours_end_when_they_end(received: str, due: str) -> None:
    assert term(received).due == at(due)


def test_rgt_01_holidays_and_weekends_are_counted_and_only_move_what_the_law_gives_at_most() -> None:
    easter = {date(2027, 3, 26), date(2027, 3, 29)}
    calendar = Calendar(ZoneInfo("Europe/Stockholm"), easter.__contains__)
    found = clocks.term(Received(EU, at("2027-02-26T10:00:00+01:00")), 0, calendar)
    assert (found.last, found.latest_day) == (date(2027, 3, 26), date(2027, 3, 30)), "Good Friday to Tuesday"
    whole = clocks.term(Received(EU, at("2027-03-01T10:00:00+01:00")), 0, calendar)
    assert whole.last == whole.latest_day == date(2027, 4, 1)


def test_rgt_01_in_the_eu_the_time_in_which_a_person_is_asked_who_he_is_is_a_pause() -> None:
    asked = {"received": "2026-03-02T09:00:00+01:00", "asked": "2026-03-04T10:00:00+01:00"}
    assert term(**asked, identified="2026-03-09T10:00:00+01:00").last == date(2026, 4, 7)
    assert term(**asked, identified="2026-03-05T09:59:59+01:00").last == date(2026, 4, 2), "less than a day is none"
    waiting = term(**asked, now="2026-03-14T11:00:00+01:00")
    assert (waiting.last, waiting.paused, waiting.waiting) == (date(2026, 4, 12), 10, True)
    assert term(**asked, identified="2026-03-14T10:00:00+01:00", extended=True).last == date(2026, 6, 12)


def test_rgt_01_in_the_uk_the_clock_starts_at_the_latest_of_request_and_identification() -> None:
    asked = {"received": "2026-03-02T09:00:00+00:00", "asked": "2026-03-04T10:00:00+00:00"}
    shown = term(**asked, identified="2026-03-09T10:00:00+00:00", zone="Europe/London", regime=UK)
    assert (shown.first, shown.last, shown.waiting) == (date(2026, 3, 9), date(2026, 4, 9), False)
    waiting = term(**asked, now="2026-05-31T11:00:00+01:00", zone="Europe/London", regime=UK)
    assert (waiting.first, waiting.last, waiting.waiting) == (date(2026, 5, 31), date(2026, 6, 30), True)
    unasked = term(asked["received"], identified="2026-03-09T10:00:00+00:00", zone="Europe/London", regime=UK)
    assert unasked.first == date(2026, 3, 2), "who need not be asked delays nothing"


@pytest.mark.parametrize("regime", [EU, UK])
def test_rgt_01_a_question_after_the_month_stops_nothing(regime: Regime) -> None:
    found = term("2026-01-31T09:00:00+01:00", asked="2026-03-01T00:00:00+01:00", regime=regime)
    assert (found.last, found.waiting) == (date(2026, 2, 28), False)
    just = term("2026-01-31T09:00:00+01:00", asked="2026-02-28T23:59:59+01:00", regime=regime)
    assert just.waiting


def test_rgt_01_a_question_from_before_the_request_gives_no_day_more_than_one_at_its_receipt() -> None:
    early = term("2026-03-02T09:00:00+01:00", asked="2026-02-01T09:00:00+01:00", identified="2026-03-05T09:00:00+01:00")
    assert early.last == date(2026, 4, 5)


def test_rgt_01_the_days_that_remain_are_those_after_today() -> None:
    found = term("2026-01-31T09:00:00+01:00")
    for now, left in (("2026-02-21T08:00:00Z", 7), ("2026-02-28T22:59:59Z", 0), ("2026-02-28T23:00:00Z", -1)):
        assert clocks.days_left(found, at(now), STOCKHOLM) == left
        assert (at(now) >= found.due) is (left < 0)


def test_the_72_hours_of_22_december_run_over_the_holidays() -> None:
    found = clocks.breach(at("2025-12-22T12:17:00+01:00"))
    assert found.strict == at("2025-12-25T12:17:00+01:00")
    assert found.outer == at("2025-12-25T13:00:00+01:00")
    assert clocks.breach(at("2026-01-05T12:00:00Z")).outer == at("2026-01-08T12:00:00Z")


def test_the_72_hours_are_hours_where_the_clock_changes() -> None:
    found = clocks.breach(at("2026-03-28T10:00:00+01:00"))
    assert found.strict == at("2026-03-31T11:00:00+02:00"), "not the same hour three days later"
    assert clocks.breach(at("2026-10-24T10:00:00+02:00")).strict == at("2026-10-27T09:00:00+01:00")


ZONES = ["Europe/Stockholm", "Europe/London", "Europe/Lisbon", "Europe/Athens", "Atlantic/Azores", "Pacific/Auckland"]
ZONES += ["Africa/Cairo", "America/Havana", "Asia/Beirut"]  # whose clocks change at midnight
MOMENTS = st.integers(at("2024-01-01T00:00:00Z") // 1000, at("2035-12-31T00:00:00Z") // 1000)


def walked(first: date, months: int) -> date:
    """Return the end of a period found by walking: day by day, crossing so many first days of months."""
    day, crossed = first, 0
    while crossed < months:
        day += timedelta(days=1)
        crossed += day.day == 1
    while day.day < first.day and (day + timedelta(days=1)).day != 1:
        day += timedelta(days=1)
    return day


def searched(day: date, zone: str) -> int:
    """Return the first moment after a day in a zone, found by halving two days of UTC."""
    low = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - 86_400
    high = low + 4 * 86_400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if datetime.fromtimestamp(middle, ZoneInfo(zone)).date() > day else (middle, high)
    return high * 1000


@seed(20260131)
@settings(max_examples=200, deadline=None, database=None)
@given(
    received=MOMENTS,
    zone=st.sampled_from(ZONES),
    uk=st.booleans(),
    extended=st.booleans(),
    pause=st.none() | st.tuples(st.integers(0, 40 * 86_400), st.integers(0, 60 * 86_400)),
    free=st.sets(st.integers(0, 3), max_size=3),
)
def test_rgt_01_two_hundred_requests_end_when_a_walk_through_the_calendar_ends(
    received: int, zone: str, uk: bool, extended: bool, pause: tuple[int, int] | None, free: set[int]
) -> None:
    asked = None if pause is None else received + pause[0]
    shown = None if pause is None or asked is None else asked + pause[1]
    local = datetime.fromtimestamp(received, ZoneInfo(zone)).date()
    months, start, added = (3 if extended else 1), local, 0
    if asked is not None and shown is not None and asked * 1000 < searched(walked(local, 1), zone):
        if uk:
            start = datetime.fromtimestamp(shown, ZoneInfo(zone)).date()
        else:
            added = len(range(asked + 86_400, shown + 1, 86_400))
    last = walked(start, months)
    for _ in range(added):
        last += timedelta(days=1)
    holidays = {last + timedelta(days=number) for number in free}
    latest = next(
        day
        for day in (last + timedelta(days=number) for number in range(20))
        if day.strftime("%a") not in {"Sat", "Sun"} and day not in holidays
    )
    times = (None if asked is None else asked * 1000, None if shown is None else shown * 1000)
    request = Received(UK if uk else EU, received * 1000, *times, extended)
    found = clocks.term(request, 0, Calendar(ZoneInfo(zone), holidays.__contains__))
    assert (found.last, found.latest_day) == (last, latest)
    assert (found.due, found.latest) == (searched(last, zone), searched(latest, zone))
