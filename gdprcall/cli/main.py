"""The root command, and the one place where errors become lines and a status."""

import os
import sys
from importlib import import_module
from pathlib import Path

import click

from gdprcall import __version__, config, log
from gdprcall.cli.output import complain
from gdprcall.cli.shared import Shared, example
from gdprcall.errors import GdprcallError

PLACES = {
    **dict.fromkeys(("completion", "doctor", "manual", "serve", "simulate", "status"), "daemon"),
    **{
        name: name
        for name in (
            "audit",
            "breach",
            "calls",
            "decisions",
            "documents",
            "keys",
            "recordings",
            "report",
            "report",
            "requests",
            "retention",
            "subject",
        )
    },
    "vault": "vault",
    "check": "checking",
    "prompts": "voices",
}
"""Which module has which command."""


class Commands(click.Group):
    """Loads a command's module when it is named: the daemon would keep all of them for as long as it serves."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the name of every command."""
        return sorted(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None if there is no such."""
        if cmd_name not in PLACES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"gdprcall.cli.{PLACES[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("gdprcall check", "gdprcall recordings list --json", "gdprcall --config ./gdprcall.toml status"),
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GDPRCALL_CONFIG",
    default=config.DEFAULT_PATH,
    show_default=True,
    help="The configuration file.",
)
@click.version_option(__version__, prog_name="gdprcall")
@click.pass_context
def root(context: click.Context, path: Path) -> None:
    """Consent first call recording for Asterisk.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 not found, 4 a check found something.
    """
    context.obj = Shared(path)


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; no traceback ever reaches a person."""
    try:
        result = root.main(arguments, prog_name="gdprcall", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except GdprcallError as error:
        complain(error.message, error.hint)
        return error.exit_status
    except click.ClickException as error:
        usage = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "gdprcall"
        # click 8.2 and later raise this for a group alone, with its whole help as the message
        missing = type(error).__name__ == "NoArgsIsHelpError"
        complain("a command is missing" if missing else error.format_message(), f"see: {usage} --help")
        return 2
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted", "nothing was left half done: run it again")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        complain(f"{place}{error.strerror or type(error).__name__}", "check the path, its owner and its modes")
        return 1
    except Exception as error:  # noqa: BLE001 # the top: a person gets a line, not a traceback
        shown = log.withhold_exception(None, "", {"exc_info": error})
        complain(f"internal error: {shown['error']} at {' '.join(shown['where'])}", "please report this line")
        return 1
