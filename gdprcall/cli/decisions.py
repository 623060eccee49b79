"""``gdprcall decisions``: what callers decided, and the proof of it."""

from pathlib import Path

import click

from gdprcall.cli import options, receipts
from gdprcall.cli.output import print_fields, print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, ConfigError


@click.group()
def decisions() -> None:
    """Show, prove and check what callers decided."""


@decisions.command(
    "list", epilog=example("gdprcall decisions list --outcome refused", "gdprcall decisions list --json")
)
@options.filters
@click.option("--outcome", metavar="CODE", help="With this outcome only, such as granted or refused.")
@options.as_json
@shared
def list_(state: Shared, controller: str, line: str, since: str, limit: int, outcome: str, json_: bool) -> None:
    """List decisions, the newest first."""
    params = {"controller": controller, "line": line, "since": since, "limit": limit, "outcome": outcome}
    rows = state.backend.call("decisions/list", params)
    if json_:
        print_json(rows)
        return
    columns = {"decided_at": "DECIDED", "id": "DECISION", "line": "LINE", "language": "LANG", "outcome": "OUTCOME"}
    print_rows(rows, columns | {"recording": "RECORDING"}, "no decisions")  # type: ignore[arg-type]  # JSON of our own


@decisions.command(epilog=example("gdprcall decisions show 5f0c…"))
@click.argument("id_", metavar="ID")
@options.as_json
@shared
def show(state: Shared, id_: str, json_: bool) -> None:
    """Show one decision: what was played, how long it was heard, and what followed."""
    value = state.backend.call("decisions/show", {"id": id_})
    print_json(value) if json_ else print_fields(value)  # type: ignore[arg-type]  # JSON of our own


@decisions.command(
    epilog=example(
        "gdprcall decisions receipt 5f0c…",
        "gdprcall decisions receipt 5f0c… --html > receipt.html",
        "gdprcall decisions receipt 5f0c… --json --sound prompt.wav",
    )
)
@click.argument("id_", metavar="ID")
@click.option("--html", is_flag=True, help="Print one HTML page that stands for itself, with the sound in it.")
@click.option(
    "--sound",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the prompt that was played to this new WAV file.",
)
@options.as_json
@shared
def receipt(state: Shared, id_: str, html: bool, sound: Path | None, json_: bool) -> None:
    """Print the receipt of a decision: the consent record, the prompt that was played, and the proof of the log.

    With --json it is for programs, in the fields of ISO/IEC TS 27560, with the sound in base64.
    """
    if html and json_:
        raise ConfigError("a receipt is printed once", "choose one of --html and --json")
    value = state.backend.call("decisions/receipt", {"id": id_})
    assert isinstance(value, dict)
    if sound is not None:
        receipts.write_sound(value, sound)
    if json_:
        print_json(value)
    else:
        click.echo(receipts.page(value) if html else receipts.text(value), nl=False)


@decisions.command(
    epilog=example("gdprcall decisions verify", "gdprcall decisions verify 5f0c…", "gdprcall decisions verify --json")
)
@click.argument("id_", metavar="ID", required=False)
@options.as_json
@shared
def verify(state: Shared, id_: str | None, json_: bool) -> None:
    """Check whether one decision, or all, still are proof; exit 4 and a line for each thing that is wrong.

    Looked at are the ledger, the policy and the prompt that each decision names, and what became of its recording.
    """
    with progress("verifying", wanted=not json_) as tell:
        result = state.backend.call("decisions/verify", {"id": id_}, tell)
    assert isinstance(result, dict)
    if json_:
        print_json(result)
    else:
        for finding in result["findings"]:
            click.echo(f"{finding['where']} {finding['decision'] or '-'} {finding['detail']}")
        click.echo(f"{result['decisions']} decisions looked at")
    if result["findings"]:
        raise CheckFailed(f"{len(result['findings'])} findings", "nothing was mended; see also: gdprcall audit verify")


COMMANDS = (decisions,)
