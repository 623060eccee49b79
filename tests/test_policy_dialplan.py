"""The dialplan against the policy: may and must, lines that are not there, and a call that comes by two."""

from dataclasses import replace

import pytest

from gdprcall.policy.dialplan import Gosub, compare, gosubs, written
from gdprcall.policy.model import Basis, Demand, Direction, Line
from gdprcall.policy.selfservice import SelfService
from tests.policies import LAWFUL, SUPPORT, policy

ORDERS = replace(LAWFUL[Basis.LEGAL_OBLIGATION], id="orders")
MAY, MUST = Demand.MAY, Demand.MUST


def at(line: str | None, demand: Demand | None, entrance: str = "trunk,s", place: str = "x:1") -> Gosub:
    return Gosub(line, demand, entrance, place)


def found(*said: Gosub, lines: tuple[Line, ...] = (SUPPORT, ORDERS), whole: bool = False) -> list[tuple[str, str, str]]:
    return [(f.rule, f.place, f.severity) for f in compare(policy(*lines), said, whole=whole)]


@pytest.mark.parametrize(
    ("step", "line", "demand"),
    [
        ("n,Gosub(gdprcall,s,1(support,may))", "support", MAY),
        ("n,Gosub(gdprcall,s,1(support,must))", "support", MUST),
        ("n,Gosub(gdprcall-agi,s,1(support,must))", "support", MUST),
        ("1,GoSub(gdprcall, s, 1(support))", "support", MAY),
        ("n(ask),Gosub(gdprcall,s,1( support , must ))", "support", MUST),
        ("n,Gosub(gdprcall,s,1(support,MUST))", "support", MAY),
        ('n,GosubIf($["${X}"="1"]?gdprcall,s,1(support,must):other,s,1)', "support", MUST),
        ("gdprcall,s,1(support,may)", "support", MAY),
        ("n,Gosub(gdprcall,s,1(${LINE},may))", None, MAY),
        ('n,Gosub(gdprcall,s,1(${LINE},${IF($["${W}"="must"]?must:may)}))', None, None),
        ("n,Gosub(gdprcall,s,1(support,${HOW}))", "support", None),
        ("n,Gosub(gdprcall,s,1())", "", MAY),
    ],
)
def test_a_step_says_its_line_and_may_or_must(step: str, line: str | None, demand: Demand | None) -> None:
    assert list(gosubs(step, "trunk,s", "x:1")) == [at(line, demand)]


@pytest.mark.parametrize("context", ["gdprcall-rights", "gdprcall-rights-agi"])
def test_rgt_03_a_step_for_rights_by_telephone_names_a_controller_and_no_line(context: str) -> None:
    (step,) = gosubs(f"n,Gosub({context},s,1(acme,sv))", "trunk,s", "x:1")
    assert (step.line, step.rights) == ("acme", True)
    terms = policy(SUPPORT)
    assert [(one.rule, one.place, one.severity) for one in compare(terms, [step], whole=False)] == [
        ("RGT-03", "x:1", "warn")
    ]
    offering = replace(terms, self_service={"acme": SelfService(("sv",))})
    assert compare(offering, [step], whole=False) == []
    (unasked,) = compare(offering, [step], whole=True)
    assert unasked.place == "lines.support", "it asks for no line"
    (running,) = gosubs(f"n,Gosub({context},s,1(${{WHO}}))", "trunk,s", "x:1")
    assert compare(terms, [running], whole=False) == []


@pytest.mark.parametrize(
    "step",
    ["n,Dial(PJSIP/1)", "n,Gosub(not-gdprcall,s,1(support,may))", "n,Goto(gdprcall,s,1)", "n,Gosub(gdprcall2,s,1(a))"],
)
def test_other_steps_ask_for_nothing(step: str) -> None:
    assert list(gosubs(step, "trunk,s", "x:1")) == []


OFFERS = replace(SUPPORT, id="offers", direction=Direction.OUTBOUND, source="our form")


@pytest.mark.parametrize("context", ["gdprcall-out", "gdprcall-out-agi"])
def test_pty_08_a_step_for_calls_that_go_out_is_known_as_one(context: str) -> None:
    (gosub,) = gosubs(f"n,Gosub({context},s,1(offers,may,${{EXTEN:1}}))", "agents,_9X.", "x:1")
    assert gosub == Gosub("offers", MAY, "agents,_9X.", "x:1", Direction.OUTBOUND)
    assert found(gosub, lines=(OFFERS,), whole=True) == []
    assert list(gosubs(f"n,{written(OFFERS)}", "agents,_9X.", "x:1")) == [gosub]


def test_pty_08_a_line_that_is_asked_for_in_the_other_direction_is_refused() -> None:
    assert found(at("offers", MAY), lines=(OFFERS,)) == [("PTY-08", "x:1", "refuse")]
    outbound = Gosub("support", MAY, "agents,_9X.", "x:1", Direction.OUTBOUND)
    assert found(outbound) == [("PTY-08", "x:1", "refuse")]
    assert written(SUPPORT) == "Gosub(gdprcall,s,1(support,may))"


def test_a_dialplan_that_says_what_the_policy_says_agrees() -> None:
    assert found(at("support", MAY), at("orders", MUST, "trunk,2"), whole=True) == []


def test_bas_05_may_where_the_law_says_must_is_refused() -> None:
    assert found(at("orders", MAY)) == [("BAS-05", "x:1", "refuse")]


def test_con_05_must_where_callers_may_say_no_is_refused() -> None:
    assert found(at("support", MUST)) == [("CON-05", "x:1", "refuse")]
    line = replace(LAWFUL[Basis.LEGITIMATE_INTEREST], id="sales")
    assert found(at("sales", MUST), lines=(line,)) == [("FCL-02", "x:1", "refuse")]


def test_bas_03_a_call_that_comes_by_two_bases_of_one_purpose_is_refused() -> None:
    other = replace(LAWFUL[Basis.LEGITIMATE_INTEREST], id="sales")
    lines = (SUPPORT, other)
    twice = [at("support", MAY), at("sales", MAY, place="x:2")]
    assert found(*twice, lines=lines) == [("BAS-03", "x:2", "refuse")]
    assert found(twice[0], replace(twice[1], entrance="trunk,2"), lines=lines) == []
    assert found(twice[0], at("sales", MAY), lines=(SUPPORT, replace(other, purpose="training"))) == []


@pytest.mark.parametrize(
    ("said", "rule", "words"),
    [
        (at("nobody", MAY), "BAS-01", "never recorded"),
        (at("nobody", MUST), "BAS-01", "sent elsewhere"),
        (at("", MAY), "BAS-01", "not configured"),
        (at(None, MAY), "FCL-02", "cannot be compared"),
        (at("support", None), "FCL-02", "cannot be compared"),
    ],
)
def test_what_cannot_be_compared_is_said(said: Gosub, rule: str, words: str) -> None:
    (finding,) = compare(policy(SUPPORT), [said], whole=False)
    assert (finding.rule, finding.severity) == (rule, "warn")
    assert words in finding.text


def test_bas_10_a_line_that_no_dialplan_asks_for_is_told_if_the_whole_was_read() -> None:
    assert found(at("support", MAY), whole=True) == [("BAS-10", "lines.orders", "warn")]
    assert found(at("support", MAY), whole=False) == []
    assert ("BAS-10", "lines.orders", "warn") not in found(at("support", MAY), at(None, MAY), whole=True)
