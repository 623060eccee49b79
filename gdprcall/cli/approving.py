"""``gdprcall documents approve``: a controller approves the policy of a line as its documented instruction (Art. 28(3)(a))."""

import click

from gdprcall import instructions
from gdprcall.cli import options
from gdprcall.cli.output import print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import ConfigError, NotFound, Refused
from gdprcall.policy.explain import summary
from gdprcall.times import now_ms, rfc3339


@click.command(
    epilog=example(
        "gdprcall documents approve support --by 'A. Officer, Acme' --dry-run",
        "gdprcall documents approve support --by 'A. Officer, Acme' --sha256 9f2c… --yes",
    )
)
@click.argument("line_id", metavar="LINE")
@click.option("--by", required=True, metavar="WHO", help="Who of the controller approves it.")
@click.option("--sha256", metavar="HASH", help="The policy that was read: another one is refused.")
@options.destructive
@options.as_json
@shared
def approve(state: Shared, line_id: str, by: str, sha256: str | None, dry_run: bool, yes: bool, json_: bool) -> None:
    """Let the present policy of LINE take effect, as its controller instructs.

    It is shown in plain words. What is approved is its hash, which stands in every decision: a change waits again.
    """
    config = state.draft
    line = config.policy.lines.get(line_id)
    if line is None:
        raise NotFound(f"there is no line {line_id!r}", f"lines: {', '.join(config.policy.lines) or 'none'}")
    present = config.policy.sha256(line)
    if sha256 not in (None, present):
        raise Refused("this is not the policy that was read", f"the policy of today is {present}")
    if not by.strip() or not by.isprintable():
        raise ConfigError("--by names nobody", "name the person of the controller who approves it")
    if not json_:
        click.echo(summary(config.policy.controller_of(line), line))
        click.echo(f"all of it, in plain words: gdprcall check --explain {line.id}")
    if not dry_run:
        options.confirm(f"Does {line.controller} approve this?", yes=yes)
        found = instructions.Instruction(line.controller, line.id, present, by, rfc3339(now_ms()))
        instructions.BOOK.add(instructions.BOOK.beside(config.path), found)
    if json_:
        told = {"controller": line.controller, "line": line.id, "sha256": present, "approved": not dry_run}
        print_json(told)
    else:
        click.echo(f"{'would approve' if dry_run else 'approved'}: {line.id}, policy {present}")


COMMANDS = (approve,)
