"""``make soak``: many rounds of random kills, with progress and a seed that repeats them."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.pbx.soak.loop import BrokenError, run


def main() -> int:
    """Play the rounds that are asked for; 1 when an invariant is broken."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--first", type=int, default=1, help="the number of the first round")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    # Ended by a signal, it takes down what it started all the same.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="gdprcall-soak-"))
    try:
        figures = run(folder, seed, options.rounds, first=options.first)
    except BrokenError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BaseException:
        print(f"\nseed {seed}; remains: {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)
    print("\n" + ", ".join(f"{name}: {count}" for name, count in sorted(figures.items())))
    print(f"every invariant held; seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
