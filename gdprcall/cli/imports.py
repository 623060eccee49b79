"""``gdprcall vault import``: an archive of clear recordings, taken into the vault."""

from pathlib import Path
from typing import Any

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import GdprcallError

COLUMNS = {"file": "FILE", "why": "WHY IT IS LEFT"}


@click.command(
    "import",
    epilog=example(
        "gdprcall vault import /srv/monitor --line support --dry-run",
        'gdprcall vault import /srv/monitor --line support --table archive.csv --reason "the old archive" --yes',
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--line", required=True, metavar="ID", help="Under which line they are kept: its basis and retention count."
)
@click.option(
    "--table", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="CSV",
    help="What their names do not say: columns file, started_at, number, language, proof.",
)  # fmt: skip
@click.option(
    "--reason", default="imported", show_default=True, help="Why; it is kept in the ledger. No names or numbers."
)
@click.option("--keep", is_flag=True, help="Leave the originals where they are, in the clear.")
@options.destructive
@options.as_json
@shared
def import_(
    state: Shared, folder: Path, line: str, table: Path | None, reason: str, keep: bool, dry_run: bool, yes: bool, json_: bool
) -> None:  # fmt: skip
    """Seal the recordings of an archive, and remove each original once what was sealed is checked.

    Names as FreePBX and MixMonitor give them say when a recording was made and with whom; the table says the rest. What
    has no lawful basis stays where it is and is named: on a line of consent each file needs the proof that its caller agreed.
    What was interrupted goes on with the same command.
    """
    params: dict[str, object] = {"folder": str(folder.absolute()), "line": line, "reason": reason, "keep": keep}
    params |= {"table": str(table.absolute())} if table else {}
    would = state.backend.call("vault/import", params | {"dry_run": True})
    assert isinstance(would, dict)
    if dry_run:
        print_json(would) if json_ else _print(would, f"{len(would['would_take'])} file(s) would be taken")
        return
    if would["would_take"] and not keep:
        options.confirm(f"Seal {len(would['would_take'])} recording(s), and remove the originals?", yes=yes)
    with progress("importing", wanted=not json_) as tell:
        done = state.backend.call("vault/import", params, tell)
    assert isinstance(done, dict)
    print_json(done) if json_ else _print(done, f"{len(done['taken'])} file(s) taken")
    if done["failed"]:
        raise GdprcallError(f"{len(done['failed'])} file(s) could not be taken", "run the same command again")


def _print(told: dict[str, Any], headline: str) -> None:
    click.echo(headline)
    if told["left"]:
        print_rows(told["left"], COLUMNS, "")
    for one in told["failed"]:
        click.echo(f"FAILED {one['file']}: {one['error']}")


COMMANDS = (import_,)
