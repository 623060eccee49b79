"""Who has which role, as the rows of a configuration say it, and what is wrong with them.

It asks nobody whether a user or a group is there: that is the daemon's host alone to say.
"""

from collections.abc import Collection, Iterator, Sequence

from gdprcall.policy.finding import Finding, refuse
from gdprcall.roles import Access, Role
from gdprcall.schema import Access as Row


def rows(given: Sequence[Row]) -> tuple[Access, ...]:
    """Return the rows in their order: the first that fits counts."""
    return tuple(Access(row.user, row.group, Role(row.role), row.controller) for row in given)


def mistakes(given: Sequence[Row], controllers: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the rows, each with its place and its mend."""
    for number, row in enumerate(given):
        place = f"access.{number}"
        if bool(row.user) == bool(row.group):
            yield refuse("SEC-06", place, "a row names either a user or a group", "write one of the two")
        if row.controller is not None and row.controller not in controllers:
            mend = f"name one of: {', '.join(sorted(controllers)) or 'none is configured'}"
            yield refuse("SEC-09", f"{place}.controller", "there is no such controller", mend)
