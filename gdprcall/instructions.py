"""Which policies a controller has approved as its documented instructions (Art. 28(3)(a)): who, when, and exactly which.

What is approved is the hash of a line's canonical form. A change that nobody of the controller has approved does not take effect:
nothing is recorded on that line until then. The file stands beside the configuration, and can be written by hand.
"""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdprcall.errors import ConfigError
from gdprcall.policy.finding import Finding, warn
from gdprcall.policy.model import Policy
from gdprcall.prompts.store import write

FILE = "instructions.toml"
HEAD = "# Who of a controller approved which policy of a line; written by: gdprcall documents approve\n"
NAMES = ("controller", "line", "sha256", "by", "at")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One approval, as it stands in the file."""

    controller: str
    line: str
    sha256: str
    by: str
    at: str

    def as_toml(self) -> str:
        """Return it as a table of the file."""
        # A TOML basic string is a JSON string for everything that can be printed.
        told = (f"{name} = {json.dumps(getattr(self, name), ensure_ascii=False)}\n" for name in NAMES)
        return "\n[[instruction]]\n" + "".join(told)


def beside(configuration: Path) -> Path:
    """Return where the approvals for a configuration are."""
    return configuration.with_name(FILE)


def load(path: Path) -> tuple[Instruction, ...]:
    """Return the approvals of a file, none if there is no such file; raises ConfigError."""
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file).get("instruction", [])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its owner and modes") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}", "mend that place") from error
    return tuple(_instruction(path, number, table) for number, table in enumerate(tables, 1))


def add(path: Path, instruction: Instruction) -> None:
    """Write one more approval; what stands there stays. Raises ConfigError or GdprcallError."""
    load(path)  # nothing is added to what cannot be read
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = HEAD
    write(path, (text + instruction.as_toml()).encode())


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


def _instruction(path: Path, number: int, table: Any) -> Instruction:
    try:
        found = Instruction(**table)
    except TypeError as error:
        raise ConfigError(f"{path}: instruction {number} has not its five keys", "approve the line again") from error
    if not all(isinstance(value, str) and value.strip() for value in table.values()):
        raise ConfigError(f"{path}: instruction {number} has something empty", "approve the line again")
    return found
