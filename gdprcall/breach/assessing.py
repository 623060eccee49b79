"""To weigh a breach: the score that advises, the risk that a person decides, and what excuses from telling the persons (Art. 34(3)).

What excuses is noted with its evidence, and the first of it counts only while the keys are known to be safe.
"""

from collections.abc import Callable, Mapping

from gdprcall.breach.desk import Desk
from gdprcall.errors import ConfigError, Refused
from gdprcall.parameters import Params, text
from gdprcall.rights import breaches, severity
from gdprcall.rights.facts import EXEMPTIONS
from gdprcall.rights.severity import Risk
from gdprcall.vault.breaches import Breach
from gdprcall.vault.entry import Kind

FINANCIAL = frozenset({"mifid", "pci"})


def assess(desk: Desk, params: Params) -> object:
    """Return the score of a breach and what it advises; with ``risk`` note what a person decides, and why.

    What is not given of the score is proposed from the lines concerned. Raises ConfigError, Refused.
    """
    row = desk.found(text(params, "id"))
    given = {name: value for name in _INPUTS if (value := params.get(name)) is not None}
    weighed = severity.inputs(proposed(desk, row) | given).as_json()
    if params.get("risk") is None:
        return desk.seen(row.id) | {"severity": weighed}
    row = desk.open_one(row.id)
    risk, reason = _risk(params), text(params, "reason")
    exemption, evidence = _exemption(params, row), str(params.get("evidence") or "")
    if risk != weighed["advice"] and not str(params.get("override") or "").strip():
        advised = f"the score of {weighed['score']} advises {weighed['advice']}, and this decides {risk}"
        raise Refused(advised, "say in --override why the advice does not fit")
    if exemption != "none" and not evidence.strip():
        raise ConfigError("an exemption needs its evidence", "say in --evidence what shows it")
    fields = {"risk": str(risk), "risk_reason": reason, "exemption": exemption, "severity": weighed}
    fields |= {"exemption_evidence": evidence} if evidence else {}
    fields |= {"override": str(params["override"])} if params.get("override") else {}
    desk.note(
        Kind.BREACH_DECIDED, row, {"risk": str(risk), "exemption": exemption}, desk.words(row, {"fields": fields})
    )
    return desk.seen(row.id) | {"severity": weighed}


def proposed(desk: Desk, row: Breach) -> dict[str, object]:
    """Return the inputs of the score that the lines concerned and the state of the keys propose."""
    lines = {
        known.line for id_ in desk.vault.index.breaches.recordings(row.id) if (known := desk.vault.index.recording(id_))
    }
    found = [line for name in lines if (line := desk.config.policy.lines.get(name)) is not None]
    context = 4 if any(line.art9 for line in found) or row.fields.get("special") == "yes" else 2
    if context == 2 and any(FINANCIAL & {name.casefold() for name in line.profiles} for line in found):
        context = 3
    safe = breaches.unintelligible(row.fields)
    kinds = row.fields.get("kinds")
    hit = dict.fromkeys(kinds, 0.25) if isinstance(kinds, list) else {}
    return {"context": context, "identification": 0.25 if safe else 1.0, **hit}


def _risk(params: Params) -> Risk:
    value = params.get("risk")
    if value not in set(Risk):
        raise ConfigError(f"there is no risk {value!r}", f"one of: {', '.join(Risk)}")
    return Risk(str(value))


def _exemption(params: Params, row: Breach) -> str:
    value = str(params.get("exemption") or "none")
    if value not in EXEMPTIONS:
        raise ConfigError(f"there is no exemption {value!r}", f"one of: {', '.join(EXEMPTIONS)}")
    if value == breaches.UNINTELLIGIBLE and not breaches.unintelligible(row.fields):
        said = f"encrypted is {row.fields.get('encrypted') or 'not said'}, the keys are {row.fields.get('key_state') or 'not said'}"
        hint = "first: gdprcall breach update ID --encrypted yes --key-state safe, if that is so"
        raise Refused(f"what was taken is not known to be unintelligible (Art. 34(3)(a)): {said}", hint)
    return value


_INPUTS = ("context", "identification", "confidentiality", "integrity", "availability", "malice")
OPERATIONS: Mapping[str, Callable[[Desk, Params], object]] = {"breach/assess": assess}
