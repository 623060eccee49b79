"""``make load``: finds the highest rate, then calls for ten minutes at 0.8 of it; 1 when anything is not as it must be."""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.pbx.bench.load import Agents, Traffic
from tests.pbx.bench.rounds import highest
from tests.pbx.bench.world import build
from tests.pbx.load.judge import FLAT, Sample, broken, ends
from tests.pbx.load.steady import run, unheard

TALK_SECONDS = 8.0
"""Some hundred calls at once at the rates that two cores bear."""
HEARD_SECONDS = 2.5
"""The whole prompt and a moment more: on a full machine a prompt may begin late, and an early key does not count."""
STEP_SECONDS = 40.0
"""How long a rate must be borne: a few times as long as a call, so that as many are up at once as there will be."""
SHARE = 0.8
FIRST_RATE = 30.0
SAMPLES = 120


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long calls are placed")
    parser.add_argument(
        "--rate", type=float, default=None, help="calls a second; none: 0.8 of the highest, found first"
    )
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gdprcall-load-"))
    try:
        return play(folder, chosen.seconds, chosen.rate)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play(folder: Path, seconds: float, rate: float | None) -> int:
    """Find the rate unless it is given, place the load, and print what came of it."""
    if rate is None:
        world = build(folder / "ramp")
        with world.asterisk, Agents(world), world.installation:
            most = highest(world, "ari", FIRST_RATE, TALK_SECONDS, STEP_SECONDS)
        rate = SHARE * most
        say(f"highest rate with every call asked and recorded: {most:.0f} calls/s")
    traffic = Traffic("ari", rate, round(rate * seconds), TALK_SECONDS, HEARD_SECONDS)
    say(f"{traffic.calls} calls, {rate:.1f} a second, {TALK_SECONDS + traffic.heard_seconds:.0f} s each")
    world = build(folder / "steady")
    with world.asterisk, Agents(world), world.installation:
        seen, samples = run(world, traffic, max(1.0, seconds / SAMPLES), tell)
        problems = [*broken(seen, samples), *(f"no speech in {id_}" for id_ in unheard(world))]
        told = Counter(
            f"{line['event']} {line.get('reason', '')}".strip()
            for line in world.installation.log()
            if line["level"] != "info"
        )
    say(f"{seen.placed} placed, {seen.granted} granted, {seen.refused} refused, {len(seen.sealed_seconds)} sealed")
    for flat in FLAT:
        say(f"{flat.name}: {' to '.join(f'{value:.1f}' for value in ends(flat, samples))}")
    for event, count in told.most_common() if problems else ():
        say(f"the daemon told {count} times: {event}")
    for problem in problems:
        say(f"NOT AS IT MUST BE: {problem}")
    return 1 if problems else 0


def tell(at: float, sample: Sample) -> None:
    """Print how the daemon is."""
    say(f"{at:5.0f} s: {sample.mb:.1f} MB, {sample.descriptors} fds, {sample.threads} threads, {sample.tasks} tasks")


def say(text: str) -> None:
    """Print a line."""
    print(f"load: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
