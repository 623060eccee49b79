"""The command line: one file per noun; each command says what it did, and why not, and ends with a fixed status."""

from gdprcall.cli.main import main

__all__ = ["main"]
