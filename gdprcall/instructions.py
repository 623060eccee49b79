"""Which policies a controller has approved as its documented instructions (Art. 28(3)(a)): who, when, and exactly which.

What is approved is the hash of a line's canonical form. A change that nobody of the controller has approved does not take effect:
nothing is recorded on that line until then. The file stands beside the configuration, and can be written by hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gdprcall.policy.finding import Finding, warn
from gdprcall.policy.model import Policy
from gdprcall.prompts.book import Book


@dataclass(frozen=True, slots=True)
class Instruction:
    """One approval, as it stands in the file."""

    controller: str
    line: str
    sha256: str
    by: str
    at: str


BOOK = Book(
    "instructions.toml",
    "instruction",
    "# Who of a controller approved which policy of a line; written by: gdprcall documents approve\n",
    Instruction,
    "approve the line again",
)


def pending(policy: Policy, approving: Iterable[str], given: Iterable[Instruction]) -> tuple[str, ...]:
    """Return the lines of controllers who approve their policies, of which nobody has approved the present one."""
    known = {(one.controller, one.line, one.sha256) for one in given}
    wanted = set(approving)
    return tuple(
        line.id
        for line in policy.lines.values()
        if line.controller in wanted and (line.controller, line.id, policy.sha256(line)) not in known
    )


def findings(lines: Iterable[str]) -> list[Finding]:
    """Return a warning for each line whose policy waits for approval."""
    text = "its controller has not approved this version: nothing is recorded on it until then"
    return [warn("DOC-04", f"lines.{id_}", text, f"gdprcall documents approve {id_} --by WHO") for id_ in lines]
