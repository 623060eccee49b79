"""How the command line speaks: tables for people, JSON for programs, ``error:`` and ``hint:`` lines for mistakes."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

Row = Mapping[str, object]
PATIENCE_SECONDS = 1.0
"""How long a person is left without a word; what is done sooner shows no progress."""


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(rows: Sequence[Row], columns: Mapping[str, str], empty: str) -> None:
    """Print rows with the named columns (key: heading): a table on a terminal, else tab-separated lines."""
    if not rows:
        click.echo(empty)
    elif sys.stdout.isatty():
        Console(markup=False, highlight=False, emoji=False).print(table_of(rows, columns))
    else:
        click.echo("\t".join(columns.values()))
        for row in rows:
            click.echo("\t".join(_cell(row.get(key)) for key in columns))


def table_of(rows: Sequence[Row], columns: Mapping[str, str]) -> Table:
    """Return rows as the table that a terminal shows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(key))) for key in columns))
    return table


def print_fields(values: Row, indent: str = "") -> None:
    """Print one value, a field a line."""
    width = max((len(key) for key in values), default=0)
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            click.echo(f"{indent}{key}:")
            print_fields(value, indent + "  ")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            click.echo(f"{indent}{key}:")
            for one in value:
                click.echo(f"{indent}  - " + "  ".join(f"{name}={_cell(part)}" for name, part in one.items()))
        else:
            click.echo(f"{indent}{key:{width}}  {_cell(value)}")


@contextmanager
def progress(what: str, *, wanted: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Show on standard error how much of ``what`` is done, if it takes long and is watched on a terminal.

    Yields what is to be told (done, all); until it is told anything, the bar only shows that something is done.
    """
    console = Console(stderr=True)
    if not (wanted and console.is_interactive):
        yield lambda _done, _all: None
        return
    bar = Progress(console=console, transient=True, redirect_stdout=False)
    task = bar.add_task(what, total=None)
    begin = threading.Timer(PATIENCE_SECONDS, bar.start)
    begin.daemon = True
    begin.start()
    try:
        yield lambda done, all_: bar.update(task, completed=done, total=all_)
    finally:
        begin.cancel()
        begin.join()
        if bar.live.is_started:
            bar.stop()


def complain(message: str, hint: str) -> None:
    """Print what is wrong and what to do to standard error."""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
