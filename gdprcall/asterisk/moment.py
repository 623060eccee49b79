"""When something happened, by our clock and by Asterisk's: for how long a caller heard the prompt.

It never trusts one of the two alone.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened: by the time at which we read it, and by Asterisk's own word, each in seconds."""

    read: float
    stamped: float | None

    @classmethod
    def of(cls, event: Mapping[str, object]) -> "Moment":
        """Return the moment of an event that is read now."""
        try:
            stamped = datetime.fromisoformat(str(event.get("timestamp"))).timestamp()
        except ValueError:
            stamped = None
        return cls(asyncio.get_running_loop().time(), stamped)

    def ms_since(self, earlier: "Moment") -> int:
        """Return the milliseconds between two moments; of two clocks that differ, the shorter time.

        A daemon that stood still reads a key late, and a clock that is set jumps: neither may lengthen what was heard.
        """
        seconds = self.read - earlier.read
        if self.stamped is not None and earlier.stamped is not None:
            seconds = min(seconds, self.stamped - earlier.stamped)
        return round(seconds * 1000)
