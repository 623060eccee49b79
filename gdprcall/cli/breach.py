"""``gdprcall breach``: the register of breaches, its clocks in words, and what is decided about one (Art. 33, 34)."""

from collections.abc import Callable
from typing import Any

import click

from gdprcall.cli import options
from gdprcall.cli.breached import COLUMNS, fields, given, print_breach, print_opened
from gdprcall.cli.notices import notice, notify
from gdprcall.cli.output import print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed

RISKS = ("none", "risk", "high")
EXEMPTIONS = ("none", "unintelligible", "mitigated", "disproportionate")
Command = Callable[..., Any]


@click.group()
def breach() -> None:
    """Keep the register of breaches of personal data (Art. 33(5)), and its clocks.

    The 72 hours to the authority run over nights and week-ends, from when somebody was reasonably sure. A processor
    tells its controller at once instead. gdprcall breach check says what is to be done, and how long is left.
    """


def _scope(command: Command) -> Command:
    """Add the ways in which recordings are found that a breach concerns."""
    for option in (
        click.option("--package", metavar="ID", help="Concerned is what a package for a person held."),
        click.option(
            "--recordings", "list_", type=click.File(), help="A file of ids, one a line; - is standard input."
        ),
        click.option("--folder", metavar="DIR", help="Concerned is whatever lies in this folder of the PBX."),
        click.option("--key", metavar="RECIPIENT", help="Concerned is what was ever sealed to this recipient."),
        click.option("--host", metavar="NAME", help="Concerned is everything in the vault of this host."),
        click.option("--until", metavar="TIME", help="Concerned are recordings until this RFC 3339 time."),
        click.option("--since", metavar="TIME", help="Concerned are recordings from this RFC 3339 time on."),
    ):
        command = option(command)
    return command


@breach.command(
    "open",
    epilog=example(
        "gdprcall breach open --since 2026-11-20T08:00Z --until 2026-11-20T17:00Z --kinds confidentiality"
        ' --facts "The spool was shared with the office network."',
        "gdprcall breach open --folder /srv/backup/gdprcall --dry-run",
        'gdprcall breach open --key age1… --aware 2026-11-20T17:45 --by "duty engineer" --reason "the laptop is gone"',
    ),
)
@click.option("--controller", metavar="ID", help="Whose breach it is, where no recording says it.")
@_scope
@click.option("--aware", metavar="WHEN", help="When somebody was reasonably sure of it; the clocks run from then.")
@click.option("--by", metavar="WHO", help="Who was: a function, no name.")
@click.option("--reason", metavar="TEXT", help="Why he was sure.")
@click.option("--dry-run", is_flag=True, help="Only show which recordings are concerned.")
@fields
@options.as_json
@shared
def open_(state: Shared, /, controller: str | None, dry_run: bool, json_: bool, **more: Any) -> None:
    """Open a breach, one for each controller concerned, and print the ids and the clocks.

    Several ways to find recordings must all hold. Without --aware it is a suspicion, and no clock runs yet.
    """
    when = {name: more.pop(name) for name in ("aware", "by", "reason")}
    if any(when.values()) and not all(when.values()):
        raise click.UsageError("give --aware, --by and --reason together")
    file = more.pop("list_")
    ids = None if file is None else [line for line in map(str.strip, file) if line]
    scope = {name: more.pop(name) for name in ("since", "until", "host", "key", "folder", "package")}
    params: dict[str, object] = {"controller": controller, "dry_run": dry_run, "fields": given(more)}
    params["scope"] = {name: value for name, value in {**scope, "recordings": ids}.items() if value is not None}
    if when["aware"]:
        params["aware"] = {"at": when["aware"], "by": when["by"], "reason": when["reason"]}
    value = state.backend.call("breach/open", params)
    print_json(value) if json_ else print_opened(value)


@breach.command("list", epilog=example("gdprcall breach list", "gdprcall breach list --all --json"))
@click.option("--controller", metavar="ID", help="Of this controller only.")
@click.option("--all", "all_", is_flag=True, help="The closed ones too.")
@options.as_json
@shared
def list_(state: Shared, controller: str | None, all_: bool, json_: bool) -> None:
    """List the breaches, what is to be done first at the top."""
    rows = state.backend.call("breach/list", {"controller": controller, "all": all_})
    assert isinstance(rows, list)
    print_json(rows) if json_ else print_rows(rows, COLUMNS, "no breaches")


@breach.command(epilog=example("gdprcall breach show 5f0c…"))
@click.argument("id_", metavar="ID")
@options.as_json
@shared
def show(state: Shared, id_: str, json_: bool) -> None:
    """Show one breach: how long is left for whom, what is missing, who was told, and everything that was ever said of it."""
    value = state.backend.call("breach/show", {"id": id_})
    print_json(value) if json_ else print_breach(value)


@breach.command(epilog=example("gdprcall breach check", "gdprcall breach check --json"))
@click.option("--controller", metavar="ID", help="Of this controller only.")
@options.as_json
@shared
def check(state: Shared, controller: str | None, json_: bool) -> None:
    """Look whether a breach is suspected or somebody is to be told, and whether contacts were tested; exit 4 if not all is well."""
    value = state.backend.call("breach/check", {"controller": controller})
    assert isinstance(value, dict)
    presses = [*value["overdue"], *value["due"], *value["suspected"]]
    if json_:
        print_json(value)
    else:
        print_rows(presses, COLUMNS, f"nothing presses; {value['open']} open")
        for one in value["contacts"]:
            last = f"last on {one['tested_at']}" if one["tested_at"] else "never"
            click.echo(
                f"the contact of {one['controller']} for breaches was tested {last}: try it, then breach contact"
            )
    if presses or value["contacts"]:
        said = f"{len(value['overdue'])} overdue, {len(value['due'])} to be told, {len(value['suspected'])} suspected"
        raise CheckFailed(f"{said}, {len(value['contacts'])} contacts untested", "see: gdprcall breach show ID")


@breach.command(epilog=example('gdprcall breach update 5f0c… --measures "The share was closed." --key-state safe'))
@click.argument("id_", metavar="ID")
@fields
@options.as_json
@shared
def update(state: Shared, /, id_: str, json_: bool, **more: Any) -> None:
    """Say more of a breach, or something else than before; what was said stays in its history."""
    value = state.backend.call("breach/update", {"id": id_, "fields": given(more)})
    _print(value, json_)


@breach.command(
    epilog=example('gdprcall breach aware 5f0c… --at 2026-11-20T17:45 --by "duty engineer" --reason "the log shows it"')
)
@click.argument("id_", metavar="ID")
@click.option("--at", metavar="WHEN", required=True, help="When, as the controller's clock showed it; or RFC 3339.")
@click.option("--by", metavar="WHO", required=True, help="Who was sure: a function, no name.")
@click.option(
    "--reason", metavar="TEXT", required=True, help="What made him sure; with --change, why it was another time."
)
@click.option("--change", is_flag=True, help="Another time was said before, and that was wrong.")
@options.as_json
@shared
def aware(state: Shared, id_: str, at: str, by: str, reason: str, change: bool, json_: bool) -> None:
    """Say when somebody was reasonably sure that this is a breach: from then the clocks run (EDPB Guidelines 9/2022)."""
    params = {"id": id_, "at": at, "by": by, "reason": reason, "change": change}
    _print(state.backend.call("breach/aware", params), json_)


def _inputs(command: Command) -> Command:
    for name, steps, says in (
        ("availability", "0|0.25|0.5", "How far data cannot be had."),
        ("integrity", "0|0.25|0.5", "How far data were changed."),
        ("confidentiality", "0|0.25|0.5", "How far others could have read them."),
        ("identification", "0.25|0.5|0.75|1", "How easily persons are known by them."),
        ("context", "1|2|3|4", "The data: simple, of behaviour, financial, sensitive."),
    ):
        command = click.option(f"--{name}", type=float, metavar=steps, help=says)(command)
    return click.option("--malice", is_flag=True, default=None, help="It was done on purpose.")(command)


@breach.command(
    epilog=example(
        "gdprcall breach assess 5f0c…",
        'gdprcall breach assess 5f0c… --context 2 --identification 1 --confidentiality 0.25 --risk risk --reason "…"',
        'gdprcall breach assess 5f0c… --risk high --reason "…" --exemption unintelligible --evidence "keys in the safe"',
    )
)
@click.argument("id_", metavar="ID")
@_inputs
@click.option("--risk", type=click.Choice(RISKS), help="What a person decides: hardly any risk, a risk, a high risk.")
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option("--override", metavar="TEXT", help="Why the advice of the score does not fit.")
@click.option("--exemption", type=click.Choice(EXEMPTIONS), help="What excuses from telling the persons (Art. 34(3)).")
@click.option("--evidence", metavar="TEXT", help="What shows that it does.")
@options.as_json
@shared
def assess(state: Shared, /, id_: str, json_: bool, **more: Any) -> None:
    """Print how severe a breach is after ENISA's method, and note what a person decides.

    The score advises. The law asks whether there is a risk, or a high risk, for the persons.
    """
    if more["risk"] and not more["reason"]:
        raise click.UsageError("a decision needs --reason")
    value = state.backend.call(
        "breach/assess", {"id": id_} | {name: one for name, one in more.items() if one is not None}
    )
    _print(value, json_)


@breach.command(
    epilog=example(
        'gdprcall breach close 5f0c… --reason "everybody is told, the share is closed" --lessons "shares are looked at weekly"',
        'gdprcall breach close 5f0c… --no-breach --reason "the file was one of a test call"',
    )
)
@click.argument("id_", metavar="ID")
@click.option("--reason", metavar="TEXT", required=True, help="The reasoning.")
@click.option("--lessons", metavar="TEXT", help="What is done so that it does not happen again.")
@click.option("--no-breach", is_flag=True, help="It was looked into, and is none.")
@options.as_json
@shared
def close(state: Shared, id_: str, reason: str, lessons: str | None, no_breach: bool, json_: bool) -> None:
    """Close a breach that is over, once facts, effects, measures and reasoning are there and everybody is told (Art. 33(5))."""
    params = {"id": id_, "reason": reason, "lessons": lessons, "no_breach": no_breach}
    _print(state.backend.call("breach/close", params), json_)


@breach.command(epilog=example("gdprcall breach contact acme"))
@click.argument("controller", metavar="CONTROLLER")
@options.as_json
@shared
def contact(state: Shared, controller: str, json_: bool) -> None:
    """Note that a controller's contact for breaches was tried just now, and somebody answered."""
    value = state.backend.call("breach/contact", {"controller": controller})
    assert isinstance(value, dict)
    print_json(value) if json_ else click.echo(f"the contact of {value['controller']} answered on {value['tested_at']}")


@breach.command(epilog=example("gdprcall breach recordings 5f0c…"))
@click.argument("id_", metavar="ID")
@options.as_json
@shared
def recordings(state: Shared, id_: str, json_: bool) -> None:
    """List the recordings that a breach concerns."""
    ids = state.backend.call("breach/recordings", {"id": id_})
    assert isinstance(ids, list)
    print_json(ids) if json_ else click.echo("\n".join(ids) or "no recordings")


def _print(value: object, json_: bool) -> None:
    print_json(value) if json_ else print_breach(value)


breach.add_command(notice)
breach.add_command(notify)
COMMANDS = (breach,)
