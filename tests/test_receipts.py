"""The consent record: every field of the standard, each event from an entry that is never changed, and what was played."""

import base64
import hashlib
import json
import re
import wave
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gdprcall import consents, rights
from gdprcall.cli import receipts as page
from gdprcall.config import load
from gdprcall.errors import NotFound
from gdprcall.rights import receipts
from gdprcall.vault.archive import Vault
from gdprcall.vault.kept import POLICIES, PROMPTS
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.merkle import includes, leaf_hash
from gdprcall.vault.note import Verifier
from gdprcall.vault.note import opened as note_opened
from tests import vaults
from tests.consents import TEXT, agreed, decided, keep_prompt, sign
from tests.pbx.prepare import ROOT
from tests.test_cli_exits import Shell
from tests.test_cli_exits import shell as shell  # noqa: PLC0414 # a fixture
from tests.test_operations import asked, one, settings
from tests.vaults import SUBJECT, Clock, opened, recording_id

SCHEMA = json.loads((files(rights) / "consent-record.schema.json").read_text())
FIELDS = set(
    "schema_version record_id pii_principal_id privacy_notice language purpose purpose_type lawful_basis pii_information "
    "pii_type pii_optional sensitive_pii_category special_pii_category pii_controllers collection_method "
    "processing_method storage_locations retention_period processing_locations geographic_restrictions service "
    "jurisdiction recipient_third_parties withdrawal_method privacy_rights codes_of_conduct impact_assessment "
    "authority_party party_id party_name party_address party_email party_url party_phone party_contact party_type "
    "party_role event_time validity_duration entity_id event_type event_state".split()
)


def names(value: object) -> set[str]:
    """Return every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return set(value).union(*(names(one) for one in value.values()))
    return set().union(*(names(one) for one in value)) if isinstance(value, list) else set()


def record(vault: Vault, id_: str, location: str = "Stockholm, SE") -> dict[str, Any]:
    made = json.loads(json.dumps(receipts.record(receipts.gather(vault, id_), location)))
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(made)
    assert isinstance(made, dict)
    return made


def states(made: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["event_state"], event["entity_id"]) for event in made["events"]]


def test_con_04_a_record_has_every_field_of_the_standard_and_holds_the_schema_that_is_shipped(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        made = record(vault, agreed(vault, settings(tmp_path).policy, tmp_path / "spool"))
    assert names(made) >= FIELDS
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    purpose = made["pii_processing"]["purposes"][0]
    assert (purpose["purpose"], purpose["lawful_basis"], purpose["retention_period"]) == (
        "quality",
        "eu-gdpr:A6-1-a",
        "P30D",
    )
    assert (purpose["jurisdiction"], purpose["storage_locations"]) == ("SE", ["Stockholm, SE"])
    assert purpose["withdrawal_method"] == {"in_call": "*9", "afterwards": ["privacy@acme.example", "acme.example"]}
    assert made["pii_processing"]["privacy_notice"]["text"] == TEXT
    assert made["party_identification"][0]["party_email"] == "privacy@acme.example"
    assert made["telephony"]["recording"] == {"id": recording_id(), "state": "sealed"}
    assert made["missing"] == []


def test_every_field_of_a_record_is_mapped_on_the_page_that_maps_them() -> None:
    page = (ROOT / "docs" / "consent-record.md").read_text()
    assert FIELDS - set(re.findall(r"`([a-z_]+)`", page)) == set()
    assert "docs/consent-record.md" in (ROOT / "README.md").read_text()


def test_a_schema_that_is_broken_in_any_field_does_not_hold(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        made = record(vault, agreed(vault, settings(tmp_path).policy, tmp_path / "spool"))
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for name in made:
        assert not validator.is_valid({key: value for key, value in made.items() if key != name}), name
    assert not validator.is_valid(made | {"number": vaults.NUMBER})


def test_con_08_events_are_read_in_order_from_entries_that_only_grow(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path, clock=clock) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        before = record(vault, id_)["events"]
        clock.now += 60_000
        vault.note(Fact(Kind.WITHDRAWN, recording_id(), "acme", {"method": "key", "reason": "withdrawn"}))
        vault.erase(recording_id(), reason="withdrawn", actor="test")
        made = record(vault, id_)
    assert states(made) == [("requested", "acme"), ("given", "pii_principal"), ("withdrawn", "pii_principal")]
    assert made["events"][:2] == before
    assert made["events"][0]["event_time"] < made["events"][1]["event_time"] < made["events"][2]["event_time"]
    assert (made["telephony"]["withdrawal"], made["telephony"]["recording"]["state"]) == ("key", "erased")
    assert made["pii_principal_id"] is None


def test_bas_08_a_record_of_what_was_told_and_not_asked_makes_no_consent_of_it(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool", basis="legitimate_interest")
        made = record(vault, id_)
        assert states(made) == []
        vault.note(Fact(Kind.WITHDRAWN, recording_id(), "acme", {"method": "key", "reason": "objected"}))
        assert states(record(vault, id_)) == [("withdrawn", "pii_principal")]
    purpose = made["pii_processing"]["purposes"][0]
    assert purpose["lawful_basis"] == "eu-gdpr:A6-1-f"
    assert "objection (Art. 21(1))" in purpose["privacy_rights"]["rights"]
    assert not [right for right in purpose["privacy_rights"]["rights"] if "consent" in right]


def test_con_11_a_consent_to_special_categories_is_explicit_and_any_other_is_expressed(tmp_path: Path) -> None:
    policy = settings(tmp_path).policy
    health = replace(policy.lines["support"], art9=True, art9_condition="a", art9_content="your health")
    with opened(tmp_path) as vault:
        said = decided(vault, policy)
        explicit = decided(vault, replace(policy, lines={"support": health}), 2, decision="e" * 32, reason="explicit")
        types = [{event["event_type"] for event in record(vault, id_)["events"]} for id_ in (said, explicit)]
    assert types == [{"expressed"}, {"explicit"}]


def test_con_01_a_spoken_yes_was_entered_by_the_agent_and_a_key_by_the_caller(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        policy = settings(tmp_path).policy
        ids = [decided(vault, policy), decided(vault, policy, 2, decision="e" * 32, reason="spoken")]
        made = [record(vault, id_)["pii_processing"]["purposes"][0]["collection_method"] for id_ in ids]
    assert made == ["ivr_dtmf", "agent_entered"]


def test_a_refusal_is_asked_and_refused_and_names_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        made = record(vault, decided(vault, settings(tmp_path).policy, outcome="refused"))
    assert states(made) == [("requested", "acme"), ("refused", "pii_principal")]
    assert (made["pii_principal_id"], made["telephony"]["recording"]) == (None, None)
    assert SUBJECT not in json.dumps(made)


def test_con_01_silence_is_a_question_without_an_answer(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        policy = settings(tmp_path).policy
        assert states(record(vault, decided(vault, policy, 1, outcome="timeout"))) == [("requested", "acme")]
        unasked = decided(vault, policy, 2, outcome="system_fail", attempts=0, prompt_sha256="", heard_ms=0)
        assert states(record(vault, unasked)) == []


def test_a_consent_whose_recording_has_expired_is_expired(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        vault.erase(recording_id(), reason="retention", actor="test")
        made = record(vault, id_)
    assert states(made)[-1] == ("expired", "acme")
    assert made["telephony"]["proof_until"] == "2029-01-01T00:00:00.000Z"


def test_the_pseudonym_of_a_caller_is_in_it_as_long_as_the_recording_is_and_the_number_never(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        made = record(vault, id_)
        assert made["pii_principal_id"] == SUBJECT
        assert vaults.NUMBER not in json.dumps(made)
        vault.erase(recording_id(), reason="request", actor="test")
        assert SUBJECT not in json.dumps(record(vault, id_))


def test_con_04_another_prompt_and_another_policy_later_change_no_record(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        before = consents.receipt(vault, config, id_, lambda _error: None)
        config.path.write_text(config.path.read_text().replace('name = "Acme"', 'name = "Other"\nretention_days = 5'))
        keep_prompt(vault, "Something else is said now.")
        after = one(asked(vault, tmp_path), "decisions/receipt", id=id_)
        assert after == json.loads(json.dumps(before))
        assert after["record"]["party_identification"][0]["party_name"] == "Acme"  # type: ignore[index]  # JSON


@pytest.mark.parametrize(
    ("suffix", "says"), [(".wav", "its sound is missing"), (".json", "its text is missing"), ("", "policy")]
)
def test_what_was_not_kept_is_named_and_never_made_up(tmp_path: Path, suffix: str, says: str) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        folder = vault.folder / (PROMPTS if suffix else POLICIES)
        next(folder.glob(f"*{suffix or '.json'}")).unlink()
        made = record(vault, id_)
    assert len(made["missing"]) == 1
    assert says in made["missing"][0]
    if not suffix:
        assert made["party_identification"][0]["party_name"] == "acme"


def test_con_04_a_receipt_holds_the_sound_that_was_played_and_a_damaged_one_is_not_given_out(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        prompt = one(asked(vault, tmp_path), "decisions/receipt", id=id_)["prompt"]
        assert isinstance(prompt, dict)
        sound = base64.b64decode(prompt["sound"])
        assert hashlib.sha256(sound).hexdigest() == prompt["sha256"] == vault.decision(id_).prompt_sha256
        with wave.open(BytesIO(sound)) as opened_:
            assert opened_.getframerate() == 8000
        (vault.folder / PROMPTS / f"{prompt['sha256']}.wav").write_bytes(sound[:-1] + b"x")
        damaged = one(asked(vault, tmp_path), "decisions/receipt", id=id_)["prompt"]
        assert isinstance(damaged, dict)
        assert (damaged["sound"], damaged["problem"]) == (None, "its sound is not the one that was played")


def test_the_proof_in_a_receipt_is_verified_by_anybody(tmp_path: Path) -> None:
    config = settings(tmp_path)
    sign(config)
    with opened(tmp_path) as vault:
        id_ = agreed(vault, config.policy, tmp_path / "spool")
        proof = one(asked(vault, tmp_path), "decisions/receipt", id=id_)["proof"]
    assert isinstance(proof, dict)
    text, _ = note_opened(proof["checkpoint"], [Verifier.parse(proof["verifier"])])
    _, size, root, *_ = text.split("\n")
    (entry,) = proof["entries"]
    path = [base64.b64decode(part) for part in entry["path"]]
    leaf = entry["leaf"].encode()
    assert includes(leaf_hash(leaf), entry["index"], int(size), path, base64.b64decode(root))
    commit = hashlib.sha256(bytes.fromhex(entry["salt"]) + entry["body"].encode()).hexdigest()
    assert json.loads(leaf)["commit"] == commit
    assert json.loads(entry["body"])["decision"] == id_


def test_without_a_signing_key_a_receipt_says_why_it_has_no_proof(tmp_path: Path) -> None:
    with opened(tmp_path) as vault:
        id_ = agreed(vault, settings(tmp_path).policy, tmp_path / "spool")
        value = one(asked(vault, tmp_path), "decisions/receipt", id=id_)
    assert value["proof"] is None
    assert "gdprcall audit key --new" in str(value["proof_problem"])


def test_an_unknown_decision_has_no_receipt(tmp_path: Path) -> None:
    with opened(tmp_path) as vault, pytest.raises(NotFound):
        consents.receipt(vault, settings(tmp_path), "ab" * 16, lambda _error: None)


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name in {"href", "onerror"} or (value or "").startswith("http") for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_whatever_a_value_holds_it_never_becomes_markup_of_the_page(tmp_path: Path) -> None:
    config = settings(tmp_path)
    sign(config)
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    with opened(tmp_path) as vault:
        context = asked(vault, tmp_path)
        config.path.write_text(config.path.read_text().replace('name = "Acme"', f'name = "{evil}"'))
        id_ = agreed(vault, load(config.path).policy, tmp_path / "spool", reason=evil)
        shown = page.page(one(context, "decisions/receipt", id=id_))
    parsed = Page(shown)
    assert evil in parsed.text
    assert {"script", "img", "link"} & set(parsed.tags) == set()
    assert parsed.tags.count("audio") == 1


def test_the_command_prints_it_for_people_and_for_programs_and_writes_the_sound_once(shell: Shell) -> None:
    with Vault.open(shell.folder / "vault", clock=Clock()) as vault:
        id_ = agreed(vault, load(shell.config).policy, shell.folder / "spool", 7)
    status, out, _ = shell("decisions", "receipt", id_)
    assert status == 0
    for words in ("Acme", "given", "signed checkpoint", "pbx.example/gdprcall", "privacy@acme.example"):
        assert words in out
    assert TEXT in " ".join(out.split())
    sound = shell.folder / "prompt.wav"
    status, out, _ = shell("decisions", "receipt", id_, "--json", "--sound", str(sound))
    value = json.loads(out)
    jsonschema.validate(value["record"], SCHEMA)
    assert (status, hashlib.sha256(sound.read_bytes()).hexdigest()) == (0, value["prompt"]["sha256"])
    assert shell("decisions", "receipt", id_, "--sound", str(sound))[0] == 1
    status, out, _ = shell("decisions", "receipt", id_, "--html")
    assert (status, out.startswith("<!DOCTYPE html>")) == (0, True)
    assert shell("decisions", "receipt", id_, "--html", "--json")[0] == 2
    assert shell("decisions", "receipt", "ab" * 16)[0] == 3
