"""What a person is told who asks for what is recorded of him with one controller (Art. 15), as values.

Who of the staff it was that listened stands in none of it (C-579/21), nor anything of another controller.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall.rights import terms
from gdprcall.rights.receipts import Evidence
from gdprcall.times import rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry, Kind
from gdprcall.vault.rows import RecordingRow, Wanted

Json = dict[str, object]
MOST = 1_000_000
GIVEN = frozenset({"sealed", "quarantined"})
UNSAID = frozenset({Kind.DECISION, Kind.RELEASE_DENIED})
"""Kinds of entries whose purpose is that of the recording, or of an access that did not come about."""


@dataclass(frozen=True, slots=True)
class Found:
    """All of a person's recordings with a controller: those he is given, and those he is not, with a reason's code."""

    given: tuple[RecordingRow, ...]
    withheld: tuple[Json, ...]


def find(vault: Vault, controller: str, subject: str) -> Found:
    """Return what there is of a person, the oldest first."""
    rows = vault.recordings(Wanted(controller=controller, subject=subject, limit=MOST))[::-1]
    weighed = [(row, weigh(row)) for row in rows]
    given = tuple(row for row, reason in weighed if not reason)
    return Found(given, tuple(withheld(row, reason) for row, reason in weighed if reason))


def weigh(row: RecordingRow) -> str:
    """Return why a recording is not given, as a code; empty if it is. One that is held or restricted is given.

    It is the person who asks, and his consent lifts the restriction for it (Art. 18(2)).
    """
    if row.state == "erased" or row.erasing or row.withdrawn:
        return "erased"
    if row.state not in GIVEN:
        return "never_recorded" if row.state == "not_started" else "unfinished"
    return ""


def withheld(row: RecordingRow, reason: str) -> Json:
    """Return what the person learns of a recording that he is not given."""
    return {"recording": row.id, "started_at": rfc3339(row.started_at), "purpose": row.purpose, "reason": reason}


def described(vault: Vault, row: RecordingRow) -> Json:
    """Return all that is known of a recording: its row, its segments, and what the person has said of it (Art. 16)."""
    parts = [segment.as_json() for segment in vault.segments(row.id)]
    said = [
        {"at": rfc3339(entry.time), "text": (entry.body or {}).get("text")}
        for entry in vault.ledger.entries(recording=row.id, kinds={Kind.STATEMENT})
    ]
    return row.as_json() | {"parts": parts, "statements": said}


def accesses(entries: Iterable[Entry]) -> list[Json]:
    """Return when and for which purpose a recording left the vault, or its caller's number was shown."""
    told = []
    for entry in entries:
        body = entry.body or {}
        purpose = body.get("reason") if entry.kind is Kind.NUMBER_SHOWN else body.get("purpose")
        if entry.kind in UNSAID or not isinstance(purpose, str):
            continue
        told.append(
            {"at": rfc3339(entry.time), "recording": entry.recording, "what": str(entry.kind), "purpose": purpose}
            | {"segment": body.get("segment")}
        )
    return told


def disclosures(entries: Iterable[Entry]) -> list[Json]:
    """Return who was given a recording: each by his name, as it was noted at the release (C-154/21)."""
    return [
        {"at": rfc3339(entry.time), "recording": entry.recording, "recipient": recipient}
        | {name: (entry.body or {}).get(name) for name in ("segment", "purpose", "basis")}
        for entry in entries
        if isinstance(recipient := (entry.body or {}).get("recipient"), str) and recipient
    ]


def processing(evidence: Evidence) -> Json:
    """Return why and how a recording was made, as its policy said then (Art. 13(1)(c), 15(1)(a), (d), (g), (2))."""
    row = evidence.row
    controller, line = terms.read(evidence.policy, row)
    days = evidence.body.get("retention_days")
    return {
        "line": row.line,
        "purpose": row.purpose,
        "basis": row.basis,
        "lawful_basis": terms.lawful_basis(row.basis, line),
        "law": line.text("law"),
        "interest": line.text("interest"),
        "retention_days": days if isinstance(days, int) else line.number("retention_days"),
        "retention_reason": line.text("retention_reason"),
        "direction": line.text("direction") or "inbound",
        "source": line.text("source"),
        "special": line.text("art9_content") if line.values.get("art9") is True else "",
        "rights": terms.rights(row.basis),
        "disclosed_to": controller.texts("disclosed_to"),
        "transfers": controller.texts("transfers"),
    }


def distinct(found: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Return each of several equal values once, in order."""
    return [one for place, one in enumerate(found) if one not in found[:place]]
