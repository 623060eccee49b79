"""``gdprcall decisions``: what callers decided, and the proof of it."""

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_fields, print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared


@click.group()
def decisions() -> None:
    """Show what callers decided."""


@decisions.command(
    "list", epilog=example("gdprcall decisions list --outcome refused", "gdprcall decisions list --json")
)
@options.filters
@click.option("--outcome", metavar="CODE", help="With this outcome only, such as granted or refused.")
@options.as_json
@shared
def list_(state: Shared, controller: str, line: str, since: str, limit: int, outcome: str, json_: bool) -> None:
    """List decisions, the newest first."""
    params = {"controller": controller, "line": line, "since": since, "limit": limit, "outcome": outcome}
    rows = state.backend.call("decisions/list", params)
    if json_:
        print_json(rows)
        return
    columns = {"decided_at": "DECIDED", "id": "DECISION", "line": "LINE", "language": "LANG", "outcome": "OUTCOME"}
    print_rows(rows, columns | {"recording": "RECORDING"}, "no decisions")  # type: ignore[arg-type]  # JSON of our own


@decisions.command(epilog=example("gdprcall decisions show 5f0c…"))
@click.argument("id_", metavar="ID")
@options.as_json
@shared
def show(state: Shared, id_: str, json_: bool) -> None:
    """Show one decision: what was played, how long it was heard, and what followed."""
    value = state.backend.call("decisions/show", {"id": id_})
    print_json(value) if json_ else print_fields(value)  # type: ignore[arg-type]  # JSON of our own
