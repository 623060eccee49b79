"""``gdprcall vault``: the care of the vault as a whole."""

import click

from gdprcall.cli import backups, ended, imports, verifying


@click.group()
def vault() -> None:
    """Back up, restore and look through the vault."""


for command in (*backups.COMMANDS, *imports.COMMANDS, *ended.COMMANDS, verifying.verify):
    vault.add_command(command)


COMMANDS = (vault,)
