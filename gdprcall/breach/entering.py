"""To open a breach, to say more of it, and to say when somebody became aware: the moment from which the clocks run.

A breach over several controllers is one for each of them, with the incident in common; no word of one may name another.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall.breach import finding
from gdprcall.breach.desk import Desk, words
from gdprcall.errors import ConfigError, Refused
from gdprcall.parameters import Params, flag, text
from gdprcall.policy.model import Controller, Role
from gdprcall.rights import facts
from gdprcall.times import rfc3339
from gdprcall.vault.breaches import Breach
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.rows import RecordingRow

CHUNK = 500
"""How many recordings one entry names."""
BY_HAND = "person"
MISDIRECTED = "misdirected_package"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a breach is opened with: by whom or what, on which entry of the ledger it stands, and what is known."""

    trigger: str
    evidence: int
    fields: Mapping[str, object]


def open_(desk: Desk, params: Params) -> object:
    """Open a breach for each controller concerned, and return them; with ``dry_run`` only what would be concerned.

    Raises NotFound, ConfigError, and Refused where the words for several name one of them.
    """
    scope = _mapping(params, "scope")
    by = finding.concerned(desk, scope)
    if not by:
        by = {_alone(desk, params, scope): []}
    owners = [desk.known(name) for name in by]
    given = _mapping(params, "fields")
    refuse_names(desk, given, owners)
    read = {one.id: facts.read(given, desk.zone(one.id), desk.clock()) for one in owners}
    told = [_counted(one.id, by[one.id]) for one in owners]
    known = None if params.get("aware") is None else _mapping(params, "aware")
    if known is not None:  # before anything is opened: a half of it would stay in the register
        for one in owners:
            _awareness(desk, known, desk.zone(one.id), owners)
    if flag(params, "dry_run"):
        return {"dry_run": True, "breaches": told}
    incident = secrets.token_hex(16)
    trigger = MISDIRECTED if scope.get("package") else BY_HAND
    ids = [open_one(desk, one, by[one.id], Opening(trigger, 0, read[one.id]), incident) for one in owners]
    if known is not None:
        for id_ in ids:
            aware(desk, {"id": id_, **known})
    return {"dry_run": False, "incident": incident, "breaches": [desk.seen(id_) for id_ in ids]}


def open_one(
    desk: Desk, owner: Controller, rows: Sequence[RecordingRow], opening: Opening, incident: str | None = None
) -> str:
    """Open a breach of one controller, durably, and return its id."""
    id_, deadlines = secrets.token_hex(16), desk.config.breach
    hours = deadlines.controller_hours if owner.operator is Role.PROCESSOR else deadlines.period(owner.regime).hours
    body = {"breach": id_, "incident": incident or secrets.token_hex(16), "trigger": opening.trigger, "hours": hours}
    body |= {"regime": str(owner.regime), "role": str(owner.operator), "zone": desk.zone(owner.id)}
    body |= {"records": len(rows), "persons": finding.persons(rows), "evidence": opening.evidence, "actor": desk.actor}
    ids = [row.id for row in rows]
    chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    behind = [Fact(Kind.BREACH_AFFECTED, None, owner.id, {"breach": id_, "recordings": chunk}) for chunk in chunks]
    said = words(id_, owner.id, {"fields": dict(opening.fields)})
    desk.vault.submit(Fact(Kind.BREACH_OPENED, None, owner.id, body), said, *behind).result()
    desk.vault.catch_up()
    return id_


def update(desk: Desk, params: Params) -> object:
    """Say more of a breach, or something else: what was said before stays in its history (Art. 33(4))."""
    row = desk.open_one(text(params, "id"))
    given = _mapping(params, "fields")
    if not given:
        raise ConfigError("nothing is said", "give a field, such as --measures")
    refuse_names(desk, given, _owner(desk, row))
    fields = facts.read(given, row.zone, desk.clock())
    changed = sorted(
        name for name in fields if row.fields.get(name) not in {None, ""} and row.fields[name] != fields[name]
    )
    said: dict[str, object] = {"fields": fields, "actor": desk.actor}
    if changed and "facts" not in changed:
        said["changed"] = changed
    desk.vault.submit(desk.words(row, said)).result()
    return desk.seen(row.id)


def aware(desk: Desk, params: Params) -> object:
    """Say when somebody was reasonably sure that there is a breach, who, and why (EDPB Guidelines 9/2022): the clocks run from then.

    To say another time than before needs a reason of its own, and both stay in the history. Raises ConfigError, Refused.
    """
    row = desk.open_one(text(params, "id"))
    at, by, reason = _awareness(desk, params, row.zone, _owner(desk, row))
    if row.aware_at is not None and not params.get("change"):
        hint = "if that was wrong, give --change and say why in --reason: both stay in the register"
        raise Refused(f"somebody was aware on {rfc3339(row.aware_at)} already", hint)
    period = desk.config.breach.period(row.regime)
    hours = desk.config.breach.controller_hours if row.role == Role.PROCESSOR else period.hours
    source = "Art. 33(2)" if row.role == Role.PROCESSOR else period.source
    said = desk.words(row, {"by": by, "reason": reason, "fields": {"aware_by": by, "aware_reason": reason}})
    desk.note(Kind.BREACH_AWARE, row, {"aware_at": at, "hours": hours, "source": source}, said)
    return desk.seen(row.id)


def _awareness(desk: Desk, params: Params, zone: str, owners: Sequence[Controller]) -> tuple[int, str, str]:
    """Return when somebody was aware (milliseconds), who, and why; raises ConfigError, Refused."""
    at = facts.moment(params.get("at"), zone, desk.clock(), "aware")
    by, reason = text(params, "by"), text(params, "reason")
    refuse_names(desk, {"by": by, "reason": reason}, owners)
    return at, by, reason


def contact(desk: Desk, params: Params) -> object:
    """Note that a controller's contact for breaches was tried and answered (EDPB 9/2022: it must work when it is needed)."""
    owner = desk.known(text(params, "controller"))
    entry = desk.vault.note(Fact(Kind.CONTACT_TESTED, None, owner.id, {"actor": desk.actor}))
    desk.vault.catch_up()
    return {"controller": owner.id, "tested_at": rfc3339(entry.time)}


def refuse_names(desk: Desk, given: Mapping[str, object], owners: Sequence[Controller]) -> None:
    """Raise Refused where words that several controllers are told, or one of several, name another of the house (BRE-05).

    Who answers for one controller writes for that one alone, and is not told who the others are.
    """
    if desk.controller is not None:
        return
    said = " ".join(value for value in given.values() if isinstance(value, str)).casefold()
    for other in desk.config.policy.controllers.values():
        if len(owners) == 1 and other.id == owners[0].id:
            continue
        if any(name and name.casefold() in said for name in (other.name, other.contact)):
            text_ = "these words name a controller, and another one would read them in its notice"
            raise Refused(text_, "say what happened without names; each is told of its own recordings")


def _owner(desk: Desk, row: Breach) -> list[Controller]:
    """Return whose breach it is, nobody where he is in the configuration no more."""
    known = desk.config.policy.controllers.get(row.controller)
    return [known] if known is not None else []


def _alone(desk: Desk, params: Params, scope: Mapping[str, object]) -> str:
    """Return whose a breach is that concerns no recording; raises ConfigError where something was looked for in vain."""
    if any(value not in (None, "") for name, value in scope.items() if name != "controller"):
        raise ConfigError(
            "there is no such recording", "name another time, key or folder; or none, and --controller alone"
        )
    name = params.get("controller") or scope.get("controller") or desk.controller
    if not isinstance(name, str):
        raise ConfigError(
            "nothing says whose breach this is", "give --controller, or what is concerned, such as --since"
        )
    return desk.known(name).id


def _counted(controller: str, rows: Sequence[RecordingRow]) -> dict[str, object]:
    return {"controller": controller, "records": len(rows), "persons": finding.persons(rows)}


def _mapping(params: Params, name: str) -> Mapping[str, object]:
    value = params.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is no object", f"give {name} as names and values")
    return {key: one for key, one in value.items() if one is not None}


OPERATIONS: Mapping[str, Callable[[Desk, Params], object]] = {
    "breach/open": open_,
    "breach/update": update,
    "breach/aware": aware,
    "breach/contact": contact,
}
