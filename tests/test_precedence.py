"""Precedence: every combination of flags, bases, requests and roles, against an order written down apart from the code."""

from collections.abc import Iterator
from itertools import product

import pytest

from gdprcall.rights.precedence import (
    Denied,
    Exception18,
    Ground,
    Outcome,
    Request,
    State,
    Verdict,
    Why,
    denied,
    may_override,
    weigh,
)
from gdprcall.roles import Role

NOW = 1_000
BASES = ("consent", "legitimate_interest", "public_task", "contract", "legal_obligation", "vital_interest")
OBJECTABLE = ("legitimate_interest", "public_task")
GROUNDS = (None, *Ground)
FLAGS = (False, True)
LAW = (None, NOW, NOW + 1)
EXPIRES = (NOW, NOW + 1)


def states() -> Iterator[State]:
    for basis, expires, law, held, ground, marketing in product(BASES, EXPIRES, LAW, FLAGS, GROUNDS, FLAGS):
        yield State(basis, expires, law, held, ground, marketing)


ALL = tuple(states())


def wants_its_end(state: State, request: Request) -> bool:
    return {
        Request.ERASURE: True,
        Request.WITHDRAWAL: state.basis == "consent",
        Request.OBJECTION: state.marketing,
        Request.UPHELD: state.marketing or state.basis in OBJECTABLE,
        Request.EXPIRY: state.expires_at == NOW,
    }[request]


def test_every_combination_is_walked() -> None:
    assert len(set(ALL)) == len(BASES) * len(EXPIRES) * len(LAW) * 2 * 5 * 2 == 720


@pytest.mark.parametrize("request_", Request)
def test_ret_04_law_wins_over_a_hold_a_hold_over_a_restriction_and_each_over_every_request(request_: Request) -> None:
    for state in ALL:
        if not wants_its_end(state, request_):
            assert weigh(state, request_, NOW).outcome is not Outcome.ERASE, state
            continue
        verdict = weigh(state, request_, NOW)
        own_objection = request_ is Request.UPHELD and state.restricted is Ground.OBJECTION
        if state.law_until == NOW + 1:
            assert verdict.why is Why.LAW, state
        elif state.held:
            assert verdict.why is Why.HOLD, state
        elif state.restricted is not None and not own_objection:
            assert verdict.why is Why.RESTRICTION, state
        else:
            assert verdict.outcome is Outcome.ERASE, state
            continue
        assert verdict.outcome is not Outcome.ERASE, state


def test_ret_04_nothing_is_destroyed_while_a_laws_minimum_runs_and_its_last_moment_is_over() -> None:
    running, over = (State("consent", NOW, law_until=until) for until in (NOW + 1, NOW))
    assert weigh(running, Request.ERASURE, NOW) == Verdict(Outcome.KEEP, Why.LAW)
    assert weigh(over, Request.ERASURE, NOW) == Verdict(Outcome.ERASE, Why.ERASURE)


def test_ret_04_a_withdrawal_counts_for_consent_alone_and_expiry_for_what_has_expired() -> None:
    for basis in BASES:
        verdict = weigh(State(basis, NOW + 1), Request.WITHDRAWAL, NOW)
        expected = (Outcome.ERASE, Why.WITHDRAWN) if basis == "consent" else (Outcome.KEEP, Why.NO_CONSENT)
        assert (verdict.outcome, verdict.why) == expected
        assert weigh(State(basis, NOW + 1), Request.EXPIRY, NOW).why is Why.NOT_EXPIRED
        assert weigh(State(basis, NOW), Request.EXPIRY, NOW).why is Why.EXPIRED


def test_ret_04_an_objection_restricts_until_it_is_decided_whatever_else_keeps_the_recording() -> None:
    for state in ALL:
        if state.marketing:
            continue
        verdict = weigh(state, Request.OBJECTION, NOW)
        expected = (Outcome.RESTRICT, Why.OBJECTED) if state.basis in OBJECTABLE else (Outcome.KEEP, Why.NO_OBJECTION)
        assert (verdict.outcome, verdict.why) == expected, state


def test_ret_04_an_upheld_objection_ends_its_own_restriction_and_no_other() -> None:
    for ground in Ground:
        outcome = weigh(State("public_task", NOW + 1, restricted=ground), Request.UPHELD, NOW).outcome
        assert (outcome is Outcome.ERASE) == (ground is Ground.OBJECTION)


def test_ret_04_direct_marketing_is_never_overridden_and_what_must_stay_of_it_is_restricted() -> None:
    for state in ALL:
        assert may_override(state) == (not state.marketing and state.basis in OBJECTABLE), state
        if state.marketing and state.restricted is None:
            kept = state.held or state.law_until == NOW + 1
            expected = Outcome.RESTRICT if kept else Outcome.ERASE
            assert weigh(state, Request.OBJECTION, NOW).outcome is expected, state


@pytest.mark.parametrize("role", Role)
def test_ret_04_who_may_have_what_released_in_which_state(role: Role) -> None:
    decides = role in {Role.ADMIN, Role.OFFICER}
    hears = decides or role is Role.REVIEWER
    for state, exception in product(ALL, (None, *Exception18)):
        allowed = (hears and state.restricted is None) or (decides and exception is not None)
        assert (denied(state, role, exception) is None) == allowed, (state, exception)


def test_ret_04_what_is_denied_says_what_is_missing() -> None:
    state = State("consent", NOW, restricted=Ground.ACCURACY)
    assert denied(state, Role.OFFICER, None) is Denied.RESTRICTED
    assert denied(state, Role.REVIEWER, None) is Denied.RESTRICTED
    assert denied(state, Role.REVIEWER, Exception18.CLAIMS) is Denied.ROLE
    assert denied(State("consent", NOW, held=True), Role.REVIEWER, None) is None


def test_rgt_09_an_erasure_is_refused_by_a_law_a_claim_or_a_restriction_alone() -> None:
    kept = {
        weigh(state, Request.ERASURE, NOW).why
        for state in ALL
        if weigh(state, Request.ERASURE, NOW).outcome is Outcome.KEEP
    }
    assert kept == {Why.LAW, Why.HOLD, Why.RESTRICTION}
    assert "17(3)(b)" in Why.LAW
    assert "17(3)(e)" in Why.HOLD
