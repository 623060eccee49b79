"""``gdprcall retention``: what has expired, and its end."""

from collections import Counter

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.recordings import COLUMNS
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, GdprcallError

PROOFS = {
    "proof_until": "PROOF UNTIL",
    "id": "DECISION",
    "controller": "CONTROLLER",
    "line": "LINE",
    "outcome": "OUTCOME",
}


STORES = {"store": "STORE", "period": "PERIOD", "oldest": "OLDEST", "ok": "OK", "says": ""}


@click.group()
def retention() -> None:
    """Show and erase what has expired, and forget what need no longer be proven."""


@retention.command(epilog=example("gdprcall retention due", "gdprcall retention due --by 2026-12-31T00:00:00Z"))
@click.option("--by", metavar="TIME", help="What will have expired by this RFC 3339 time; default: now.")
@options.as_json
@shared
def due(state: Shared, by: str | None, json_: bool) -> None:
    """List the recordings whose time is over, and the decisions whose time as proof is."""
    rows = state.backend.call("retention/due", {"by": by})
    assert isinstance(rows, list)
    if json_:
        print_json(rows)
    else:
        _print(rows)


@retention.command(epilog=example("gdprcall retention sweep --dry-run", "gdprcall retention sweep --yes"))
@options.destructive
@options.as_json
@shared
def sweep(state: Shared, dry_run: bool, yes: bool, json_: bool) -> None:
    """Destroy every recording whose time is over, and forget every decision that need no longer be proven.

    The timer does this daily.
    """
    would = state.backend.call("retention/due", {})
    assert isinstance(would, list)
    if would and not dry_run:
        what = Counter(row["what"] for row in would)
        question = f"Destroy {what['recording']} expired recording(s) and {what['decision']} proof(s) for good?"
        options.confirm(question, yes=yes)
    with progress("erasing", wanted=not json_) as tell:
        result = state.backend.call("retention/sweep", {"dry_run": dry_run}, tell)
    assert isinstance(result, dict)
    if json_:
        print_json(result)
    elif dry_run:
        _print(would)
    else:
        forgot = f", forgot {len(result['forgotten'])} proof(s)" if result["forgotten"] else ""
        forgot += f", and who asked in {len(result['requests'])} request(s)" if result["requests"] else ""
        click.echo(f"erased {len(result['erased'])}, failed {len(result['failed'])}{forgot}")
        for one in result["failed"]:
            click.echo(f"  {one['recording'] or 'proofs'}: {one['error']}")
    if result["failed"]:
        raise GdprcallError(f"{len(result['failed'])} recordings could not be erased", "run: gdprcall audit verify")


@retention.command(epilog=example("gdprcall retention check", "gdprcall retention check --json"))
@options.as_json
@shared
def check(state: Shared, json_: bool) -> None:
    """List every store with its period and its oldest item; one that does not keep its time ends with status 4."""
    rows = state.backend.call("retention/check", {})
    assert isinstance(rows, list)
    print_json(rows) if json_ else print_rows(rows, STORES, "")
    late = [f"{row['store']}: {row['says']}" for row in rows if not row["ok"]]
    if late:
        raise CheckFailed("; ".join(late), "run: gdprcall retention sweep; is gdprcall-retention.timer on?")


def _print(rows: list[dict[str, object]]) -> None:
    """Print what is due: recordings, and below them decisions."""
    recordings = [row for row in rows if row["what"] == "recording"]
    decisions = [row for row in rows if row["what"] == "decision"]
    if recordings or not decisions:
        print_rows(recordings, COLUMNS, "nothing is due")
    if decisions:
        print_rows(decisions, PROOFS, "")


COMMANDS = (retention,)
