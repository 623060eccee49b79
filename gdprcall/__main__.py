"""``python -m gdprcall`` is the command line."""

from gdprcall.cli import main

main()
