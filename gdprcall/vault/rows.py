"""What goes into the vault and comes out of it as frozen values, and their JSON.

The names in the JSON are stable; nothing here reads the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from gdprcall.times import rfc3339

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision: what was asked of whom and what came of it; times in milliseconds."""

    id: str
    call: str
    uniqueid: str
    controller: str
    line: str
    purpose: str
    basis: str
    outcome: str
    reason: str
    language: str
    prompt_sha256: str
    heard_ms: int
    mandatory_ms: int
    attempts: int
    policy_sha256: str
    decided_at: int
    recording: str | None
    withdrawn_at: int | None

    def as_json(self) -> Json:
        """Return the decision with RFC 3339 times."""
        return _json(self)


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One recording and its state; ``seconds`` is the sound of all its segments."""

    id: str
    call: str
    controller: str
    line: str
    purpose: str
    basis: str
    decision: str
    outcome: str
    state: str
    started_at: int
    seconds: float
    segments: int
    retention_days: int
    expires_at: int | None
    withdrawn: bool
    subject: str | None
    erasing: bool = False
    restricted: bool = False
    held: bool = False

    def as_json(self) -> Json:
        """Return the recording with RFC 3339 times; the subject stays out of it."""
        return {name: value for name, value in _json(self).items() if name != "subject"}


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment of a recording as it was sealed."""

    recording: str
    segment: int
    state: str
    seconds: float
    started_at: int
    closed_at: int
    expires_at: int
    payload_sha256: str
    payload_bytes: int
    header_sha256: str

    def as_json(self) -> Json:
        """Return the segment with RFC 3339 times."""
        return _json(self)


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What the vault must know of a finished sound file; times in milliseconds."""

    recording: str
    segment: int
    controller: str
    recipients: tuple[str, ...]
    started_at: int
    closed_at: int
    retention_days: int


@dataclass(frozen=True, slots=True)
class Export:
    """A sealed segment on its way out: ``header`` followed by the bytes of ``payload`` is a plain age file."""

    recording: str
    segment: int
    header: bytes
    payload: Path

    @property
    def name(self) -> str:
        """The file's name, which ``recordings open`` checks against the seal."""
        return f"{self.recording}.{self.segment}.age"

    @property
    def size(self) -> int:
        """The size of the whole file in bytes."""
        return len(self.header) + self.payload.stat().st_size


@dataclass(frozen=True, slots=True)
class ErasureStep:
    """One step of an erasure: whether what was looked for afterwards was as it should be, and what was seen."""

    step: str
    ok: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did, step by step, each with what was seen."""

    recording: str
    reason: str
    actor: str
    steps: tuple[ErasureStep, ...]

    @property
    def complete(self) -> bool:
        """Whether every step was verified."""
        return all(step.ok for step in self.steps)

    def as_json(self) -> Json:
        """Return the receipt for print and ledger."""
        steps = [{"step": step.step, "ok": step.ok, "seen": step.seen} for step in self.steps]
        named = {"recording": self.recording, "reason": self.reason, "actor": self.actor}
        return named | {"complete": self.complete, "steps": steps}

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> "Receipt":
        """Return the receipt that ``as_json`` wrote; raises ValueError for anything else."""
        steps = body.get("steps")
        if not isinstance(steps, list):
            raise ValueError("a receipt has steps")
        try:
            made = tuple(ErasureStep(str(step["step"]), step["ok"] is True, str(step["seen"])) for step in steps)
            return cls(str(body["recording"]), str(body["reason"]), str(body["actor"]), made)
        except (KeyError, TypeError) as error:
            raise ValueError("a receipt lacks a field") from error


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for; what is None does not matter. ``since`` and ``until`` in milliseconds.

    ``subject`` is a caller's pseudonym with the ``controller``, and asks for recordings alone: who asks about a person
    asks one controller. Raises ValueError without it.
    """

    controller: str | None = None
    line: str | None = None
    state: str | None = None
    outcome: str | None = None
    since: int | None = None
    until: int | None = None
    subject: str | None = None
    limit: int = 1000

    def __post_init__(self) -> None:
        if self.subject is not None and self.controller is None:
            raise ValueError("a caller is asked about of one controller")


def _json(row: DecisionRow | RecordingRow | SegmentRow) -> Json:
    values: Json = {}
    for field in fields(row):
        value = getattr(row, field.name)
        values[field.name] = rfc3339(value) if field.name.endswith("_at") and isinstance(value, int) else value
    return values
