"""What makes the program suspect a breach, and how one suspicion is opened with its evidence instead of a storm (BRE-08).

It decides nothing: a person looks into it, and says that it is one, or that it is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from gdprcall.breach.desk import Desk
from gdprcall.breach.entering import Opening, open_one
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


def suspect(desk: Desk, sign: Sign, controllers: Iterable[str] | None = None) -> list[str]:
    """Open a suspected breach for each controller concerned, and return the ids of the new ones.

    Where the same is suspected already the evidence is added to that; what a closed one stood on opens no other. Without
    ``controllers``, those of the recordings, and without any of these all.
    """
    rows = [row for id_ in sign.recordings if (row := desk.vault.index.recording(id_)) is not None]
    named = controllers if controllers is not None else {row.controller for row in rows}
    known = desk.config.policy.controllers
    opened = []
    for name in sorted(set(named) & known.keys() or known.keys()):
        theirs = [row for row in rows if row.controller == name]
        earlier = desk.vault.index.breaches.of_trigger(sign.trigger, name)
        running = next((one for one in earlier if one.closed_at is None), None)
        if running is not None:
            _add(desk, running, sign, theirs)
        elif not sign.evidence or all(one.evidence < sign.evidence for one in earlier):
            opened.append(
                open_one(desk, known[name], theirs, Opening(sign.trigger, sign.evidence, _fields(desk, sign)))
            )
    return opened


def found(desk: Desk, trigger: Trigger, findings: object) -> list[str]:
    """Suspect a breach where a look through the ledger or the vault found something, and return the ids of the new ones.

    Whoever looks for one controller has it opened for that one alone; nobody need be asked to look.
    """
    if not isinstance(findings, list) or not findings:
        return []
    named = {str(one.get("recording")) for one in findings if isinstance(one, dict) and one.get("recording")}
    seen = f"{len(findings)} findings: the ledger is not what was written into it"
    if trigger is Trigger.VAULT_DAMAGED:
        seen = f"{len(findings)} findings in the vault: something is missing, changed, or of another recording"
    ours = replace(desk, controller=None, actor=ACTOR)
    with suppress(VaultError):  # of a ledger that takes no entry any more, who looks is told all the same
        return suspect(ours, Sign(trigger, seen, recordings=tuple(sorted(named))), _whose(desk))
    return []


def _whose(desk: Desk) -> list[str] | None:
    return None if desk.controller is None else [desk.controller]


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
