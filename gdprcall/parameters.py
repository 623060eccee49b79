"""What is given to an operation, read at the edge: each value is what it should be, or the mistake is named with its mend.

It knows names and bounds, and nothing of what is done with them.
"""

from collections.abc import Mapping

from gdprcall.errors import ConfigError
from gdprcall.times import parse_rfc3339
from gdprcall.vault.rows import Wanted

STATES = ("recording", "not_started", "spooled", "sealed", "quarantined", "erased")
Params = Mapping[str, object]


def wanted(params: Params) -> Wanted:
    """Return which rows are asked for; raises ConfigError."""
    names = "controller line state outcome".split()
    values = {name: str(params[name]) for name in names if params.get(name) is not None}
    if values.get("state", STATES[0]) not in STATES:
        raise ConfigError(f"there is no state {values['state']!r}", f"states: {', '.join(STATES)}")
    controller, line, state, outcome = map(values.get, names)
    return Wanted(controller, line, state, outcome, since=moment(params, "since"), limit=limit(params))


def limit(params: Params) -> int:
    """Return how many rows at most; raises ConfigError."""
    value = params.get("limit", 1000)
    if type(value) is not int or not 1 <= value <= 1_000_000:
        raise ConfigError("the limit is not a number from 1 to 1000000", "for example --limit 50")
    return value


def moment(params: Params, name: str) -> int | None:
    """Return a time in milliseconds, None if it is not given; raises ConfigError."""
    value = params.get(name)
    if value is None:
        return None
    try:
        return parse_rfc3339(str(value))
    except ValueError as error:
        raise ConfigError(f"{name} is no RFC 3339 time", "for example 2026-11-23T08:00:00Z") from error


def text(params: Params, name: str) -> str:
    """Return a text that must be given; raises ConfigError."""
    value = params.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{name} is missing", f"give {name}")
    return value


def texts(params: Params, name: str) -> list[str]:
    """Return texts of which one at least must be given; raises ConfigError."""
    value = params.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{name} is missing", f"give {name}")
    return value


def flag(params: Params, name: str) -> bool:
    """Return a flag; raises ConfigError for what is neither true nor false: whether to destroy is never guessed."""
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is neither true nor false", f"give {name} as true or false")
    return value
