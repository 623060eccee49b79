"""``gdprcall documents``: the papers that the law wants, from the live configuration, and what a person still has to write."""

import sys
from pathlib import Path
from typing import Any

import click

from gdprcall import papers
from gdprcall.cli import options
from gdprcall.cli.approving import approve
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed, ConfigError, NotFound
from gdprcall.papers import Paper, house, kept
from gdprcall.papers.house import Wanted

COLUMNS = {"paper": "PAPER", "controller": "CONTROLLER", "language": "LANGUAGE", "open": "TO FILL IN"}
PLACES = {"paper": "PAPER", "place": "WHAT IS MISSING"}
WRITTEN = {"paper": "PAPER", "number": "VERSION", "date": "OF", "new": "NEW", "sha256": "SHA-256"}


@click.group()
def documents() -> None:
    """Make the papers of call recording: addendum (Art. 28), registers (Art. 30), notices (Art. 13), templates, tables.

    They are drafts from the configuration and the vault, and no legal advice. What a person has to fill in is marked.
    """


def _which(command: options.Command) -> options.Command:
    """Add --controller and --templates."""
    templates = click.Path(path_type=Path, exists=True, file_okay=False)
    command = click.option("--templates", type=templates, help="Own templates, before those of the configuration.")(
        command
    )
    return click.option("--controller", metavar="ID", help="Of this controller only.")(command)


@documents.command(
    "list", epilog=example("gdprcall documents list", "gdprcall documents list --controller acme --json")
)
@_which
@options.as_json
@shared
def list_(state: Shared, controller: str | None, templates: Path | None, json_: bool) -> None:
    """List the papers, and how many places of each a person has to fill in."""
    rows = [
        {
            "paper": wanted.name,
            "controller": wanted.controller or "-",
            "language": wanted.language,
            "open": len(paper.places),
        }
        for wanted, paper in _made(state, controller, templates)
    ]
    print_json(rows) if json_ else print_rows(rows, COLUMNS, "no papers: no controller is configured")


@documents.command(
    epilog=example(
        "gdprcall documents show addendum --controller acme",
        "gdprcall documents show notice --controller acme --language de --format html > notice.html",
    )
)
@click.argument("name", type=click.Choice(papers.NAMES), metavar="PAPER")
@click.option("--language", default="en", show_default=True, metavar="TAG", help="Of the notice: en, sv or de.")
@click.option("--format", "format_", type=click.Choice(kept.FORMATS), default="md", show_default=True, help="How.")
@_which
@shared
def show(state: Shared, name: str, language: str, format_: str, controller: str | None, templates: Path | None) -> None:
    """Print one paper: processor-register, or any other of one controller."""
    paper = _one(state, Wanted(name, "" if name == house.HOUSE else controller or "", language), templates)
    if format_ == "pdf":
        sys.stdout.buffer.write(papers.pdf(paper.page))
    else:
        click.echo(paper.text if format_ == "md" else paper.page, nl=False)


@documents.command(
    epilog=example("gdprcall documents write papers", "gdprcall documents write papers --formats md,html,pdf --diff")
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--formats", default="md,html", show_default=True, metavar="LIST", help="Some of md, html, pdf.")
@click.option("--diff", is_flag=True, help="Print what changed since the last version of each.")
@_which
@options.as_json
@shared
def write(
    state: Shared,
    folder: Path,
    formats: str,
    diff: bool,
    controller: str | None,
    templates: Path | None,
    json_: bool,
) -> None:
    """Write all papers into FOLDER, each with its version and hash; what did not change gets no new one.

    Versions that went before stay beside it. The list is in papers.json.
    """
    kinds = [kind.strip() for kind in formats.split(",")]
    if wrong := [kind for kind in kinds if kind not in kept.FORMATS]:
        raise ConfigError(f"there is no format {wrong[0]!r}", f"formats: {', '.join(kept.FORMATS)}")
    facts = _facts(state, controller)
    wanted, done = list(house.papers(facts)), list[kept.Written]()
    with progress("writing", wanted=not json_) as tell:
        for count, each in enumerate(wanted, 1):
            paper = house.make(facts, each, templates or state.config.parties.templates)
            done.append(kept.keep(folder, each.path, paper, _day(facts), kinds))
            tell(count, len(wanted))
    if json_:
        print_json([one.as_json() for one in done])
        return
    print_rows([one.as_json() for one in done], WRITTEN, "no papers: no controller is configured")
    for one in done if diff else ():
        if one.difference:
            click.echo(f"\n{one.difference}")


@documents.command(epilog=example("gdprcall documents check", "gdprcall documents check --controller acme --json"))
@_which
@options.as_json
@shared
def check(state: Shared, controller: str | None, templates: Path | None, json_: bool) -> None:
    """List every place that a person has to fill in, over all papers, and what else is open; exit 4 if there is any."""
    rows = [
        {"paper": wanted.path, "place": place}
        for wanted, paper in _made(state, controller, templates)
        for place in paper.places
    ]
    rows += [{"paper": paper, "place": text} for paper, text in _open(_facts(state, controller))]
    print_json(rows) if json_ else print_rows(rows, PLACES, "no paper has an open place")
    if rows:
        raise CheckFailed(
            f"{len(rows)} places are open", "fill them in by hand in what is signed, or in the configuration"
        )


@documents.command(epilog=example("gdprcall documents subprocessors acme"))
@click.argument("controller", metavar="CONTROLLER")
@options.as_json
@shared
def subprocessors(state: Shared, controller: str, json_: bool) -> None:
    """Note that CONTROLLER was told of the sub-processors as they are now; it can object from now on (Art. 28(2)).

    The paper to send is: gdprcall documents show subprocessors --controller CONTROLLER.
    """
    told = state.backend.call("documents/told", {"controller": controller})
    assert isinstance(told, dict)
    if json_:
        print_json(told)
    else:
        click.echo(f"{controller} was told on {told['at']}, and can object until {told['until']}")


def _facts(state: Shared, controller: str | None) -> dict[str, Any]:
    value = state.backend.call("documents/facts", {"controller": controller})
    assert isinstance(value, dict)
    return value


def _made(state: Shared, controller: str | None, templates: Path | None) -> list[tuple[Wanted, Paper]]:
    facts, folder = _facts(state, controller), templates or state.config.parties.templates
    return [(wanted, house.make(facts, wanted, folder)) for wanted in house.papers(facts)]


def _one(state: Shared, wanted: Wanted, templates: Path | None) -> Paper:
    """Return one paper; raises ConfigError without a controller, NotFound for a paper that is not this one's."""
    facts = _facts(state, wanted.controller or None)
    known = list(house.papers(facts))
    if not wanted.controller and wanted.name != house.HOUSE:
        ids = [one["controller"]["id"] for one in facts["controllers"]]
        if len(ids) != 1:
            raise ConfigError("whose paper is not said", f"give --controller: {', '.join(ids) or 'none is configured'}")
        wanted = Wanted(wanted.name, ids[0], wanted.language)
    if wanted not in known:
        there = ", ".join(one.name + (f" ({one.language})" if one.name == "notice" else "") for one in known)
        raise NotFound(
            f"there is no {wanted.name} of {wanted.controller or 'the house'} in {wanted.language}",
            f"there are: {there}",
        )
    return house.make(facts, wanted, templates or state.config.parties.templates)


def _open(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is open beside the places of the papers."""
    found = []
    for one in facts["controllers"]:
        id_ = one["controller"]["id"]
        found += [(f"{id_}/notice.{tag}", f"there is no written notice in {tag}") for tag in one["missing_languages"]]
        if one["dpia"] is None:
            found.append(
                (f"{id_}/dpia", "neither an assessment nor why none is required is in the configuration (DOC-07)")
            )
        if one["processor"] and (one["told"] is None or not one["told"]["same"]):
            found.append((f"{id_}/subprocessors", f"{id_} was not told of the sub-processors as they are now (DOC-05)"))
    return found


def _day(facts: dict[str, Any]) -> str:
    told: dict[str, Any] = facts["house"] or next(iter(facts["controllers"]), {})
    return str(told.get("as_of", ""))


documents.add_command(approve)
COMMANDS = (documents,)
