"""Three companies on one PBX, each with its own basis, languages, keys and retention: none sees another's terms."""

from pathlib import Path

import pytest

from gdprcall import config
from gdprcall.age import X25519Identity
from gdprcall.mistakes import Mistaken
from gdprcall.policy import rules
from gdprcall.policy.explain import explain
from gdprcall.policy.jurisdiction import rules_for
from gdprcall.policy.model import Basis, Keys, Line, Role
from gdprcall.prompts import texts

SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TEXT = f"""
[controllers.acme]
name = "Acme Telecom"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example/calls"
address = "Storgatan 1, Stockholm"
authority = "IMY"
recipients = ["RECIPIENT0"]
retention_days = 14

[controllers.bank]
name = "Beta Bank"
contact = "datenschutz@bank.example"
country = "DE"
notice_url = "bank.example/datenschutz"
address = "Hauptstr. 1, Berlin"
officer = "dsb@bank.example"
authority = "BlnBDI"
recipients = ["RECIPIENT1"]
operator = "processor"
pseudonym_key = "bank-2026"
[controllers.bank.contract]
reference = "C-17"
date = 2026-01-31
sha256 = "{SHA256}"
sets_out = ["subject_matter", "duration", "nature_and_purpose", "data", "data_subjects", "rights_and_duties"]
clauses = ["a", "b", "c", "d", "e", "f", "g", "h"]

[controllers.city]
name = "City of Cork"
contact = "dpo@city.example"
country = "IE"
notice_url = "city.example/privacy"
address = "City Hall, Cork"
officer = "dpo@city.example"
authority = "DPC"
public_authority = true
recipients = ["RECIPIENT2"]

[lines.support]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["sv", "en"]
agents = {{ basis = "works_agreement", notice = "2026-1", acknowledged_on = 2026-01-31 }}

[lines.orders]
controller = "bank"
purpose = "documentation"
basis = "legal_obligation"
languages = ["de"]
law = "Directive 2014/65/EU art. 16(7)"
member_state = "EU"
min_retention_days = 1827
retention_days = 1827
retention_reason = "the law's five years"
must = true
profiles = ["MIFID"]
refuse = "3"
approved_by = "B. Officer"
agents = {{ basis = "works_agreement", notice = "7", acknowledged_on = 2026-02-28 }}

[lines.roads]
controller = "city"
purpose = "training"
basis = "public_task"
languages = ["en"]
law = "Roads Act 1993 s. 13"
member_state = "IE"
object = "8"
withdraw = "#8"
retention_days = 7
agents = {{ basis = "employment_contract", notice = "A", acknowledged_on = 2026-03-31 }}
"""


def written(folder: Path) -> Path:
    path = folder / "gdprcall.toml"
    text = TEXT
    for number in range(3):
        identity = X25519Identity.generate(lambda size, number=number: bytes([number + 1]) * size)
        text = text.replace(f"RECIPIENT{number}", identity.recipient().encode())
    path.write_text(text)
    return path


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Config:
    monkeypatch.setattr(rules, "SERVED_BASES", frozenset(Basis))
    return config.load(written(tmp_path))


def test_three_controllers_are_lawful_together(loaded: config.Config) -> None:
    assert loaded.warnings == ()
    assert {line.controller: line.basis for line in loaded.policy.lines.values()} == {
        "acme": Basis.CONSENT,
        "bank": Basis.LEGAL_OBLIGATION,
        "city": Basis.PUBLIC_TASK,
    }


def test_each_line_has_its_own_keys_languages_and_retention(loaded: config.Config) -> None:
    def terms(line: Line) -> tuple[Keys, tuple[str, ...], int]:
        return line.keys, line.languages, line.retention_days

    assert {line.id: terms(line) for line in loaded.policy.lines.values()} == {
        "support": (Keys(), ("sv", "en"), 14),
        "orders": (Keys(refuse="3"), ("de",), 1827),
        "roads": (Keys(object="8", withdraw="#8"), ("en",), 7),
    }


def test_sec_09_each_controller_has_its_own_pseudonym_key(loaded: config.Config, tmp_path: Path) -> None:
    policy = loaded.policy
    assert policy.controllers["bank"].operator is Role.PROCESSOR
    for number, name in enumerate(("pseudonym-key-acme", "bank-2026", "pseudonym-key-city")):
        (tmp_path / name).write_text(str(number) * 64)
        (tmp_path / name).chmod(0o600)
    text = loaded.path.read_text()
    loaded.path.write_text(f'{text}\n[secrets]\nfolder = "{tmp_path}"\n')
    keys = [config.load(loaded.path).pseudonym_key(name) for name in ("acme", "bank", "city")]
    assert keys == [b"0" * 64, b"1" * 64, b"2" * 64]


def test_no_two_lines_have_the_same_hash_and_one_controllers_change_is_its_own(loaded: config.Config) -> None:
    before = {line.id: loaded.policy.sha256(line) for line in loaded.policy.lines.values()}
    assert len(set(before.values())) == 3
    loaded.path.write_text(loaded.path.read_text().replace("C-17", "C-18"))
    after = config.load(loaded.path).policy
    changed = {id_ for id_, line in after.lines.items() if after.sha256(line) != before[id_]}
    assert changed == {"orders"}


def test_each_is_explained_in_its_own_terms(loaded: config.Config) -> None:
    said = {line.id: explain(loaded.policy, line, ()) for line in loaded.policy.lines.values()}
    assert "Acme Telecom in sv, en" in said["support"].summary
    assert "must" in said["orders"].dialplan
    assert any(way.when == "presses 8 in or after the notice" for way in said["roads"].ways)


def test_bas_09_each_call_is_held_to_its_controllers_and_its_callers_country(loaded: config.Config) -> None:
    policy = loaded.policy
    held = {
        line.id: rules_for(policy.profiles, line, policy.controller_of(line), "DE").basis
        for line in policy.lines.values()
    }
    assert held == {"support": Basis.CONSENT, "orders": Basis.LEGAL_OBLIGATION, "roads": Basis.CONSENT}


def test_until_they_are_served_the_daemon_refuses_the_other_bases_by_name(tmp_path: Path) -> None:
    unserved = {
        line
        for line, basis in (("orders", Basis.LEGAL_OBLIGATION), ("roads", Basis.PUBLIC_TASK))
        if basis not in rules.SERVED_BASES
    }
    if unserved:
        with pytest.raises(Mistaken) as refused:
            config.load(written(tmp_path))
        assert {finding.place for finding in refused.value.findings} == {f"lines.{line}.basis" for line in unserved}


def test_inf_01_each_consent_prompt_names_its_own_controller(loaded: config.Config) -> None:
    line = loaded.policy.lines["support"]
    for language in line.languages:
        said = texts.words(line, loaded.policy.controller_of(line), language).text
        assert "Acme Telecom" in said
        assert "Beta Bank" not in said
        assert "14" in said
