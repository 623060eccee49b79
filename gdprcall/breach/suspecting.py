"""What makes the program suspect a breach, and how one suspicion is opened with its evidence instead of a storm (BRE-08).

It decides nothing: a person looks into it, and says that it is one, or that it is none.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from gdprcall.breach.desk import Desk
from gdprcall.breach.entering import Opening, open_one
from gdprcall.breach.finding import ID
from gdprcall.errors import VaultError
from gdprcall.times import rfc3339
from gdprcall.vault.breaches import Breach
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.rows import RecordingRow

ACTOR = "gdprcall"


class Trigger(StrEnum):
    """What was seen."""

    STALE_PLAINTEXT = "stale_plaintext"
    LEDGER_BROKEN = "ledger_broken"
    VAULT_DAMAGED = "vault_damaged"
    MASS_EXPORT = "mass_export"
    ODD_ACCESS = "odd_access"
    FAILED_ANSWERS = "failed_answers"
    BACKUP_FAILED = "backup_failed"
    BACKUP_LOST = "backup_lost"
    UNLAWFUL_RECORDING = "unlawful_recording"


@dataclass(frozen=True, slots=True)
class Sign:
    """What a trigger stands on: the last entry of the ledger (0 without one), the recordings concerned, and what was seen in words."""

    trigger: Trigger
    seen: str
    evidence: int = 0
    recordings: tuple[str, ...] = ()


_KINDS: Mapping[Trigger, list[str]] = {
    Trigger.LEDGER_BROKEN: ["integrity"],
    Trigger.VAULT_DAMAGED: ["integrity", "availability"],
    Trigger.BACKUP_FAILED: ["availability"],
    Trigger.BACKUP_LOST: ["availability"],
}
"""What may have been hurt; of everything else confidentiality."""
LEDGER = frozenset({"ledger", "checkpoint"})
"""Where what is found says that the ledger is not what was written."""
_SEEN = {
    Trigger.LEDGER_BROKEN: "in the ledger: it is not what was written into it",
    Trigger.VAULT_DAMAGED: "in the vault: something is missing, changed, or another's",
}


def suspect(desk: Desk, sign: Sign, controllers: Iterable[str] | None = None) -> list[str]:
    """Open a suspected breach for each controller concerned, and return the ids of the new ones.

    Where the same is suspected already the evidence is added to that; what a closed one stood on opens no other. Without
    ``controllers``, those of the recordings, and without any of these all.
    """
    rows = [row for id_ in sign.recordings if (row := desk.vault.index.recording(id_)) is not None]
    named = controllers if controllers is not None else {row.controller for row in rows}
    known = desk.config.policy.controllers
    opened, incident = [], secrets.token_hex(16)
    for name in sorted(set(named) & known.keys() or known.keys()):
        theirs = [row for row in rows if row.controller == name]
        earlier = desk.vault.index.breaches.of_trigger(sign.trigger, name)
        running = next((one for one in earlier if one.closed_at is None), None)
        if running is not None:
            _add(desk, running, sign, theirs)
        elif not sign.evidence or all(one.evidence < sign.evidence for one in earlier):
            opening = Opening(sign.trigger, sign.evidence, _fields(desk, sign))
            opened.append(open_one(desk, known[name], theirs, opening, incident))
    return opened


def found(desk: Desk, findings: object) -> None:
    """Suspect a breach where a look through ledger and vault found something: whoever looks need not think of it.

    Where somebody looks for one controller, it is opened for that one alone.
    """
    told = [one for one in findings if isinstance(one, dict)] if isinstance(findings, list) else []
    if not told:
        return
    # What else is found beside a broken ledger mostly follows from it.
    broken = any(one.get("where") in LEDGER for one in told)
    trigger = Trigger.LEDGER_BROKEN if broken else Trigger.VAULT_DAMAGED
    ids = {id_ for one in told for value in one.values() for id_ in ID.findall(str(value))}
    sign = Sign(trigger, f"{len(told)} findings {_SEEN[trigger]}", recordings=tuple(sorted(ids)))
    with suppress(VaultError):  # who looks is told all the same, also of a ledger that takes no entry any more
        suspect(replace(desk, controller=None, actor=ACTOR), sign, _whose(desk, broken=broken))


def _whose(desk: Desk, *, broken: bool) -> list[str] | None:
    """Return for whom it is opened: who looks for one controller has no other's opened, and the ledger is everybody's proof."""
    if desk.controller is not None:
        return [desk.controller]
    return list(desk.config.policy.controllers) if broken else None


def _fields(desk: Desk, sign: Sign) -> dict[str, object]:
    return {
        "facts": sign.seen,
        "kinds": _KINDS.get(sign.trigger, ["confidentiality"]),
        "detected_at": rfc3339(desk.clock()),
        "detected_by": ACTOR,
    }


def _add(desk: Desk, running: Breach, sign: Sign, rows: Sequence[RecordingRow]) -> None:
    """Add evidence that is new to a breach that is open."""
    before = set(desk.vault.index.breaches.recordings(running.id))
    fresh = [row.id for row in rows if row.id not in before]
    if sign.evidence <= running.evidence and not fresh:
        return
    body = {"breach": running.id, "recordings": fresh}
    behind = [Fact(Kind.BREACH_AFFECTED, None, running.controller, body)] if fresh else []
    evidence = max(sign.evidence, running.evidence)
    desk.note(Kind.BREACH_EVIDENCE, running, {"evidence": evidence}, *behind)
