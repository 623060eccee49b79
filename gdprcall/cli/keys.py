"""``gdprcall keys``: pairs of keys. The identity is made where it stays, which is never the PBX."""

import os
from pathlib import Path

import click

from gdprcall import age, config
from gdprcall.cli import options, proofs, rewrap, rotating
from gdprcall.cli.files import write_new
from gdprcall.cli.output import print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.config import DEFAULT_PATH
from gdprcall.errors import Refused
from gdprcall.vault.keys import fingerprint

COLUMNS = {
    "controller": "CONTROLLER",
    "role": "ROLE",
    "fingerprint": "FINGERPRINT",
    "enrolled_at": "ENROLLED",
    "canary_at": "LAST CANARY",
    "recipient": "RECIPIENT",
}


@click.group()
def keys() -> None:
    """Make keys, prove that somebody holds them, and change who can open recordings."""


for command in (*proofs.COMMANDS, rotating.rotate, rewrap.rewrap):
    keys.add_command(command)


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
    write_new(output, f"{text}{identity.encode()}\n", 0o600)
    if json_:
        print_json({"identity": str(output), "recipient": recipient, "fingerprint": fingerprint(recipient)})
    else:
        click.echo(recipient)
        click.echo(f"{output} opens what is sealed to this recipient: keep two copies, none on the PBX", err=True)


@keys.command("list", epilog=example("gdprcall keys list"))
@options.as_json
@shared
def list_(state: Shared, json_: bool) -> None:
    """List the recipients of each controller: who can open its recordings, and when each last proved it.

    The first is the operational one, the others are for escrow. Recipients enrol and answer a monthly canary.
    """
    rows = state.backend.call("keys/list", {})
    if json_:
        print_json(rows)
    else:
        print_rows(rows, COLUMNS, "no controllers")  # type: ignore[arg-type]  # JSON of our own


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


COMMANDS = (keys,)
