"""Options that several commands share."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from gdprcall.errors import Refused

Command = TypeVar("Command", bound=Callable[..., Any])


def as_json(command: Command) -> Command:
    """Add --json."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON instead of text.")(command)


def filters(command: Command) -> Command:
    """Add --controller, --line, --since and --limit."""
    for option in (
        click.option(
            "--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="How many at most."
        ),
        click.option("--since", metavar="TIME", help="Not older than this RFC 3339 time."),
        click.option("--line", metavar="ID", help="Of this line only."),
        click.option("--controller", metavar="ID", help="Of this controller only."),
    ):
        command = option(command)
    return command


def prompt(command: Command) -> Command:
    """Add LINE, LANGUAGE and --kind: one prompt."""
    kinds = click.Choice(["question", "notice", "withdrawn", "objected"])
    command = click.option("--kind", type=kinds, default="question", show_default=True, help="Which of its prompts.")(
        command
    )
    return click.argument("line_id", metavar="LINE")(click.argument("language")(command))


def destructive(command: Command) -> Command:
    """Add --dry-run and --yes."""
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    return click.option("--dry-run", is_flag=True, help="Only show what would go.")(command)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed; raises Refused without a terminal and without --yes, and when the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nothing was destroyed: there is no terminal to ask on", "add --yes if you mean it, or --dry-run")
    if not click.confirm(question):
        raise Refused("nothing was destroyed")
