"""What the register of breaches shows: what is to be done first, one breach with its whole history, and what presses."""

from collections.abc import Callable, Mapping

from gdprcall.breach.desk import Desk
from gdprcall.parameters import Params, flag, text
from gdprcall.policy.model import Role
from gdprcall.rights import breaches
from gdprcall.rights.breaches import Standing, State
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.breaches import Breach
from gdprcall.vault.entry import Kind

Json = dict[str, object]
_OWN = frozenset({"breach"})


def list_(desk: Desk, params: Params) -> object:
    """Return the open breaches, what is to be done first at the top; with ``all`` the closed ones below."""
    return [one.as_json() for one in _standings(desk, params, closed=flag(params, "all"))]


def check(desk: Desk, params: Params) -> object:
    """Return what is suspected, what is overdue and what is to be done, and whose contact was not tested for long (BRE-05)."""
    found = _standings(desk, params)
    open_ = [one for one in found if one.state is State.OPEN and one.presses]
    return {
        "open": len(found),
        "suspected": [one.as_json() for one in found if one.state is State.SUSPECTED],
        "overdue": [one.as_json() for one in open_ if one.overdue],
        "due": [one.as_json() for one in open_ if not one.overdue],
        "contacts": untested(desk),
    }


def untested(desk: Desk) -> list[Json]:
    """Return the controllers that a processor would have to tell of a breach, and whose contact was not tested of late."""
    found: list[Json] = []
    oldest = desk.clock() - desk.config.breach.contact_days * DAY_MS
    for one in desk.config.policy.controllers.values():
        if one.operator is not Role.PROCESSOR or desk.controller not in {None, one.id}:
            continue
        last = desk.vault.index.breaches.contact_tested(one.id)
        if last is None or last < oldest:
            found.append({"controller": one.id, "tested_at": None if last is None else rfc3339(last)})
    return found


def show(desk: Desk, params: Params) -> object:
    """Return one breach: its fields, its clocks, who was told what, and everything that was ever said of it, in order."""
    row = desk.found(text(params, "id"))
    index = desk.vault.index.breaches
    told = [
        {"to": one.to, "phase": one.phase, "sent_at": rfc3339(one.sent_at), "reference": one.reference}
        | {"count": one.count}
        for one in index.told(row.id)
    ]
    more = {"fields": dict(row.fields), "missing": breaches.missing(row), "told": told}
    return desk.seen(row.id) | more | {"languages": index.languages(row.id), "history": _history(desk, row)}


def recordings(desk: Desk, params: Params) -> object:
    """Return the ids of the recordings that a breach concerns."""
    return desk.vault.index.breaches.recordings(desk.found(text(params, "id")).id)


OPERATIONS: Mapping[str, Callable[[Desk, Params], object]] = {
    "breach/list": list_,
    "breach/check": check,
    "breach/show": show,
    "breach/recordings": recordings,
}


def _history(desk: Desk, row: Breach) -> list[Json]:
    found: list[Json] = []
    for seq, kind in desk.vault.index.breaches.entries(row.id):
        if kind is Kind.BREACH_AFFECTED:
            continue
        entry = desk.vault.ledger.entry(seq)
        body = {name: _shown(name, value) for name, value in (entry.body or {}).items() if name not in _OWN}
        found.append({"time": rfc3339(entry.time), "kind": str(kind), **body})
    return found


def _shown(name: str, value: object) -> object:
    return rfc3339(value) if name.endswith("_at") and isinstance(value, int) else value


def _standings(desk: Desk, params: Params, *, closed: bool = False) -> list[Standing]:
    wanted = text(params, "controller") if params.get("controller") is not None else None
    if desk.controller is not None and wanted not in {None, desk.controller}:
        return []
    desk.vault.catch_up()
    rows = desk.vault.index.breaches.all(desk.controller or wanted, closed=closed)
    return breaches.ordered(desk.standing(row) for row in rows)
