"""``gdprcall subject object, erase, allow``: a person who objects, wants to be forgotten, or may be asked again."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, GdprcallError

Command = TypeVar("Command", bound=Callable[..., Any])
COLUMNS = {"recording": "RECORDING", "started_at": "STARTED", "line": "LINE", "basis": "BASIS"}
OUTCOMES = COLUMNS | {"outcome": "OUTCOME", "why": "WHY"}


def _of(command: Command) -> Command:
    """Add NUMBER and --controller."""
    help_ = "Whose recordings; those of others are not looked at."
    return click.argument("number", metavar="NUMBER|-")(
        click.option("--controller", required=True, metavar="ID", help=help_)(command)
    )


@click.command(
    "object",
    epilog=example(
        "gdprcall subject object '+46 8 123 456 78' --controller acme --dry-run",
        'gdprcall subject object - --controller acme --reason "request 17" < number',
    ),
)
@_of
@click.option("--reason", default="", help="Why; it is kept in the ledger. No names or numbers.")
@click.option("--dry-run", is_flag=True, help="Only show what would come of it.")
@options.as_json
@shared
def object_(state: Shared, number: str, controller: str, reason: str, dry_run: bool, json_: bool) -> None:
    """Register a person's objection (Art. 21): what rests on a weighing of interests is restricted at once.

    A decision is owed then: "recordings decide". What rests on another basis cannot be objected to, and the list says so.
    """
    params = {"number": _number(number), "controller": controller, "reason": reason, "dry_run": dry_run}
    rows = state.backend.call("subject/object", params)
    print_json(rows) if json_ else print_rows(rows, OUTCOMES, "nothing")  # type: ignore[arg-type]  # JSON of our own


@click.command(
    epilog=example(
        "gdprcall subject erase '+46 8 123 456 78' --controller acme --reason 'request 17' --dry-run",
        "gdprcall subject erase - --controller acme --reason 'request 17' --never-record --yes < number",
    )
)
@_of
@click.option("--request", default="", metavar="ID", help="The request that this answers; the certificate names it.")
@click.option(
    "--ground", type=click.Choice(list("abcdef")), default=None, help="The letter of Art. 17(1) that it rests on."
)
@click.option("--reason", required=True, help="Why; it is kept in the ledger. No names or numbers.")
@click.option("--never-record", is_flag=True, help="Never ask or record this number again, where no law wants it.")
@options.destructive
@options.as_json
@shared
def erase(
    state: Shared,
    number: str,
    controller: str,
    request: str,
    ground: str | None,
    reason: str,
    never_record: bool,
    dry_run: bool,
    yes: bool,
    json_: bool,
) -> None:
    """Destroy everything that is recorded of a person with a controller (Art. 17), and print the certificate.

    What a law, a claim or a restriction keeps stays, and is named with its reason; so is everybody who was given a
    copy, and is to be told (Art. 19). What was interrupted is finished by the same command.
    """
    params = {"number": _number(number), "controller": controller, "request": request, "reason": reason}
    params |= {"never_record": never_record, "ground": ground}  # type: ignore[dict-item]  # JSON has it
    would = state.backend.call("subject/erase", params | {"dry_run": True})
    assert isinstance(would, dict)
    if dry_run:
        print_json(would) if json_ else _print_would(would)
        return
    options.confirm(f"Destroy {len(would['would_erase'])} recording(s) for good?", yes=yes)
    with progress("erasing", wanted=not json_) as tell:
        done = state.backend.call("subject/erase", params, tell)
    assert isinstance(done, dict)
    print_json(done) if json_ else _print_done(done)
    _refuse_half(done)


@click.command(epilog=example('gdprcall subject allow - --controller acme --reason "he called" < number'))
@_of
@click.option("--reason", required=True, help="Why; it is kept in the ledger. No names or numbers.")
@options.as_json
@shared
def allow(state: Shared, number: str, controller: str, reason: str, json_: bool) -> None:
    """Let a person be asked again who was never to be recorded."""
    params = {"number": _number(number), "controller": controller, "reason": reason}
    told = state.backend.call("subject/allow", params)
    assert isinstance(told, dict)
    if json_:
        print_json(told)
    else:
        click.echo("is asked again" if told["marks"] else "was never marked")


def _number(given: str) -> str:
    """Return the number; ``-`` reads it from standard input, where no list of processes shows it."""
    return sys.stdin.readline().strip() if given == "-" else given


def _refuse_half(done: dict[str, Any]) -> None:
    """Raise if a recording is left, or gone without its proof: an erasure that is not whole is nobody's success."""
    if done["failed"]:
        raise GdprcallError(f"{len(done['failed'])} recording(s) could not be erased", "run the same command again")
    if not all(receipt["complete"] for receipt in done["erased"]):
        raise CheckFailed("not every step was verified", "run: gdprcall audit verify")


def _print_would(would: dict[str, Any]) -> None:
    print_rows(would["would_erase"], COLUMNS, "nothing would be erased")
    _print_rest(would)


def _print_done(done: dict[str, Any]) -> None:
    for receipt in done["erased"]:
        click.echo(f"erased {receipt['recording']}")
    for one in done["failed"]:
        click.echo(f"FAILED {one['recording']}: {one['error']}")
    _print_rest(done)
    if "sha256" in done:
        click.echo(f"certificate {done['certificate']}: SHA-256 {done['sha256']}, entry {done['ledger_entry']}")
    if done["key_backups_until"]:
        click.echo(f"backups of the keys may exist until {done['key_backups_until']}")
    if done["never_record"]:
        click.echo("this number is never recorded again, where no law wants it")


def _print_rest(told: dict[str, Any]) -> None:
    for one in told["kept"]:
        click.echo(f"kept {one['recording']}: {one['why']}")
    for one in told["recipients"]:
        click.echo(f"to be told (Art. 19): {one['recipient']}, of {len(one['recordings'])} recording(s)")
    for package in told["packages"]:
        click.echo(f"copies went out in package {package}")


COMMANDS = (object_, erase, allow)
