"""Which controller approved the texts of a draft language: who, when, and exactly which texts.

What was approved is the hash of the language's file: texts that have changed since are not approved.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdprcall.errors import ConfigError
from gdprcall.policy.finding import Finding, refuse
from gdprcall.policy.model import Policy
from gdprcall.prompts import texts
from gdprcall.prompts.store import write

FILE = "approvals.toml"
"""Beside the configuration; ``prompts approve`` writes it, and it can be written by hand."""

HEAD = "# Who approved which texts of callers' prompts, for which controller; written by: gdprcall prompts approve\n"


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval, as it stands in the file."""

    controller: str
    language: str
    sha256: str
    by: str
    at: str

    def as_toml(self) -> str:
        """Return it as a table of the file."""
        fields = ("controller", "language", "sha256", "by", "at")
        # A TOML basic string is a JSON string for everything that can be printed.
        return "\n[[approval]]\n" + "".join(
            f"{name} = {json.dumps(getattr(self, name), ensure_ascii=False)}\n" for name in fields
        )


def beside(configuration: Path) -> Path:
    """Return where the approvals for a configuration are."""
    return configuration.with_name(FILE)


def load(path: Path) -> tuple[Approval, ...]:
    """Return the approvals of a file, none if there is no such file; raises ConfigError."""
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file).get("approval", [])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its owner and modes") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}", "mend that place") from error
    return tuple(_approval(path, number, table) for number, table in enumerate(tables, 1))


def _approval(path: Path, number: int, table: Any) -> Approval:
    try:
        approval = Approval(**table)
    except TypeError as error:
        raise ConfigError(f"{path}: approval {number} has not its five keys", "approve the language again") from error
    if not all(isinstance(value, str) and value.strip() for value in table.values()):
        raise ConfigError(f"{path}: approval {number} has something empty", "approve the language again")
    return approval


def add(path: Path, approval: Approval) -> None:
    """Write one more approval; what stands there stays. Raises ConfigError or GdprcallError."""
    load(path)  # nothing is added to what cannot be read
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = HEAD
    write(path, (text + approval.as_toml()).encode())


def find(approvals: tuple[Approval, ...], controller: str, language: str) -> Approval | None:
    """Return the last approval of a language's present texts by a controller."""
    wanted = (controller, language, texts.sha256(language))
    return next((one for one in reversed(approvals) if (one.controller, one.language, one.sha256) == wanted), None)


def state(approvals: tuple[Approval, ...], controller: str, language: str) -> str:
    """Return ``finished``, or for a draft whether the controller has ``approved`` it."""
    if not texts.is_draft(language):
        return "finished"
    return "approved" if find(approvals, controller, language) else "draft"


def findings(policy: Policy, approvals: tuple[Approval, ...]) -> list[Finding]:
    """Return where a line speaks a draft language that its controller has not approved as it is now."""
    return [
        refuse(
            "INF-03",
            f"lines.{line.id}.languages",
            f"the texts in {language!r} are a draft that {line.controller} has not approved as they are now",
            f"have them read by somebody who speaks it: gdprcall prompts approve {language} --controller {line.controller}",
        )
        for line in policy.lines.values()
        for language in line.languages
        if language in texts.LANGUAGES and state(approvals, line.controller, language) == "draft"
    ]
