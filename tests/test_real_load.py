"""Twenty seconds of calls with sound: all asked, those who agreed recorded whole, nobody else, and the daemon stays flat.

``make load`` does the same for ten minutes at most of what the machine bears.
"""

from pathlib import Path

import pytest

from tests.pbx.bench.load import Agents, Traffic
from tests.pbx.bench.world import build
from tests.pbx.load.judge import broken
from tests.pbx.load.steady import run, unheard

pytestmark = pytest.mark.pbx

TRAFFIC = Traffic("ari", rate=4, calls=80, talk_seconds=4, heard_seconds=2.5)


def test_fcl_01_under_load_every_call_is_asked_and_recorded_whole_or_not_at_all(tmp_path: Path) -> None:
    world = build(tmp_path)
    with world.asterisk, Agents(world), world.installation:
        seen, samples = run(world, TRAFFIC, every=1)
        assert seen.placed == TRAFFIC.calls
        assert broken(seen, samples) == []
        assert not unheard(world)
