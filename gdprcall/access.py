"""Who has which role, as the rows of a configuration say it, and what is wrong with them.

It asks nobody whether a user or a group is there: that is the daemon's host alone to say.
"""

from collections.abc import Collection, Iterator, Sequence

from gdprcall.roles import Access, Role
from gdprcall.schema import Access as Row


def rows(given: Sequence[Row]) -> tuple[Access, ...]:
    """Return the rows in their order: the first that fits counts."""
    return tuple(Access(row.user, row.group, Role(row.role), row.controller) for row in given)


def mistakes(given: Sequence[Row], controllers: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the rows, each with its place and its mend."""
    for place, row in enumerate(given):
        if bool(row.user) == bool(row.group):
            yield f"access.{place}: a row names either a user or a group; write one of the two"
        if row.controller is not None and row.controller not in controllers:
            yield f"access.{place}.controller: there is no such controller; name one that is configured"
