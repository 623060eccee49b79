"""``gdprcall vault backup``, ``restore`` and ``restore-keys``: out of the vault, back into it, and the keys apart."""

from pathlib import Path
from typing import BinaryIO

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, Refused
from gdprcall.vault import restore as restoring

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(epilog=example("gdprcall vault backup /srv/backup", "gdprcall vault backup /srv/backup --dry-run"))
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@options.as_json
@shared
def backup(state: Shared, folder: Path, dry_run: bool, json_: bool) -> None:
    """Make a backup in DIR, or bring the one there up to date; what is there already is not copied again.

    Keys go into files of their own under DIR/keys, sealed to each controller's escrow recipient and with a short life.
    """
    params = {"folder": str(folder.absolute()), "dry_run": dry_run}
    with progress("backing up", wanted=not json_) as tell:
        made = state.backend.call("vault/backup", params, tell)
    assert isinstance(made, dict)
    if json_:
        print_json(made)
        return
    payloads = made["payloads"]
    click.echo("would make a backup" if dry_run else f"backup of {made['made_at']}, {made['ledger_entries']} entries")
    click.echo("payloads: " + ", ".join(f"{count} {kind}" for kind, count in payloads.items()))
    for file in made["keys"]:
        click.echo(f"keys of {file['controller']}: {file['file']}, until {file['expires_at']}")
    for name in made["expired_keys_removed"]:
        click.echo(f"expired, {'would be removed' if dry_run else 'removed'}: {name}")
    if made["payloads_removed"]:
        click.echo(f"erased, {'would be removed' if dry_run else 'removed'}: {made['payloads_removed']} payloads")
    for controller in made["keys_left_out"]:
        click.echo(f"warning: keys of {controller} are left out: it is not configured", err=True)


@click.command(
    epilog=example(
        "gdprcall vault restore /srv/backup --checkpoint checkpoint-000000004711",
        "gdprcall vault restore /srv/backup --tombstones ./fetched --dry-run",
    )
)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--checkpoint", "checkpoints", type=FILE, multiple=True, help="The newest one that left the host; may be repeated."
)
@click.option(
    "--tombstones", type=FOLDER, multiple=True, help="Where they were fetched to. Default: backup.tombstones."
)
@click.option("--without-tombstones", is_flag=True, help="There are none: nothing was ever erased after the backup.")
@click.option("--accept-loss", is_flag=True, help="Restore a ledger that is older than the checkpoint all the same.")
@click.option("--dry-run", is_flag=True, help="Only check what would be restored.")
@options.as_json
@shared
def restore(
    state: Shared,
    folder: Path,
    checkpoints: tuple[Path, ...],
    tombstones: tuple[Path, ...],
    without_tombstones: bool,
    accept_loss: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Restore the backup in DIR into the empty vault folder; the daemon must be stopped.

    What was erased stays erased: all tombstones are carried out first. Keys come apart, with restore-keys.
    """
    configured = state.config.tombstones
    buried = () if without_tombstones else tombstones or ((configured,) if configured else ())
    if not buried and not without_tombstones:
        raise Refused("no tombstones are named: what was erased could come back", "add --tombstones FOLDER")
    wanted = restoring.Wanted(folder, buried, checkpoints, accept_loss)
    if dry_run:
        result = restoring.plan(wanted, state.config.vault).as_json()
    else:
        with progress("restoring", wanted=not json_) as tell:
            result = restoring.restore(wanted, state.config.vault, progress=tell).as_json()
    if json_:
        print_json(result)
    else:
        _print(result, dry_run=dry_run)
    if result["missing"] or result["damaged"]:
        raise CheckFailed("not every payload of the backup is there and whole", "look for another copy of the backup")


@click.command(
    "restore-keys", epilog=example("gdprcall vault restore-keys acme.keys", "gdprcall vault restore-keys - < acme.keys")
)
@click.argument("file", type=click.File("rb"))
@options.as_json
@shared
def restore_keys(state: Shared, file: BinaryIO, json_: bool) -> None:
    """Put keys back from FILE, a backup of keys that its officer has opened; the daemon must be stopped.

    Opened it is where the escrow identity is: age -d -i IDENTITY KEYS.age > FILE. Keys of what was erased stay out.
    """
    with state.backend.opened() as vault:
        result = restoring.restore_keys(vault, file)
    if json_:
        print_json(result)
    else:
        click.echo(
            f"keys of {result['controller']}: {result['restored']} put back, {result['passed_over']} passed over"
        )


@click.command(epilog=example("gdprcall vault rehearse /srv/backup/gdprcall"))
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--scratch", type=FOLDER, help="Where it is put together; default: the system's temporary folder.")
@options.as_json
@shared
def rehearse(state: Shared, folder: Path, scratch: Path | None, json_: bool) -> None:
    """Test whether the backup in DIR can be restored (Art. 32(1)(d)); nothing of the vault is changed.

    It is put together apart, every payload is read, the ledger is held against this one, and all is removed again. The
    ledger notes what was found; retention check asks for it once a year.
    """
    params = {"folder": str(folder.absolute()), "scratch": None if scratch is None else str(scratch.absolute())}
    with progress("restoring", wanted=not json_) as tell:
        result = state.backend.call("vault/rehearse", params, tell)
    assert isinstance(result, dict)
    if json_:
        print_json(result)
    else:
        click.echo(
            f"the backup of {result['made_at']} can be restored: tested on {result['tested_at']}, {result['seconds']} s"
        )
        for name in ("ledger_entries", "payloads", "erased_by_tombstones"):
            click.echo(f"{name.replace('_', ' ')}: {result[name]}")
    if result["missing"] or result["damaged"]:
        lost = len(result["missing"]) + len(result["damaged"])
        raise CheckFailed(f"{lost} payloads of the backup are missing or damaged", "make a new backup now")


def _print(result: dict[str, object], *, dry_run: bool) -> None:
    click.echo(f"{'would restore' if dry_run else 'restored'} the backup of {result['made_at']}")
    for name in ("ledger_entries", "payloads", "erased_by_tombstones", "lost_entries"):
        click.echo(f"{name.replace('_', ' ')}: {result[name]}")
    for name in ("missing", "damaged"):
        for payload in result[name]:  # type: ignore[attr-defined]  # JSON of our own
            click.echo(f"{name}: {payload}")
    if not dry_run:
        click.echo("keys are restored apart: gdprcall vault restore-keys", err=True)


COMMANDS = (backup, restore, restore_keys, rehearse)
