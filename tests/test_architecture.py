"""ARCHITECTURE.md names what is guaranteed by the tests that prove it; those are there, and are run."""

import ast
import re

import pytest

from tests.pbx.prepare import ROOT

PAGE = (ROOT / "ARCHITECTURE.md").read_text()
FUNCTIONS = {
    node.name
    for path in (ROOT / "tests").glob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
}


def rows() -> list[list[str]]:
    """Return the cells of each row of the table of guarantees."""
    table = PAGE.split("\n## What is guaranteed, against whom\n")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_the_guarantees_are_numbered_and_each_says_what_holds_or_what_does_not() -> None:
    assert [row[0] for row in rows()] == [str(number) for number in range(1, len(rows()) + 1)]
    assert len(rows()) > 15
    assert all(len(row) == 5 and row[1] and (row[2] or row[3]) for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_guarantee_names_tests_that_are_there(row: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[4])
    assert named
    assert row[4] == ", ".join(f"`{name}`" for name in named)
    assert set(named) <= FUNCTIONS


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert {name for name in named if name not in FUNCTIONS} == set()
