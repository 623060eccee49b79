"""``gdprcall calls``: what is live now; no number is shown unless it is asked for with a reason, which the ledger keeps."""

import sys
from collections.abc import Mapping, Sequence

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_fields, print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.cli.watching import watch_lines, watch_table
from gdprcall.errors import ConfigError

COLUMNS = {
    "decision": "DECISION",
    "controller": "CONTROLLER",
    "line": "LINE",
    "language": "LANG",
    "words": "STATE",
    "seconds": "SECONDS",
    "segment": "SEGMENT",
}
REASON = "Why; it is kept in the ledger. No names or numbers."
Row = Mapping[str, object]


@click.group()
def calls() -> None:
    """Show the calls of this moment, and end a recording that runs."""


@calls.command(
    "list",
    epilog=example(
        "gdprcall calls list", "gdprcall calls list --watch", "gdprcall calls list --watch --json | logger -t calls"
    ),
)
@click.option(
    "--watch", is_flag=True, help="Go on showing what changes, until Ctrl-C: a line of JSON each, or a table."
)
@click.option("--controller", metavar="ID", help="Of this controller only.")
@options.as_json
@shared
def list_(state: Shared, watch: bool, controller: str, json_: bool) -> None:
    """List the calls that are asked, recorded, or known to go on unrecorded; the oldest first."""

    def ask() -> Sequence[Row]:
        rows = state.backend.ask("calls/list", {"controller": controller})
        assert isinstance(rows, list)
        return rows

    if watch and sys.stdout.isatty() and not json_:
        watch_table(ask, _table, COLUMNS)
    elif watch:
        watch_lines(ask)
    elif json_:
        print_json(ask())
    else:
        print_rows(_table(ask()), COLUMNS, "no calls")


@calls.command(epilog=example("gdprcall calls show 5f0c…", 'gdprcall calls show 5f0c… --number --reason "request 17"'))
@click.argument("id_", metavar="ID")
@click.option("--number", is_flag=True, help="Show the caller's number, too, as long as the daemon knows it.")
@click.option("--reason", help=REASON)
@options.as_json
@shared
def show(state: Shared, id_: str, number: bool, reason: str | None, json_: bool) -> None:
    """Show one call, by the id of its decision or of its recording."""
    if number != bool(reason):
        raise ConfigError("a number is shown for a reason, and a reason is for a number", "give --number and --reason")
    value = state.backend.ask("calls/show", {"id": id_})
    assert isinstance(value, dict)
    if number:
        known = state.backend.ask("calls/number", {"id": id_, "reason": reason})
        assert isinstance(known, dict)
        value["number"] = known["number"]
    print_json(value) if json_ else print_fields({**value, "state": words(value)})


@calls.command(epilog=example('gdprcall calls stop 5f0c… --reason "request 17"'))
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help=REASON)
@options.as_json
@shared
def stop(state: Shared, id_: str, reason: str, json_: bool) -> None:
    """End the recording of a call, or see to it that none begins; the call goes on, and what was recorded stays."""
    _order(state, "stop", id_, reason, json_=json_)


@calls.command(epilog=example('gdprcall calls pause 5f0c… --reason "card number"'))
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help=REASON)
@options.as_json
@shared
def pause(state: Shared, id_: str, reason: str, json_: bool) -> None:
    """Let the recording of a call pause; nothing is recorded until it is resumed."""
    _order(state, "pause", id_, reason, json_=json_)


@calls.command(epilog=example('gdprcall calls resume 5f0c… --reason "paid"'))
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help=REASON)
@options.as_json
@shared
def resume(state: Shared, id_: str, reason: str, json_: bool) -> None:
    """Take back a pause; while there is another reason (a hold, somebody who was not asked), it goes on pausing."""
    _order(state, "resume", id_, reason, json_=json_)


def _order(state: Shared, what: str, id_: str, reason: str, *, json_: bool) -> None:
    value = state.backend.ask(f"calls/{what}", {"id": id_, "reason": reason})
    assert isinstance(value, dict)
    print_json(value) if json_ else click.echo(f"{id_}: {words(value)}")


def words(row: Row) -> str:
    """Return how a call stands, in words."""
    said = str(row["state"])
    if row["state"] == "recording" and row["since"]:
        said += f" since {str(row['since'])[11:19]}"
    return said + (f" ({row['why']})" if row["why"] else "")


def _table(rows: Sequence[Row]) -> list[Row]:
    return [{**row, "words": words(row)} for row in rows]


COMMANDS = (calls,)
