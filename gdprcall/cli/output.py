"""How the command line speaks: tables for people, JSON for programs, ``error:`` and ``hint:`` lines for mistakes."""

import json
import sys
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table

Row = Mapping[str, object]


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(rows: Sequence[Row], columns: Mapping[str, str], empty: str) -> None:
    """Print rows with the named columns (key: heading): a table on a terminal, else tab-separated lines."""
    if not rows:
        click.echo(empty)
    elif sys.stdout.isatty():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in columns.values():
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(row.get(key)) for key in columns))
        Console(markup=False, highlight=False, emoji=False).print(table)
    else:
        click.echo("\t".join(columns.values()))
        for row in rows:
            click.echo("\t".join(_cell(row.get(key)) for key in columns))


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
