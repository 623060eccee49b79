"""The command check: a wrong policy as one readable page, a right one in plain words, and the dialplan beside it.

It changes nothing and talks to nobody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gdprcall import dialplan
from gdprcall.cli import options
from gdprcall.cli.output import print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.config import Config, load
from gdprcall.dialplan import Reading
from gdprcall.doctor import custody
from gdprcall.errors import CheckFailed, NotFound
from gdprcall.mistakes import Mistaken
from gdprcall.policy.changes import changes
from gdprcall.policy.dialplan import compare
from gdprcall.policy.explain import Explanation, explain, summary
from gdprcall.policy.finding import Finding, warn
from gdprcall.policy.model import Line, Policy
from gdprcall.policy.page import page
from gdprcall.policy.rules import SERVED_OPTIONS
from gdprcall.policy.selfservice import summary as offered

UNCOMPARED = "not compared with a dialplan: name its files with --dialplan, or ask Asterisk with gdprcall doctor"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw; without a reading no dialplan was named."""

    config: Config
    found: Sequence[Finding]
    reading: Reading | None
    differences: Sequence[Finding]
    changes: Sequence[Finding]
    explained: Explanation | None

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The warnings that matter: of the line that is explained, and of its controller; or all."""
        if self.explained is None:
            return tuple(self.found)
        line = self.config.policy.lines[self.explained.line]
        places = (f"lines.{line.id}", f"controllers.{line.controller}")
        return tuple(f for f in self.found if any(f"{f.place}.".startswith(f"{one}.") for one in places))


@click.command(
    epilog=example(
        "gdprcall check",
        "gdprcall check --explain support",
        "gdprcall check --dialplan /etc/asterisk/extensions.conf",
        "gdprcall --config ./new.toml check --before /etc/gdprcall/gdprcall.toml",
    )
)
@click.option("--explain", "line", metavar="LINE", help="Say what happens on LINE for each thing a caller can do.")
@click.option(
    "--dialplan",
    "paths",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Compare with this dialplan and what it includes; may be given several times.",
)
@click.option(
    "--before",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Say what changes against this older configuration, and what a change may not reach.",
)
@options.as_json
@shared
def check(state: Shared, line: str | None, paths: tuple[Path, ...], before: Path | None, json_: bool) -> None:
    """Read the configuration and name every mistake; say what each line will do.

    Exit status 2 if the configuration is wrong, 4 if only the dialplan or an older configuration disagrees with it.
    """
    config = _config(state, json_=json_)
    policy, reading = config.policy, dialplan.read(*paths)
    seen = Seen(
        config,
        (*config.warnings, *_custody(config)),
        reading if paths else None,
        compare(policy, reading.found, whole=not reading.unread) if paths else [],
        changes(load(before).policy, policy) if before else [],
        explain(policy, _line(policy, line), SERVED_OPTIONS) if line else None,
    )
    if json_:
        print_json(_as_json(seen))
    else:
        for text in _text(seen):
            click.echo(text)
    for what, findings in (("the dialplan disagrees with", seen.differences), ("no change can lead to", seen.changes)):
        wrong = [finding for finding in findings if finding.refuses]
        if wrong:
            raise CheckFailed(f"{what} {state.path}: {wrong[0].place} {wrong[0].text}", wrong[0].mend)


def _config(state: Shared, *, json_: bool) -> Config:
    try:
        return state.config
    except Mistaken as error:
        if json_:
            print_json({"lines": {}, "mistakes": [finding.as_json() for finding in error.findings]})
        raise


def _custody(config: Config) -> Iterator[Finding]:
    """Yield what is not known of who can open recordings, beside what the policy itself says."""
    for found in custody.examine(config):
        if found.grade != "ok":
            controller = found.check.removeprefix("recipients of ")
            place = (
                f"controllers.{controller}.recipients" if controller in config.policy.controllers else "vault.folder"
            )
            yield warn("SEC-01", place, found.text, found.mend)


def _line(policy: Policy, id_: str) -> Line:
    line = policy.lines.get(id_)
    if line is None:
        raise NotFound(f"there is no line {id_!r}", f"lines: {', '.join(sorted(policy.lines)) or 'none'}")
    return line


def _as_json(seen: Seen) -> dict[str, object]:
    policy, reading = seen.config.policy, seen.reading
    return {
        "lines": {line.id: summary(policy.controller_of(line), line) for line in policy.lines.values()},
        "self_service": {id_: offered(service) for id_, service in policy.self_service.items()},
        "mistakes": [],
        "warnings": [finding.as_json() for finding in seen.found],
        "dialplan": {
            "compared": reading is not None and bool(reading.found),
            "unread": reading.unread if reading else [],
            "findings": [finding.as_json() for finding in seen.differences],
        },
        "changes": [finding.as_json() for finding in seen.changes],
        "explained": seen.explained.as_json() if seen.explained else None,
    }


def _text(seen: Seen) -> Iterator[str]:
    policy, warnings = seen.config.policy, seen.warnings
    owners = {line.id: line.controller for line in policy.lines.values()}
    if seen.explained is not None:
        yield from _explained(seen.explained)
    else:
        yield from (f"{line.id}: {summary(policy.controller_of(line), line)}" for line in policy.lines.values())
        yield from (f"{id_}: {offered(service)}" for id_, service in policy.self_service.items())
    if not policy.lines:
        yield "no lines: nothing is recorded"
    if warnings:
        yield page(warnings, owners)
    if seen.changes:
        yield f"\nwhat changes{page(seen.changes, owners)}"
    if seen.reading is not None:
        yield from _compared(seen.differences, seen.reading, owners)
    elif seen.explained is not None:
        yield f"\n{UNCOMPARED}"
    if not any(finding.refuses for finding in (*seen.changes, *seen.differences)):
        counted = f", with warnings: {len(warnings)}" if warnings else ""
        yield f"{'' if not warnings else chr(10)}{seen.config.path} is in order{counted}"


def _explained(explained: Explanation) -> Iterator[str]:
    yield f"{explained.line}: {explained.summary}"
    for heading, ways in (("a caller who", explained.ways), ("who is told what", explained.told)):
        yield f"\n{heading}"
        for way in ways:
            yield f"  {way.when}:\n      {way.then}"
    if explained.duties:
        yield "\nfor people to see to"
    for duty in explained.duties:
        yield f"  {duty}"
    yield f"\nthe dialplan is {explained.dialplan}"


def _compared(differences: Sequence[Finding], reading: Reading, owners: Mapping[str, str]) -> Iterator[str]:
    for text in reading.unread:
        yield f"dialplan: {text}"
    if not reading.found:
        yield "dialplan: no Gosub(gdprcall,s,1(…)) was found, so nothing can be compared"
    elif not differences:
        yield f"dialplan: agrees at {len(reading.found)} places" + (", as far as it was read" if reading.unread else "")
    if differences:
        yield page(differences, owners, "the dialplan")


COMMANDS = (check,)
