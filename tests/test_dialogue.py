"""The consent dialogue: every row of its table, and what must hold whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.consent import dialogue as d
from tests import dialogue_files as files

ALL = files.read_all()
TERMS = d.Terms(prompt="p", mandatory_ms=4000, accept="1", refuse="2", attempts=2, timeout_ms=5000)


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_the_dialogue_answers_each_event_with_the_commands_of_its_file(file: files.DialogueFile) -> None:
    consent = d.Consent(file.terms)
    lines: list[files.Line] = []
    for line in file.lines:
        if line.mark == ">":
            consent, commands = d.step(consent, files.event(line.text))
            lines.append(line)
            lines += [files.Line("<", files.command(command)) for command in commands]
    assert lines == list(file.lines)
    assert (consent.state, consent.outcome) == (file.state, file.outcome)


def test_each_outcome_is_reached_by_some_dialogue() -> None:
    assert {file.outcome for file in ALL} == set(d.Outcome)


def test_each_sentence_names_a_requirement() -> None:
    assert all(file.sentence.split("-")[0].isupper() and file.sentence.endswith(".") for file in ALL)


events = st.one_of(
    st.just(d.Started()),
    st.builds(d.Played, st.integers(1, 3), st.integers(0, 9000)),
    st.builds(d.Digit, st.integers(1, 3), st.sampled_from("127*"), st.integers(0, 9000)),
    st.builds(d.NoInput, st.integers(1, 3)),
    st.builds(d.Noted, st.sampled_from(d.Outcome)),
    st.just(d.PartyJoined()),
    st.just(d.Withdrawn()),
    st.just(d.Failed("prompt_failed")),
    st.just(d.Failed("vault")),
    st.sampled_from([d.Ended("hangup"), d.Ended("left")]),
)


@given(st.lists(events, max_size=12))
def test_fcl_06_nothing_is_recorded_without_a_durable_grant(happened: list[d.Event]) -> None:
    consent = d.Consent(TERMS)
    seen: list[d.Event] = []
    for event in happened:
        seen.append(event)
        consent, commands = d.step(consent, event)
        if d.Record() in commands:
            assert event == d.Noted(d.Outcome.GRANTED)
            assert any(isinstance(e, d.Digit) and e.digit == "1" and e.heard_ms >= 4000 for e in seen)


@given(st.lists(events, max_size=12))
def test_fcl_01_every_call_is_given_back_at_most_once_and_recorded_at_most_once(happened: list[d.Event]) -> None:
    consent = d.Consent(TERMS)
    given_back = 0
    for event in happened:
        consent, commands = d.step(consent, event)
        given_back += sum(isinstance(command, d.Record | d.Release | d.Route) for command in commands)
        if isinstance(event, d.Failed) and d.Release() in commands and any(isinstance(c, d.Stop) for c in commands):
            given_back -= 1  # a verdict that got lost is followed by the way on
    assert given_back <= 1


@given(st.lists(events, max_size=12))
def test_bas_03_after_a_refusal_no_later_event_records(happened: list[d.Event]) -> None:
    consent, _ = d.step(d.Consent(TERMS), d.Started())
    consent, _ = d.step(consent, d.Digit(1, "2", 100))
    for event in happened:
        consent, commands = d.step(consent, event)
        assert commands == ()


def test_a_digit_does_not_show_in_its_representation() -> None:
    assert "7" not in repr(d.Digit(1, "7", 200))
