"""``gdprcall prompts``: what callers will hear."""

import click

from gdprcall.cli import options
from gdprcall.cli.output import print_json, print_rows
from gdprcall.cli.shared import Shared, example, shared
from gdprcall.prompts import catalogue
from gdprcall.prompts.synthesis import EspeakNg


@click.group()
def prompts() -> None:
    """Build and list prompts."""


@prompts.command("list", epilog=example("gdprcall prompts list"))
@options.as_json
@shared
def list_(state: Shared, json_: bool) -> None:
    """List the prompt of each line and language, and whether it can be played."""
    config = state.config
    known = catalogue.Catalogue(config.policy, config.asterisk.sounds, config.prompts)
    rows = []
    for line in config.policy.lines.values():
        for language in line.languages:
            prompt = known.find(line.id, language)
            rows.append(
                {
                    "line": line.id,
                    "language": language,
                    "fit": prompt is not None,
                    "seconds": prompt.total_ms / 1000 if prompt else None,
                    "sha256": prompt.sha256 if prompt else None,
                }
            )
    if json_:
        print_json(rows)
    else:
        columns = {"line": "LINE", "language": "LANG", "fit": "FIT", "seconds": "SECONDS", "sha256": "SHA-256"}
        print_rows(rows, columns, "no lines")


@prompts.command(epilog=example("gdprcall prompts build", "gdprcall prompts build --speed 180"))
@click.option("--speed", type=click.IntRange(80, 450), default=165, show_default=True, help="Words a minute.")
@options.as_json
@shared
def build(state: Shared, speed: int, json_: bool) -> None:
    """Speak what is not spoken yet, with espeak-ng, into Asterisk's sounds folder."""
    config = state.config
    made = catalogue.build(config.policy, config.asterisk.sounds, config.prompts, EspeakNg(speed))
    rows = [
        {
            "line": one.line,
            "language": one.language,
            "kind": one.kind,
            "new": one.new,
            "seconds": one.prompt.total_ms / 1000,
        }
        | {"sha256": one.prompt.sha256}
        for one in made
    ]
    if json_:
        print_json(rows)
    else:
        columns = {"line": "LINE", "language": "LANG", "new": "NEW", "seconds": "SECONDS", "sha256": "SHA-256"}
        print_rows(rows, columns, "no lines")
        click.echo("tell a running daemon with: systemctl reload gdprcall")
