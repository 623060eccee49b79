"""``gdprcall subject``: what a person may ask for by law."""

import click

from gdprcall.cli import access, claimed, noticed


@click.group()
def subject() -> None:
    """Answer a person who asks for his rights."""


for command in (*access.COMMANDS, *claimed.COMMANDS, *noticed.COMMANDS):
    subject.add_command(command)

COMMANDS = (subject,)
