"""gdprcall check: one page for a wrong policy, plain words for a right one, and the dialplan beside it."""

import json
from pathlib import Path

import pytest

from gdprcall.policy import rules
from gdprcall.policy.model import Basis
from tests import vaults
from tests.test_cli_exits import Shell

AGENTS = 'agents = { basis = "works_agreement", notice = "2026-1", acknowledged_on = 2026-01-31 }\n'
BETA = """
[controllers.beta]
name = "Beta Bank"
contact = "privacy@beta.example"
country = "DE"
notice_url = "beta.example"
recipients = ["{recipient}"]
[lines.orders]
controller = "beta"
purpose = "documentation"
basis = "legal_obligation"
languages = ["de"]
"""


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def add(shell: Shell, text: str) -> None:
    shell.config.write_text(shell.config.read_text() + text)


def replace(shell: Shell, old: str, new: str) -> None:
    shell.config.write_text(shell.config.read_text().replace(old, new))


def dialplan(shell: Shell, *steps: str) -> str:
    path = shell.folder / "extensions.conf"
    path.write_text("[trunk]\nexten => s,1,NoOp()\n" + "".join(f" same => n,{step}\n" for step in steps))
    return str(path)


def test_a_wrong_policy_is_one_page_by_controller_and_line_with_article_and_mend(shell: Shell) -> None:
    add(shell, BETA.replace("{recipient}", vaults.Controller("beta", seed=2).recipients[0]))
    replace(shell, 'purpose = "quality"', 'purpose = "fun"\nmust = true')
    status, out, err = shell("check")
    assert (status, out) == (2, "")
    assert "6 mistakes" in err
    order = [
        *("controller acme", "line support", "lines.support.purpose: ", "BAS-02, Art. 5(1)(b)", "mend: use one of"),
        *("lines.support.must: ", "CON-05, Art. 4(11), 7(4)", "controller beta", "line orders", "lines.orders.law: "),
        *("BAS-05, Art. 6(1)(c), 6(3)", "mend: name the act", "hint: "),
    ]
    places = [err.index(text) for text in order]
    assert places == sorted(places)
    assert max(len(line) for line in err.splitlines()[2:]) <= 110


def test_a_wrong_policy_is_json_for_programs(shell: Shell) -> None:
    replace(shell, 'basis = "consent"', 'basis = "because"')
    status, out, err = shell("check", "--json")
    assert status == 2
    assert err.startswith("error: ")
    (mistake,) = json.loads(out)["mistakes"]
    assert mistake == {
        "rule": "BAS-01",
        "article": "Art. 5(1)(a), 6(1)",
        "place": "lines.support.basis",
        "severity": "refuse",
        "text": "a line has exactly one lawful basis",
        "mend": f"write one of: {', '.join(Basis)} (Art. 6(1) GDPR)",
    }


def test_an_older_configuration_stays_valid_and_is_warned_of_what_it_leaves_open(shell: Shell) -> None:
    status, out, _ = shell("check")
    assert status == 0
    assert "warning: controllers.acme: the full notice cannot be written without: address, authority" in out
    assert "PTY-01, Art. 6, 13, 88" in out
    assert "controllers.acme.recipients: there is one alone" in out
    assert out.endswith("is in order, with warnings: 4\n")


def test_a_policy_that_leaves_nothing_open_is_warned_of_the_custody_of_its_keys_alone(shell: Shell) -> None:
    add(shell, AGENTS)
    replace(shell, 'country = "SE"', 'country = "SE"\naddress = "Storgatan 1"\nauthority = "IMY"')
    status, out, _ = shell("check")
    assert status == 0
    assert out.startswith("support: asks callers of Acme in en; records for quality on the basis of consent; 1 records")
    warnings = json.loads(shell("check", "--json")[1])["warnings"]
    assert {warning["rule"] for warning in warnings} == {"SEC-01"}


def test_explain_says_what_happens_for_each_deed_and_that_nothing_was_compared(shell: Shell) -> None:
    status, out, _ = shell("check", "--explain", "support")
    assert status == 0
    for text in (
        "a caller who",
        "presses 2, at any time:\n      the call goes on at once",
        "who is told what",
        "--dialplan",
    ):
        assert text in out
    explained = json.loads(shell("check", "--explain", "support", "--json")[1])["explained"]
    assert explained["line"] == "support"
    assert {"when", "then"} == set(explained["ways"][0])


def test_explain_of_a_line_that_is_not_there_names_those_that_are(shell: Shell) -> None:
    status, _, err = shell("check", "--explain", "sales")
    assert status == 3
    assert "lines: support" in err


def test_a_dialplan_that_agrees_is_in_order(shell: Shell) -> None:
    path = dialplan(shell, "Gosub(gdprcall,s,1(support,may))", "Dial(PJSIP/1)")
    status, out, _ = shell("check", "--explain", "support", "--dialplan", path)
    assert (status, "dialplan: agrees at 1 places" in out) == (0, True)
    assert "not compared" not in out


def test_con_05_a_dialplan_that_says_must_of_a_consent_line_is_status_4(shell: Shell) -> None:
    path = dialplan(shell, "Gosub(gdprcall,s,1(support,must))")
    status, out, err = shell("check", "--dialplan", path)
    assert status == 4
    assert f"{path}:3" in out
    assert "CON-05" in out
    assert "error: " in err
    status, out, _ = shell("check", "--dialplan", path, "--json")
    seen = json.loads(out)["dialplan"]
    assert (status, seen["compared"], seen["findings"][0]["rule"]) == (4, True, "CON-05")


def test_what_of_a_dialplan_cannot_be_compared_is_said(shell: Shell) -> None:
    path = dialplan(shell, "Gosub(gdprcall,s,1(${LINE},may))", "Gosub(gdprcall,s,1(other,may))")
    (shell.folder / "more.ael").write_text("")
    status, out, _ = shell("check", "--dialplan", path, "--dialplan", str(shell.folder / "more.ael"))
    assert status == 0
    assert "cannot be compared" in out
    assert "not configured" in out
    assert "more.ael is no extensions.conf" in out
    status, out, _ = shell("check", "--dialplan", dialplan(shell, "Dial(PJSIP/1)"))
    assert (status, "nothing can be compared" in out) == (0, True)


def test_a_dialplan_that_is_not_there_is_wrong_usage(shell: Shell) -> None:
    assert shell("check", "--dialplan", str(shell.folder / "none.conf"))[0] == 2


def test_inf_07_against_an_older_configuration_another_purpose_is_status_4(shell: Shell) -> None:
    old = shell.folder / "old.toml"
    old.write_text(shell.config.read_text())
    assert shell("check", "--before", str(old))[0] == 0
    add(shell, "retention_days = 60\n")
    status, out, _ = shell("check", "--before", str(old))
    assert status == 0
    assert "what changes" in out
    assert "RET-02" in out
    assert "CON-09" in out
    replace(shell, 'purpose = "quality"', 'purpose = "training"')
    status, out, err = shell("check", "--before", str(old))
    assert status == 4
    assert "INF-07" in out
    assert "make a new line" in err


def test_a_basis_that_dialogue_serves_is_explained(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SERVED_BASES", frozenset(Basis))
    replace(shell, 'basis = "consent"', 'basis = "public_task"\nlaw = "Police Act s. 3"\nmember_state = "SE"')
    status, out, _ = shell("check", "--explain", "support")
    assert status == 0
    assert "presses 9 in or after the notice" in out
    assert "calls from anywhere:\n      is asked for consent" in out


def test_what_a_controller_offers_by_telephone_is_said_in_plain_words_and_nothing_of_the_others(shell: Shell) -> None:
    assert "rights by telephone" not in shell("check")[1]
    assert json.loads(shell("check", "--json")[1])["self_service"] == {}
    add(shell, '\n[controllers.acme.self_service]\nlanguages = ["en", "fi"]\nnever_record = "number"\n')
    told = "rights by telephone in en, fi: erasure is entered as a request, never to be recorded is carried out on the number alone"
    out = shell("check")[1]
    assert f"\nacme: {told}\n" in out
    assert "there are no sentences for it in 'fi'" in out
    assert json.loads(shell("check", "--json")[1])["self_service"] == {"acme": told}


def test_rgt_03_erasure_on_a_number_alone_is_refused_with_article_and_mend(shell: Shell) -> None:
    add(shell, '\n[controllers.acme.self_service]\nlanguages = ["en"]\nerasure = "number"\n')
    status, out, err = shell("check")
    assert (status, out) == (2, "")
    assert "controllers.acme.self_service.erasure: a number alone proves nobody" in err
    assert "RGT-03, Art. 11, 12(6)" in err
    assert "hint: " in err
