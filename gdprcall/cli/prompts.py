"""``gdprcall prompts``: what callers will hear, whether it may be said so, and who approved it."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows, progress
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.config import Config
from gdprcall.errors import CheckFailed, ConfigError, NotFound, Refused
from gdprcall.policy.model import Line
from gdprcall.prompts import approvals, catalogue, lint, texts
from gdprcall.prompts.synthesis import EspeakNg
from gdprcall.times import now_ms, rfc3339

RELOAD = "tell a running daemon with: systemctl reload gdprcall"


@click.group()
def prompts() -> None:
    """Build, record, check and list prompts."""


@prompts.command("list", epilog=example("gdprcall prompts list", "gdprcall prompts list --all --json"))
@click.option("--all", "all_", is_flag=True, help="Confirmations too, and every language of the catalogue.")
@options.as_json
@shared
def list_(state: Shared, all_: bool, json_: bool) -> None:
    """List what each line says in each language (BCP 47), and whether it can be played."""
    rows = _rows(state.draft, all_=all_)
    if json_:
        print_json(rows)
    else:
        columns = {"line": "LINE", "language": "LANG", "kind": "KIND", "state": "STATE", "fit": "FIT"}
        columns |= {"seconds": "SECONDS", "engine": "BY", "used_by": "USED BY", "sha256": "SHA-256"}
        print_rows([row | {"used_by": ", ".join(row["used_by"])} for row in rows], columns, "no lines")


def _rows(config: Config, *, all_: bool) -> list[dict[str, Any]]:
    known = catalogue.Catalogue(config.policy, config.asterisk.sounds, config.prompts)
    approved = approvals.BOOK.load(approvals.BOOK.beside(config.path))
    rows: list[dict[str, Any]] = []
    for line in config.policy.lines.values():
        for language in line.languages:
            for kind in catalogue.kinds_of(line):
                if all_ or kind not in texts.CONFIRMATIONS:
                    prompt, state = (
                        known.find(line.id, language, kind),
                        approvals.state(approved, line.controller, language),
                    )
                    rows.append(_row(line.id, language, kind, state, prompt))
    used: dict[object, list[object]] = {}
    for row in rows:
        used.setdefault(row["sha256"], []).append(row["line"])
    spoken = {row["language"] for row in rows}
    if all_:
        rest = [tag for tag in texts.LANGUAGES if tag not in spoken]
        rows += [_row(None, tag, None, "draft" if texts.is_draft(tag) else "finished", None) for tag in rest]
    return [row | {"used_by": used.get(row["sha256"], []) if row["sha256"] else []} for row in rows]


def _row(
    line: str | None, language: str, kind: texts.Kind | None, state: str, prompt: catalogue.Prompt | None
) -> dict[str, object]:
    return {
        "line": line,
        "language": language,
        "kind": kind and str(kind),
        "state": state,
        "fit": prompt is not None,
        "seconds": prompt.total_ms / 1000 if prompt else None,
        "mandatory_seconds": prompt.mandatory_ms / 1000 if prompt else None,
        "engine": prompt.engine if prompt else None,
        "sha256": prompt.sha256 if prompt else None,
    }


@prompts.command(epilog=example("gdprcall prompts build", "gdprcall prompts build --speed 180"))
@click.option("--speed", type=click.IntRange(80, 450), default=165, show_default=True, help="Words a minute.")
@options.as_json
@shared
def build(state: Shared, speed: int, json_: bool) -> None:
    """Speak what is not spoken yet, with espeak-ng, into Asterisk's sounds folder."""
    config = state.config
    with progress("speaking", wanted=not json_) as tell:
        made = catalogue.build(config.policy, config.asterisk.sounds, config.prompts, EspeakNg(speed), progress=tell)
    rows = [
        {"line": one.line, "language": one.language, "kind": str(one.kind), "new": one.new}
        | {"seconds": one.prompt.total_ms / 1000, "sha256": one.prompt.sha256}
        for one in made
    ]
    if json_:
        print_json(rows)
    else:
        columns = {"line": "LINE", "language": "LANG", "new": "NEW", "kind": "KIND", "seconds": "SECONDS"}
        print_rows(rows, columns | {"sha256": "SHA-256"}, "no lines")
        click.echo(RELOAD)


@prompts.command(
    "lint", epilog=example("gdprcall prompts lint", "gdprcall prompts lint --all", "gdprcall prompts lint ./lb.toml")
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--all", "all_", is_flag=True, help="Every language of the catalogue, not only those that lines speak.")
@options.as_json
@shared
def lint_(state: Shared, files: tuple[Path, ...], all_: bool, json_: bool) -> None:
    """Check what is said, or the FILES of new languages: empty slots, vague words, answers not equally easy.

    Also what a line says and cannot be played. Exit status 4 when something is found.
    """
    found = [one for path in files for one in lint.language(path.stem, _file(path))] if files else []
    if not files:
        found = list(_faults(state.draft, all_=all_))
    if json_:
        print_json([one.as_json() for one in found])
    for one in found if not json_ else ():
        click.echo(f"{one.place}: {one.text} [{one.rule}]; {one.mend}")
    if found:
        raise CheckFailed(f"{len(found)} found in what callers hear", "mend each as it says")
    if not json_:
        click.echo("nothing found")


def _file(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", "check its name") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}", "mend that place") from error


def _faults(config: Config, *, all_: bool) -> Iterator[lint.Finding]:
    policy = config.policy
    spoken = {language for line in policy.lines.values() for language in line.languages}
    for language in texts.LANGUAGES if all_ else sorted(spoken):
        yield from lint.language(language, texts.of(language))
    for line in policy.lines.values():
        for language in line.languages:
            for kind in catalogue.kinds_of(line):
                yield from lint.said(line, policy.controller_of(line), language, kind)
    known = catalogue.Catalogue(policy, config.asterisk.sounds, config.prompts)
    for id_, language, kind in known.lacking():
        place = f"lines.{id_} ({language}, {kind})"
        yield lint.Finding("INF-03", place, "cannot be played", "gdprcall prompts build")
    for finding in approvals.findings(policy, approvals.BOOK.load(approvals.BOOK.beside(config.path))):
        yield lint.Finding(finding.rule, finding.place, finding.text, finding.mend)


@prompts.command(epilog=example("gdprcall prompts text support sv", "gdprcall prompts text support sv --kind notice"))
@options.prompt
@options.as_json
@shared
def text(state: Shared, line_id: str, language: str, kind: str, json_: bool) -> None:
    """Print what a line says, part by part: the script for a studio, and what a controller reads."""
    said, which = words(state.draft, line_id, language, kind)
    rows = [{"part": n, "name": part.name, "text": part.text} for n, part in enumerate(said.parts, 1)]
    if json_:
        print_json({"line": line_id, "language": language, "kind": str(which), "parts": rows})
    else:
        print_rows(rows, {"part": "PART", "name": "NAME", "text": "TEXT"}, "nothing")


def words(config: Config, line_id: str, language: str, kind: str) -> tuple[texts.Words, texts.Kind]:
    """Return what a line says, and its kind; raises NotFound for a line, language or kind that it has not."""
    line = config.policy.lines.get(line_id)
    if line is None:
        raise NotFound(f"there is no line {line_id!r}", f"lines: {', '.join(config.policy.lines) or 'none'}")
    if language not in texts.LANGUAGES:
        raise NotFound(f"there are no texts in {language!r}", f"languages: {', '.join(texts.LANGUAGES)}")
    which = texts.Kind(line.basis) if kind == "question" else texts.Kind(kind)
    return texts.words(line, config.policy.controller_of(line), language, which), which


@prompts.command(epilog=example("gdprcall prompts approve fr --controller acme --by 'Jeanne Roux' --dry-run"))
@click.argument("language")
@click.option("--controller", required=True, metavar="ID", help="Whose callers will hear it.")
@click.option("--by", required=True, metavar="NAME", help="Who approves for the controller.")
@click.option("--sha256", metavar="HASH", help="Approve only if these are the texts: as --dry-run showed them.")
@options.destructive
@options.as_json
@shared
def approve(  # each is an option
    state: Shared, language: str, controller: str, by: str, sha256: str | None, dry_run: bool, yes: bool, json_: bool
) -> None:
    """Let a controller's lines speak a draft language, after somebody who speaks it has read the texts.

    All texts are shown. What is approved is their hash: texts that change with a release must be approved again.
    """
    config = state.draft
    lines = _to_be_read(config, controller, language)
    hash_ = texts.sha256(language)
    if sha256 not in (None, hash_):
        raise Refused("these are not the texts that were read", f"the texts of today are {hash_}")
    if not json_:
        _show(config, lines, language)
    if not dry_run:
        if not by.strip() or not by.isprintable():
            raise ConfigError("--by names nobody", "name the person who read the texts")
        options.confirm(f"Does {controller} approve all of this in {language}?", yes=yes)
        approvals.BOOK.add(
            approvals.BOOK.beside(config.path), approvals.Approval(controller, language, hash_, by, rfc3339(now_ms()))
        )
    if json_:
        print_json({"controller": controller, "language": language, "sha256": hash_, "approved": not dry_run})
    else:
        click.echo(f"{'would approve' if dry_run else 'approved'}: {language} for {controller}, texts {hash_}")


def _to_be_read(config: Config, controller: str, language: str) -> list[Line]:
    if controller not in config.policy.controllers:
        known = ", ".join(config.policy.controllers) or "none"
        raise NotFound(f"there is no controller {controller!r}", f"controllers: {known}")
    if language not in texts.LANGUAGES:
        raise NotFound(f"there are no texts in {language!r}", f"languages: {', '.join(texts.LANGUAGES)}")
    if not texts.is_draft(language):
        raise Refused(f"the texts in {language} are finished and need no approval", "use them as they are")
    lines = [line for line in config.policy.lines.values() if line.controller == controller]
    return [line for line in lines if language in line.languages] or lines


def _show(config: Config, lines: list[Line], language: str) -> None:
    for line in lines:
        for kind in catalogue.kinds_of(line):
            said = texts.words(line, config.policy.controller_of(line), language, kind)
            click.echo(f"{line.id}, {kind}:\n  {said.text}\n")


@prompts.command(epilog=example("gdprcall prompts purge --dry-run", "gdprcall prompts purge --yes"))
@options.destructive
@options.as_json
@shared
def purge(state: Shared, dry_run: bool, yes: bool, json_: bool) -> None:
    """Remove kept prompts that neither a line nor any proof refers to; what was played is kept as long as its proof."""
    rows: Any = state.backend.call("prompts/purge", {"dry_run": True})
    if rows and not dry_run:
        options.confirm(f"Remove {len(rows)} prompts that nothing refers to?", yes=yes)
        rows = state.backend.call("prompts/purge", {})
    if json_:
        print_json(rows)
    else:
        columns = {"sha256": "SHA-256", "language": "LANG", "kind": "KIND", "seconds": "SECONDS", "text": "TEXT"}
        print_rows(rows, columns, "nothing: a line or a proof refers to every prompt")
        if rows:
            click.echo(f"{len(rows)} {'would be' if dry_run else 'were'} removed")
