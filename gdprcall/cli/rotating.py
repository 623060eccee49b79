"""``gdprcall keys rotate``: other recipients for what is recorded from now on."""

from pathlib import Path

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.custody import edit
from gdprcall.errors import ConfigError
from gdprcall.times import now_ms
from gdprcall.vault.manifest import stamp


@click.command(
    epilog=example(
        "gdprcall keys rotate acme age1… age1… --dry-run",
        "gdprcall keys rotate acme age1… age1… && systemctl reload gdprcall",
    )
)
@click.argument("controller")
@click.argument("recipients", metavar="RECIPIENT...", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Only show the line that would change.")
@options.as_json
@shared
def rotate(state: Shared, controller: str, recipients: tuple[str, ...], dry_run: bool, json_: bool) -> None:
    """Let what CONTROLLER records from now on be sealed to RECIPIENT..., the operational one first, then escrow.

    All must be enrolled. One line of the configuration is changed, the former file is kept beside it, and the daemon
    takes it at the next reload. Earlier recordings stay as they are: see keys rewrap.
    """
    params = {"controller": controller, "recipients": list(recipients), "dry_run": True}
    state.backend.call("keys/rotate", params)
    change = edit.edited(_text(state.path), controller, recipients)
    kept = None
    if not dry_run:
        state.backend.call("keys/rotate", params | {"dry_run": False})
        kept = edit.write(state.path, change, stamp(now_ms()))
    if json_:
        print_json({"file": str(state.path), "line": change.line, "kept": str(kept) if kept else None})
        return
    click.echo(change.line)
    if kept is None:
        click.echo(f"would be the line of {controller} in {state.path}", err=True)
    else:
        click.echo(f"is in {state.path} now; the former file is {kept}", err=True)
        click.echo("it holds from the next reload on: systemctl reload gdprcall", err=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", "name it with --config") from error
