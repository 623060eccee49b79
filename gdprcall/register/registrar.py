"""Who asks the register of persons' requests, what he may see of it, and how what was done is noted.

What is personal is a fact of its own behind the one that it belongs to, so that it can be forgotten by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gdprcall.config import Config
from gdprcall.errors import ConfigError, NotFound, Refused
from gdprcall.rights import requests
from gdprcall.times import Clock, rfc3339
from gdprcall.timing import Timing
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry, Fact, Kind
from gdprcall.vault.requests import Request

HINT = "see: gdprcall requests list"
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who asks, and for which controller he may: None for all."""

    vault: Vault
    config: Config
    controller: str | None
    actor: str
    clock: Clock

    def found(self, id_: str) -> Request:
        """Return a request; raises NotFound, in the same words for one of another controller."""
        self.vault.catch_up()
        row = self.vault.index.requests.find(id_)
        if row is None or self.controller not in {None, row.controller}:
            raise NotFound(f"there is no request {id_}", HINT)
        return row

    def open_one(self, id_: str) -> Request:
        """Return a request that is not closed; raises NotFound, Refused."""
        row = self.found(id_)
        if row.closed_at is not None:
            raise Refused(f"this request was {row.outcome} on {rfc3339(row.closed_at)}", "open a new one")
        return row

    def note(self, kind: Kind, row: Request, body: Mapping[str, object], *behind: Fact) -> Entry:
        """Note what was done with a request, durably, and what is personal of it right behind."""
        fact = Fact(kind, None, row.controller, {"request": row.id, **body, "actor": self.actor})
        return self.vault.submit(fact, *behind).result()

    def seen(self, id_: str) -> Json:
        """Return a request as it stands now."""
        return requests.standing(self.found(id_), self.clock()).as_json()

    def words(self, row: Request, said: str) -> Fact:
        """Return words about a request as a fact of their own, which can be forgotten."""
        return Fact(Kind.REQUEST_WORDS, None, row.controller, {"request": row.id, "words": said})


def remind_days(config: Config, controller: str) -> int:
    """Return how many days before a deadline somebody is reminded."""
    return config.timings.get(controller, Timing()).remind_days


def local_moment(said: str, zone: str, now: int) -> int:
    """Return a time in the past: RFC 3339, or a date with or without a time as it is in ``zone``; raises ConfigError."""
    try:
        moment = datetime.fromisoformat(said)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))
        found = round(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError, LookupError) as error:
        raise ConfigError("this is no time", "for example 2026-01-31, or 2026-01-31T14:05, or with a zone") from error
    if not 0 <= found <= now:
        raise ConfigError("this time has not come yet, or is long past", "give the day on which it was")
    return found


def said_in(vault: Vault, row: Request, seq: int, kind: Kind, name: str) -> str | None:
    """Return what is personal of a request in an entry, None where it is forgotten or another's."""
    if not 0 < seq <= vault.ledger.size():
        return None
    entry = vault.ledger.entry(seq)
    body = entry.body or {}
    said = body.get(name) if (entry.kind, body.get("request")) == (kind, row.id) else None
    return said if isinstance(said, str) else None


def contact(vault: Vault, row: Request) -> tuple[int, str | None]:
    """Return where the number to call back stands, and it, None once it is forgotten."""
    opened = vault.index.requests.entries(row.id, Kind.REQUEST_OPENED)[0]
    return opened + 2, said_in(vault, row, opened + 2, Kind.REQUEST_CONTACT, "number")


def forget_contact(vault: Vault, row: Request) -> bool:
    """Forget the number to call back, if it is there still; raises VaultError."""
    seq, number = contact(vault, row)
    if number is not None:
        vault.ledger.forget([seq])
    return number is not None
