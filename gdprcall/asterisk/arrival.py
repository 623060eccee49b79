"""A call as the dialplan hands it over, and the prompt it is asked with: the same for every front end.

It talks to nobody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from gdprcall.consent.dialogue import Ending

PROTOCOL = "v1"
RIGHTS = "rights"
"""Where a call says may or must: it comes for the caller's rights, and names a controller where others name a line.

It is the word of its first hop too, so that a daemon that does not know it gives the call back.
"""
CLAIM, ASK = "claim", "ask"
"""The words of the hops of every other call; the second hop is the same for all."""
CALLED = "out"
"""What stands before the number of who is called; calls that come in say nothing of theirs."""
ASK_CONTEXT = "gdprcall-ask"
VERDICT_CONTEXT = "gdprcall-verdict"
_LETTERS = {Ending.WITHDRAWAL: "", Ending.OBJECTION: "o", Ending.NONE: "k"}
BACK_SECONDS = 1.0
"""How long a call may take through the dialplan to its next question; seen: 2 to 4 ms."""
MARGIN_SECONDS = 2
"""How much longer than its question a call may stay with us: what a daemon that stands still costs the caller."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that the dialplan hands over; ``channel`` is its uniqueid, ``demand`` is ``may``, ``must`` or ``rights``, ``front`` ari or agi.

    ``number`` is that of who is asked: of the caller, or of an ``outbound`` call of who is called, as the dialplan says it.
    """

    channel: str
    name: str
    line: str
    demand: str
    language: str
    number: str = field(repr=False)
    front: str = "ari"
    outbound: bool = False

    @property
    def for_rights(self) -> bool:
        """Whether the call comes for the caller's rights; ``line`` is then a controller."""
        return self.demand == RIGHTS

    def fits(self, hop: str) -> bool:
        """Whether such a call comes by the hop of this word."""
        return hop in {ASK, RIGHTS if self.for_rights else CLAIM}


@dataclass(frozen=True, slots=True)
class PlayablePrompt:
    """A prompt as Asterisk plays it: media URI, or several joined by commas, language and length in milliseconds."""

    media: str
    language: str
    total_ms: int

    @property
    def sounds(self) -> list[str]:
        """Each sound by itself, in the order in which they are played."""
        return self.media.split(",")


def verdict(recording: str, ending: Ending, *, legs: bool = False) -> str:
    """Return the verdict that records; letters before the id say how: no key ends it (k), the key is an objection (o), each voice in a file (l)."""
    return f"rec{_LETTERS[ending]}{'l' if legs else ''}{recording}"


def hold(*, legs: bool) -> str:
    """Return the verdict of a call that goes on unrecorded, and whose agent may say that a recording is to begin."""
    return f"hold{'l' if legs else ''}"


def handed_over(channel: str, name: str, said: Sequence[str], caller: str, front: str) -> Arrival | None:
    """Return a call from what the dialplan said of it after the protocol and the hop, or None where that is not understood.

    On the channel of who is called the ``caller`` is what the agent dialled, or what the trunk made of it: it is not used.
    """
    match said:
        case [line, demand, language]:
            return Arrival(channel, name, line, demand, language, caller, front)
        case [line, demand, language, called] if called.startswith(CALLED):
            return Arrival(channel, name, line, demand, language, called.removeprefix(CALLED), front, outbound=True)
        case _:
            return None


def question_seconds(prompt_ms: int, timeout_ms: int) -> int:
    """Return the seconds that the dialplan's watchdog gives one question."""
    return math.ceil((prompt_ms + timeout_ms) / 1000) + MARGIN_SECONDS
