"""What lint finds: each rule broken once, in a copy of a language that is in order."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from gdprcall.policy.model import Basis
from gdprcall.prompts import lint, texts
from gdprcall.prompts.texts import Kind
from tests.voices import ACME, SUPPORT, on


def changed(**changes: str) -> Mapping[str, Any]:
    """Return the English texts with some of them changed; a double underscore leads into a table."""
    told = deepcopy(dict(texts.of("en")))
    for name, text in changes.items():
        *tables, key = name.split("__")
        place = told
        for table in tables:
            place = place[table]
        place[key] = text
    return told


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_language_of_the_catalogue_is_in_order(language: str) -> None:
    assert list(lint.language(language, texts.of(language))) == []


@pytest.mark.parametrize(
    ("changes", "rule", "place", "text"),
    [
        ({"mandatory": "This is {controller}."}, "INF-01", "en.mandatory", "{retention}"),
        ({"frame": "{told} {retention} {notice}"}, "INF-01", "en.frame", "{controller}"),
        ({"told__public_task": "We record {purpose}."}, "INF-01", "en.told.public_task", "{law}"),
        ({"objection": "Press {object} or {withdraw}. {law}"}, "INF-01", "en.objection", "{law}"),
        ({"notice__rights": "  "}, "INF-01", "en.notice.rights", "empty"),
        ({"notice__rights": "a { brace"}, "INF-01", "en.notice.rights", "brace"),
        ({"nothing": "extra"}, "INF-01", "en.nothing", "nowhere"),
        ({"told__vital_interest": "This call may be recorded {purpose}."}, "INF-08", "en.told.vital_interest", "may be"),
        ({"keys": "Press {accept} to agree. Press {refuse} not to."}, "CON-05", "en.keys", "two sentences"),
        ({"keys": "Press {accept}, yes {accept}, or {refuse}."}, "CON-05", "en.keys", "more often"),
        (
            {"keys": "{accept} is yes, {refuse} is for those few who for reasons of their own would rather not help us"},
            "CON-05", "en.keys", "words to refuse",
        ),
        ({"keys": "Press {accept} to agree."}, "INF-01", "en.keys", "{refuse}"),
        ({"state": "nearly"}, "INF-03", "en.state", "finished nor draft"),
        ({"locale": "xx-none"}, "INF-03", "en.locale", "CLDR"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_language_is_found(changes: dict[str, str], rule: str, place: str, text: str) -> None:
    found = [(one.rule, one.place, one.text) for one in lint.language("en", changed(**changes))]
    assert any((r, p) == (rule, place) and text in t for r, p, t in found), found


def test_what_is_missing_is_named() -> None:
    told = dict(deepcopy(dict(texts.of("en"))))
    del told["withdrawn"]
    assert [one.place for one in lint.language("en", told)] == ["en.withdrawn"]


def test_a_line_that_leaves_a_slot_empty_is_found_in_each_language() -> None:
    (found,) = lint.said(replace(on(Basis.PUBLIC_TASK), law=" "), ACME, "sv", Kind.PUBLIC_TASK)
    assert (found.rule, found.place) == ("INF-01", "lines.support (sv, public_task)")
    assert "'law'" in found.text


def test_a_missing_language_is_found() -> None:
    (found,) = lint.said(SUPPORT, ACME, "xx", Kind.CONSENT)
    assert (found.rule, found.text) == ("INF-03", "there is no text")


@pytest.mark.parametrize("interest", ["calls may be recorded", "to see what might happen"])
def test_vague_words_of_the_policy_are_found_where_they_are_said(interest: str) -> None:
    line = replace(on(Basis.LEGITIMATE_INTEREST), interest=interest)
    assert {one.rule for one in lint.said(line, ACME, "en", Kind.LEGITIMATE_INTEREST)} == {"INF-08"}


def test_what_every_basis_says_is_in_order() -> None:
    for basis in Basis:
        for language in texts.LANGUAGES:
            for kind in (Kind(basis), Kind.NOTICE, *texts.CONFIRMATIONS):
                assert list(lint.said(on(basis), ACME, language, kind)) == []
