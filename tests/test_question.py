"""The terms of a dialogue come from the policy's line; a sample is drawn from a seed, the same for everybody."""

import pytest

from gdprcall import question
from gdprcall.consent import dialogue as d
from gdprcall.policy.model import Basis, Keys
from tests.policies import of


def asked(basis: Basis, *, must: bool = False, **changes: object) -> d.Terms:
    return question.terms(of(basis, **changes), prompt="p", mandatory_ms=4000, must=must, notice="n")


def test_the_bases_of_the_policy_and_of_the_dialogue_have_the_same_names() -> None:
    assert {str(basis) for basis in Basis} == {str(basis) for basis in d.Basis}


@pytest.mark.parametrize("basis", Basis)
def test_inf_04_where_one_objects_the_key_that_says_no_is_the_one_of_the_objection(basis: Basis) -> None:
    terms = asked(basis, keys=Keys(refuse="2", object="9", more="0"))
    objected = basis in {Basis.LEGITIMATE_INTEREST, Basis.PUBLIC_TASK}
    assert (terms.accept, terms.refuse, terms.more) == ("1", "9" if objected else "2", "0")
    assert terms.basis == basis


def test_bas_05_a_duty_must_be_recorded_whatever_the_dialplan_says() -> None:
    assert asked(Basis.LEGAL_OBLIGATION).must
    assert not asked(Basis.CONSENT).must
    assert asked(Basis.CONSENT, must=True).must


def test_con_11_explicit_is_the_consent_of_article_9_2_a_alone() -> None:
    assert asked(Basis.CONSENT, art9=True, art9_condition="a", art9_content="your health").explicit
    assert not asked(Basis.CONSENT, art9=True, art9_condition="h").explicit


def test_what_a_line_allows_reaches_its_dialogue() -> None:
    assert asked(Basis.VITAL_INTEREST, notice_deferred=True).deferred
    assert asked(Basis.CONSENT, spoken=True).spoken
    assert not asked(Basis.CONSENT).spoken


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_bas_10_a_part_of_the_calls_is_drawn(rate: float) -> None:
    drawn = sum(question.is_drawn(rate, "seed", f"1767225600.{call}") for call in range(1000))
    assert abs(drawn - rate * 1000) < 50


def test_bas_10_who_has_the_seed_draws_the_same_and_another_seed_draws_others() -> None:
    calls = [f"1767225600.{call}" for call in range(100)]
    first, again, other = ([question.is_drawn(0.5, seed, call) for call in calls] for seed in ("a", "a", "b"))
    assert first == again
    assert first != other


def test_bas_10_without_a_sample_every_call_is_drawn() -> None:
    assert all(question.is_drawn(1.0, "seed", str(call)) for call in range(100))
