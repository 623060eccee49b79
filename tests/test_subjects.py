"""Subjects: one person is one subject however the number is written, and nobody else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.vault.subjects import e164, pseudonym, region

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("+49 30 12345678", None, "+493012345678"),
        ("030 12345678", "DE", "+493012345678"),
        ("0049 30 12345678", "DE", "+493012345678"),
        ("(030) 1234-5678", "DE", "+493012345678"),
        ("08-123 456 78", "SE", "+46812345678"),
        ("+46812345678", "DE", "+46812345678"),
    ],
)
def test_a_number_is_the_same_however_it_is_dialled(number: str, region: str | None, expected: str) -> None:
    assert e164(number, region) == expected


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("", "DE"),
        ("anonymous", "DE"),
        ("unknown", "US"),
        ("0800 FLOWERS", "US"),
        ("+49 30 12345678 ext. 5", "DE"),
        ("100", "DE"),
        ("12345678", None),
        ("+999 12345", None),
        ("+49 30 1234567890123456", None),
        ("12345678", "XX"),
        ("+1\n2025550123", "US"),
        ("٠٣٠١٢٣٤٥٦٧٨", "DE"),
        ("4" * 400, "DE"),
    ],
)
def test_what_is_no_whole_number_is_nobody(number: str, region: str | None) -> None:
    assert e164(number, region) is None


@given(st.text(max_size=40))
def test_no_text_makes_it_fail(number: str) -> None:
    found = e164(number, "DE")
    assert found is None or (found[0] == "+" and found[1:].isascii() and found[1:].isdigit())


def test_sec_03_the_pseudonym_is_a_known_answer_and_needs_the_key() -> None:
    assert pseudonym(KEY, "+493012345678") == "81c647c2879e78358a009c8dde84b582"
    assert pseudonym(bytes(32), "+493012345678") != pseudonym(KEY, "+493012345678")
    assert pseudonym(KEY, "+493012345679") != pseudonym(KEY, "+493012345678")


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+493012345678", "DE"),
        ("+46812345678", "SE"),
        ("+442071234567", "GB"),
        ("+12125550100", "US"),
        ("+870773111632", ""),  # a satellite's
        ("+99912345678", ""),
        ("12345", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_bas_09_of_a_number_the_country_alone_is_told_or_nothing(number: str | None, country: str) -> None:
    assert region(number) == country
