"""``make bench``: measures, shows a table, writes ``.bench/latest.json``.

Everything that can be is a ratio inside one run, for a machine's speed is nobody's merit. The status is 0 when it ran;
with ``--strict`` it is 4 when a reach was not met.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.pbx.bench import access, custody, past, rounds, rows, vault
from tests.pbx.bench.growing import Grown, growing
from tests.pbx.bench.lives import lives, ratios, sealing
from tests.pbx.bench.load import Agents, Traffic
from tests.pbx.bench.meters import median, quantile, resident_mb
from tests.pbx.bench.world import BASELINE, World, build
from tests.pbx.prepare import PBX, ROOT
from tests.recorders import in_memory

FOLDER = ROOT / ".bench"
ROUND_SECONDS = 10
WITHDRAWALS = 20.0
"""At how many calls a second callers withdraw."""
TALK_SECONDS = 2.0
"""How long the callers talk where the length of a call is not what is measured: short, so that asking shows."""
LONG_FILES = 3
AT_ONCE = 20
FIRST_CALLS, ALL_CALLS = 1_000, 5_000
NOT_MET = 4


class Bench:
    """One run of all measurements for one front end."""

    def __init__(self, world: World, agents: Agents, front: str, number: int, rate: float) -> None:
        self._world, self._agents, self._front = world, agents, front
        self._rounds, self._rate = number, rate
        self.figures: list[rows.Figure] = []

    def run(self) -> None:
        """Measure everything."""
        steps: list[tuple[str, Callable[[], None]]] = [
            ("what a call costs", self._cpu), ("how long a key and a prompt take", self._times),
            ("the same by FastAGI", self._other), ("how long plaintext lives", self._lives), ("what sealing costs", self._seal),
            ("what the vault costs", self.vault), ("memory", self._memory), ("the highest rate", self._highest),
        ]  # fmt: skip
        for what, step in steps:
            begun = time.monotonic()
            say(f"{what} ...")
            step()
            say(f"{what}: {time.monotonic() - begun:.0f} s")

    def _add(self, row: rows.Row, values: list[float], remark: str = "") -> None:
        self.figures.append(rows.Figure(row, median(values), tuple(values), remark))
        say(f"  {row.name}: {median(values):.3g} {row.unit} {remark}")

    def _traffic(self, extension: str, talk: float = TALK_SECONDS, seconds: float = ROUND_SECONDS) -> Traffic:
        return Traffic(extension, self._rate, round(self._rate * seconds), talk)

    def _cpu(self) -> None:
        plain, ours = [], []
        for _ in range(self._rounds):
            plain.append(rounds.cpu(self._world, self._agents, self._traffic(BASELINE)))
            with self._world.installation:
                rounds.cpu(self._world, self._agents, self._traffic(self._front, seconds=2))
                ours.append(rounds.cpu(self._world, self._agents, self._traffic(self._front)))
        base = median([one.both for one in plain])
        share = median([one.sipp_share for one in ours])
        at = f"at {self._rate:.0f} calls/s of {TALK_SECONDS + 1:.0f} s"
        self._add(rows.CPU, [one.both / base for one in ours], f"{at}, SIPp takes {share:.0%} of the machine")
        self._add(
            rows.DAEMON_CPU, [one.daemon for one in ours], f"Asterisk {median([o.asterisk for o in ours]):.1f} ms"
        )
        self._add(rows.SHOWN_CPU, [one.both for one in plain])

    def _times(self) -> None:
        plain = [
            rounds.times(self._world, self._traffic(BASELINE, seconds=ROUND_SECONDS / 2)) for _ in range(self._rounds)
        ]
        disk = self._asked_times(self._front, lambda row: row)
        self._add(rows.SHOWN_DISK, disk)
        self._add(rows.SHOWN_KEY, [quantile(one.key, 0.5) for one in plain])
        self._withdrawals()

    def _withdrawals(self) -> None:
        traffic = Traffic(self._front, WITHDRAWALS, round(WITHDRAWALS * ROUND_SECONDS), TALK_SECONDS, withdraws=True)
        stops = []
        for _ in range(self._rounds):
            with self._world.installation:
                stops.append(quantile(rounds.withdrawals(self._world, traffic), 0.99))
        self._add(rows.WITHDRAWN, stops)

    def _asked_times(self, front: str, called: Callable[[rows.Row], rows.Row]) -> list[float]:
        ours = []
        for _ in range(self._rounds):
            with self._world.installation:
                rounds.cpu(self._world, self._agents, self._traffic(front, seconds=2))
                ours.append(rounds.times(self._world, self._traffic(front)))
        disk = [quantile(one.disk, 0.99) for one in ours]
        at = f"at {self._rate:.0f} calls/s"
        self._add(called(rows.KEY_P50), [quantile(one.key, 0.5) for one in ours], at)
        over = [quantile(one.key, 0.99) - sync for one, sync in zip(ours, disk, strict=True)]
        self._add(called(rows.KEY_P99), over, at)
        self._add(called(rows.SOUND_P99), [quantile(one.sound, 0.99) for one in ours], at)
        return disk

    def _other(self) -> None:
        """Measure the other front end; its calls are compared with the baseline of this run."""
        other = "agi"
        base = next(figure.value for figure in self.figures if figure.row == rows.SHOWN_CPU)
        ours = []
        for _ in range(self._rounds):
            with self._world.installation:
                rounds.cpu(self._world, self._agents, self._traffic(other, seconds=2))
                ours.append(rounds.cpu(self._world, self._agents, self._traffic(other)))
        self._add(rows.AGI[rows.CPU], [one.both / base for one in ours])
        asterisk = median([one.asterisk for one in ours])
        self._add(rows.AGI[rows.DAEMON_CPU], [one.daemon for one in ours], f"Asterisk {asterisk:.1f} ms")
        self._asked_times(other, rows.AGI.__getitem__)

    def _lives(self) -> None:
        traffic = self._traffic(self._front, talk=10, seconds=20)
        with self._world.installation:
            seen = [lives(self._world, traffic, LONG_FILES) for _ in range(max(1, self._rounds - 1))]
        at = f"at {self._rate:.0f} calls/s"
        self._add(rows.LIFE_P50, [quantile(one.calls, 0.5) for one in seen], at)
        self._add(rows.LIFE_P99, [quantile(one.calls, 0.99) for one in seen], at)
        self._add(rows.LIFE_LONG, [life for one in seen for life in one.long], at)

    def _seal(self) -> None:
        spool = self._world.plain_spool
        sealed, written = sealing(FOLDER / "seal", spool, 5)
        self._add(rows.SEAL, ratios(sealed, written), f"{median(sealed):.3f} s against {median(written):.3f} s")
        self.growing()

    def growing(self) -> None:
        """Measure what sealing costs while calls go on: one call alone, and what each costs where many do."""
        alone = [self._grown(f"alone-{number}", 1) for number in range(self._rounds)]
        many = [self._grown(f"many-{number}", AT_ONCE) for number in range(self._rounds)]
        self._add(rows.GROW_PEAK, [one.peak_kib for one in (*alone, *many)])
        told = f"with the seal at its end; one call alone: {median(one.cpu_ms for one in alone):.0f} ms"
        self._add(rows.GROW_CPU, [one.cpu_ms for one in many], told)
        self._add(rows.GROW_END, [end for one in (*alone, *many) for end in one.end_ms])

    def _grown(self, name: str, calls: int) -> Grown:
        folder = FOLDER / "seal" / name
        folder.mkdir(parents=True)
        with in_memory() as memory:
            return growing(folder, memory, calls)

    def vault(self) -> None:
        """Measure what needs no calls."""
        place = FOLDER / "vaults"
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:  # what is encrypted is noise
            short, long, megabytes = vault.against_go(PBX / "bin" / "age", Path(memory))
        self._add(rows.GO_SHORT, short)
        self._add(rows.GO_LONG, long)
        self._add(rows.GO_MEMORY, [megabytes])
        folders = {name: place / name for name in ("erase", "sweep", "slot", "rewrap", "ledger", "index")}
        for folder in folders.values():
            folder.mkdir()
        self._add(rows.ERASE, [vault.erasing(folders["erase"])])
        self._add(rows.SWEEP, [vault.sweeping(folders["sweep"])])
        self._add(rows.OVERWRITE, vault.overwriting(folders["slot"]))
        exported, wrapped, taken = custody.rewrapping(folders["rewrap"].resolve())
        self._add(rows.REWRAP, [wrapped + taken], f"{wrapped:.0f} s and {taken:.0f} s; exported in {exported:.0f} s")
        self._add(rows.APPEND, [vault.noting(folders["ledger"])])
        for row, value in zip((rows.CALLER, rows.DUE, rows.DAY), vault.asking(folders["index"]), strict=True):
            self._add(row, [value])
        folders["index"].joinpath("index.db").unlink()
        (place / "access").mkdir()
        for row, value in zip(rows.ACCESS, access.giving(place / "access"), strict=True):
            self._add(row, [value])
        (place / "import").mkdir()
        self._add(rows.IMPORTED, [past.importing(place / "import")])
        shutil.rmtree(place)

    def _memory(self) -> None:
        sizes = []
        with self._world.installation as installation:
            for calls in (FIRST_CALLS, ALL_CALLS - FIRST_CALLS):
                rounds.cpu(self._world, self._agents, Traffic(self._front, self._rate * 1.5, calls, 0.2))
                sizes.append(resident_mb(installation.pid))
        self._add(rows.MEMORY, [sizes[-1]])
        self._add(rows.GROWTH, [sizes[-1] - sizes[0]])

    def _highest(self) -> None:
        plain = rounds.highest(self._world, BASELINE, self._rate * 1.6, TALK_SECONDS)
        with self._world.installation:
            ours = rounds.highest(self._world, self._front, max(self._rate, plain * 0.65), TALK_SECONDS)
        self._add(rows.RATE, [ours / plain], f"{ours:.0f} calls/s against {plain:.0f}")
        self._add(rows.SHOWN_RATE, [plain])


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure gdprcall against a dialplan without it.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement; their median counts")
    parser.add_argument("--rate", type=float, default=40, help="calls a second where the rate is not measured itself")
    parser.add_argument("--strict", action="store_true", help="exit with 4 when a reach is not met")
    chosen = parser.parse_args()
    begun = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    world = build(FOLDER)
    with world.asterisk, Agents(world) as agents:
        bench = Bench(world, agents, "ari", chosen.rounds, chosen.rate)
        bench.run()
    print(rows.table(bench.figures), flush=True)
    rows.keep(bench.figures, FOLDER / "latest.json")
    for left in ("pbx", "app", "seal", "vaults"):
        shutil.rmtree(FOLDER / left, ignore_errors=True)
    say(f"{time.monotonic() - begun:.0f} s; kept in {(FOLDER / 'latest.json').relative_to(Path.cwd())}")
    return NOT_MET if chosen.strict and any(figure.met is False for figure in bench.figures) else 0


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"bench: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
