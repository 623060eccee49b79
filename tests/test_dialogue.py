"""The consent dialogue: every row of its table, and what must hold whatever happens."""

from dataclasses import replace

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
    assert {file.outcome for file in ALL} == {*d.Outcome, None}


def test_each_sentence_names_a_requirement() -> None:
    assert all(file.sentence.split("-")[0].isupper() and file.sentence.endswith(".") for file in ALL)


KEYS = "1270"
events = st.one_of(
    st.just(d.Started()),
    st.builds(d.Played, st.integers(1, 4), st.integers(0, 9000)),
    st.builds(d.Digit, st.integers(1, 4), st.sampled_from(KEYS), st.integers(0, 9000)),
    st.builds(d.NoInput, st.integers(1, 4)),
    st.builds(d.Noted, st.sampled_from(d.Outcome)),
    st.just(d.PartyJoined()),
    st.just(d.StopAsked()),
    st.sampled_from([d.Withdrawn(), d.Withdrawn("spoken")]),
    st.sampled_from([d.MinorSuspected(), d.ContractBegun(), d.ContractEnded(), d.SpokenYes(), d.Agreed()]),
    st.sampled_from([d.PrivateCall(), d.AgentUnready()]),
    st.sampled_from([d.Failed("prompt_failed"), d.Failed("vault"), d.Failed("record_failed:PeerError")]),
    st.sampled_from([d.Paused("hold"), d.Paused("card"), d.Resumed("hold"), d.Resumed("card"), d.Resumed("party")]),
    st.sampled_from([d.Ended("hangup"), d.Ended("left")]),
)
sequences = st.lists(events, max_size=14)


@st.composite
def terms(draw: st.DrawFn, *bases: d.Basis) -> d.Terms:
    """Return terms of every kind."""
    yes_or_no = st.booleans()
    return replace(
        TERMS,
        basis=draw(st.sampled_from(bases or tuple(d.Basis))),
        attempts=draw(st.integers(1, 2)),
        must=draw(yes_or_no),
        more="0" if draw(yes_or_no) else "",
        notice="n",
        sampled=draw(st.sampled_from([True, True, False])),
        deferred=draw(yes_or_no),
        explicit=draw(yes_or_no),
        spoken=draw(yes_or_no),
        dtmf=draw(st.sampled_from([True, True, False])),
        joins=draw(yes_or_no),
        read=draw(st.sampled_from([True, False, False])),
    )


Trail = list[tuple[d.Consent, d.Event, tuple[d.Command, ...]]]


def followed(about: d.Terms, happened: list[d.Event]) -> Trail:
    """Return the dialogue before each event, the event, and its commands.

    A caller of some patience is mixed in: each question is started, and each note comes back, unless something else came.
    """
    consent, trail = d.Consent(about), []
    waiting = [d.Started(), *happened]
    while waiting:
        event = waiting.pop(0)
        before = consent
        consent, commands = d.step(consent, event)
        trail.append((before, event, commands))
        notes = [c for c in commands if isinstance(c, d.Note)]
        if notes and consent.state is d.State.NOTING and len(trail) % 3:
            waiting.insert(0, d.Noted(notes[-1].outcome))
    return trail


BEGINNING = (d.Record, d.Begin)


def begins(commands: tuple[d.Command, ...]) -> bool:
    return any(isinstance(command, BEGINNING) for command in commands)


@given(terms(), sequences)
def test_fcl_06_nothing_is_recorded_without_a_durable_note_of_an_outcome_that_records(
    about: d.Terms, happened: list[d.Event]
) -> None:
    noted: list[d.Note] = []
    for _, event, commands in followed(about, happened):
        if begins(commands):
            assert isinstance(event, d.Noted)
            assert noted[-1].outcome is event.outcome
            assert noted[-1].sound is d.Sound.BEGINS
            assert event.outcome in {d.Outcome.GRANTED, d.Outcome.INFORMED, d.Outcome.LEGAL_REQUIRED}
        noted += [command for command in commands if isinstance(command, d.Note)]


@given(terms(d.Basis.CONSENT), sequences)
def test_con_01_consent_is_recorded_only_after_the_accept_key_or_two_words_of_the_agent(
    about: d.Terms, happened: list[d.Event]
) -> None:
    seen: list[d.Event] = []
    for before, event, commands in followed(about, happened):
        seen.append(event)
        if d.Record() in commands:
            keys = [e for e in seen if isinstance(e, d.Digit) and e.asked == before.asked]
            assert any(e.digit == "1" and e.heard_ms >= about.mandatory_ms for e in keys)
        if d.Begin() in commands:
            assert about.spoken or about.read
            assert d.SpokenYes() in seen
            assert seen.count(d.SpokenYes()) + seen.count(d.Agreed()) >= 2


@given(terms(d.Basis.LEGITIMATE_INTEREST, d.Basis.PUBLIC_TASK, d.Basis.CONTRACT, d.Basis.LEGAL_OBLIGATION), sequences)
def test_inf_05_under_another_basis_only_who_heard_the_whole_notice_is_recorded(
    about: d.Terms, happened: list[d.Event]
) -> None:
    informed = False
    for before, event, commands in followed(about, happened):
        if isinstance(event, d.Played) and before.state is d.State.ASKING and event.asked == before.asked:
            informed = True
        assert informed or not begins(commands)


@given(terms(d.Basis.CONTRACT), sequences)
def test_bas_04_a_contract_is_recorded_only_between_the_agents_words(about: d.Terms, happened: list[d.Event]) -> None:
    seen: list[d.Event] = []
    for _, event, commands in followed(about, happened):
        seen.append(event)
        assert not any(isinstance(command, d.Record) for command in commands)
        assert d.Begin() not in commands or d.ContractBegun() in seen


@given(sequences)
def test_bas_04_each_contract_of_a_call_is_renewed_before_its_note_and_begun_after_it(happened: list[d.Event]) -> None:
    told = [d.Played(1, 9000), d.NoInput(1), d.Noted(d.Outcome.INFORMED), d.ContractBegun(), d.ContractEnded()]
    begun = renewed = 0
    for _, _, commands in followed(replace(TERMS, basis=d.Basis.CONTRACT), [*told, *happened]):
        if d.Renew() in commands:
            assert [type(command) for command in commands] == [d.Renew, d.Note]
        renewed += d.Renew() in commands
        begun += d.Begin() in commands
        assert begun <= renewed + 1


NO = {d.Outcome.REFUSED, d.Outcome.OBJECTED, d.Outcome.WITHDRAWN, d.Outcome.ROUTED, d.Outcome.MINOR}
BOUND = {d.Basis.LEGAL_OBLIGATION, d.Basis.VITAL_INTEREST}


@given(terms(), sequences)
def test_pty_02_after_a_private_call_nothing_begins_and_what_runs_has_been_stopped(
    about: d.Terms, happened: list[d.Event]
) -> None:
    private = stopped = recording = False
    for before, event, commands in followed(about, happened):
        heard = before.state not in {d.State.NEW, d.State.ASKING, d.State.EXPLAINING}
        private = private or (isinstance(event, d.PrivateCall) and heard and about.basis not in BOUND)
        assert not (private and begins(commands))
        recording = recording or begins(commands)
        stopped = stopped or any(isinstance(command, d.Stop) for command in commands) or isinstance(event, d.Ended)
        assert not (private and recording and not stopped)


@given(terms(), sequences)
def test_pty_01_once_an_agent_without_acknowledgement_is_heard_all_of_it_is_destroyed_unless_a_law_or_a_life_wants_it(
    about: d.Terms, happened: list[d.Event]
) -> None:
    unready = False
    for before, event, commands in followed(about, happened):
        if isinstance(event, d.AgentUnready) and before.state is d.State.RECORDING:
            assert (commands == ()) is (about.basis in BOUND)
            assert commands == () or [type(command) for command in commands] == [d.Stop, d.Note, d.Erase]
            unready = unready or bool(commands)
        assert not (unready and begins(commands))


@given(terms(), sequences)
def test_bas_03_after_a_no_nothing_records_again(about: d.Terms, happened: list[d.Event]) -> None:
    said_no = False
    for _, _, commands in followed(about, happened):
        assert not (said_no and (begins(commands) or d.Resume() in commands))
        said_no = said_no or any(isinstance(c, d.Note) and c.outcome in NO for c in commands)


@given(terms(), sequences)
def test_fcl_02_what_must_be_recorded_is_never_given_back_unrecorded(about: d.Terms, happened: list[d.Event]) -> None:
    about = replace(about, must=True)
    for _, _, commands in followed(about, happened):
        assert not any(isinstance(command, d.Release | d.Hold) for command in commands)


@given(terms(d.Basis.LEGAL_OBLIGATION), sequences)
def test_bas_05_a_duty_is_recorded_or_routed_whatever_the_dialplan_says(
    about: d.Terms, happened: list[d.Event]
) -> None:
    for _, _, commands in followed(about, happened):
        assert not any(isinstance(command, d.Release | d.Hold) for command in commands)
        assert not any(isinstance(command, d.Erase) for command in commands)


@given(terms(), sequences)
def test_fcl_01_every_call_is_given_back_at_most_once_and_recorded_at_most_once(
    about: d.Terms, happened: list[d.Event]
) -> None:
    given_back = recorded = 0
    for _, event, commands in followed(about, happened):
        recorded += begins(commands)
        given_back += sum(isinstance(c, d.Record | d.Hold | d.Release | d.Route) for c in commands)
        recorded -= event == d.ContractEnded() and recorded > 0  # each contract of a call is one
        if isinstance(event, d.Failed) and any(isinstance(c, d.Release | d.Route) for c in commands):
            given_back = min(given_back, 1)  # a verdict that got lost is followed by the way on
    assert given_back <= 1
    assert recorded <= 1


@given(terms(), sequences)
def test_con_08_what_is_noted_as_destroyed_is_erased_and_nothing_else_is(
    about: d.Terms, happened: list[d.Event]
) -> None:
    for _, _, commands in followed(about, happened):
        destroyed = any(isinstance(c, d.Note) and c.sound is d.Sound.DESTROYED for c in commands)
        assert destroyed == (d.Erase() in commands)


@given(terms(*set(d.Basis) - {d.Basis.VITAL_INTEREST}), sequences)
def test_pty_06_nothing_goes_on_while_there_is_a_reason_for_a_pause(about: d.Terms, happened: list[d.Event]) -> None:
    reasons: set[str] = set()
    running = False
    for before, event, commands in followed(about, happened):
        recorded = before.state in {d.State.RECORDING, d.State.PAUSED}
        if isinstance(event, d.Paused) and recorded:
            reasons.add(event.why)
        if isinstance(event, d.PartyJoined) and recorded:
            reasons.add("party")
        if isinstance(event, d.Resumed):
            reasons.discard(event.why)
        for command in commands:
            assert not (isinstance(command, d.Pause) and not running)
            assert not (isinstance(command, d.Resume) and (running or reasons))
            running = isinstance(command, (*BEGINNING, d.Resume)) or (
                running and not isinstance(command, d.Pause | d.Stop)
            )


@given(sequences)
def test_bas_03_after_a_refusal_no_later_event_records(happened: list[d.Event]) -> None:
    consent, _ = d.step(d.Consent(TERMS), d.Started())
    consent, _ = d.step(consent, d.Digit(1, "2", 100))
    for event in happened:
        consent, commands = d.step(consent, event)
        assert commands == ()


def test_a_digit_does_not_show_in_its_representation() -> None:
    assert "7" not in repr(d.Digit(1, "7", 200))
