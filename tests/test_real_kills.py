"""Twenty-five rounds of random kills: daemon and Asterisk die in the middle of real calls, and every invariant holds.

``make soak`` plays five hundred; the seed that a failure names plays the same rounds again.
"""

import os
import random
from pathlib import Path

import pytest

from tests.pbx.soak.loop import run

pytestmark = pytest.mark.pbx

ROUNDS = 25


# Three of the rounds hold a call of a quarter of a minute; beside other work each takes twice its time.
@pytest.mark.timeout(600)
def test_fcl_04_whatever_is_killed_and_when_no_invariant_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        print(f"\n{ROUNDS} rounds of random kills, seed {seed}")
    figures = run(tmp_path, seed, ROUNDS)
    assert figures["rounds"] == ROUNDS
    assert figures["daemon killed"]
    assert figures["asterisk killed"] + figures["asterisk ended"]
    assert figures["sealed"]
    assert figures["erased"]
