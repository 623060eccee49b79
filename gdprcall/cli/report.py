"""``gdprcall report``: the officer's page of one controller and period, as one file of HTML, or its figures as JSON."""

import os
from pathlib import Path

import click

from gdprcall import report as drawn
from gdprcall.cli import options
from gdprcall.cli.output import print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import ConfigError


@click.command(
    epilog=example(
        "gdprcall report acme --out acme.html",
        "gdprcall report acme --since 2026-10-01T00:00Z --until 2027-01-01T00:00Z --out quarter.html",
        "gdprcall report acme --json",
    )
)
@click.argument("controller", metavar="CONTROLLER")
@click.option("--since", metavar="TIME", help="From this RFC 3339 time on; default: 30 days before the end.")
@click.option("--until", metavar="TIME", help="Until this RFC 3339 time; default: now.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the page to this file.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@options.as_json
@shared
def report(
    state: Shared, controller: str, since: str | None, until: str | None, out: Path | None, force: bool, json_: bool
) -> None:
    """Write one page about CONTROLLER: what callers answered, what is kept, requests, breaches, releases, and what is to be done.

    It needs nothing else, runs nothing, prints well, and holds no number and no name of a person.
    """
    if out is None and not json_:
        raise click.UsageError("give --out FILE, or --json")
    if out is not None and out.exists() and not force:
        raise ConfigError(f"{out} is there already", "choose another name, or --force")
    facts = state.backend.call("report/data", {"controller": controller, "since": since, "until": until})
    assert isinstance(facts, dict)
    if out is not None:
        partial = out.with_name(f".{out.name}.partial")
        partial.write_text(drawn.page(facts), encoding="utf-8")
        os.replace(partial, out)
    if json_:
        print_json(facts)
    else:
        click.echo(f"{out}: {controller}, {facts['period']['since'][:10]} to {facts['period']['until'][:10]}")


COMMANDS = (report,)
