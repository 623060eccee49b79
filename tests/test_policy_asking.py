"""What callers hear and press: keys, slots, special data, and words that a notice must not have."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdprcall.policy.asking import hedged
from gdprcall.policy.model import Basis, Controller, Direction, Keys, Purpose
from gdprcall.prompts import texts
from tests.policies import ACME, LAWFUL, SUPPORT, found, of

C, LI = Basis.CONSENT, Basis.LEGITIMATE_INTEREST
SOURCE = Path(__file__).read_text()
SPECIAL = {"art9": True, "art9_condition": "a", "art9_content": "your health"}
BROKEN: list[tuple[str, Basis, dict[str, Any], str, str]] = [
    ("CON-05", C, {"keys": Keys(accept="2")}, "refuse", "refuse"),
    ("INF-04", LI, {"keys": Keys(object="1")}, "object", "refuse"),
    ("INF-02", C, {"keys": Keys(more="1")}, "more", "refuse"),
    ("INF-02", C, {"keys": Keys(more="2")}, "more", "refuse"),
    ("INF-02", LI, {"keys": Keys(more="9")}, "more", "refuse"),
    ("INF-02", C, {"keys": Keys(more="")}, "more", "warn"),
    ("CON-07", C, {"keys": Keys(withdraw="")}, "withdraw", "refuse"),
    ("CON-07", C, {"keys": Keys(withdraw="*99")}, "withdraw", "refuse"),
    ("CON-07", C, {"keys": Keys(withdraw="9A")}, "withdraw", "refuse"),
    ("CON-07", C, {"keys": Keys(pause="*9")}, "pause", "refuse"),
    ("CON-07", C, {"keys": Keys(pause="*91")}, "pause", "refuse"),
    ("CON-07", C, {"keys": Keys(pause="*")}, "pause", "refuse"),
    ("CON-10", C, {"minors": True}, "minors", "warn"),
    ("CON-10", LI, {"minors": True}, "minors", "warn"),
    ("CON-11", C, {"art9": True}, "art9_condition", "refuse"),
    ("CON-11", LI, {"art9": True}, "art9_condition", "refuse"),
    ("CON-11", C, SPECIAL | {"art9": False}, "art9", "refuse"),
    ("CON-11", C, SPECIAL | {"art9_content": ""}, "art9_content", "refuse"),
    ("CON-11", LI, SPECIAL, "art9_condition", "refuse"),
    ("INF-01", LI, {"interest": "to settle\ncomplaints"}, "interest", "refuse"),
    ("INF-05", C, {"notice_deferred": True}, "notice_deferred", "refuse"),
    ("INF-05", LI, {"notice_deferred": True}, "notice_deferred", "refuse"),
    ("INF-06", C, {"direction": Direction.OUTBOUND}, "source", "refuse"),
    ("INF-06", C, {"direction": Direction.OUTBOUND, "source": " "}, "source", "refuse"),
    ("PTY-08", LI, {"direction": Direction.OUTBOUND, "source": "our form"}, "direction", "warn"),
    ("PTY-08", C, {"agent_asks": True}, "agent_asks", "refuse"),
    ("PTY-08", LI, {"agent_asks": True}, "agent_asks", "refuse"),
    ("INF-08", C, {"charged": True}, "charged", "refuse"),
    ("INF-08", LI, {"interest": "calls may be recorded for complaints"}, "interest", "refuse"),
]


def rows(rule: str) -> pytest.MarkDecorator:
    """Return the rows of the table that are about one requirement."""
    return pytest.mark.parametrize(
        ("basis", "changes", "field", "severity"), [row[1:] for row in BROKEN if row[0] == rule]
    )


def breaks(rule: str, basis: Basis, changes: dict[str, Any], field: str, severity: str) -> None:
    named = found(of(basis, **changes))
    assert (rule, f"lines.support.{field}", severity) in named
    # A slot that is blank is told of by both rules.
    assert {name for name, _, _ in named} <= {rule, "INF-01"}


@rows("CON-05")
def test_con_05_yes_and_no_are_different_keys(basis: Basis, changes: dict[str, Any], field: str, severity: str) -> None:
    breaks("CON-05", basis, changes, field, severity)


@rows("CON-07")
def test_con_07_withdrawing_takes_one_or_two_keys_that_do_nothing_else(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("CON-07", basis, changes, field, severity)


@rows("CON-10")
def test_con_10_a_line_for_children_is_warned_of(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("CON-10", basis, changes, field, severity)


@rows("CON-11")
def test_con_11_special_categories_need_a_condition_and_explicit_consent_its_content(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("CON-11", basis, changes, field, severity)


@rows("INF-01")
def test_inf_01_what_callers_are_told_can_be_spoken(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-01", basis, changes, field, severity)


@rows("INF-02")
def test_inf_02_the_full_notice_has_a_key_that_is_no_answer(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-02", basis, changes, field, severity)


@rows("INF-04")
def test_inf_04_the_objection_has_a_key_of_its_own(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-04", basis, changes, field, severity)


@rows("INF-05")
def test_inf_05_only_an_emergency_may_tell_later(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-05", basis, changes, field, severity)


@rows("INF-06")
def test_inf_06_who_is_called_must_be_told_the_source(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-06", basis, changes, field, severity)


@rows("PTY-08")
def test_pty_08_a_machine_is_warned_of_and_an_agent_asks_only_who_is_called(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("PTY-08", basis, changes, field, severity)


@rows("INF-08")
def test_inf_08_a_notice_is_free_and_does_not_hedge(
    basis: Basis, changes: dict[str, Any], field: str, severity: str
) -> None:
    breaks("INF-08", basis, changes, field, severity)


def test_every_row_of_the_table_has_a_test() -> None:
    assert all(f"def test_{row[0].lower().replace('-', '_')}_" in SOURCE for row in BROKEN)


def test_con_11_special_data_with_its_condition_is_lawful() -> None:
    assert found(of(C, **SPECIAL)) == []
    assert found(of(LI, art9=True, art9_condition="f")) == []


def test_inf_04_an_objection_key_may_be_any_other_and_none_is_needed_where_nobody_objects() -> None:
    assert found(of(LI, keys=Keys(object="2"))) == []
    assert found(of(C, keys=Keys(object=""))) == []
    assert found(of(C, keys=Keys(object="1"))) == []


def test_inf_06_who_is_called_hears_where_the_number_is_from() -> None:
    assert found(of(C, direction=Direction.OUTBOUND, source="the form that you sent us")) == []


@pytest.mark.parametrize("field", ["name", "contact", "notice_url"])
@pytest.mark.parametrize("text", [" ", "\t", "Acme\x07"])
def test_inf_01_a_slot_that_cannot_be_spoken_is_refused(field: str, text: str) -> None:
    broken = replace(ACME, **{field: text})
    assert found(SUPPORT, controller=broken) == [("INF-01", f"controllers.acme.{field}", "refuse")]


def test_inf_02_what_the_full_notice_lacks_is_told_once() -> None:
    bare = Controller("acme", "Acme", "privacy@acme.example", "AT", "https://acme.example", ("age1",))
    assert found(SUPPORT, controller=bare) == [("INF-02", "controllers.acme", "warn")]
    assert found(SUPPORT, controller=replace(ACME, public_authority=True)) == [("INF-02", "controllers.acme", "warn")]


@pytest.mark.parametrize(
    "text",
    [
        "This call may be recorded.",
        "Calls might be recorded for training",
        "we may record",
        "Das Gespräch kann zu Schulungszwecken aufgezeichnet werden.",
        "Samtalet kan komma att spelas in.",
        "Samtalet kan spelas in.",
        "L'appel peut être enregistré.",
        "La llamada puede ser grabada.",
    ],
)
def test_inf_08_a_text_that_hedges_is_known_for_one(text: str) -> None:
    assert hedged(text)


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("purpose", texts.PURPOSES)
def test_inf_08_no_prompt_of_ours_hedges(language: str, purpose: str) -> None:
    assert purpose in set(Purpose)
    assert not hedged(texts.words(replace(LAWFUL[C], purpose=purpose), ACME, language).text)
