"""``make requirements``: runs every test that carries an id, and prints each id with what came of its tests.

Tests with a real Asterisk are run with ``--real``; without it they are counted and not believed.
"""

import argparse
import sys
from collections import defaultdict

import pytest

from tests import requirements
from tests.requirements import Requirement


class Results:
    """Selects the tests that carry an id, and hears what came of each."""

    def __init__(self, *, real: bool) -> None:
        self._real = real
        self._ids: dict[str, set[str]] = {}
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Keep what carries an id."""
        kept = []
        for item in items:
            spec = getattr(item, "callspec", None)
            given = [str(getattr(value, "sentence", "")) for value in (spec.params if spec else {}).values()]
            ids = requirements.ids_of(item.originalname, given)
            for id_ in ids:
                self.outcomes[id_][item.nodeid] = "not run"
            if ids and (self._real or item.get_closest_marker("pbx") is None):
                self._ids[item.nodeid] = ids
                kept.append(item)
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what came of a test."""
        if report.when == "call" or report.outcome != "passed":
            for id_ in self._ids.get(report.nodeid, ()):
                self.outcomes[id_][report.nodeid] = report.outcome


def main() -> int:
    """Run and print; return how it ended: 0, or 1 when a test failed or an id has neither a test nor a place on the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true", help="run those with a real Asterisk too")
    parser.add_argument("--names", action="store_true", help="print the tests of each id")
    parser.add_argument("--shrink", action="store_true", help="take off the list what has tests now")
    wanted = parser.parse_args()
    if wanted.shrink:
        gone = requirements.shrink()
        print(
            f"taken off the list: {', '.join(gone) or 'nothing'}; now lower the numbers in tests/test_requirements.py"
        )
        return 0
    results = Results(real=wanted.real)
    status = pytest.main(["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"], plugins=[results])
    rows = [line(one, results.outcomes.get(one.id, {})) for one in requirements.requirements().values()]
    part = requirements.unbuilt().part
    for requirement, (told, bad) in zip(requirements.requirements().values(), rows, strict=True):
        missing = f" (not yet: {part[requirement.id]})" if requirement.id in part else ""
        print(f"{'!' if bad else ' '} {requirement.id:9} {told:32} {requirement.owed}{missing}")
        if wanted.names:
            print(
                "".join(f"    {how:8} {name}\n" for name, how in sorted(results.outcomes[requirement.id].items())),
                end="",
            )
    return int(status not in {0, pytest.ExitCode.OK} or any(bad for _, bad in rows))


def line(requirement: Requirement, outcomes: dict[str, str]) -> tuple[str, bool]:
    """Return what is to be said of an id, and whether something is wrong with it."""
    unbuilt = requirements.unbuilt()
    counts = {how: list(outcomes.values()).count(how) for how in ("passed", "failed", "skipped", "not run")}
    told = ", ".join(f"{count} {how}" for how, count in counts.items() if count)
    if requirement.id in unbuilt.none:
        return "not built yet", bool(outcomes)
    return told, bool(counts["failed"]) or not outcomes


if __name__ == "__main__":
    sys.exit(main())
