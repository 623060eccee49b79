"""Wall-clock times as whole milliseconds since 1970 (UTC) inside, RFC 3339 text outside.

Nothing here keeps time zones: a local time never enters the program.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""A function that returns the present as milliseconds since the epoch."""

DAY_MS = 86_400_000


def now_ms() -> int:
    """Return the present in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """Return ``ms`` as RFC 3339 text in UTC with milliseconds, such as ``2026-01-31T08:00:00.000Z``."""
    seconds, rest = divmod(ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_rfc3339(text: str) -> int:
    """Return the milliseconds since the epoch of an RFC 3339 time with a zone.

    Raises ValueError for text that is no such time or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone: write Z for UTC")
    return round(moment.timestamp() * 1000)
