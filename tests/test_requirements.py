"""Each thing that the law asks has a test or stands on a list that only shrinks, and every id in a name is one that there is."""

import re
from pathlib import Path

import pytest

from tests import requirements
from tests.requirements import __main__ as table

NONE, PART = 0, 6
"""How many ids have no test yet, and how many have tests that do not say all of it: these numbers only go down."""
ALL = requirements.requirements()
NAMED = requirements.named()


def test_the_list_of_what_is_not_built_only_shrinks() -> None:
    unbuilt = requirements.unbuilt()
    assert (len(unbuilt.none), len(unbuilt.part)) == (NONE, PART), "it may only shrink: lower the numbers with it"
    assert NONE <= 35
    assert PART <= 10
    assert len(set(unbuilt.none)) == NONE


@pytest.mark.parametrize("id_", ALL)
def test_each_id_has_a_test_or_stands_on_the_list(id_: str) -> None:
    unbuilt, tests = requirements.unbuilt(), [one for one in NAMED if one.id == id_]
    if id_ in unbuilt.none:
        assert not tests, "it has tests now: make requirements SHRINK=1"
        assert id_ not in unbuilt.part
    else:
        assert tests, "it has no test; what was built must stay so"


def test_every_id_that_a_test_or_a_dialogue_carries_is_one_that_there_is() -> None:
    assert {(one.id, one.name) for one in NAMED if one.id not in ALL} == set()
    loose = re.compile(rf"^test_({'|'.join(requirements.KINDS)})_(?!\d\d_)")
    names = [
        name for path in requirements.TESTS.glob("test_*.py") for name in re.findall(r"def (\w+)", path.read_text())
    ]
    assert [name for name in names if loose.match(name) and not name.startswith("test_prf_")] == []


def test_what_stands_on_the_list_is_known_and_says_what_is_missing() -> None:
    unbuilt = requirements.unbuilt()
    assert set(unbuilt.none) | set(unbuilt.part) <= set(ALL)
    assert all(4 < len(missing) < 100 for missing in unbuilt.part.values())


def test_each_requirement_is_one_short_line_of_our_own() -> None:
    assert {id_.split("-")[0].lower() for id_ in ALL} == set(requirements.KINDS)
    for one in ALL.values():
        assert re.fullmatch(r"[A-Z]{3}-(\d\d|[A-Z]+)", one.id)
        assert one.article
        assert 10 < len(one.owed) <= 120


def test_a_name_and_a_dialogue_carry_their_id() -> None:
    assert requirements.ids_of("test_con_03_a_key", []) == {"CON-03"}
    assert requirements.ids_of("test_prf_mifid_a_line", ["FCL-01 A call.", "no id"]) == {"PRF-MIFID", "FCL-01"}
    assert requirements.ids_of("test_a_key", [""]) == set()


@pytest.mark.parametrize(
    ("id_", "outcomes", "told", "bad"),
    [
        ("CON-01", {"a": "passed", "b": "passed", "c": "not run"}, "2 passed, 1 not run", False),
        ("CON-01", {"a": "passed", "b": "failed"}, "1 passed, 1 failed", True),
        ("CON-01", {}, "", True),
        ("RET-02", {"a": "passed"}, "1 passed", False),
        ("DOC-01", {}, "not built yet", False),
        ("DOC-01", {"a": "passed"}, "not built yet", True),
    ],
)
def test_a_line_of_the_table_says_what_came_of_the_tests(
    monkeypatch: pytest.MonkeyPatch, id_: str, outcomes: dict[str, str], told: str, bad: bool
) -> None:
    unbuilt = requirements.Unbuilt(("DOC-01",), {"RET-02": "shortening does not reach backwards"})
    monkeypatch.setattr(requirements, "unbuilt", lambda: unbuilt)
    assert table.line(ALL[id_], outcomes) == (told, bad)


def test_what_has_tests_is_taken_off_the_list_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = tmp_path / "unbuilt.toml"
    listed.write_text('none = [\n    "CON-01",\n    "ZZZ-99",\n]\n\n[part]\nRET-02 = "some"\n')
    monkeypatch.setattr(requirements, "UNBUILT", listed)
    assert requirements.shrink() == ["CON-01"]
    assert requirements.unbuilt() == requirements.Unbuilt(("ZZZ-99",), {"RET-02": "some"})
