"""What is heard in a recording of a real call is found where it is, and nowhere else."""

import numpy as np
import pytest

from tests.pbx.speech import likeness

NOISE = np.random.default_rng(1).normal(0, 1000, 8000)


@pytest.mark.parametrize("before", [0, 1, 4000])
def test_a_sentence_is_found_wherever_it_begins(before: int) -> None:
    whole = NOISE[before : before + 3000]
    assert likeness(NOISE, whole) > 0.99
    assert likeness(np.roll(NOISE, 4000)[:3000], NOISE[:3000]) < 0.5


@pytest.mark.parametrize("heard", [0, 1, 2999])
def test_of_a_sentence_that_is_longer_than_all_that_was_heard_nothing_is_found(heard: int) -> None:
    assert likeness(NOISE[:heard], NOISE[:3000]) == 0
