"""What the papers say, from the live configuration and the vault: one controller's facts, or those of the house.

It writes no paper. Of one controller's paper nothing is another's; the processor's own register is the house's alone.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gdprcall import __version__
from gdprcall.config import Config
from gdprcall.errors import NotFound, Refused
from gdprcall.parameters import Params, text
from gdprcall.policy.model import Controller, Direction, Line, Regime, Role
from gdprcall.prompts import written
from gdprcall.times import DAY_MS, Clock, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind

Json = dict[str, object]
BASES: Mapping[str, str] = {
    "consent": "consent, Article 6(1)(a)",
    "contract": "contract, Article 6(1)(b)",
    "legal_obligation": "legal obligation, Article 6(1)(c)",
    "vital_interest": "vital interest, Article 6(1)(d)",
    "public_task": "public task, Article 6(1)(e)",
    "legitimate_interest": "legitimate interest, Article 6(1)(f)",
}
MEASURES = (
    "Default deny: nothing is recorded without a decision that is durable before; any doubt or fault means no recording",
    "Encryption of each recording with a key of its own (age v1: X25519 or hybrid post-quantum, ChaCha20-Poly1305), sealed to the controller's keys; the private keys are not on the system",
    "Sound in the clear lies in memory only, for seconds, and is sealed while it is written where the system can do so",
    "Pseudonymisation: telephone numbers are keyed pseudonyms (HMAC-SHA-256, one key a controller), the numbers themselves sealed",
    "Separation of controllers by keys, pseudonyms and roles",
    "Roles by the identity that the kernel gives; who runs the system cannot release sound; a purpose for each release; a second person for many",
    "A ledger that is only appended to (Merkle tree), with signed checkpoints that leave the host, in which every decision, release and erasure stands",
    "Retention by a daily sweep with proof; erasure by destroying the key, verified by a search; tombstones that a restored backup cannot undo",
    "Backups with the keys apart and short-lived; a reserve of free space; restart and restore without loss, tested by killing the program at every step",
    "No telephone number, name, key or pressed digit in logs, file names or metrics",
    "A register of breaches with its clocks, and suspicions that the system opens by itself",
)
"""What the program does for the security of processing (Art. 32); of what else is done a person has to write."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Who asks, and for which controller he may: None for all."""

    vault: Vault
    config: Config
    controller: str | None
    actor: str
    clock: Clock

    def known(self, name: str) -> Controller:
        """Return a controller; raises NotFound, in the same words for one that is not the asker's."""
        found = self.config.policy.controllers.get(name)
        if found is None or self.controller not in {None, name}:
            raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
        return found


def facts(writing: Writing, params: Params) -> object:
    """Return the facts of each controller that may be asked for, or of the one that is named; raises NotFound.

    What the house alone knows, its own register as a processor, is only for who answers for all.
    """
    named = params.get("controller") or writing.controller
    wanted = [writing.known(str(named))] if named else list(writing.config.policy.controllers.values())
    found = [_of(writing, one) for one in wanted]
    house = _common(writing) | {"measures": list(MEASURES)} if not named else None
    return {"house": house, "controllers": found}


def tell_subprocessors(writing: Writing, params: Params) -> object:
    """Note that a controller was told of the sub-processors as they are now, and until when it can object (Art. 28(2))."""
    owner = writing.known(text(params, "controller"))
    if owner.operator is not Role.PROCESSOR:
        raise Refused("the operator is the controller itself here, and owes nobody this notice", "see: gdprcall check")
    until = writing.clock() + writing.config.parties.objection_days * DAY_MS
    body = {"sha256": _list_hash(writing.config), "until": until, "actor": writing.actor}
    writing.vault.note(Fact(Kind.SUBPROCESSORS_TOLD, None, owner.id, body))
    return _told(writing, owner)


OPERATIONS: Mapping[str, Callable[[Writing, Params], object]] = {
    "documents/facts": facts,
    "documents/told": tell_subprocessors,
}
CHANGING = frozenset({"documents/told"})


def _common(writing: Writing) -> Json:
    config = writing.config
    return {
        "as_of": datetime.fromtimestamp(writing.clock() // 1000, UTC).date().isoformat(),
        "program": f"gdprcall {__version__}",
        "operator": config.parties.operator.model_dump(),
        "subprocessors": [one.model_dump(mode="json") for one in config.parties.subprocessors],
        "objection_days": config.parties.objection_days,
        "location": config.location,
        "backup_key_days": config.key_days,
        "breach": {"controller_hours": config.breach.controller_hours, "contact_days": config.breach.contact_days},
    }


def _of(writing: Writing, owner: Controller) -> Json:
    """Return what papers say of one controller, and of nobody else."""
    lines = [line for line in writing.config.policy.lines.values() if line.controller == owner.id]
    spoken, missing = written.notices(lines, owner)
    more = {"joint": writing.config.parties.joint, "representative": writing.config.parties.representatives}
    contract, dpia = owner.contract, writing.config.parties.dpias.get(owner.id)
    known = {} if contract is None else {name: getattr(contract, name) for name in ("reference", "date", "sha256")}
    return (
        _common(writing)
        | _of_lines(lines)
        | {
            "law": "UK GDPR" if owner.regime is Regime.UK_GDPR else "GDPR",
            "controller": _plain(owner) | {name: told.get(owner.id, "") for name, told in more.items()},
            "processor": owner.operator is Role.PROCESSOR,
            "contract": known or None,
            "recipients": len(owner.recipients),
            "lines": [_line(writing.config, line) for line in lines],
            "measures": list(MEASURES),
            "dpia": dpia.model_dump(mode="json") if dpia else None,
            "periods": _periods(writing, owner),
            "certificates": _certificates(writing.vault, owner.id),
            "told": _told(writing, owner),
            "notices": spoken,
            "missing_languages": missing,
        }
    )


def _of_lines(lines: list[Line]) -> Json:
    return {
        "purposes": sorted({written.purpose(line.purpose) for line in lines}),
        "special": sorted({line.art9_content or "as the controller expects" for line in lines if line.art9}),
        "outbound": any(line.direction is Direction.OUTBOUND for line in lines),
        "minors": any(line.minors for line in lines),
        "must": any(line.must for line in lines),
        "pauses": any(line.keys.pause for line in lines),
        "withdraw": sorted({line.keys.withdraw for line in lines}),
    }


def _plain(owner: Controller) -> Json:
    names = (
        "id name contact address officer authority country notice_url retention_days proof_days refusal_days".split()
    )
    lists: Json = {"disclosed_to": list(owner.disclosed_to), "transfers": list(owner.transfers)}
    return {name: getattr(owner, name) for name in names} | lists


def _line(config: Config, line: Line) -> Json:
    names = "id purpose version approved_by retention_days min_retention_days retention_reason law interest".split()
    names += ["art9", "art9_content", "minors", "source", "must"]
    assessment = line.assessment
    return {name: getattr(line, name) for name in names} | {
        "direction": str(line.direction),
        "basis": str(line.basis),
        "basis_text": BASES[line.basis],
        "purpose_text": written.purpose(line.purpose),
        "languages": list(line.languages),
        "sample": f"{line.sample_rate:.0%} of calls",
        "notice": line.full_notice(config.policy.controller_of(line)),
        "sha256": config.policy.sha256(line),
        "assessment": None
        if assessment is None
        else {
            "id": assessment.id,
            "date": assessment.date,
            "sha256": assessment.sha256,
            "review_by": assessment.review_by,
        },
    }


def _periods(writing: Writing, owner: Controller) -> list[Json]:
    """Return the time limits by category (Art. 30(1)(f))."""
    config = writing.config
    lines = [line for line in config.policy.lines.values() if line.controller == owner.id]
    rows = (
        *((f"recordings of the line {line.id}", f"{line.retention_days} days from the call") for line in lines),
        ("what is known of a recording (times, line, decision)", f"{owner.proof_days} days beyond the recording"),
        ("proof of consent, with what was played", f"{owner.proof_days} days beyond the recording"),
        ("refusals and calls without an answer", f"{owner.refusal_days} days"),
        ("requests of persons", f"{owner.proof_days} days after their end; the number until the answer"),
        ("breaches", f"{config.breach.keep_days} days after their end"),
        ("files that could not be explained (quarantine)", f"{config.quarantine_days} days"),
        ("backups of the keys", f"{config.key_days} days"),
        ("sound in the clear", "seconds, in memory; an alarm after that"),
        ("the ledger", "for ever; what is personal in it goes with what it tells of"),
        ("the log of the program", "as the journal of the host; no personal data is in it"),
    )
    return [{"what": what, "period": period} for what, period in rows]


def _certificates(vault: Vault, controller: str) -> list[Json]:
    """Return the erasures of persons that were certified, and of how many recordings each was."""
    asked: dict[object, int] = {}
    found: list[Json] = []
    for entry in vault.ledger.entries(kinds={Kind.ERASURE_ASKED, Kind.ERASURE_CERTIFIED}):
        body = entry.body or {}
        if entry.controller == controller and entry.kind is Kind.ERASURE_ASKED:
            ids = body.get("recordings")
            asked[body.get("certificate")] = len(ids) if isinstance(ids, list) else 0
        elif entry.controller == controller:
            id_, at = body.get("certificate"), rfc3339(entry.time)[:19].replace("T", " ")
            count = asked.get(id_, 0)
            found.append(
                {"certificate": id_, "at": at, "recordings": count, "sha256": body.get("sha256"), "entry": entry.seq}
            )
    return found


def _told(writing: Writing, owner: Controller) -> Json | None:
    """Return when a controller was last told of sub-processors, and whether they are still the same."""
    last: Json | None = None
    for entry in writing.vault.ledger.entries(kinds={Kind.SUBPROCESSORS_TOLD}):
        body = entry.body or {}
        until = body.get("until")
        if entry.controller == owner.id and isinstance(until, int):
            same = body.get("sha256") == _list_hash(writing.config)
            last = {"at": rfc3339(entry.time)[:10], "until": rfc3339(until)[:10], "same": same}
    return last


def _list_hash(config: Config) -> str:
    listed = [one.model_dump(mode="json") for one in config.parties.subprocessors]
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
