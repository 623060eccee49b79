"""What a caller's wishes mean for the register and the vault, when he uses his rights by telephone.

It decides nothing of what he may: the dialogue has done that. It waits for disks, so it is called beside the loop, and it
says no number, code or time in any error.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import assert_never
from zoneinfo import ZoneInfo

from gdprcall import auditing, claims
from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError, NotFound, Refused
from gdprcall.register import Registrar, entering, identifying
from gdprcall.rights import access, requests
from gdprcall.rights.requests import CALLBACK, Channel, Type
from gdprcall.rights.talk import (
    CarryOut,
    Check,
    Deed,
    Enter,
    Entered,
    Erased,
    Kept,
    NeverRecorded,
    Result,
    Unconfirmed,
    Wish,
)
from gdprcall.times import DAY_MS, Clock, rfc3339
from gdprcall.timing import Timing
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Kind
from gdprcall.vault.requests import Request

ACTOR = "telephone"
REASON = "asked for by telephone, with the code of the call back"
MOST_WAITING = 200
"""How many callers of a controller may wait to be called back: who forges numbers fills the register no further."""
TYPES = {Wish.ACCESS: Type.ACCESS, Wish.ERASURE: Type.ERASURE, Wish.NEVER_RECORD: Type.OBJECTION}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, by his number, and with which controller; ``alarm`` hears what went wrong beside what was done."""

    vault: Vault
    config: Config
    controller: str
    number: str = field(repr=False)
    subject: str = field(repr=False)
    language: str
    clock: Clock
    alarm: Callable[[GdprcallError], None]

    def do(self, deed: Deed) -> Result:
        """Do what the dialogue says, and return what came of it; raises GdprcallError."""
        match deed:
            case Check(code, time):
                return self._check(code, time)
            case Enter(wish, identified):
                return Entered(self._entered(TYPES[wish], identified=identified)[1])
            case CarryOut(Wish.ERASURE):
                return self._erase()
            case CarryOut(Wish.NEVER_RECORD):
                claims.never_record(self._claiming, self.controller, self.subject)
                return NeverRecorded()
            case CarryOut(wish):
                raise Refused(f"{wish} is not carried out by telephone", "enter a request")
            case _:
                assert_never(deed)

    @property
    def _registrar(self) -> Registrar:
        return Registrar(self.vault, self.config, self.controller, ACTOR, self.clock)

    @property
    def _claiming(self) -> claims.Claiming:
        erased = partial(auditing.after, self.vault, self.config, self.alarm)
        return claims.Claiming(
            self.vault, self.config, self.controller, ACTOR, self.clock, lambda _done, _all: None, erased
        )

    def _open(self) -> list[Request]:
        self.vault.catch_up()
        rows = self.vault.index.requests.of_person(self.controller, self.subject)
        return [row for row in rows if row.closed_at is None]

    def _check(self, code: str, time: str) -> Kept | Unconfirmed:
        """Try what was entered at each open request of this number that a code waits for; each counts it as an attempt.

        The register's own limits hold: how often, how long, and that the time of a call must fit as well.
        """
        moment = said_at(time, self.clock(), self._zone)
        waiting = [row for row in self._open() if row.code and row.identified_at is None]
        for row in sorted(waiting, key=lambda row: -row.code_until) if moment is not None else ():
            try:
                identifying.identify(self._registrar, {"id": row.id, "code": code, "call": rfc3339(moment or 0)})
            except (Refused, ConfigError, NotFound):
                continue
            return self._kept()
        return Unconfirmed()

    def _kept(self) -> Kept:
        now, rows = self.clock(), access.find(self.vault, self.controller, self.subject).given
        last = max((row.expires_at for row in rows if row.expires_at is not None), default=now)
        held = any(row.held or row.restricted or row.expires_at is None for row in rows)
        return Kept(len(rows), max(0, -(-(last - now) // DAY_MS)), held)

    def _entered(self, kind: Type, *, identified: bool) -> tuple[str, int]:
        """Return the open request of this kind, entered now unless there is one, and the days that it leaves.

        Who has not shown who he is does not learn that there was one: he hears the days of one that is entered now.
        """
        registrar, now = self._registrar, self.clock()
        with self.vault.stores.holding(self.subject):
            before = [row for row in self._open() if row.type == kind]
            id_ = before[-1].id if before else self._new(kind, identified=identified)
        row = registrar.found(id_)
        if identified and row.identified_at is None:
            registrar.note(Kind.REQUEST_IDENTIFIED, row, {"method": CALLBACK})
            row = registrar.found(id_)
        left = requests.standing(row, now).left
        if not identified:
            fresh = replace(row, received_at=now, asked_at=None, identified_at=None, extended_at=None)
            left = max(left, requests.standing(fresh, now).left)
        return id_, max(0, left)

    def _new(self, kind: Type, *, identified: bool) -> str:
        rows = [row for row in self.vault.index.requests.all(self.controller) if row.channel == Channel.PHONE]
        waiting = sum(row.asked_at is None and row.identified_at is None for row in rows)
        if not identified and waiting >= MOST_WAITING:
            raise Refused(f"{waiting} callers wait to be called back", "see: gdprcall requests list")
        params = {"controller": self.controller, "type": kind, "channel": Channel.PHONE, "number": self.number}
        opened = entering.open_(
            self._registrar, params | {"received": rfc3339(self.clock()), "language": self.language}
        )
        assert isinstance(opened, dict)
        return str(opened["id"])

    def _erase(self) -> Erased:
        """Destroy what nothing stands against; what is left keeps the request open, for somebody to say why (Art. 12(4))."""
        id_, days = self._entered(Type.ERASURE, identified=True)
        params = {"controller": self.controller, "number": self.number, "request": id_, "reason": REASON}
        certificate: object = {}
        with suppress(NotFound):  # there is nothing of this number any more
            certificate = claims.erase(self._claiming, params)
        assert isinstance(certificate, dict)
        if certificate.get("kept") or certificate.get("failed"):
            return Erased(days)
        entering.answer(self._registrar, {"id": id_, "note": "Carried out by telephone: the recordings are destroyed."})
        return Erased()

    @property
    def _zone(self) -> str:
        return self.config.timings.get(self.controller, Timing()).zone


def said_at(keys: str, now: int, zone: str) -> int | None:
    """Return the last time at which it was this day, month, hour and minute in a zone, within a year; None if never."""
    present = datetime.fromtimestamp(now / 1000, ZoneInfo(zone))
    day, month, hour, minute = (int(keys[at : at + 2]) for at in range(0, 8, 2))
    for year in (present.year, present.year - 1):
        try:
            moment = datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone))
        except ValueError:
            continue  # no such day or hour
        if moment <= present:
            return round(moment.timestamp() * 1000)
    return None
