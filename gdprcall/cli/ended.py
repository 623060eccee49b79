"""``gdprcall vault end``: a controller's contract is over, and its recordings go back or go for good (Art. 28(3)(g))."""

from pathlib import Path
from typing import Any

import click

from gdprcall.cli import options
from gdprcall.cli.files import write_whole
from gdprcall.cli.output import print_json, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, ConfigError

PURPOSE = "return"


@click.command(
    epilog=example(
        'gdprcall vault end acme --choice delete --reason "contract C-1 ended" --dry-run',
        'gdprcall vault end acme --choice return -o /srv/return --reason "contract C-1 ended" --yes --json > certificate.json',
    )
)
@click.argument("controller", metavar="CONTROLLER")
@click.option("--choice", type=click.Choice(["delete", PURPOSE]), required=True, help="What the controller chose.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Where what is returned is written."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the ledger. No names or numbers.")
@options.destructive
@options.as_json
@shared
def end(
    state: Shared,
    controller: str,
    choice: str,
    output: Path | None,
    reason: str,
    dry_run: bool,
    yes: bool,
    json_: bool,
) -> None:
    """Return or destroy everything of CONTROLLER at the end of its contract, and print the certificate.

    With --choice return each recording is first written to the folder, sealed as it is: only the controller opens it. What
    was interrupted is gone on with by the same command. What a law or a claim keeps stays, and the certificate names it.
    """
    if (choice == PURPOSE) != (output is not None):
        raise click.UsageError("--output is for --choice return, and that needs it")
    params: dict[str, object] = {"controller": controller, "choice": choice, "reason": reason}
    would = _asked(state, params | {"dry_run": True})
    if not dry_run:
        options.confirm(f"destroy {len(would['would_erase'])} recordings of {controller} for good?", yes=yes)
        if output is not None:
            _returned(state, would["to_return"], output, reason, quiet=json_)
    value = would if dry_run else _asked(state, params)
    print_json(value) if json_ else _print(value)
    if value["failed"]:
        raise CheckFailed(f"{len(value['failed'])} could not be destroyed", "run the same command again")


def _asked(state: Shared, params: dict[str, object]) -> dict[str, Any]:
    value = state.backend.call("vault/end", params)
    assert isinstance(value, dict)
    return value


def _returned(state: Shared, ids: list[str], output: Path, reason: str, *, quiet: bool) -> None:
    """Write what has not left yet."""
    output.mkdir(parents=True, exist_ok=True)
    if not output.is_dir():
        raise ConfigError(f"{output} is no folder", "name another")
    with progress("returning", wanted=not quiet) as tell, state.backend.one_vault():
        for count, id_ in enumerate(ids, 1):
            shown = state.backend.call("recordings/show", {"id": id_})
            assert isinstance(shown, dict)
            for part in shown["parts"]:
                number = part["segment"]

                def fill(file: Any, id_: str = id_, number: int = number) -> None:
                    state.backend.export(id_, number, PURPOSE, file, {"reason": reason})

                write_whole(output / f"{id_}.{number}.age", fill, force=True)
            tell(count, len(ids))


def _print(value: dict[str, Any]) -> None:
    if value["dry_run"]:
        click.echo(
            f"would destroy {len(value['would_erase'])} recordings, after {len(value['to_return'])} are returned"
        )
    else:
        click.echo(f"destroyed: {len(value['erased'])} recordings; certificate {value['certificate']}")
        click.echo(f"its SHA-256 is in entry {value['ledger_entry']} of the ledger: {value['sha256']}")
        if value["key_backups_until"]:
            click.echo(f"copies of keys in backups end by {value['key_backups_until']}")
    for one in value["kept"]:
        click.echo(f"kept: {one['recording']}: {one['why']}")


COMMANDS = (end,)
