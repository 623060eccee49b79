"""``gdprcall recordings correct`` and ``statement``: what is wrong of a recording is put right, and its sound is not touched."""

import sys
from typing import TextIO

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_fields, print_json
from gdprcall.cli.shared import Shared, example, shared


@click.command(
    epilog=example(
        'gdprcall recordings correct 9b1d… --language sv --reason "request 20"',
        'gdprcall recordings correct 9b1d… --number - --reason "request 20" < number',
    )
)
@click.argument("id_", metavar="ID")
@click.option("--language", metavar="TAG", help="The language that was spoken.")
@click.option("--number", metavar="NUMBER", help="Who called; - reads it from standard input.")
@click.option("--reason", required=True, help="Why; it is kept in the ledger. No names or numbers.")
@options.as_json
@shared
def correct(state: Shared, id_: str, language: str | None, number: str | None, reason: str, json_: bool) -> None:
    """Correct what is known of a recording (Art. 16); what was known before stays in its history."""
    if (language is None) == (number is None):
        raise click.UsageError("say what is corrected: --language or --number")
    value = sys.stdin.readline().strip() if number == "-" else number
    field = {"field": "language", "value": language} if number is None else {"field": "number", "value": value}
    row = state.backend.call("recordings/correct", {"id": id_, "reason": reason, **field})
    print_json(row) if json_ else print_fields(row)  # type: ignore[arg-type]  # JSON of our own


@click.command(epilog=example("gdprcall recordings statement 9b1d… --text letter.txt --request 2026-20"))
@click.argument("id_", metavar="ID")
@click.option("--text", type=click.File(encoding="utf-8"), required=True, help="A text file; - is standard input.")
@click.option("--request", default="", metavar="ID", help="The request that this answers.")
@options.as_json
@shared
def statement(state: Shared, id_: str, text: TextIO, request: str, json_: bool) -> None:
    """Attach what the person says of a recording (Art. 16): it goes with each copy, and is erased with the recording."""
    told = state.backend.call("recordings/statement", {"id": id_, "text": text.read(), "request": request})
    print_json(told) if json_ else print_fields(told)  # type: ignore[arg-type]  # JSON of our own


COMMANDS = (correct, statement)
