"""``gdprcall vault``: the care of the vault as a whole."""

import click

from gdprcall.cli import backups


@click.group()
def vault() -> None:
    """Back up and restore the vault."""


for command in backups.COMMANDS:
    vault.add_command(command)
