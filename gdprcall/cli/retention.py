"""``gdprcall retention``: what has expired, and its end."""

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.recordings import COLUMNS
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import GdprcallError


@click.group()
def retention() -> None:
    """Show and erase what has expired."""


@retention.command(epilog=example("gdprcall retention due", "gdprcall retention due --by 2026-12-31T00:00:00Z"))
@click.option("--by", metavar="TIME", help="What will have expired by this RFC 3339 time; default: now.")
@options.as_json
@shared
def due(state: Shared, by: str | None, json_: bool) -> None:
    """List the recordings whose time is over."""
    rows = state.backend.call("retention/due", {"by": by})
    if json_:
        print_json(rows)
    else:
        print_rows(rows, COLUMNS, "nothing is due")  # type: ignore[arg-type]  # JSON of our own


@retention.command(epilog=example("gdprcall retention sweep --dry-run", "gdprcall retention sweep --yes"))
@options.destructive
@options.as_json
@shared
def sweep(state: Shared, dry_run: bool, yes: bool, json_: bool) -> None:
    """Destroy every recording whose time is over; the timer does this daily."""
    would = state.backend.call("retention/due", {})
    assert isinstance(would, list)
    if would and not dry_run:
        options.confirm(f"Destroy {len(would)} expired recording(s) for good?", yes=yes)
    with progress("erasing", wanted=not json_) as tell:
        result = state.backend.call("retention/sweep", {"dry_run": dry_run}, tell)
    assert isinstance(result, dict)
    if json_:
        print_json(result)
    elif dry_run:
        print_rows(would, COLUMNS, "nothing is due")
    else:
        click.echo(f"erased {len(result['erased'])}, failed {len(result['failed'])}")
        for one in result["failed"]:
            click.echo(f"  {one['recording']}: {one['error']}")
    if result["failed"]:
        raise GdprcallError(f"{len(result['failed'])} recordings could not be erased", "run: gdprcall audit verify")
