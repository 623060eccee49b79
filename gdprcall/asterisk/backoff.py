"""How long to wait before a link is tried again. It waits for nothing itself and knows no link."""

import random

LOST_SECONDS = 5.0
"""The longest wait for an Asterisk that is not there."""
REFUSED_SECONDS = 30.0
"""The longest wait for one that says no: each refusal is a line in its log, and leaks memory in some versions."""


def pause(tries: int, longest: float = LOST_SECONDS) -> float:
    """Return the seconds before the next try, after ``tries`` failed ones: 0.05 at first, ``longest`` at most.

    Jittered, so that what lost its link at the same moment does not come back at the same moment.
    """
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 # no secret hangs on it
    return min(longest, 0.1 * 2.0 ** min(tries, 12)) * jitter
