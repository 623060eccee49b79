"""Commands about the installation as a whole: serve, doctor, status, simulate, completion, manual; check is beside it.

What only one of them needs is loaded by it alone.
"""

import asyncio

import click
from click.shell_completion import get_completion_class

from gdprcall import log
from gdprcall.cli import options
from gdprcall.cli.manual import man_page
from gdprcall.cli.output import print_fields, print_json
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.errors import CheckFailed


@click.command(epilog=example("gdprcall serve", "gdprcall --config ./gdprcall.toml serve --log json"))
@click.option("--log", "format_", type=click.Choice(["auto", "json", "text"]), default="auto", show_default=True)
@shared
def serve(state: Shared, format_: str) -> None:
    """Run the daemon in the foreground; SIGTERM ends it in order, SIGHUP reads the configuration again."""
    from gdprcall.service import serve as serve_daemon  # noqa: PLC0415 # no other command needs a telephone

    log.configure(json=None if format_ == "auto" else format_ == "json")
    serve_daemon(state.path)


@click.command(epilog=example("gdprcall doctor", "gdprcall doctor --json"))
@options.as_json
@shared
def doctor(state: Shared, json_: bool) -> None:
    """Look at the real installation and say what is wrong and how to mend it; exit 4 if something is."""
    from gdprcall import doctor as examination  # noqa: PLC0415 # no other command needs it

    findings = asyncio.run(examination.examine(state.config))
    if json_:
        print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.grade:4}  {finding.check}: {finding.text}")
            if finding.mend:
                click.echo(f"      mend: {finding.mend}")
    wrong = [finding for finding in findings if finding.grade == "FAIL"]
    if wrong:
        raise CheckFailed(f"{len(wrong)} of {len(findings)} checks failed", "mend them from the top")


@click.command(epilog=example("gdprcall status", "gdprcall status --json"))
@options.as_json
@shared
def status(state: Shared, json_: bool) -> None:
    """Show links, spool, last seal and sweep, and disk."""
    value = state.backend.call("status", {})
    print_json(value) if json_ else print_fields(value)  # type: ignore[arg-type]  # JSON of our own


@click.command(
    "simulate",
    epilog=example("gdprcall simulate support 1", "gdprcall simulate support .2", "gdprcall simulate support '1*9'"),
)
@click.argument("line")
@click.argument("keys", default="")
@options.as_json
@shared
def simulate_(state: Shared, line: str, keys: str, json_: bool) -> None:
    """Play the consent dialogue of LINE without a telephone.

    KEYS are what the caller does: digits, "." for a silence, "h" for a hangup, the withdrawal code once recorded.
    Letters are the agent's word, once the call has gone on: "c" a contract begins, "e" it ends, "y" the caller said yes
    (twice to confirm it), "m" the caller seems to be a child, "p" a card number
    follows, "g" it is over, "k" the rest of the call is private.
    """
    from gdprcall import simulate  # noqa: PLC0415 # the daemon does not need it

    lines = simulate.run(state.config.policy, line, keys)
    print_json(lines) if json_ else click.echo("\n".join(lines))


@click.command(epilog=example('eval "$(gdprcall completion bash)"', "gdprcall completion fish"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "gdprcall", "_GDPRCALL_COMPLETE").source())


@click.command(epilog=example("gdprcall manual > gdprcall.1"))
@click.pass_context
def manual(context: click.Context) -> None:
    """Print the manual page (roff)."""
    click.echo(man_page(context.find_root()), nl=False)


COMMANDS = (serve, doctor, status, simulate_, completion, manual)
