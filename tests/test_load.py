"""The judge of a load: it says so when a call, a recording or a second is missing, and when the daemon grows."""

import dataclasses
from collections.abc import Mapping

import pytest

from tests.pbx.load.judge import Sample, Seen, broken
from tests.pbx.load.steady import RELAY, relay_sizes

GOOD = Seen(100, 100, 90, 90, 10, [4.1] * 90, 90, 0, 4.0)
FLAT = [Sample(80.0 + place % 2, 30, 12, 40 + place % 5) for place in range(40)]


def test_a_load_in_which_all_is_well_breaks_nothing() -> None:
    assert broken(GOOD, FLAT) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"good": 99}, "1 of 100 calls failed"),
        ({"refused": 9}, "99 were asked"),
        ({"granted": 91, "refused": 9}, "91 grants"),
        ({"sealed_seconds": [4.1] * 89}, "89 sealed"),
        ({"payloads": 91}, "91 payloads"),
        ({"sealed_seconds": [4.1] * 89 + [2.9]}, "shortest has 2.90"),
        ({"left": 1}, "left in the spool"),
    ],
)
def test_what_is_missing_or_too_much_is_said(changed: Mapping[str, object], said: str) -> None:
    (line,) = broken(dataclasses.replace(GOOD, **changed), FLAT)  # type: ignore[arg-type]  # any of its fields
    assert said in line


@pytest.mark.parametrize("name", ["mb", "descriptors", "threads", "tasks"])
def test_whatever_of_the_daemon_grows_with_the_calls_is_said(name: str) -> None:
    grown = [dataclasses.replace(one, **{name: getattr(one, name) + 3 * place}) for place, one in enumerate(FLAT)]
    (line,) = broken(GOOD, grown)
    assert line.startswith("not flat")


def test_what_grows_only_while_the_daemon_warms_is_not_said() -> None:
    assert broken(GOOD, [Sample(60.0 + min(place, 9) * 2, 30, 12, 40) for place in range(40)]) == []


def test_too_few_samples_prove_nothing() -> None:
    assert broken(GOOD, FLAT[:3])


@pytest.mark.parametrize("calls", [1, RELAY, RELAY + 1, 7 * RELAY - 1])
def test_every_call_has_its_relay_and_no_relay_too_many_calls(calls: int) -> None:
    assert sum(relay_sizes(calls)) == calls
    assert max(relay_sizes(calls)) <= RELAY
