"""Whose clock a controller's deadlines run by: its time zone, and how long before a deadline somebody is reminded.

It opens nothing but the host's table of time zones, and knows no deadline.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.schema import Controller

REMIND_DAYS = 7
UTC = "UTC"
CAPITALS: Mapping[str, str] = {
    country: f"Europe/{city}"
    for country, city in (
        *(("AT", "Vienna"), ("BE", "Brussels"), ("BG", "Sofia"), ("CH", "Zurich"), ("CZ", "Prague"), ("DE", "Berlin")),
        *(("DK", "Copenhagen"), ("EE", "Tallinn"), ("ES", "Madrid"), ("FI", "Helsinki"), ("FR", "Paris")),
        *(("GB", "London"), ("GR", "Athens"), ("HR", "Zagreb"), ("HU", "Budapest"), ("IE", "Dublin"), ("IT", "Rome")),
        *(("LI", "Vaduz"), ("LT", "Vilnius"), ("LU", "Luxembourg"), ("LV", "Riga"), ("MT", "Malta")),
        *(("NL", "Amsterdam"), ("NO", "Oslo"), ("PL", "Warsaw"), ("PT", "Lisbon"), ("RO", "Bucharest")),
        *(("SE", "Stockholm"), ("SI", "Ljubljana"), ("SK", "Bratislava")),
    )
} | {"CY": "Asia/Nicosia", "IS": "Atlantic/Reykjavik"}
"""Where the capital of each country of the EEA, of the United Kingdom and of Switzerland sees the sun rise."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The time zone (IANA) in which a controller's days begin and end, and the days of the reminder."""

    zone: str = UTC
    remind_days: int = REMIND_DAYS


def timings(controllers: Mapping[str, Controller]) -> dict[str, Timing]:
    """Return the timing of each controller; without a word its zone is that of its country's capital, or else UTC."""
    return {
        id_: Timing(section.timezone or CAPITALS.get(section.country, UTC), section.remind_days)
        for id_, section in controllers.items()
    }


def mistakes(controllers: Mapping[str, Controller]) -> Iterator[Finding]:
    """Yield what is wrong with the time zones."""
    for id_, timing in timings(controllers).items():
        place = f"controllers.{id_}.timezone"
        try:
            ZoneInfo(timing.zone)
        except (ValueError, OSError, LookupError):
            mend = "write for example Europe/Stockholm; the names are in the package tzdata"
            yield refuse("RGT-01", place, "this host knows no such time zone", mend)
        if timing.zone == UTC and not controllers[id_].timezone:
            text = "deadlines are counted in UTC, since the country's time zone is not known"
            yield warn("RGT-01", place, text, 'write for example timezone = "Europe/Stockholm"')
