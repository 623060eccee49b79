"""The consent record of one decision, in the fields of ISO/IEC TS 27560, made from the ledger and what it refers to.

Nothing in it is made up when it is asked for: what was not kept is named as missing. It changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gdprcall.errors import NotFound
from gdprcall.rights import terms
from gdprcall.times import rfc3339
from gdprcall.vault import forgetting
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry, Kind
from gdprcall.vault.kept import Form, Kept, KeptPrompt
from gdprcall.vault.proofs import Proof
from gdprcall.vault.rows import DecisionRow, RecordingRow, SegmentRow

SCHEMA_VERSION = "gdprcall-consent-1"
Json = dict[str, object]
TOLD_OF = frozenset({Kind.DECISION, Kind.WITHDRAWN})
"""The entries that prove a decision; those of the recording prove what became of the sound."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is still known of one decision."""

    row: DecisionRow
    entries: tuple[Entry, ...]
    proof: Proof | None
    recording: RecordingRow | None
    segments: tuple[SegmentRow, ...]
    policy: Form | None
    prompt: KeptPrompt | None

    @property
    def body(self) -> Mapping[str, object]:
        """What was noted last of the decision itself; empty for what the ledger has lost."""
        bodies = [entry.body for entry in self.entries if entry.kind is Kind.DECISION and entry.body]
        return bodies[-1] if bodies else {}

    @property
    def proving(self) -> list[Entry]:
        """The entries that prove the decision."""
        return [entry for entry in self.entries if entry.kind in TOLD_OF]

    @property
    def missing(self) -> list[str]:
        """What was not kept or is damaged, in words."""
        lacks = [] if self.policy is not None else ["the policy that held then was not kept"]
        if self.prompt is not None and self.prompt.problem:
            lacks.append(f"the prompt: {self.prompt.problem}")
        return lacks + ([] if self.body else ["the entry of the decision"])


def gather(vault: Vault, id_: str) -> Evidence:
    """Return what is known of a decision; raises NotFound, also when it was forgotten."""
    row = vault.decision(id_)
    entries, kept = entries_of(vault, row), Kept(vault.folder)
    if not entries:
        raise NotFound(f"the ledger says nothing of decision {id_}", "run: gdprcall audit verify")
    told = [entry.body for entry in entries.values() if entry.kind is Kind.DECISION and entry.body]
    spoken = str(told[-1].get("text_sha256") or "") if told else ""
    return Evidence(
        row,
        tuple(entries.values()),
        vault.index.proofs.find(id_),
        vault.index.recording(row.recording) if row.recording else None,
        tuple(vault.segments(row.recording)) if row.recording else (),
        kept.policy(row.policy_sha256),
        kept.prompt(row.prompt_sha256, spoken) if row.prompt_sha256 else None,
    )


def entries_of(vault: Vault, row: DecisionRow) -> dict[int, Entry]:
    """Return the entries of a decision and of its recording by their numbers, in order."""
    forgetting.catch_up(vault.stores)
    proof = vault.index.proofs.find(row.id)
    found = {seq: vault.ledger.entry(seq) for seq in (proof.entries if proof else ())}
    if row.recording:
        found |= {entry.seq: entry for entry in vault.ledger.entries(recording=row.recording)}
    return {seq: found[seq] for seq in sorted(found)}


def record(evidence: Evidence, location: str = "") -> Json:
    """Return the consent record; ``location`` says where the vault stands."""
    controller, line = terms.read(evidence.policy, evidence.row)
    return {
        "schema_version": SCHEMA_VERSION,
        "profile": terms.PROFILE,
        "record_id": evidence.row.id,
        "pii_principal_id": evidence.recording.subject if evidence.recording else None,
        "pii_processing": {
            "privacy_notice": _notice(evidence, controller),
            "language": evidence.row.language or "und",
            "purposes": [_purpose(evidence, controller, line, location)],
        },
        "party_identification": terms.parties(controller),
        "events": _events(evidence, controller, line),
        "telephony": _telephony(evidence, line),
        "missing": evidence.missing,
    }


def _notice(evidence: Evidence, controller: terms.Values) -> Json:
    row, prompt = evidence.row, evidence.prompt
    return {
        "url": controller.text("notice_url"),
        "prompt_sha256": row.prompt_sha256 or None,
        "text_sha256": evidence.body.get("text_sha256") or (prompt.text_sha256 if prompt and prompt.text else None),
        "text": prompt.text if prompt else "",
    }


def _purpose(evidence: Evidence, controller: terms.Values, line: terms.Values, location: str) -> Json:
    row, days = evidence.row, evidence.body.get("retention_days")
    return {
        "purpose": row.purpose,
        "purpose_type": terms.PURPOSE_TYPES.get(row.purpose, "https://w3id.org/dpv#Purpose"),
        "lawful_basis": terms.lawful_basis(row.basis, line),
        "pii_information": terms.pii(line),
        "pii_controllers": [row.controller],
        "collection_method": "agent_entered" if evidence.body.get("reason") == "spoken" else "ivr_dtmf",
        "processing_method": ["record", "encrypt", "store", "release to the controller", "erase"],
        "storage_locations": [location or "the telephone system on which gdprcall runs"],
        "retention_period": f"P{days if isinstance(days, int) else line.number('retention_days')}D",
        "processing_locations": [location or "the telephone system on which gdprcall runs"],
        "geographic_restrictions": controller.texts("transfers"),
        "service": row.line,
        "jurisdiction": controller.text("country") or "und",
        "recipient_third_parties": controller.texts("disclosed_to"),
        "withdrawal_method": terms.withdrawal(controller, line),
        "privacy_rights": {"rights": terms.rights(row.basis), "url": controller.text("notice_url")},
        "codes_of_conduct": [],
        "impact_assessment": None,
        "authority_party": controller.text("authority") or None,
    }


def _events(evidence: Evidence, controller: terms.Values, line: terms.Values) -> list[Json]:
    """Return what happened to the consent, in order: each is read from an entry of the ledger that is never changed."""
    events: list[Json] = []
    withdrawn = False
    # Of special categories of data the question names them, and the answer is explicit (Art. 9(2)(a)).
    by = "explicit" if line.text("art9_condition") == "a" else "expressed"

    def happened(time: int, state: str, entity: str, entry: Entry) -> None:
        validity = "this call, and for its recording the retention_period" if state == "given" else "none"
        told = {"event_time": rfc3339(time), "event_state": state, "entity_id": entity, "validity_duration": validity}
        events.append(told | {"event_type": by, "entry": entry.seq})

    for entry in evidence.entries:
        body = entry.body or {}
        if entry.kind is Kind.DECISION:
            asked = body.get("asked_at")
            if evidence.row.basis != "consent":
                continue  # nobody was asked: what was told and what came of it stands under telephony
            if body.get("attempts") and not events:
                happened(asked if isinstance(asked, int) and asked else entry.time, "requested", controller.id, entry)
            state = {"granted": "given", "refused": "refused"}.get(str(body.get("outcome")))
            if state and (not events or events[-1]["event_state"] != state):
                happened(entry.time, state, "pii_principal", entry)
        elif entry.kind is Kind.WITHDRAWN and not withdrawn:
            withdrawn = True
            who = controller.id if body.get("reason") in {"minor", "unacknowledged"} else "pii_principal"
            happened(entry.time, "withdrawn", who, entry)
        elif entry.kind is Kind.ERASED and not withdrawn and events:
            happened(entry.time, "expired", controller.id, entry)
    return events


def _telephony(evidence: Evidence, line: terms.Values) -> Json:
    row, body = evidence.row, evidence.body
    return {
        "call": row.call,
        "channel": row.uniqueid,
        "direction": line.text("direction") or "inbound",
        "line": row.line,
        "outcome": row.outcome,
        "reason": row.reason or None,
        "heard_ms": row.heard_ms,
        "mandatory_ms": row.mandatory_ms,
        "tries": row.attempts,
        "decided_at": rfc3339(row.decided_at),
        "time_source": "clock of the host",
        "policy_sha256": row.policy_sha256,
        "policy_version": line.number("version") or None,
        "software": body.get("software"),
        "front": body.get("front"),
        "ledger_entries": [entry.seq for entry in evidence.proving],
        "proof_days": body.get("keep_days"),
        **_followed(evidence),
    }


def _followed(evidence: Evidence) -> Json:
    """Return what became of the consent and of the recording."""
    row, recording = evidence.row, evidence.recording
    until = evidence.proof.until if evidence.proof else None
    withdrawn = [entry for entry in evidence.entries if entry.kind is Kind.WITHDRAWN]
    return {
        "withdrawn_at": None if row.withdrawn_at is None else rfc3339(row.withdrawn_at),
        "withdrawal": (withdrawn[0].body or {}).get("method") if withdrawn else None,
        "recording": None if recording is None else {"id": recording.id, "state": recording.state},
        "segments": [
            {"segment": one.segment, "started_at": rfc3339(one.started_at), "closed_at": rfc3339(one.closed_at)}
            for one in evidence.segments
        ],
        "proof_until": None if until is None else rfc3339(until),
    }
