"""What every command can ask for: the configuration, the way to the vault, and how examples are shown."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from gdprcall import config
from gdprcall.cli.backend import Backend


@dataclass
class Shared:
    """What every command can ask for; nothing is read before it is asked for."""

    path: Path

    @cached_property
    def draft(self) -> config.Config:
        """The configuration, also with languages that nobody has approved yet: to look at, not to serve calls by."""
        return config.load(self.path, drafts=True)

    @cached_property
    def config(self) -> config.Config:
        """The configuration; raises ConfigError."""
        return config.load(self.path)

    @cached_property
    def backend(self) -> Backend:
        """The way to the vault."""
        return Backend(self.config)


shared = click.make_pass_decorator(Shared)


def example(*lines: str) -> str:
    """Return the epilog that shows how a command is used."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
