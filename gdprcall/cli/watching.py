"""Watches the calls of this moment: a table that is drawn anew on a terminal, else a line of JSON for each change.

It waits for a daemon that is restarted, says so, and ends cleanly when it is interrupted.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from gdprcall.cli.backend import Away
from gdprcall.cli.output import table_of

LOOK_SECONDS = 0.5
"""How often the calls are looked at: what comes and goes between two looks is not seen."""
WAITING = "the daemon does not answer: waiting for it"
AGAIN = "the daemon answers again"
Row = Mapping[str, object]
Ask = Callable[[], Sequence[Row]]


def watch_lines(ask: Ask) -> None:
    """Print one line of JSON for each call that is there, and for each change of one, until interrupted."""
    known: dict[object, Row] = {}
    away = False
    with suppress(KeyboardInterrupt):
        while True:
            try:
                rows = ask()
            except Away:
                if not away:
                    click.echo(WAITING, err=True)
                away = True
            else:
                if away:
                    click.echo(AGAIN, err=True)
                away = False
                known = _changes(known, rows)
            time.sleep(LOOK_SECONDS)


def watch_table(ask: Ask, table: Callable[[Sequence[Row]], Sequence[Row]], columns: Mapping[str, str]) -> None:
    """Show the calls as a table that is drawn anew, until interrupted."""
    console = Console(markup=False, highlight=False, emoji=False)
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as screen:
        while True:
            try:
                rows = ask()
            except Away:
                # The calls that were there may be gone: none is better than a wrong one.
                shown: RenderableType = Text(WAITING)
            else:
                shown = Group(table_of(table(rows), columns), Text(f"{len(rows)} calls; Ctrl-C ends"))
            screen.update(shown, refresh=True)
            time.sleep(LOOK_SECONDS)


def _changes(known: Mapping[object, Row], rows: Sequence[Row]) -> dict[object, Row]:
    """Print what is not as it was known, and return what is known now."""
    now = {row["decision"] or row["recording"]: row for row in rows}
    for name, row in now.items():
        if _lasting(row) != _lasting(known.get(name, {})):
            _say(row)
    for name, row in known.items():
        if name not in now:
            _say({**row, "state": "ended", "why": None, "since": None, "seconds": None})
    return now


def _lasting(row: Row) -> Row:
    """Return what of a call does not change by itself."""
    return {name: value for name, value in row.items() if name != "seconds"}


def _say(row: Row) -> None:
    click.echo(json.dumps(row, ensure_ascii=False))
