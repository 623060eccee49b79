"""``gdprcall subject``: what a person may ask for by law."""

import click

from gdprcall.cli import access, claimed


@click.group()
def subject() -> None:
    """Answer a person who asks for his rights."""


for command in (*access.COMMANDS, *claimed.COMMANDS):
    subject.add_command(command)

COMMANDS = (subject,)
