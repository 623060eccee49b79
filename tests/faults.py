"""What happens when: one row for each fault that a test produces, and the tables made of them.

A row is said by the test that proves it, and holds only if the log lines that it names are really written then.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., None])
FOLDER = Path(__file__).parent
ROOT = FOLDER.parent


@dataclass(frozen=True, slots=True)
class Fault:
    """One row; ``log`` holds the events that are written, none if the daemon is not there to write."""

    what: str
    caller: str
    recording: str
    log: tuple[str, ...]
    mend: str
    test: str = ""


def fault(what: str, *, caller: str, recording: str, log: str, mend: str) -> Callable[[Test], Test]:
    """Say what a test proves; the test is given its row as ``proves`` and tells which log it must be true of."""
    row = Fault(what, caller, recording, tuple(log.split()), mend)

    def say(test: Test) -> Test:
        test.fault = row  # type: ignore[attr-defined]
        return test

    return say


def rows() -> list[Fault]:
    """Return all rows in the order of files and tests; they are read, not run."""
    found = []
    for path in sorted(FOLDER.glob("test_*.py")):
        for function in (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)):
            calls = [node for node in function.decorator_list if isinstance(node, ast.Call)]
            found += [_row(call, function.name) for call in calls if _is_row(call)]
    return found


def _is_row(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "fault"


def _row(call: ast.Call, test: str) -> Fault:
    given = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    log = tuple(given.pop("log").split())
    return Fault(ast.literal_eval(call.args[0]), given["caller"], given["recording"], log, given["mend"], test)


def table(*, with_tests: bool) -> str:
    """Return the rows as a table of Markdown."""
    head = ["when", "the caller", "the recording", "in the log", "what to do", *(["proven by"] if with_tests else [])]
    lines = [head, ["---"] * len(head)]
    for row in rows():
        events = ", ".join(f"`{event}`" for event in row.log) or "-"
        proof = [f"`{row.test}`"] if with_tests else []
        lines.append([row.what, row.caller, row.recording, events, row.mend, *proof])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PLACES = {"README.md": False, "ARCHITECTURE.md": True}


def section(page: str) -> str:
    """Return what stands between the marks of a page."""
    return (ROOT / page).read_text().split("<!-- faults -->")[1].split("<!-- /faults -->")[0].strip()


def write() -> None:
    """Write both tables."""
    for page, with_tests in PLACES.items():
        path = ROOT / page
        marked = re.compile(r"(<!-- faults -->\n).*?(\n<!-- /faults -->)", re.DOTALL)
        path.write_text(
            marked.sub(lambda found, t=with_tests: found[1] + table(with_tests=t) + found[2], path.read_text())
        )


if __name__ == "__main__":
    write()
