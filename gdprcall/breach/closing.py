"""To close a breach: nothing may be missing that the register must hold, and nobody may be left to be told (Art. 33(5)).

What was looked into and was none is closed too, and stays in the register.
"""

from collections.abc import Callable, Mapping

from gdprcall.breach.desk import Desk
from gdprcall.errors import ConfigError, Refused
from gdprcall.parameters import Params, flag, text
from gdprcall.rights import breaches
from gdprcall.rights.breaches import State
from gdprcall.vault.entry import Kind


def close(desk: Desk, params: Params) -> object:
    """Close a breach with the reasoning and what was learnt, or with ``no_breach`` as none; raises Refused, ConfigError."""
    row, reason = desk.open_one(text(params, "id")), text(params, "reason")
    none = flag(params, "no_breach")
    if none:
        if not row.fields.get("facts"):
            raise Refused("nothing says what was looked into", f"first: gdprcall breach update {row.id} --facts …")
        if row.aware_at is not None:
            text_ = "somebody was sure that it is a breach"
            raise Refused(text_, "close it as one; the reasoning may say what came out later")
    else:
        _refuse_unfinished(desk, row.id)
    lessons = str(params.get("lessons") or "").strip()
    if not none and not lessons and not row.fields.get("lessons"):
        raise ConfigError("lessons is missing", "say in --lessons what is done so that it does not happen again")
    fields: dict[str, object] = {"close_reason": reason}
    fields |= {"lessons": lessons} if lessons else {}
    outcome = State.NO_BREACH if none else State.CLOSED
    desk.note(Kind.BREACH_CLOSED, row, {"outcome": str(outcome)}, desk.words(row, {"fields": fields}))
    return desk.seen(row.id)


OPERATIONS: Mapping[str, Callable[[Desk, Params], object]] = {"breach/close": close}


def _refuse_unfinished(desk: Desk, id_: str) -> None:
    """Raise Refused while something is missing, or somebody is to be told."""
    row = desk.found(id_)
    if row.aware_at is None:
        raise Refused(
            "nobody has said that it is a breach", "say when somebody became aware, or close it with --no-breach"
        )
    missing = breaches.missing(row)
    if missing:
        raise Refused(
            f"the register lacks: {', '.join(missing)} (Art. 33(5))", f"gdprcall breach update {row.id}, or assess"
        )
    left = desk.standing(row).open_duties
    if left:
        raise Refused(f"the {left[0].to} is not told yet", f"gdprcall breach notify {row.id} --to {left[0].to}")
