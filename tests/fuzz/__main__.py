"""Fuzzes one target after the other, each in a process of its own; exit 1 when one broke, and where its input was kept."""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import KEPT, TARGETS, seeds

LONGEST = 8192
"""No parser changes its ways beyond this many bytes."""

MISSING = """error: atheris is not installed here: there is no build of it for this Python
hint: use a Python that has one (3.11 does): .venv/bin/pip install -e '.[fuzz]'"""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all without one")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if importlib.util.find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 1
    if chosen.child:
        return run(chosen.targets[0], chosen.seconds)
    broken = [name for name in chosen.targets or TARGETS if not whole(name, chosen.seconds)]
    if broken:
        print(f"error: broken: {', '.join(broken)}\nhint: mend it, and keep its input in {KEPT}", file=sys.stderr)
    return bool(broken)


def whole(name: str, seconds: int) -> bool:
    """Whether a target held for so many seconds."""
    print(f"fuzz: {name}: {seconds} s ...", flush=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--child"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-6000:], sep="\n", file=sys.stderr)
        return False
    told = [line for line in done.stderr.splitlines() if line.startswith("Done")]
    print(f"fuzz: {name}: {told[-1] if told else 'done'}", flush=True)
    return True


def run(name: str, seconds: int) -> int:
    """Fuzz a target here; ends the process."""
    import atheris  # noqa: PLC0415 # no build of it for every Python

    atheris.instrument_all()
    KEPT.joinpath(name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            Path(corpus, str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=1024"]
        atheris.Setup([name, *options, f"-artifact_prefix={KEPT}/{name}/", corpus], TARGETS[name])
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
