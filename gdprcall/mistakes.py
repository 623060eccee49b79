"""A configuration with mistakes as an error: each a finding with its requirement, all of them one page.

It reads nothing; of the file it is given whatever was in it, and repeats no value.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gdprcall.errors import ConfigError
from gdprcall.policy.finding import Finding, refuse
from gdprcall.policy.page import page

# Whose requirement a key is, for values that are not even of its kind.
WRITTEN = {
    "basis": "BAS-01",
    "purpose": "BAS-02",
    "law": "BAS-05",
    "member_state": "BAS-05",
    "min_retention_days": "BAS-05",
    "assessment": "BAS-08",
    "override": "BAS-08",
    "country": "BAS-09",
    "regime": "BAS-09",
    "sample_rate": "BAS-10",
    "accept": "CON-05",
    "refuse": "CON-05",
    "on_refuse": "CON-05",
    "withdraw": "CON-07",
    "art9_condition": "CON-11",
    "operator": "DOC-03",
    "contract": "DOC-03",
    "name": "INF-01",
    "contact": "INF-01",
    "notice_url": "INF-01",
    "more": "INF-02",
    "languages": "INF-03",
    "object": "INF-04",
    "source": "INF-06",
    "agents": "PTY-01",
    "retention_days": "RET-01",
    "self_service": "RGT-03",
    "recipients": "SEC-01",
    "pseudonym_key": "SEC-03",
}


class Mistaken(ConfigError):
    """A configuration with mistakes; the message is a page of them, by controller and line."""

    def __init__(self, path: Path, findings: list[Finding], data: Mapping[str, object]) -> None:
        count = f"{len(findings)} mistakes" if len(findings) > 1 else "1 mistake"
        message = f"{path} has {count}:\n{page(findings, _owners(data))}"
        super().__init__(message, "mend them and run: gdprcall check")
        self.findings = findings


def written(place: str, text: str, mend: str) -> Finding:
    """Return what was written wrongly, with the requirement that the place has, if it has one."""
    parts = place.split(".")
    key = parts[2].split("[")[0] if len(parts) > 2 and parts[0] in {"controllers", "lines"} else ""
    return refuse(WRITTEN.get(key, ""), place, text, mend)


def _owners(data: Mapping[str, object]) -> dict[str, str]:
    """Return the controller of each line as far as it can be read out of a file that may hold anything."""
    lines = data.get("lines")
    tables = lines.items() if isinstance(lines, dict) else ()
    named = {str(id_): table.get("controller") for id_, table in tables if isinstance(table, dict)}
    known = data.get("controllers")
    known = known if isinstance(known, dict) else {}
    return {id_: name for id_, name in named.items() if isinstance(name, str) and name in known}


def without(data: Mapping[str, object], places: Sequence[tuple[int | str, ...]]) -> dict[str, object]:
    """Return a file without the tables that hold mistakes, and without the lines of controllers that do."""
    rest: dict[str, object] = {key: dict(table) if isinstance(table, dict) else table for key, table in data.items()}
    for place in places:
        section, table = str(place[0]) if place else "", rest.get(str(place[0])) if place else None
        if section in {"controllers", "lines"} and isinstance(table, dict) and len(place) > 1:
            table.pop(place[1], None)
        else:
            rest.pop(section, None)
    owners, lines = _owners(rest), rest.get("lines")
    dropped = set(_owners(data)) - set(owners)
    if isinstance(lines, dict):
        rest["lines"] = {id_: line for id_, line in lines.items() if id_ not in dropped}
    return rest
