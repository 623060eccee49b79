"""Who was given a copy of what is erased is to be told (Art. 19): what is owed to whom, and that it was done.

It sends nothing.
"""

from collections.abc import Callable, Mapping

from gdprcall.claims import Claiming
from gdprcall.errors import NotFound, Refused
from gdprcall.parameters import Params, flag, moment, text
from gdprcall.times import rfc3339
from gdprcall.vault.entry import Fact, Kind

Json = dict[str, object]
Key = tuple[str, str]
"""Which erasure, by its certificate, and which recipient."""


def notices(claiming: Claiming, params: Params) -> object:
    """Return the notices that are owed, the oldest first; with ``all`` also those that were given."""
    rows = _rows(claiming).values()
    return [row for row in rows if row["told_at"] is None or flag(params, "all")]


def told(claiming: Claiming, params: Params) -> object:
    """Note that a recipient was told, ``at`` a time or now; raises NotFound for a notice that is not owed, Refused for one again."""
    key = (text(params, "certificate"), text(params, "recipient"))
    row = _rows(claiming).get(key)
    if row is None:
        raise NotFound("no such notice is owed", "see: gdprcall subject notices")
    if row["told_at"] is not None:
        raise Refused(f"this recipient was told on {row['told_at']}", "see: gdprcall subject notices --all")
    at = moment(params, "at")
    body = {"certificate": key[0], "recipient": key[1], "at": claiming.clock() if at is None else at}
    claiming.vault.note(Fact(Kind.NOTICE_GIVEN, None, str(row["controller"]), body | {"actor": claiming.actor}))
    return _rows(claiming)[key]


OPERATIONS: Mapping[str, Callable[[Claiming, Params], object]] = {"subject/notices": notices, "subject/told": told}
CHANGING = frozenset({"subject/told"})


def _rows(claiming: Claiming) -> dict[Key, Json]:
    found: dict[Key, Json] = {}
    for entry in claiming.vault.ledger.entries(kinds={Kind.NOTICE_OWED, Kind.NOTICE_GIVEN}):
        if claiming.controller not in {None, entry.controller}:
            continue
        body = entry.body or {}
        key = (str(body.get("certificate")), str(body.get("recipient")))
        ids = body.get("recordings")
        if entry.kind is Kind.NOTICE_OWED:
            row = found.setdefault(
                key,
                {
                    "certificate": key[0],
                    "controller": entry.controller,
                    "recipient": key[1],
                    "recordings": [],
                    "owed_at": rfc3339(entry.time),
                    "told_at": None,
                },
            )
            known = row["recordings"]
            assert isinstance(known, list)
            known += ids if isinstance(ids, list) else []
        elif key in found and isinstance(at := body.get("at"), int):
            found[key]["told_at"] = rfc3339(at)
    return found
