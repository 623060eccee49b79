"""What a long load must show, and what it means to be flat. Numbers only: it places no call and reads no file."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WARMING = 0.25
"""The part of a run at its beginning in which a process may still grow: pools fill, caches fill."""
SHORT_SECONDS = 1.0
"""How much shorter than its talk a recording may be: the agent answers, and is bridged, a moment after the key."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon at one moment: resident megabytes, descriptors, threads, asyncio tasks."""

    mb: float
    descriptors: int
    threads: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Flat:
    """How much a figure may have grown from the beginning of a run to its end: a share of it, and a number."""

    name: str
    of: Callable[[Sample], float]
    share: float
    number: float


FLAT = (
    Flat("resident memory, MB", lambda sample: sample.mb, 0.05, 4),
    Flat("descriptors", lambda sample: sample.descriptors, 0, 8),
    Flat("threads", lambda sample: sample.threads, 0, 4),
    # One or two a call: it goes up and down with the calls that are up.
    Flat("tasks", lambda sample: sample.tasks, 0.25, 20),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a load: SIPp's word on its calls, and what the ledger, the payloads and the spool hold afterwards."""

    placed: int
    good: int
    agreed: int
    granted: int
    refused: int
    sealed_seconds: Sequence[float]
    payloads: int
    left: int
    talk_seconds: float


def broken(seen: Seen, samples: Sequence[Sample]) -> list[str]:
    """Return a sentence for everything that is not as it must be."""
    told = []
    if seen.good != seen.placed:
        told.append(f"{seen.placed - seen.good} of {seen.placed} calls failed")
    if seen.granted + seen.refused != seen.placed:
        told.append(f"{seen.placed} calls, but {seen.granted + seen.refused} were asked and answered")
    if seen.granted != seen.agreed:
        told.append(f"{seen.agreed} callers agreed, but {seen.granted} grants are in the ledger")
    if not len(seen.sealed_seconds) == seen.payloads == seen.agreed:
        told.append(f"{seen.agreed} callers agreed, {len(seen.sealed_seconds)} sealed, {seen.payloads} payloads")
    short = [seconds for seconds in seen.sealed_seconds if seconds < seen.talk_seconds - SHORT_SECONDS]
    if short:
        told.append(f"{len(short)} recordings are not whole; the shortest has {min(short):.2f} s")
    if seen.left:
        told.append(f"{seen.left} files are left in the spool")
    return told + [f"not flat: {line}" for line in (_growth(flat, samples) for flat in FLAT) if line]


def ends(flat: Flat, samples: Sequence[Sample]) -> tuple[float, float]:
    """Return the medians of the first and of the last third of what comes after the warming."""
    steady = [flat.of(sample) for sample in samples[int(len(samples) * WARMING) :]]
    third = max(1, len(steady) // 3)
    return statistics.median(steady[:third]), statistics.median(steady[-third:])


def _growth(flat: Flat, samples: Sequence[Sample]) -> str:
    if len(samples) < 4:
        return f"{flat.name}: only {len(samples)} samples"
    first, last = ends(flat, samples)
    allowed = first * flat.share + flat.number
    return f"{flat.name} from {first:.1f} to {last:.1f}" if last - first > allowed else ""
