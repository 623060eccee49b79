"""``gdprcall keys``: pairs of keys. The identity is made where it stays, which is never the PBX."""

import os
from pathlib import Path

import click

from gdprcall import age, config
from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.config import DEFAULT_PATH
from gdprcall.errors import GdprcallError, Refused
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.objects import sync_folder


@click.group()
def keys() -> None:
    """Make and list keys."""


@keys.command(epilog=example("gdprcall keys new -o acme.identity", "gdprcall keys new --post-quantum -o acme.identity"))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The identity file."
)
@click.option(
    "--post-quantum",
    is_flag=True,
    help="Withstand quantum computers too; opened with age 1.3 or newer, or with gdprcall.",
)
@options.as_json
@shared
def new(state: Shared, output: Path, post_quantum: bool, json_: bool) -> None:
    """Make an identity for a controller; run this on the controller's own machine.

    The printed recipient goes into the configuration of the PBX. Who loses the identity loses the recordings.
    """
    _refuse_on_the_pbx(output, state.path)
    identity = (age.HybridIdentity if post_quantum else age.X25519Identity).generate(os.urandom)
    recipient = identity.recipient().encode()
    text = f"# gdprcall identity: keep it secret, keep a copy, never put it on the PBX\n# public key: {recipient}\n"
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(f"{output} is there already", "choose another name: an identity is never overwritten") from error
    except OSError as error:
        raise GdprcallError(f"{output} cannot be written: {error.strerror}", "check the folder") from error
    with open(descriptor, "w") as file:
        file.write(f"{text}{identity.encode()}\n")
        file.flush()
        os.fsync(descriptor)
    sync_folder(output.resolve().parent)
    if json_:
        print_json({"identity": str(output), "recipient": recipient, "fingerprint": fingerprint(recipient)})
    else:
        click.echo(recipient)
        click.echo(f"{output} opens what is sealed to this recipient: keep two copies, none on the PBX", err=True)


@keys.command("list", epilog=example("gdprcall keys list"))
@options.as_json
@shared
def list_(state: Shared, json_: bool) -> None:
    """List the recipients of each controller: who can open its recordings."""
    rows = [
        {"controller": controller.id, "fingerprint": fingerprint(recipient), "recipient": recipient}
        for controller in state.config.policy.controllers.values()
        for recipient in controller.recipients
    ]
    if json_:
        print_json(rows)
    else:
        columns = {"controller": "CONTROLLER", "fingerprint": "FINGERPRINT", "recipient": "RECIPIENT"}
        print_rows(rows, columns, "no controllers")


def _refuse_on_the_pbx(output: Path, path: Path) -> None:
    """Refuse a place where the PBX keeps its own files: whoever holds the PBX could then open its recordings."""
    places = [DEFAULT_PATH.parent, Path("/var/lib/gdprcall"), Path("/var/spool/asterisk"), Path("/run/gdprcall")]
    if path.is_file():
        settings = config.load(path)
        places += [settings.vault, settings.secrets, settings.asterisk.spool, settings.asterisk.sounds]
    folder = output.resolve().parent
    for place in places:
        if folder.is_relative_to(place.resolve()):
            raise Refused(f"{place} belongs to the PBX, where no identity may lie", "make it on another machine")
