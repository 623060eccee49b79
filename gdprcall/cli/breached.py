"""How breaches are shown, and which fields the command line takes of one."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from gdprcall.cli.output import print_fields, print_rows

COLUMNS = {
    "remains": "WHAT, AND HOW LONG IS LEFT",
    "id": "BREACH",
    "controller": "CONTROLLER",
    "state": "STATE",
    "trigger": "BY",
    "records": "RECORDINGS",
}
DUTIES = {"to": "TELL", "remains": "HOW LONG IS LEFT", "article": "LAW"}
YES_NO = ("yes", "no", "unknown")
FIELDS: Mapping[str, tuple[str | tuple[str, ...], str]] = {
    "kinds": (("confidentiality", "integrity", "availability"), "What was hurt; again for more."),
    "occurred_from": ("WHEN", "When it began."),
    "occurred_until": ("WHEN", "When it was over."),
    "detected_at": ("WHEN", "When it was noticed."),
    "detected_by": ("WHO", "Who noticed it: a function, no name."),
    "investigated_from": ("WHEN", "When it began to be looked into."),
    "facts": ("TEXT", "What happened. It goes into notices."),
    "cause": ("TEXT", "Why."),
    "systems": ("TEXT", "Which systems."),
    "who": (("callers", "callees", "agents", "third_persons"), "Of whom; again for more."),
    "persons": ("COUNT", "Of how many persons, about."),
    "records": ("COUNT", "How many recordings, about."),
    "data": (("voices", "content", "numbers", "times", "decisions", "keys"), "Which data; again for more."),
    "special": (YES_NO, "Whether special categories are among them (Art. 9)."),
    "children": (YES_NO, "Whether children are among them."),
    "encrypted": (("yes", "partly", "no", "unknown"), "Whether the data were encrypted."),
    "key_state": (("safe", "compromised", "unknown"), "Whether the keys are safe."),
    "consequences": ("TEXT", "What it may mean for the persons. It goes into notices."),
    "measures": ("TEXT", "What was done. It goes into notices."),
    "proposed": ("TEXT", "What will be done. It goes into notices."),
    "advice": ("TEXT", "What the persons can do. It goes into their letter."),
    "authority": ("NAME", "Which authority is told."),
    "lessons": ("TEXT", "What is done so that it does not happen again."),
}
"""Each field with what it takes, and its help."""
SEVERAL = frozenset({"kinds", "who", "data"})
NUMBERS = frozenset({"persons", "records"})
Command = Callable[..., Any]


def fields(command: Command) -> Command:
    """Add an option for each field of the register."""
    for name, (takes, says) in reversed(list(FIELDS.items())):
        flag = f"--{name.replace('_', '-')}"
        if isinstance(takes, tuple):
            kind = click.Choice(takes)
            option = click.option(flag, name, type=kind, multiple=name in SEVERAL, help=says)
        else:
            number = click.IntRange(0) if name in NUMBERS else None
            option = click.option(flag, name, type=number, metavar=takes, help=says)
        command = option(command)
    return command


def given(values: Mapping[str, Any]) -> dict[str, object]:
    """Return the fields that were given."""
    wanted = {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if name in FIELDS
    }
    return {name: value for name, value in wanted.items() if value not in (None, [])}


def print_opened(value: object) -> None:
    """Print what was opened, or what would be."""
    assert isinstance(value, dict)
    for one in value["breaches"]:
        concerned = (
            f"{_count(one['records'], 'recording')} of {_count(one['persons'], 'person')} with {one['controller']}"
        )
        if value["dry_run"]:
            click.echo(f"would open: {concerned}")
        else:
            click.echo(f"breach {one['id']}: {concerned}; {one['remains']}")


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def print_breach(value: object) -> None:
    """Print one breach: what is to be done first, then what is known, then its history."""
    assert isinstance(value, dict)
    shown = dict(value)
    duties, told, history = shown.pop("duties"), shown.pop("told", []), shown.pop("history", [])
    known, severity = shown.pop("fields", {}), shown.pop("severity", None)
    click.echo(f"{shown['remains']}\n")
    print_rows(duties, DUTIES, "no clock runs")
    click.echo("")
    print_fields({name: one for name, one in shown.items() if name not in {"remains", "next", "deadline"}})
    for title, part in (("fields", known), ("severity", severity)):
        if part:
            click.echo(f"{title}:")
            print_fields(part, "  ")
    for title, rows in (("told", told), ("history", history)):
        if rows:
            print_fields({title: rows})
