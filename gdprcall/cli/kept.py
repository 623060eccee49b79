"""``gdprcall recordings restrict, unrestrict, hold, release, decide, kept``: the reasons to keep a recording."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed

Command = TypeVar("Command", bound=Callable[..., Any])
COLUMNS = {
    "recording": "RECORDING",
    "flag": "KEPT BY",
    "name": "GROUND OR MATTER",
    "owner": "OWNER",
    "since": "SINCE",
    "review_at": "REVIEW",
}
GROUNDS = click.Choice(["accuracy", "unlawful", "claims", "objection"])
LIFTED = click.Choice(["accuracy", "unlawful", "claims"])


def _of(command: Command) -> Command:
    """Add ID..., --reason and --json."""
    reason = click.option("--reason", required=True, help="Why; it is kept in the ledger. No names or numbers.")
    ids = click.argument("ids", metavar="ID...", nargs=-1, required=True)
    return ids(reason(options.as_json(command)))


def _told(command: Command) -> Command:
    help_ = "When the person was told that it is lifted, as an RFC 3339 time; it must have been before (Art. 18(3))."
    return click.option("--told", metavar="TIME", help=help_)(command)


@click.command(epilog=example('gdprcall recordings restrict 9b1d… --ground accuracy --reason "request 17"'))
@_of
@click.option("--ground", type=GROUNDS, required=True, help="Which of the grounds of Art. 18(1).")
@shared
def restrict(state: Shared, ids: tuple[str, ...], reason: str, json_: bool, ground: str) -> None:
    """Keep recordings and use them for nothing: the person's right (Art. 18).

    They are neither played nor released, but by consent of the person, for legal claims or to protect somebody, and
    nothing erases them.
    """
    _ask(state, "restrict", {"ids": list(ids), "reason": reason, "ground": ground}, json_=json_)


@click.command(
    epilog=example(
        'gdprcall recordings unrestrict 9b1d… --ground accuracy --told 2026-11-20T09:00:00Z --reason "corrected"'
    )
)
@_of
@click.option("--ground", type=LIFTED, required=True, help="The ground that holds no more.")
@_told
@shared
def unrestrict(state: Shared, ids: tuple[str, ...], reason: str, json_: bool, ground: str, told: str | None) -> None:
    """Lift a restriction, of which the person was told before."""
    _ask(state, "unrestrict", {"ids": list(ids), "reason": reason, "ground": ground, "told": told}, json_=json_)


@click.command(
    epilog=example(
        "gdprcall recordings hold 9b1d… --matter C-17 --owner legal --review 2027-05-01T00:00:00Z --reason claim"
    )
)
@_of
@click.option("--matter", required=True, metavar="ID", help="The matter that it is held for. No names.")
@click.option("--owner", required=True, metavar="WHO", help="Who answers for the hold: a post or a department.")
@click.option("--review", required=True, metavar="TIME", help="When it is looked at again, within half a year.")
@shared
def hold(state: Shared, ids: tuple[str, ...], reason: str, json_: bool, matter: str, owner: str, review: str) -> None:
    """Keep recordings for a legal claim (Art. 17(3)(e)): nothing erases them, and they may be used as before.

    The same matter again sets a new day of review.
    """
    params = {"ids": list(ids), "reason": reason, "matter": matter, "owner": owner, "review": review}
    _ask(state, "hold", params, json_=json_)


@click.command(epilog=example('gdprcall recordings release 9b1d… --matter C-17 --reason "settled"'))
@_of
@click.option("--matter", required=True, metavar="ID", help="The matter that is over.")
@shared
def release(state: Shared, ids: tuple[str, ...], reason: str, json_: bool, matter: str) -> None:
    """Let go of recordings that were held for a matter; what is due or was withdrawn then goes."""
    _ask(state, "release", {"ids": list(ids), "reason": reason, "matter": matter}, json_=json_)


@click.command(
    epilog=example(
        'gdprcall recordings decide 9b1d… --upheld --reason "no compelling grounds"',
        'gdprcall recordings decide 9b1d… --overridden --told 2026-11-20T09:00:00Z --reason "fraud case"',
    )
)
@_of
@click.option("--upheld/--overridden", required=True, default=None, help="Whether the person's objection stands.")
@_told
@options.destructive
@shared
def decide(
    state: Shared,
    ids: tuple[str, ...],
    reason: str,
    json_: bool,
    upheld: bool,
    told: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Decide an objection (Art. 21(1)): upheld, the recordings are destroyed for good.

    It is overridden by compelling grounds alone; --reason documents them, and the person was told before.
    """
    if dry_run and not upheld:
        raise click.UsageError("--dry-run is for --upheld: nothing else destroys")
    if upheld and not dry_run:
        options.confirm(f"Destroy {len(ids)} recording(s) for good?", yes=yes)
    _ask(
        state,
        "decide",
        {"ids": list(ids), "reason": reason, "upheld": upheld, "told": told, "dry_run": dry_run},
        json_=json_,
    )


@click.command(epilog=example("gdprcall recordings kept", "gdprcall recordings kept --json"))
@options.as_json
@shared
def kept(state: Shared, json_: bool) -> None:
    """List what is held or restricted, by its review; one that is overdue ends with status 4."""
    rows = state.backend.call("recordings/kept", {})
    assert isinstance(rows, list)
    print_json(rows) if json_ else print_rows(rows, COLUMNS, "nothing is held or restricted")
    overdue = [row["recording"] for row in rows if row["overdue"]]
    if overdue:
        text = f"the review is overdue of {', '.join(overdue)}"
        raise CheckFailed(text, "hold it again with a new --review, or: gdprcall recordings release")


@click.command(epilog=example('gdprcall recordings approve uid:1005 --count 200 --reason "audit of March"'))
@click.argument("actor")
@click.option("--count", type=click.IntRange(1), required=True, help="How many more, within the hour.")
@click.option("--reason", required=True, help="Why; it is kept in the ledger. No names or numbers.")
@shared
def approve(state: Shared, actor: str, count: int, reason: str) -> None:
    """Let somebody else release more recordings in an hour than one may alone (releases_an_hour): four eyes."""
    state.backend.call("recordings/approve", {"actor": actor, "count": count, "reason": reason})
    click.echo(f"{actor} may release {count} more within the hour")


def _ask(state: Shared, what: str, params: Mapping[str, object], *, json_: bool) -> None:
    rows = state.backend.call(f"recordings/{what}", params)
    assert isinstance(rows, list)
    if json_:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['id']}: {_stands(row)}")


def _stands(row: dict[str, Any]) -> str:
    if row["state"] == "erased" or row.get("would_erase"):
        return "erased" if row["state"] == "erased" else "would be erased"
    names = [f"{one['flag']} {one['name']}" for one in row["keeps"]]
    return f"kept by {', '.join(names)}" if names else "nothing stands against its end"


COMMANDS = (restrict, unrestrict, hold, release, decide, kept, approve)
