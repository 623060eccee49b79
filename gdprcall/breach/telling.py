"""The notices of a breach: what each must say and what is still to follow, and the note that one was sent (Art. 33, 34).

It sends nothing, and writes no letter: it gives what stands in one, of one controller's breach alone.
"""

import hashlib
from collections.abc import Callable, Mapping

from gdprcall.breach.desk import Desk
from gdprcall.errors import ConfigError, Refused
from gdprcall.parameters import Params, text
from gdprcall.policy.model import Role
from gdprcall.rights import breaches, facts
from gdprcall.rights.breaches import To
from gdprcall.times import rfc3339
from gdprcall.vault.breaches import Breach
from gdprcall.vault.entry import Kind

OF_WHOM = "id name contact address officer authority country notice_url".split()
LONGEST_TEXT = 200_000


def notice(desk: Desk, params: Params) -> object:
    """Return what a notice says: to the controller, the authority, the persons, or the public; unknown fields are None.

    Raises Refused where that is not whom this breach is told to.
    """
    row, to = desk.found(text(params, "id")), _to(params)
    _refuse_other(row, to)
    return desk.seen(row.id) | {"letter": _letter(desk, row, to)}


def _letter(desk: Desk, row: Breach, to: To) -> dict[str, object]:
    known = desk.config.policy.controllers.get(row.controller)
    index = desk.vault.index.breaches
    sent = [one for one in index.told(row.id) if one.to == to]
    return {
        "what": str(to),
        "phase": len(sent) + 1,
        "earlier": [rfc3339(one.sent_at) for one in sent],
        "references": [one.reference for one in sent if one.reference],
        "controller": {name: getattr(known, name, "") for name in OF_WHOM},
        "fields": {name: row.fields.get(name) for name in (*facts.FIELDS, *_DECIDED)} | _counts(row),
        "recordings": index.recordings(row.id) if to is To.CONTROLLER else [],
        "languages": index.languages(row.id),
        **_clock(desk, row),
    }


def notify(desk: Desk, params: Params) -> object:
    """Note that a notice was sent, with its text as it was; raises ConfigError, Refused.

    One to an authority that is late needs the reasons for the delay (Art. 33(1)).
    """
    row, to = desk.open_one(text(params, "id")), _to(params)
    _refuse_other(row, to)
    if row.aware_at is None:
        raise Refused("nothing says that somebody is aware of it", f"first: gdprcall breach aware {row.id} --at …")
    sent = params.get("sent")
    at = desk.clock() if sent is None else facts.moment(sent, row.zone, desk.clock(), "sent")
    if at < row.aware_at:
        raise ConfigError(
            "it was sent before anybody was aware of the breach", "correct --sent, or the time of awareness"
        )
    said = text(params, "text")
    if len(said) > LONGEST_TEXT:
        raise ConfigError("the text is too long", "send what is long as an annex")
    delay, count = _delay(row, to, at, params), _count(params, to)
    phase = 1 + sum(one.to == to for one in desk.vault.index.breaches.told(row.id))
    body = {"to": str(to), "phase": phase, "sent_at": at, "count": count}
    body |= {name: str(params.get(name) or "") for name in ("reference", "language")}
    body |= {"sha256": hashlib.sha256(said.encode()).hexdigest()}
    kept = {"notice": {"to": str(to), "phase": phase, "text": said}, "fields": delay}
    desk.note(Kind.BREACH_TOLD, row, body, desk.words(row, kept))
    return desk.seen(row.id)


OPERATIONS: Mapping[str, Callable[[Desk, Params], object]] = {"breach/notice": notice, "breach/notify": notify}
_DECIDED = ("risk", "risk_reason", "exemption", "exemption_evidence", "delay_reason", "aware_reason")


def _refuse_other(row: Breach, to: To) -> None:
    """Raise Refused for a notice that is another's to send."""
    if (row.role == Role.PROCESSOR) != (to is To.CONTROLLER):
        if to is To.CONTROLLER:
            raise Refused("the operator is the controller itself here", "it tells the authority, and the persons")
        text_ = "a processor tells its controller, who tells the authority and the persons (Art. 33(2))"
        raise Refused(text_, f"gdprcall breach notice {row.id} --to controller")


def _to(params: Params) -> To:
    value = params.get("to")
    if value not in set(To):
        raise ConfigError(f"nobody called {value!r} is told of a breach", f"one of: {', '.join(To)}")
    return To(str(value))


def _counts(row: Breach) -> dict[str, object]:
    """Return how many persons and records: as a person estimates them, or else as they were found."""
    return {name: row.fields.get(name, getattr(row, name) or None) for name in ("persons", "records")}


def _clock(desk: Desk, row: Breach) -> dict[str, object]:
    """Return since when somebody is aware, in words that need no translation, and whether the first notice is late by now."""
    if row.aware_at is None:
        return {"aware": None, "late": False}
    first = next(iter(desk.standing(row).duties), None)
    late = first is not None and first.due is not None and desk.clock() >= first.due
    return {"aware": breaches.local(row.aware_at, row.zone, weekday=False), "late": late}


def _delay(row: Breach, to: To, at: int, params: Params) -> dict[str, object]:
    """Return the reasons for a delay where there is one; raises Refused for one without."""
    said = str(params.get("delay_reason") or "").strip()
    duty = next((one for one in breaches.duties(row, []) if one.to is to), None)
    late = duty is not None and duty.due is not None and at >= duty.due
    if late and to is To.AUTHORITY and not said and not row.fields.get("delay_reason"):
        raise Refused(
            "this is late, and a late notice says why (Art. 33(1))", "give --delay-reason, and send it with that"
        )
    return {"delay_reason": said} if said else {}


def _count(params: Params, to: To) -> int:
    value = params.get("count")
    if value is None and to is not To.PERSONS:
        return 0
    if type(value) is not int or not 0 < value < 1 << 40:
        raise ConfigError("nothing says how many persons were told", "give --count")
    return value
