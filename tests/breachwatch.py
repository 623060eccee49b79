"""A house with the daemon's watch over its breaches, whose minutes pass when a test says so, and what it told the log."""

import json
from io import StringIO

from gdprcall import log, operations
from gdprcall.alertness import Alertness
from gdprcall.alertness import House as Known
from gdprcall.operations import Context
from tests.breachhouse import House

MINUTE = 60_000
QUIET = Known(frozenset(), ledger_damaged=False)


class Watched:
    """A house with the daemon's watch over it."""

    def __init__(self, place: House) -> None:
        self.place = place
        self.out = StringIO()
        log.configure(self.out, json=True)
        self.watch = Alertness(place.vault, lambda: place.config, lambda: QUIET)

    def look(self, known: Known = QUIET, *, after: int = MINUTE) -> list[tuple[str, str, str]]:
        """Let the watch look after a while, and return what it told the log: event, controller, reason."""
        self.place.clock.now += after
        before = len(self.out.getvalue())
        self.watch.look(self.place.clock.now, known)
        lines = [json.loads(line) for line in self.out.getvalue()[before:].splitlines()]
        return [(line["event"], line.get("controller", ""), line.get("reason", "")) for line in lines]

    def suspected(self, known: Known = QUIET) -> list[tuple[str, str]]:
        """Return whose breach is suspected anew by what."""
        return [(whose, why) for event, whose, why in self.look(known) if event == "breach_suspected"]

    def restart(self) -> None:
        self.watch = Alertness(self.place.vault, lambda: self.place.config, lambda: QUIET)

    def release(self, recording: str, purpose: str = "quality", actor: str = "uid:7") -> None:
        place = self.place
        context = Context(place.vault, place.config, actor=actor, role="officer", clock=place.clock)
        operations.export(context, recording, 1, purpose)
