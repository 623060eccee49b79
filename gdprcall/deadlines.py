"""What holds for breaches beside the law's text: the periods with their source, when somebody is reminded and how, how long the register lasts.

It counts nothing; the periods are configuration, since they may become others (the 72 hours are disputed in Brussels).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gdprcall.schema import Breach

HOURS = 72
ARTICLE_33 = "Art. 33(1)"


@dataclass(frozen=True, slots=True)
class Period:
    """How many hours an authority gives, and where that is written."""

    hours: int = HOURS
    source: str = ARTICLE_33


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The section ``[breach]``.

    ``controller_hours`` is by when a processor has told its controller; ``contact_days`` how old the last test of a
    controller's contact may be, ``backup_days`` the last backup, ``stale_seconds`` a finished sound file in the clear;
    ``denied_an_hour`` how many refused releases in an hour are out of the ordinary.
    """

    periods: Mapping[str, Period] = field(default_factory=lambda: MappingProxyType({}))
    controller_hours: int = 24
    keep_days: int = 1827
    contact_days: int = 183
    backup_days: int = 8
    stale_seconds: int = 60
    denied_an_hour: int = 5
    command: tuple[str, ...] = ()

    def period(self, regime: str) -> Period:
        """Return the period of a regime (EU_GDPR, UK_GDPR)."""
        return self.periods.get(regime, Period())


def deadlines(section: Breach) -> Deadlines:
    """Return what the section says."""
    periods: dict[str, Period] = {str(name): Period(one.hours, one.source) for name, one in section.periods.items()}
    return Deadlines(
        periods,
        section.controller_hours,
        section.keep_days,
        section.contact_days,
        section.backup_days,
        section.stale_seconds,
        section.denied_an_hour,
        tuple(section.command),
    )
