"""The figures: what each is called, what it should reach, and the table and the file that they are shown in.

It measures nothing.
"""

import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its name, its unit, and the reach; ``bound`` compares the value with the reach, or there is none."""

    name: str
    unit: str
    bound: str = ""
    reach: float = 0.0


KEY_P50 = Row("key to MixMonitorStart, p50", "ms", "<=", 5)
KEY_P99 = Row("key to MixMonitorStart, p99, less one fdatasync's p99", "ms", "<=", 15)
SOUND_P99 = Row("answer to first sound of the prompt, p99", "ms", "<=", 60)
WITHDRAWN = Row("end of a withdrawal's last digit to MixMonitorStop, p99, at 20 calls/s", "ms", "<=", 50)
CPU = Row("CPU a call, Asterisk and daemon, against the baseline", "x", "<=", 1.5)
DAEMON_CPU = Row("CPU a call, daemon alone", "ms", "<=", 5)
RATE = Row("highest rate, against the baseline", "x", ">=", 0.65)
LIFE_P50 = Row("plaintext life of 10-second calls, p50", "s", "<=", 0.2)
LIFE_P99 = Row("plaintext life of 10-second calls, p99", "s", "<=", 1)
LIFE_LONG = Row("plaintext life of a 10-minute file in that load", "s", "<=", 0.5)
SEAL = Row("seal of a 10-minute WAV, against write and fsync", "x", "<=", 4)
GROW_PEAK = Row("sealed while it grows: largest plaintext of a 10-minute call", "KiB", "<=", 160)
GROW_CPU = Row("sealed while it grows, 20 calls at once: CPU for 10 minutes of sound", "ms", "<=", 30)
GROW_END = Row("sealed while it grows: end of the call to durable, less one fsync", "ms", "<=", 15)
GROWING = (GROW_PEAK, GROW_CPU, GROW_END)
MEMORY = Row("resident memory of the daemon after 5,000 calls", "MB", "<=", 90)
GROWTH = Row("resident memory, from call 1,000 to call 5,000", "MB", "<=", 5)
ERASE = Row("10,000 recordings erased together", "s", "<=", 5)
SWEEP = Row("10,000 expired recordings swept", "s", "<=", 60)
OVERWRITE = Row("overwrite of one slot, durable, against one fdatasync", "x", "<=", 5)
REWRAP = Row("100,000 headers for other recipients: wrapped where the identity is, taken back", "s", "<=", 60)
APPEND = Row("durable entries of the ledger, 100 writers at once", "/s", ">=", 3_000)
CALLER = Row("of 1,000,000 recordings the last 50 of a caller, p99", "ms", "<=", 3)
DUE = Row("of 1,000,000 recordings 100 that are due, p99", "ms", "<=", 3)
DAY = Row("of 1,000,000 recordings a controller's day, p99", "ms", "<=", 3)
GO_SHORT = Row("age: 9.6 MB encrypted, speed against Go's age", "x", ">=", 1)
GO_LONG = Row("age: 1 GB encrypted, speed against Go's age", "x", ">=", 0.9)
GO_MEMORY = Row("age: 1 GB encrypted, largest memory", "MB", "<=", 40)
FOUND = Row("of 1,000,000 recordings the 500 of a person found, with their segments", "s", "<=", 1)
PACKED = Row("500 recordings of a person packed for him, speed against their sound, one core", "x", ">=", 20)
FINISHED = Row("the same finished where the identity is, with Opus, one core", "x", ">=", 20)
ACCESS = (FOUND, PACKED, FINISHED)
IMPORTED = Row("100 ten-minute files imported, speed against writing and syncing them", "x", ">=", 0.5)
VAULT = (ERASE, SWEEP, OVERWRITE, REWRAP, APPEND, CALLER, DUE, DAY, GO_SHORT, GO_LONG, GO_MEMORY, *ACCESS, IMPORTED)
SHOWN = (
    Row("fdatasync in the key's rounds, p99", "ms"),
    Row("baseline: key to MixMonitorStart, p50", "ms"),
    Row("baseline: CPU a call, Asterisk", "ms"),
    Row("baseline: highest rate", "calls/s"),
)
AGI = {row: Row(f"FastAGI: {row.name}", row.unit) for row in (KEY_P50, KEY_P99, SOUND_P99, CPU, DAEMON_CPU)}
"""The same figures of the other front end: shown, and held to no reach."""
ROWS = (
    KEY_P50, KEY_P99, SOUND_P99, WITHDRAWN, CPU, DAEMON_CPU, RATE, LIFE_P50, LIFE_P99, LIFE_LONG, SEAL, *GROWING, MEMORY, GROWTH, *VAULT, *SHOWN, *AGI.values(),
)  # fmt: skip
SHOWN_DISK, SHOWN_KEY, SHOWN_CPU, SHOWN_RATE = SHOWN
_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured row: its value, the values of the rounds that it is the median of, and at what it was measured."""

    row: Row
    value: float
    rounds: tuple[float, ...] = ()
    remark: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the reach is met; None when there is none."""
        return bool(_COMPARE[self.row.bound](self.value, self.row.reach)) if self.row.bound else None

    def as_json(self) -> Mapping[str, object]:
        """Return it as it is kept."""
        reach = f"{self.row.bound} {self.row.reach:g}" if self.row.bound else None
        return {
            "name": self.row.name, "value": round(self.value, 4), "unit": self.row.unit, "reach": reach, "met": self.met,
            "rounds": [round(value, 4) for value in self.rounds], "remark": self.remark,
        }  # fmt: skip


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| figure | measured | rounds | reach | met |", "|---|---|---|---|---|"]
    for figure in figures:
        reach = f"{figure.row.bound} {figure.row.reach:g} {figure.row.unit}" if figure.row.bound else "shown"
        met = {True: "yes", False: "**no**", None: ""}[figure.met]
        spread = f"{short(min(figure.rounds))} to {short(max(figure.rounds))}" if len(figure.rounds) > 1 else ""
        remark = f"; {figure.remark}" if figure.remark else ""
        value = f"{short(figure.value)} {figure.row.unit}{remark}"
        lines.append(
            f"| {figure.row.name} | {value} | {spread} | {reach.replace('<=', '≤').replace('>=', '≥')} | {met} |"
        )
    return "\n".join(lines)


def short(value: float) -> str:
    """Return a number with as many digits as mean something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def keep(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures down as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([figure.as_json() for figure in figures], indent=1) + "\n")


def names(prefix: str = "") -> list[str]:
    """Return the name of every row, in order."""
    return [prefix + row.name for row in ROWS]
