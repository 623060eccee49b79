"""How a receipt looks to a person: as text, or as one HTML page that needs nothing else.

It shows what the receipt says, and adds nothing but headings; whatever a value holds, it never becomes markup.
"""

import base64
import os
import re
import textwrap
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from gdprcall.errors import NotFound, Refused
from gdprcall.vault.objects import sync_folder

WIDTH = 100
CLAUSE = r"eu-gdpr:A(\d)-(\d)-([a-j])"
Receipt = Mapping[str, Any]  # JSON of our own
Section = tuple[str, list[tuple[str, str]]]


def text(receipt: Receipt) -> str:
    """Return a receipt as text."""
    lines = [f"Consent receipt {receipt['record']['record_id']}", ""]
    for heading, rows in _sections(receipt):
        lines.append(heading)
        for label, value in rows:
            first, *rest = textwrap.wrap(value, WIDTH - 24) or ["-"]
            lines.append(f"  {label:20}  {first}")
            lines += [f"{'':24}{line}" for line in rest]
        lines.append("")
    return "\n".join(lines)


def page(receipt: Receipt) -> str:
    """Return a receipt as a page of HTML."""
    prompt = receipt["prompt"] or {}
    id_, sections = receipt["record"]["record_id"], _sections(receipt)
    return _template().render(id=id_, sections=sections, sound=prompt.get("sound"), proof=receipt["proof"]) + "\n"


def write_sound(receipt: Receipt, path: Path) -> None:
    """Write the prompt that was played to a new file; raises NotFound without its sound, Refused for a file that is there."""
    sound = (receipt["prompt"] or {}).get("sound")
    if not sound:
        raise NotFound("the sound of this decision is not there", "run: gdprcall decisions verify")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError as error:
        raise Refused(f"{path} is there already", "it is never overwritten: choose another name") from error
    with open(descriptor, "wb") as file:
        file.write(base64.b64decode(sound))
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.resolve().parent)


def _sections(receipt: Receipt) -> list[Section]:
    record, call = receipt["record"], receipt["record"]["telephony"]
    processing = record["pii_processing"]
    return [
        ("Who is responsible", [row for party in record["party_identification"] for row in _party(party)]),
        ("What was asked", _asked(processing["purposes"][0], processing)),
        (
            "What happened",
            [(event["event_time"], event["event_state"]) for event in record["events"]] or _nothing(call),
        ),
        ("The call", _call(call)),
        ("Proof", _proof(receipt, call)),
    ]


def _party(party: Receipt) -> list[tuple[str, str]]:
    names = {"party_address": "address", "party_contact": "contact", "party_url": "notice"}
    rows = [(party["party_role"].removeprefix("pii_").replace("_", " "), party["party_name"])]
    return rows + [
        (label, party[name]) for name, label in names.items() if party[name] not in {None, party["party_name"]}
    ]


def _asked(purpose: Receipt, processing: Receipt) -> list[tuple[str, str]]:
    how = purpose["withdrawal_method"]
    return [
        ("said, word for word", processing["privacy_notice"]["text"] or "-"),
        ("language", processing["language"]),
        ("purpose", purpose["purpose"]),
        ("lawful basis", re.sub(CLAUSE, r"Art. \1(\2)(\3) GDPR", purpose["lawful_basis"])),
        ("what is collected", ", ".join(one["pii_type"] for one in purpose["pii_information"])),
        ("kept for", re.sub(r"P(\d+)D", r"\1 days", purpose["retention_period"])),
        ("kept where", ", ".join(purpose["storage_locations"])),
        ("who else gets it", ", ".join(purpose["recipient_third_parties"]) or "nobody"),
        (
            "withdrawal",
            "; ".join(filter(None, [how["in_call"] and f"{how['in_call']} in the call", *how["afterwards"]])),
        ),
        ("rights", ", ".join(purpose["privacy_rights"]["rights"])),
        ("authority", purpose["authority_party"] or "-"),
    ]


def _nothing(call: Receipt) -> list[tuple[str, str]]:
    return [(call["decided_at"], f"nobody was asked: {call['outcome']}")]


def _call(call: Receipt) -> list[tuple[str, str]]:
    recording = call["recording"]
    return [
        ("call", call["call"]),
        ("line", f"{call['line']}, {call['direction']}"),
        ("outcome", call["outcome"]),
        ("heard", f"{call['heard_ms']} ms, of which {call['mandatory_ms']} ms had to be"),
        ("times asked", str(call["tries"])),
        ("recording", f"{recording['id']}, {recording['state']}" if recording else "none"),
        *[(f"segment {one['segment']}", f"{one['started_at']} to {one['closed_at']}") for one in call["segments"]],
        ("this proof is kept", _until(call)),
    ]


def _until(call: Receipt) -> str:
    if call["proof_until"]:
        return f"until {call['proof_until']}"
    days = f"for {call['proof_days']} days" if call["proof_days"] else "for a time"
    return f"as long as the recording, and {days} beyond it"


def _proof(receipt: Receipt, call: Receipt) -> list[tuple[str, str]]:
    proof, prompt = receipt["proof"], receipt["prompt"]
    rows = [("ledger entries", ", ".join(map(str, call["ledger_entries"])))]
    if proof:
        origin, size, root = proof["checkpoint"].splitlines()[:3]
        rows += [("signed checkpoint", f"{origin}, {size} entries, root {root}"), ("public key", proof["verifier"])]
    else:
        rows.append(("signed checkpoint", f"none: {receipt['proof_problem']}"))
    rows.append(("policy", f"SHA-256 {call['policy_sha256']}"))
    rows += [("prompt", f"SHA-256 {prompt['sha256']}")] if prompt else []
    return rows + [("missing", lack) for lack in receipt["record"]["missing"]]


@cache
def _template() -> Template:
    source = (files(__package__) / "receipt.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        source
    )
