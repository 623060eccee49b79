"""A call as the dialplan hands it over, and the prompt it is asked with: the same for every front end.

It talks to nobody.
"""

import math
from dataclasses import dataclass, field

PROTOCOL = "v1"
ASK_CONTEXT = "gdprcall-ask"
VERDICT_CONTEXT = "gdprcall-verdict"
BACK_SECONDS = 1.0
"""How long a call may take through the dialplan to its next question; seen: 2 to 4 ms."""
MARGIN_SECONDS = 2
"""How much longer than its question a call may stay with us: what a daemon that stands still costs the caller."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that the dialplan hands over; ``channel`` is its uniqueid, ``demand`` is ``may`` or ``must``, ``front`` ari or agi."""

    channel: str
    name: str
    line: str
    demand: str
    language: str
    number: str = field(repr=False)
    front: str = "ari"


@dataclass(frozen=True, slots=True)
class PlayablePrompt:
    """A prompt as Asterisk plays it: media URI, language and length in milliseconds."""

    media: str
    language: str
    total_ms: int


def verdict(recording: str, *, withdrawable: bool, legs: bool) -> str:
    """Return the verdict that records; letters before the id say how: no key ends it (k), each voice in a file (l)."""
    return f"rec{'' if withdrawable else 'k'}{'l' if legs else ''}{recording}"


def hold(*, legs: bool) -> str:
    """Return the verdict of a call that goes on unrecorded, and whose agent may say that a recording is to begin."""
    return f"hold{'l' if legs else ''}"


def question_seconds(prompt_ms: int, timeout_ms: int) -> int:
    """Return the seconds that the dialplan's watchdog gives one question."""
    return math.ceil((prompt_ms + timeout_ms) / 1000) + MARGIN_SECONDS
