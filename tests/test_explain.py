"""A line in plain words: for each thing that a caller can do, what follows, on every basis."""

from dataclasses import replace

import pytest

from gdprcall.policy import rules
from gdprcall.policy.explain import AFTER_NO, Explanation, explain
from gdprcall.policy.model import Basis, Direction, Keys, Line, OnRefuse
from tests.policies import ACME, LAWFUL, of, policy


def said(line: Line, country: str = "AT", options: tuple[str, ...] = ()) -> Explanation:
    return explain(policy(line, controller=replace(ACME, country=country)), line, options)


def then(explained: Explanation, when: str) -> str:
    (way,) = [way for way in explained.ways if when in way.when]
    return way.then


@pytest.mark.parametrize(
    ("basis", "when", "what"),
    [
        (Basis.CONSENT, "presses 1 after", "noted, then recorded"),
        (Basis.CONSENT, "presses 1 before", "does not count"),
        (Basis.CONSENT, "presses 2", AFTER_NO[OnRefuse.SAME_SERVICE]),
        (Basis.CONSENT, "is silent", "asked 2 times, with 5 s to answer; then the call goes on unrecorded"),
        (Basis.CONSENT, "presses *9", "destroyed"),
        (Basis.CONSENT, "joined", "ends before"),
        (Basis.CONSENT, "no daemon", "nothing is recorded"),
        (Basis.CONSENT, "hangs up", "minimal note"),
        (Basis.LEGITIMATE_INTEREST, "does nothing", "is recorded"),
        (Basis.LEGITIMATE_INTEREST, "presses 9", "unrecorded"),
        (Basis.LEGITIMATE_INTEREST, "presses 1", "never as consent"),
        (Basis.PUBLIC_TASK, "presses 9", "unrecorded"),
        (Basis.PUBLIC_TASK, "no notice", "nothing is recorded"),
        (Basis.CONTRACT, "comes to the contract", "the agent starts"),
        (Basis.CONTRACT, "anything else", "nothing is recorded"),
        (Basis.CONTRACT, "presses 2", "what cannot be agreed"),
        (Basis.LEGAL_OBLIGATION, "hears the notice", "Directive 2014/65/EU"),
        (Basis.LEGAL_OBLIGATION, "presses 2", "another way"),
        (Basis.LEGAL_OBLIGATION, "no daemon", "sends it elsewhere"),
        (Basis.VITAL_INTEREST, "does not want it", "recording goes on"),
        (Basis.VITAL_INTEREST, "no daemon", "goes on unrecorded"),
    ],
)
def test_each_deed_of_a_caller_has_its_consequence(basis: Basis, when: str, what: str) -> None:
    assert what in then(said(LAWFUL[basis]), when)


@pytest.mark.parametrize("basis", Basis)
def test_every_basis_says_what_the_dialplan_should(basis: Basis) -> None:
    line = LAWFUL[basis]
    assert f"Gosub(gdprcall,s,1(support,{line.demand}))" in said(line).dialplan
    assert f"on the basis of {basis}" in said(line).summary
    assert f"kept {line.retention_days} days" in said(line).summary


def test_the_lines_own_keys_and_times_are_named() -> None:
    line = of(Basis.CONSENT, keys=Keys("3", "4", "#"), attempts=1, timeout_ms=7000)
    explained = said(line)
    assert then(explained, "presses 4")
    assert "asked once, with 7 s" in then(explained, "is silent")
    assert "3 records, 4, silence and anything else does not; # withdraws" in explained.summary


def test_a_key_that_the_daemon_does_not_know_yet_is_not_explained() -> None:
    line = LAWFUL[Basis.CONSENT]
    assert not [way for way in said(line).ways if way.when == "presses 0"]
    assert "full notice" in then(said(line, options=rules.OPTIONS), "presses 0")


def test_that_the_voices_are_recorded_apart_is_explained_where_it_is_so() -> None:
    assert "recorded apart" in then(said(of(Basis.CONSENT, legs=True)), "asks for a copy")
    assert not [way for way in said(LAWFUL[Basis.CONSENT]).ways if "copy" in way.when]


def test_parts_pauses_and_calls_out_are_explained() -> None:
    line = of(
        Basis.CONSENT, sample_rate=0.1, keys=Keys(pause="*7"), direction=Direction.OUTBOUND, source="our order form"
    )
    explained = said(line)
    assert "0.1 of the calls" in explained.summary
    assert "neither asked nor recorded" in then(explained, "not among")
    assert "pauses" in then(explained, "*7")
    assert explained.told[0].when == "who is called"
    assert "not recorded" in then(explained, "is called, and a machine answers")
    assert explained.dialplan.endswith("Gosub(gdprcall-out,s,1(support,may,${EXTEN}))")
    asked = of(Basis.CONSENT, direction=Direction.OUTBOUND, source="our order form", agent_asks=True)
    assert "agrees by key, or aloud" in then(said(asked), "is read the question by the agent")


def test_bas_09_calls_from_abroad_are_explained() -> None:
    line = LAWFUL[Basis.LEGITIMATE_INTEREST]
    abroad = next(way for way in said(line).ways if way.when.startswith("calls from"))
    assert "DE, DK, PT" in abroad.when
    assert "without a number" in abroad.when
    anywhere = next(way for way in said(line, country="SE").ways if way.when.startswith("calls from"))
    assert anywhere.when == "calls from anywhere"
    assert not [way for way in said(LAWFUL[Basis.CONSENT]).ways if way.when.startswith("calls from")]


def test_who_is_told_what_is_said() -> None:
    told = {way.when: way.then for way in said(LAWFUL[Basis.CONSENT]).told}
    assert told["who wants to know all"].endswith(ACME.notice_url)
    assert "notice 2026-1 since 2026-01-31" in told["the agent"]
    passed_on = replace(ACME, disclosed_to=("Quality Ltd",))
    line = LAWFUL[Basis.CONSENT]
    assert "Quality Ltd" in explain(policy(line, controller=passed_on), line, ()).told[-1].then


def test_what_people_must_see_to_themselves_comes_from_the_profiles() -> None:
    line = of(Basis.LEGAL_OBLIGATION, profiles=("MIFID",))
    duties = said(line, country="IE").duties
    assert any("1993" in duty for duty in duties)
    assert any("five years, seven" in duty for duty in duties)
