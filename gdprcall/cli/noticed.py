"""``gdprcall subject notices, told``: who was given a copy of what is erased, and is to be told (Art. 19)."""

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_fields, print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared

COLUMNS = {
    "owed_at": "OWED SINCE",
    "recipient": "RECIPIENT",
    "controller": "CONTROLLER",
    "certificate": "CERTIFICATE",
    "told_at": "TOLD",
}


@click.command(epilog=example("gdprcall subject notices", "gdprcall subject notices --all --json"))
@click.option("--all", "all_", is_flag=True, help="Those that were given too.")
@options.as_json
@shared
def notices(state: Shared, all_: bool, json_: bool) -> None:
    """List who is to be told that what he was given is erased."""
    rows = state.backend.call("subject/notices", {"all": all_})
    assert isinstance(rows, list)
    print_json(rows) if json_ else print_rows(rows, COLUMNS, "no notice is owed")


@click.command(epilog=example('gdprcall subject told 5f0c… --recipient "Auditors Ltd"'))
@click.argument("certificate", metavar="CERTIFICATE")
@click.option("--recipient", required=True, metavar="NAME", help="Who was told, as the certificate names him.")
@click.option("--at", metavar="TIME", help="When, as an RFC 3339 time; default: now.")
@options.as_json
@shared
def told(state: Shared, certificate: str, recipient: str, at: str | None, json_: bool) -> None:
    """Note that a recipient was told."""
    row = state.backend.call("subject/told", {"certificate": certificate, "recipient": recipient, "at": at})
    print_json(row) if json_ else print_fields(row)  # type: ignore[arg-type]  # JSON of our own


COMMANDS = (notices, told)
