"""A call of this moment as it is shown, and what can be asked of the one who knows them all.

No number is in it: that is handed out apart, by ``incall`` alone, after the ledger knows why.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gdprcall.times import rfc3339


class Standing(StrEnum):
    """How a call stands; of those that are ``stopping`` it is not certain yet that nothing more is recorded."""

    ASKING = "asking"
    STARTING = "starting"
    RECORDING = "recording"
    PAUSED = "paused"
    STOPPING = "stopping"
    UNRECORDED = "unrecorded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One call; ``why`` is a code, times are in milliseconds, and what is not known is empty or None.

    Of a call whose recording an earlier daemon began nothing is known here but ``recording``, ``state`` and ``segment``.
    """

    state: Standing
    decision: str = ""
    call: str = ""
    recording: str | None = None
    controller: str = ""
    line: str = ""
    language: str = ""
    basis: str = ""
    front: str = ""
    why: str = ""
    asked_at: int | None = None
    since: int | None = None
    segment: int | None = None

    def as_json(self, now: int) -> dict[str, object]:
        """Return the call for print; ``seconds`` is for how long it has stood so."""
        return {
            "decision": self.decision or None,
            "call": self.call or None,
            "recording": self.recording,
            "controller": self.controller,
            "line": self.line,
            "language": self.language,
            "basis": self.basis,
            "front": self.front or None,
            "state": str(self.state),
            "why": self.why or None,
            "asked_at": None if self.asked_at is None else rfc3339(self.asked_at),
            "since": None if self.since is None else rfc3339(self.since),
            "seconds": None if self.since is None else max(0, round((now - self.since) / 1000)),
            "segment": self.segment,
        }


class LiveCalls(Protocol):
    """Who knows the calls of this moment; may be asked from any thread but the one that serves them."""

    def rows(self) -> list[LiveRow]:
        """Return all calls, the oldest first; raises PeerError when no answer comes in time."""

    def number(self, call: LiveRow) -> str | None:
        """Return the caller's number, None where it is not known (any more); raises PeerError."""

    def order(self, call: LiveRow, what: str, role: str) -> None:
        """Have an order carried out by the call's own dialogue; raises PeerError when that is not certain."""
