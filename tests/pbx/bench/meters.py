"""What the machine says: CPU time, memory and descriptors of a process, and how long its disk takes to be sure.

Numbers come from /proc and from the clock; nothing is asked of gdprcall.
"""

import os
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

TICKS = os.sysconf("SC_CLK_TCK")
PROBE_BYTES = 512
PROBE_SECONDS = 0.05


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds() -> tuple[float, float]:
    """Return the CPU time of the whole machine so far: what was used, and all there was."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / TICKS, sum(fields) / TICKS


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie; infinite without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")


def median(values: Sequence[float]) -> float:
    """Return the median; infinite without values."""
    return statistics.median(values) if values else float("inf")


@dataclass
class Disk:
    """Writes a little and waits for the disk, again and again: what one fdatasync costs while others do theirs."""

    folder: Path
    took_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, name="disk")

    def __enter__(self) -> "Disk":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        path = self.folder / "fdatasync.probe"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            while not self._stop.wait(PROBE_SECONDS):
                begun = time.perf_counter()
                os.write(descriptor, bytes(PROBE_BYTES))
                os.fdatasync(descriptor)
                self.took_ms.append((time.perf_counter() - begun) * 1000)
        finally:
            os.close(descriptor)
            path.unlink()
