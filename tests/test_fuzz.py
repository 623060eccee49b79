"""What is fuzzed holds for its seeds, for every input that once broke it, and for a while of chance."""

import random

import pytest

from tests.fuzz import __main__ as runner
from tests.fuzz.targets import TARGETS, seeds


@pytest.mark.parametrize("name", TARGETS)
def test_what_broke_once_breaks_no_more(name: str) -> None:
    given = list(seeds(name))
    assert given
    for data in given:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_that_is_cut_or_changed_anywhere_is_accepted_or_refused_and_nothing_else(name: str) -> None:
    draw = random.Random(name)
    for data in list(seeds(name))[:40]:
        for _ in range(20):
            place = draw.randrange(len(data) + 1)
            TARGETS[name](data[:place])
            TARGETS[name](data[:place] + draw.randbytes(draw.randrange(4)) + data[place + draw.randrange(4) :])


def test_without_its_engine_it_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("sys.argv", ["fuzz"])
    assert runner.main() == 1
    assert "hint: " in capsys.readouterr().err


def test_an_unknown_target_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", "nothing"])
    with pytest.raises(SystemExit) as ended:
        runner.main()
    assert ended.value.code == 2
    assert "there is no target nothing" in capsys.readouterr().err
