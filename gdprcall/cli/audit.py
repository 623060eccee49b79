"""``gdprcall audit``: the ledger, and whether everything still is what it says."""

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed


@click.group()
def audit() -> None:
    """Read and verify the ledger."""


@audit.command("log", epilog=example("gdprcall audit log --limit 20", "gdprcall audit log --kind erased --json"))
@click.option("--kind", metavar="KIND", help="Entries of this kind only, such as decision, sealed or erased.")
@click.option("--recording", metavar="ID", help="Of this recording only.")
@click.option("--since", metavar="TIME", help="Not older than this RFC 3339 time.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The last so many.")
@options.as_json
@shared
def log(state: Shared, kind: str, recording: str, since: str, limit: int, json_: bool) -> None:
    """Print entries of the ledger in order."""
    params = {"kind": kind, "recording": recording, "since": since, "limit": limit}
    rows = state.backend.call("audit/log", params)
    if json_:
        print_json(rows)
        return
    columns = {"seq": "SEQ", "time": "TIME", "kind": "KIND", "controller": "CONTROLLER", "recording": "RECORDING"}
    print_rows(rows, columns, "no entries")  # type: ignore[arg-type]  # JSON of our own


@audit.command(epilog=example("gdprcall audit verify", "gdprcall audit verify --json"))
@options.as_json
@shared
def verify(state: Shared, json_: bool) -> None:
    """Check every ledger entry, header and payload; exit 4 and a line for each that is not what was written."""
    with progress("verifying", wanted=not json_) as tell:
        result = state.backend.call("audit/verify", {}, tell)
    assert isinstance(result, dict)
    if json_:
        print_json(result)
    else:
        for finding in result["findings"]:
            click.echo(f"{finding['where']} {finding['name']} {finding['detail']}")
        click.echo(f"{result['entries']} ledger entries, root {result['root']}")
    if result["findings"]:
        raise CheckFailed(
            f"{len(result['findings'])} findings", "nothing was mended; keep the files for an investigation"
        )
    if not json_:
        click.echo("everything is as it was written")
