"""The clocks of a breach: 72 elapsed hours whatever the wall shows, in words that a person understands (BRE-02, BRE-04, BRE-05)."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gdprcall.rights import breaches
from gdprcall.rights.breaches import State, To
from gdprcall.vault.breaches import Breach, Told

HOUR = 3_600_000
ZONES = ("Europe/Stockholm", "Europe/London", "Europe/Athens", "Atlantic/Azores")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def breach(aware: int | None, *, role: str = "controller", zone: str = "Europe/Stockholm", hours: int = 72) -> Breach:
    row = Breach(
        "b" * 32, "i" * 32, "acme", "person", "EU_GDPR", role, zone, 0, aware, hours, None, None, "", 1, 1, 0, {}, None
    )
    return replace(row, opened_at=aware or 0)


def due(row: Breach) -> int:
    (duty,) = breaches.duties(row, [])
    assert duty.due is not None
    return duty.due


@pytest.mark.parametrize(
    ("aware", "until", "outer", "shown"),
    [
        # over the beginning of summer time, the wall shows 73 hours
        ("2026-03-27T12:00+01:00", "2026-03-30T13:00+02:00", "2026-03-30T13:00+02:00", "Mon 2026-03-30 13:00 CEST"),
        # over a week-end, which counts; the law's outer bound is a quarter of an hour later and is not the deadline
        ("2026-11-20T17:45+01:00", "2026-11-23T17:45+01:00", "2026-11-23T18:00+01:00", "Mon 2026-11-23 17:45 CET"),
        # over its end, the wall shows 71
        ("2026-10-24T10:00+02:00", "2026-10-27T09:00+01:00", "2026-10-27T09:00+01:00", "Tue 2026-10-27 09:00 CET"),
        # over Christmas, which counts
        ("2026-12-22T12:17+01:00", "2026-12-25T12:17+01:00", "2026-12-25T13:00+01:00", "Fri 2026-12-25 12:17 CET"),
    ],
)
def test_bre_02_the_deadline_is_72_elapsed_hours_after_awareness(
    aware: str, until: str, outer: str, shown: str
) -> None:
    (duty,) = breaches.duties(breach(at(aware)), [])
    assert (duty.to, duty.due, duty.outer) == (To.AUTHORITY, at(until), at(outer))
    assert shown in breaches.remains(duty, at(aware), "Europe/Stockholm")


def changes() -> list[datetime]:
    """Return when clocks change in Europe from 2026 to 2030: 01:00 UTC on the last Sundays of March and October."""
    found = []
    for year in range(2026, 2031):
        for month in (3, 10):
            day = datetime(year, month, 31, 1, tzinfo=UTC)
            found.append(day - timedelta(days=(day.weekday() + 1) % 7))
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", changes(), ids=lambda one: f"{one:%Y-%m}")
def test_bre_02_no_change_of_the_clock_moves_it(zone: str, change: datetime) -> None:
    for before in (1, 12, 71):
        aware = change - timedelta(hours=before)
        row = breach(round(aware.timestamp() * 1000), zone=zone)
        wall = datetime.fromtimestamp(due(row) / 1000, ZoneInfo(zone))
        assert wall.astimezone(UTC) - aware == timedelta(hours=72)
        # An independent look at the wall: it moved by one hour in between.
        assert abs(
            wall.replace(tzinfo=None) - aware.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - timedelta(hours=72)
        ) == timedelta(hours=1)


def test_bre_02_two_hundred_cases_agree_with_counting_the_hours_one_by_one() -> None:
    source = random.Random(72)
    for _ in range(200):
        aware = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=source.randrange(5 * 365 * 86_400))
        hours, zone = source.choice((24, 48, 72, 96)), source.choice(ZONES)
        moment = aware
        for _hour in range(hours):
            moment = (moment.astimezone(ZoneInfo(zone)).astimezone(UTC)) + timedelta(minutes=60)
        row = breach(round(aware.timestamp() * 1000), zone=zone, hours=hours)
        assert due(row) == round(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (0, "72 h 00 min left, until Mon 2026-11-23 17:45 CET"),
        (13.5, "58 h 30 min left, until Mon 2026-11-23 17:45 CET"),
        (71.99, "0 h 00 min left, until Mon 2026-11-23 17:45 CET"),
        (72, "overdue by 0 h 00 min, was due Mon 2026-11-23 17:45 CET"),
        (100.25, "overdue by 28 h 15 min, was due Mon 2026-11-23 17:45 CET"),
        (240, "overdue by 7 days 0 h, was due Mon 2026-11-23 17:45 CET"),
    ],
)
def test_bre_02_what_remains_is_said_in_words(later: float, words: str) -> None:
    aware = at("2026-11-20T17:45+01:00")
    one = breaches.standing(breach(aware), [], aware + round(later * HOUR))
    assert one.remains() == f"tell the authority: {words}"
    assert one.overdue == (later >= 72)


def test_bre_05_a_processor_tells_its_controller_and_weighs_no_risk() -> None:
    row = replace(breach(at("2026-11-20T17:45+01:00"), role="processor", hours=24), fields={"risk": "none"})
    (duty,) = breaches.duties(row, [])
    assert (duty.to, duty.due) == (To.CONTROLLER, at("2026-11-21T17:45+01:00"))


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({}, [To.AUTHORITY]),
        ({"risk": "none"}, []),
        ({"risk": "risk"}, [To.AUTHORITY]),
        ({"risk": "high"}, [To.AUTHORITY, To.PERSONS]),
        ({"risk": "high", "exemption": "none"}, [To.AUTHORITY, To.PERSONS]),
        ({"risk": "high", "exemption": "mitigated"}, [To.AUTHORITY]),
        ({"risk": "high", "exemption": "disproportionate"}, [To.AUTHORITY, To.PUBLIC]),
        ({"risk": "high", "exemption": "unintelligible", "encrypted": "yes", "key_state": "safe"}, [To.AUTHORITY]),
        (
            {"risk": "high", "exemption": "unintelligible", "encrypted": "yes", "key_state": "unknown"},
            [To.AUTHORITY, To.PERSONS],
        ),
        (
            {"risk": "high", "exemption": "unintelligible", "encrypted": "yes", "key_state": "compromised"},
            [To.AUTHORITY, To.PERSONS],
        ),
        (
            {"risk": "high", "exemption": "unintelligible", "encrypted": "partly", "key_state": "safe"},
            [To.AUTHORITY, To.PERSONS],
        ),
    ],
)
def test_bre_06_who_must_be_told_follows_from_the_risk_and_from_what_excuses(
    fields: dict[str, object], who: list[To]
) -> None:
    row = replace(breach(1_000), fields=fields)
    assert [one.to for one in breaches.duties(row, [])] == who


@pytest.mark.parametrize(
    ("role", "hours", "marks"),
    [("controller", 72, [24, 48, 60, 70, 72, 96, 120]), ("processor", 24, [0, 8, 16, 20, 23, 24, 48])],
)
def test_bre_02_somebody_is_reminded_at_each_mark_and_then_daily(role: str, hours: int, marks: list[int]) -> None:
    (duty,) = breaches.duties(breach(0, role=role, hours=hours), [])
    seen = {duty.mark(minute * 60_000) for minute in range(0, 60 * (marks[-1] + 1), 30)}
    assert sorted(mark for mark in seen if mark is not None) == marks
    assert (duty.mark(0) is None) == (role == "controller")


def test_a_suspicion_has_no_clock_and_what_was_none_has_no_duty() -> None:
    one = breaches.standing(breach(None), [], 2 * HOUR)
    assert (one.state, one.duties) == (State.SUSPECTED, ())
    assert "say aware or close" in one.remains()
    none = replace(breach(1), closed_at=2, outcome="no_breach")
    assert breaches.standing(none, [], 3).state is State.NO_BREACH


def test_what_was_told_in_time_is_not_overdue_and_what_was_told_late_stays_late() -> None:
    aware = 1_000_000
    for hours, late in ((71, False), (72, True)):
        told = [Told("authority", 1, aware + hours * HOUR, "", 0, 5)]
        (duty,) = breaches.duties(breach(aware), told)
        assert (duty.open(), duty.late(aware + 500 * HOUR)) == (False, late)
        assert breaches.remains(duty, aware, "UTC").endswith("too late") == late
