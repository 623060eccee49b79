"""The words of every language: all slots filled, from the policy, in that language alone."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gdprcall.policy.asking import hedged
from gdprcall.policy.model import OBJECTED_TO, Basis, Direction, Keys, Line, Purpose
from gdprcall.prompts import slots, texts
from gdprcall.prompts.texts import Kind
from tests.voices import ACME, FINISHED, SUPPORT, on

OFFICIAL = "bg hr cs da nl en et fi fr de el hu ga it lv lt mt pl pt ro sk sl es sv".split()
FULL = replace(
    ACME,
    address="Storgatan 1",
    officer="dpo@acme.example",
    authority="IMY",
    disclosed_to=("Bolt", "Volt"),
    transfers=("CH",),
)
OWN_WORDS = {
    Basis.LEGAL_OBLIGATION: "MiFID 16(7)",
    Basis.PUBLIC_TASK: "Taxlaw 5",
    Basis.LEGITIMATE_INTEREST: "Fewer Mistakes",
}


def said(line: Line, language: str) -> Iterator[texts.Words]:
    for kind in (Kind(line.basis), Kind.NOTICE, *texts.CONFIRMATIONS):
        yield texts.words(line, FULL, language, kind)


def test_every_official_language_of_the_union_norwegian_and_icelandic_is_there() -> None:
    assert set(texts.LANGUAGES) == {*OFFICIAL, "nb", "is"}
    assert FINISHED == ("de", "en", "sv")


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("purpose", Purpose)
def test_inf_01_the_mandatory_part_has_every_slot_filled(language: str, purpose: Purpose) -> None:
    words = texts.words(replace(SUPPORT, purpose=purpose), ACME, language)
    for slot in ("Acme Telecom", "30", "acme", "9", texts.of(language)["purposes"][purpose]):
        assert slot in words.mandatory
    assert "{" not in words.text
    assert "1" in words.keys
    assert "2" in words.keys


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("basis", Basis)
def test_inf_01_each_basis_says_controller_purpose_retention_and_where_to_read_more(
    language: str, basis: Basis
) -> None:
    line, told = on(basis), texts.of(language)
    words = texts.words(line, ACME, language)
    address = slots.spoken_address(ACME.notice_url, told)
    for slot in ("Acme Telecom", told["purposes"][line.purpose], slots.retention(30, told["locale"]), address):
        assert slot in words.mandatory
    assert OWN_WORDS.get(basis, "") in words.mandatory
    assert "0" in words.parts[-1].text
    assert words.parts[-1].name == "more"
    assert "{" not in words.text


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("basis", [Basis.PUBLIC_TASK, Basis.LEGITIMATE_INTEREST])
def test_inf_04_the_objection_names_its_key_and_says_nothing_else(language: str, basis: Basis) -> None:
    parts = {part.name: part for part in texts.words(replace(on(basis), keys=Keys(object="7")), ACME, language).parts}
    objection = parts["objection"]
    assert objection.must
    assert "7" in objection.text
    assert slots.spoken_keys("*9", texts.of(language)) in objection.text
    assert "Acme" not in objection.text
    assert "7" not in parts["mandatory"].text


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("basis", [Basis.CONTRACT, Basis.LEGAL_OBLIGATION])
def test_who_does_not_want_it_is_told_of_another_way(language: str, basis: Basis) -> None:
    parts = {part.name: part for part in texts.words(on(basis), ACME, language).parts}
    assert "2" in parts["keys"].text
    assert not parts["keys"].must


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("basis", Basis)
def test_inf_02_the_full_notice_has_the_items_of_article_13(language: str, basis: Basis) -> None:
    line, told = replace(on(basis), direction=Direction.OUTBOUND, source="A Form"), texts.of(language)
    parts = {part.name: part.text for part in texts.words(line, FULL, language, Kind.NOTICE).parts}
    assert set(parts) == {*texts.NOTICE_PARTS} - {"nobody", "staying"} - ({"objection"} - {*_objection(basis)})
    for name, slot in {
        "controller": "Acme Telecom",
        "address": "Storgatan 1",
        "contact": "privacy",
        "officer": "dpo",
        "basis": OWN_WORDS.get(basis, told["purposes"][line.purpose]),
        "source": "A Form",
        "recipients": "Volt",
        "transfers": slots.place_name("CH", told["locale"]),
        "retention": slots.retention(30, told["locale"]),
        "authority": "IMY",
    }.items():
        assert slot in parts[name]
    assert "{" not in "".join(parts.values())


def _objection(basis: Basis) -> tuple[str, ...]:
    return ("objection",) if basis in OBJECTED_TO else ()


def test_inf_02_a_controller_that_gives_recordings_to_nobody_says_so() -> None:
    parts = {part.name: part.text for part in texts.words(SUPPORT, ACME, "en", Kind.NOTICE).parts}
    assert parts["nobody"] == "The recording is given to nobody else."
    assert parts["staying"] == "It does not go to countries without the same protection."
    assert not {"recipients", "transfers", "officer", "authority", "address"} & set(parts)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_language_speaks_with_the_words_of_another(language: str) -> None:
    """Purposes, signs, durations and names of countries are those of the language's own file and locale."""
    own = texts.of(language)
    spoken = " ".join(words.text for basis in Basis for words in said(on(basis), language))
    assert own["signs"]["*"] in spoken
    assert own["dot"] in spoken
    for other in texts.LANGUAGES:
        foreign = texts.of(other)
        for name, phrase in foreign["purposes"].items():
            assert phrase == own["purposes"][name] or phrase not in spoken, (other, phrase)
        for name in ("mandatory", "keys", "more", "objection", "withdrawn", "objected", "frame"):
            assert other == language or foreign[name] != own[name], (other, name)
        duration = slots.retention(30, foreign["locale"])
        assert duration == slots.retention(30, own["locale"]) or duration not in spoken, (other, duration)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_inf_08_no_text_says_that_a_call_may_be_recorded(language: str) -> None:
    for basis in Basis:
        for words in said(on(basis), language):
            assert not hedged(words.text)
            assert not re.search(r"\b(may|might|could|kann|könnte|kan komma)\b", words.text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("language", "days", "spoken"),
    [
        ("en", 30, "in 30 days"),
        ("en", 1, "in 1 day"),
        ("sv", 30, "om 30 dagar"),
        ("de", 30, "in 30 Tagen"),
        ("de", 400, "in 400 Tagen"),
        ("pl", 1, "za 1 dzień"),
        ("pl", 2, "za 2 dni"),
        ("cs", 3, "za 3 dny"),
        ("lt", 21, "po 21 dienos"),
        ("sl", 2, "čez 2 dneva"),
        ("ga", 30, "i gceann 30 lá"),
    ],
)
def test_ret_01_the_retention_is_spoken_in_days_as_the_policy_says(language: str, days: int, spoken: str) -> None:
    assert spoken in texts.words(replace(SUPPORT, retention_days=days), ACME, language).mandatory


@pytest.mark.parametrize(("language", "spoken"), [("en", "star 9"), ("sv", "stjärna 9"), ("de", "Stern 9")])
def test_con_07_the_withdrawal_code_is_spoken_as_words(language: str, spoken: str) -> None:
    assert spoken in texts.words(SUPPORT, ACME, language).mandatory


def test_the_address_of_the_notice_is_spoken_as_words() -> None:
    assert "acme dot example slash calls" in texts.words(SUPPORT, ACME, "en").mandatory
    own = replace(SUPPORT, full_notice_url="https://acme.example/support/")
    assert "acme dot example slash support." in texts.words(own, ACME, "en").mandatory


def test_only_addresses_are_spelt_out() -> None:
    told = replace(ACME, officer="Dr. Ada Berg, dpo@acme.example", authority="IMY")
    notice = texts.words(SUPPORT, told, "en", Kind.NOTICE).text
    assert "Dr. Ada Berg, dpo at acme dot example." in notice


def test_several_recipients_are_joined_as_the_language_does() -> None:
    for language, joined in {"en": "Bolt and Volt", "sv": "Bolt och Volt", "de": "Bolt und Volt"}.items():
        assert joined in texts.words(SUPPORT, FULL, language, Kind.NOTICE).text


@pytest.mark.parametrize(("language", "word"), [("en", "copy"), ("sv", "kopia"), ("de", "Kopie"), ("hu", "másolat")])
def test_who_must_be_recorded_is_told_of_the_copy(language: str, word: str) -> None:
    assert word in texts.words(on(Basis.LEGAL_OBLIGATION), ACME, language).mandatory


def test_inf_06_who_is_called_hears_where_the_number_is_from() -> None:
    parts = texts.words(replace(SUPPORT, direction=Direction.OUTBOUND, source="our form"), ACME, "en").parts
    assert [part.name for part in parts] == ["mandatory", "source", "keys", "more"]
    assert parts[1].text == "We have your number from: our form."
    assert parts[1].must


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("basis", Basis)
def test_inf_06_in_every_language_and_on_every_basis_the_source_must_be_heard(language: str, basis: Basis) -> None:
    line = replace(on(basis), direction=Direction.OUTBOUND, source="A Form")
    (said,) = [part for part in texts.words(line, ACME, language).parts if part.name == "source"]
    assert said.must
    assert "A Form" in said.text
    assert "source" not in {part.name for part in texts.words(on(basis), ACME, language).parts}


def test_con_11_explicit_consent_names_what_it_is_given_to() -> None:
    parts = texts.words(replace(SUPPORT, art9=True, art9_condition="a", art9_content="your health"), ACME, "en").parts
    assert (parts[1].name, parts[1].text, parts[1].must) == (
        "special", "Your consent expressly includes: your health.", True,
    )  # fmt: skip


@pytest.mark.parametrize("basis", [Basis.LEGAL_OBLIGATION, Basis.PUBLIC_TASK])
def test_a_law_that_is_not_named_is_not_spoken_of(basis: Basis) -> None:
    with pytest.raises(texts.EmptySlot, match=r"lines\.support.*law"):
        texts.words(replace(on(basis), law=" "), ACME, "en")


def test_a_language_that_is_none_is_no_file() -> None:
    for language in ("xx", "../en", "en.toml", ""):
        with pytest.raises(KeyError):
            texts.of(language)
