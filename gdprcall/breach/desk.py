"""Who works on the register of breaches, what he may see of it, and how what was done is noted.

What was said of a breach is an entry of its own behind the one that it belongs to, so that it can be forgotten by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gdprcall.config import Config
from gdprcall.errors import NotFound, Refused
from gdprcall.policy.model import Controller
from gdprcall.rights import breaches
from gdprcall.rights.breaches import Standing
from gdprcall.times import Clock, rfc3339
from gdprcall.timing import Timing
from gdprcall.vault.archive import Vault
from gdprcall.vault.breaches import Breach
from gdprcall.vault.entry import Entry, Fact, Kind

HINT = "see: gdprcall breach list"
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, and for which controller he may: None for all."""

    vault: Vault
    config: Config
    controller: str | None
    actor: str
    clock: Clock

    def known(self, name: str) -> Controller:
        """Return a controller; raises NotFound, in the same words for one that is not the asker's."""
        found = self.config.policy.controllers.get(name)
        if found is None or self.controller not in {None, name}:
            raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
        return found

    def zone(self, controller: str) -> str:
        """Return the time zone of a controller."""
        return self.config.timings.get(controller, Timing()).zone

    def found(self, id_: str) -> Breach:
        """Return a breach; raises NotFound, in the same words for one of another controller."""
        self.vault.catch_up()
        row = self.vault.index.breaches.find(id_)
        if row is None or self.controller not in {None, row.controller}:
            raise NotFound(f"there is no breach {id_}", HINT)
        return row

    def open_one(self, id_: str) -> Breach:
        """Return a breach that is not closed; raises NotFound, Refused."""
        row = self.found(id_)
        if row.closed_at is not None:
            raise Refused(f"this breach was closed on {rfc3339(row.closed_at)}", "open a new one, and name this one")
        return row

    def note(self, kind: Kind, row: Breach, body: Mapping[str, object], *behind: Fact) -> Entry:
        """Note what was done, durably, and what was said of it right behind."""
        fact = Fact(kind, None, row.controller, {"breach": row.id, **body, "actor": self.actor})
        entry = self.vault.submit(fact, *behind).result()
        self.vault.catch_up()
        return entry

    def words(self, row: Breach, said: Mapping[str, object]) -> Fact:
        """Return words about a breach as a fact of their own, which can be forgotten."""
        return words(row.id, row.controller, said)

    def standing(self, row: Breach) -> Standing:
        """Return how a breach stands now."""
        return breaches.standing(row, self.vault.index.breaches.told(row.id), self.clock())

    def seen(self, id_: str) -> Json:
        """Return a breach as it stands now."""
        return self.standing(self.found(id_)).as_json()


def words(id_: str, controller: str, said: Mapping[str, object]) -> Fact:
    """Return words about a breach: ``fields`` that change with them, a ``reason``, a ``notice``."""
    return Fact(Kind.BREACH_WORDS, None, controller, {"breach": id_, **said})
