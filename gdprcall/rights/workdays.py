"""The public holidays of a country: those of all of it, as the library knows them, and none where it knows nothing.

A holiday of a region alone is not one here: a deadline may be shown too early by it, and never too late.
"""

from datetime import date
from functools import lru_cache

import holidays


def is_holiday(country: str, day: date) -> bool:
    """Whether a day is a public holiday in a country (ISO 3166)."""
    return day in _of(country, day.year)


@lru_cache(maxsize=256)
def _of(country: str, year: int) -> frozenset[date]:
    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()
