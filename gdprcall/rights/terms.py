"""The words of a consent record: what a policy, as it was kept with a decision, says in the terms of ISO, DPV and the GDPR.

It reads values of a policy of any release, knows which may be absent, and invents none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gdprcall.vault.kept import Form
from gdprcall.vault.rows import DecisionRow

PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"
DPV = "https://w3id.org/dpv#"
PURPOSE_TYPES = {
    "quality": f"{DPV}ServiceOptimisation",
    "training": f"{DPV}PersonnelManagement",
    "documentation": f"{DPV}RecordManagement",
}
BASES = {
    "consent": "eu-gdpr:A6-1-a",
    "contract": "eu-gdpr:A6-1-b",
    "legal_obligation": "eu-gdpr:A6-1-c",
    "vital_interest": "eu-gdpr:A6-1-d",
    "public_task": "eu-gdpr:A6-1-e",
    "legitimate_interest": "eu-gdpr:A6-1-f",
}
RIGHTS = (
    "access (Art. 15)",
    "rectification (Art. 16)",
    "erasure (Art. 17)",
    "restriction (Art. 18)",
    "portability (Art. 20)",
    "withdrawal of consent (Art. 7(3))",
    "complaint to an authority (Art. 77)",
)
PII = ("voice", "what was said", "telephone number", "time of the call", "voice of the agent")


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a controller or a line as they were kept; what is absent is empty."""

    id: str
    values: Mapping[str, object]

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return a whole number."""
        value = self.values.get(name)
        return value if isinstance(value, int) else 0

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self.values.get(name)
        return [str(one) for one in value] if isinstance(value, list) else []


def read(policy: Form | None, row: DecisionRow) -> tuple[Values, Values]:
    """Return controller and line of a decision, as they were."""
    parts = policy or {}
    controller, line = parts.get("controller"), parts.get("line")
    return (
        Values(row.controller, controller if isinstance(controller, dict) else {}),
        Values(row.line, line if isinstance(line, dict) else {}),
    )


def lawful_basis(basis: str, line: Values) -> str:
    """Return the basis by its clause; special categories of data stand on Art. 9(2) too."""
    article = BASES.get(basis, basis)
    condition = line.text("art9_condition")
    return f"{article}, eu-gdpr:A9-2-{condition}" if condition else article


def pii(line: Values) -> list[dict[str, object]]:
    """Return what is collected: all of it is left to the caller, and special only where the line expects it."""
    special = [line.text("art9_content") or "special categories of data"] if line.values.get("art9") is True else []
    return [
        {
            "pii_type": kind,
            "pii_optional": True,
            "sensitive_pii_category": bool(special) and kind == "what was said",
            "special_pii_category": special if kind == "what was said" else [],
        }
        for kind in PII
    ]


def withdrawal(controller: Values, line: Values) -> dict[str, object]:
    """Return how the consent can be withdrawn: by keys in the call, and afterwards."""
    keys = line.values.get("keys")
    code = keys.get("withdraw") if isinstance(keys, dict) else None
    return {
        "in_call": code,
        "afterwards": [one for one in (controller.text("contact"), controller.text("notice_url")) if one],
    }


def parties(controller: Values) -> list[dict[str, object]]:
    """Return who is responsible."""
    contact = controller.text("contact")
    party: dict[str, object] = {
        "party_id": controller.id,
        "party_name": controller.text("name") or controller.id,
        "party_address": controller.text("address") or None,
        "party_email": contact if "@" in contact else None,
        "party_url": controller.text("notice_url") or None,
        "party_phone": None,
        "party_contact": contact or None,
        "party_type": "organisation",
        "party_role": "pii_controller",
    }
    found = [party]
    if officer := controller.text("officer"):
        found.append(_other(f"{controller.id}/officer", officer, "data_protection_officer"))
    if authority := controller.text("authority"):
        found.append(_other(f"{controller.id}/authority", authority, "supervisory_authority"))
    if controller.text("operator") == "processor":
        found.append(_other("operator", "the operator of this gdprcall", "pii_processor"))
    return found


def _other(id_: str, name: str, role: str) -> dict[str, object]:
    empty = dict.fromkeys(("party_address", "party_email", "party_url", "party_phone"))
    return {"party_id": id_, "party_name": name, **empty, "party_contact": name, "party_type": "organisation"} | {
        "party_role": role
    }
