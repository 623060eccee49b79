"""The program is as the table in layers.py says, its files and functions are short, and no task is without an owner."""

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.layers import LAYERS, LIBRARIES, PURE, PURE_LIBRARY, REACHES_OUT, TELLS_THE_TIME

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gdprcall"

LONGEST_FILE, LONGEST_FUNCTION = 300, 30
LONGER_FILES = {"consent/dialogue.py": "the whole state table is one file, to be read at a glance"}
LONGER_FUNCTIONS: set[str] = set()

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def name_of(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".").removesuffix(".__init__").replace("__init__", "")


def part_of(module: str) -> str:
    return name_of(module).split(".")[0]


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text())


@cache
def imports(module: str) -> frozenset[str]:
    """Return the dotted names that a module imports, wherever in it that is done."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write whole names"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def ours(module: str) -> set[str]:
    """Return the parts of gdprcall that a module imports, without its own."""
    parts = {name.split(".")[1] for name in imports(module) if name.split(".")[0] == "gdprcall"}
    return parts - {"__version__", part_of(module)}


def within(module: str, places: Iterator[str] | set[str] | tuple[str, ...]) -> bool:
    name = name_of(module)
    return any(name == place or name.startswith(f"{place}.") for place in places)


def test_every_module_belongs_to_a_part_of_the_table_and_every_part_exists() -> None:
    assert {part_of(module) for module in MODULES} - {""} == set(LAYERS)


def test_the_arrows_of_the_table_run_one_way() -> None:
    assert len(list(TopologicalSorter(LAYERS).static_order())) == len(LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_the_table_lets_it(module: str) -> None:
    allowed = LAYERS.get(part_of(module), set())
    assert ours(module) <= allowed, f"{module} must not know {sorted(ours(module) - allowed)}"


@pytest.mark.parametrize("part", LAYERS)
def test_the_table_names_no_arrow_that_nobody_takes(part: str) -> None:
    taken = set[str]().union(*(ours(module) for module in MODULES if part_of(module) == part))
    assert LAYERS[part] - taken == set(), "take it out of the table"


@pytest.mark.parametrize("module", MODULES)
def test_a_library_is_known_only_where_the_table_says(module: str) -> None:
    tops = {name.split(".")[0] for name in imports(module)} - {"gdprcall"}
    foreign = tops - sys.stdlib_module_names | (tops & set(LIBRARIES))
    unlisted = {top for top in foreign if not within(module, LIBRARIES.get(top, set()))}
    assert unlisted == set()


def test_the_libraries_that_are_imported_are_the_ones_that_are_installed_with_us() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    said = (
        setup["options"]["install_requires"]
        + setup["options.extras_require"]["audio"]
        + setup["options.extras_require"]["opus"]
        + setup["options.extras_require"]["pdf"]
    )
    required = set(re.findall(r"^([a-z0-9-]+)", said, re.MULTILINE))
    third = {name for name in LIBRARIES if name not in sys.stdlib_module_names}
    # pydantic brings its core along, and markdown-it-py is imported by another name
    known = {name.replace("_", "-") for name in third - {"pydantic_core", "markdown_it"}} | {"markdown-it-py"}
    assert known == required


@pytest.mark.parametrize("module", [module for module in MODULES if within(module, PURE)])
def test_what_is_pure_knows_no_clock_file_socket_log_or_task(module: str) -> None:
    outside = {name.split(".")[0] for name in imports(module)} - {"gdprcall"} - PURE_LIBRARY
    assert outside == set()
    for node in ast.walk(tree(module)):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in REACHES_OUT
        if isinstance(node, ast.Attribute):
            assert node.attr not in TELLS_THE_TIME


def test_the_front_ends_know_neither_the_session_nor_each_other() -> None:
    for front, other in (
        ("stasis", "agi"),
        ("stasiscall", "agi"),
        ("fastagi", "stasis"),
        ("agicall", "stasis"),
        ("agilink", "stasis"),
    ):
        assert ours(f"asterisk/{front}.py") <= {"consent", "errors", "log"}
        assert not [name for name in imports(f"asterisk/{front}.py") if other in name]


@pytest.mark.parametrize("module", MODULES)
def test_a_file_can_be_read_in_one_sitting(module: str) -> None:
    lines = len((PACKAGE / module).read_text().splitlines())
    assert (lines > LONGEST_FILE) == (module in LONGER_FILES), f"{lines} lines"


@pytest.mark.parametrize("module", MODULES)
def test_a_function_fits_on_a_screen(module: str) -> None:
    functions = [node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name for node in functions if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION}
    assert long - LONGER_FUNCTIONS == set()


@pytest.mark.parametrize("module", MODULES)
def test_no_class_is_named_after_nothing(module: str) -> None:
    classes = [node.name for node in ast.walk(tree(module)) if isinstance(node, ast.ClassDef)]
    assert not [name for name in classes if re.search(r"(Manager|Handler|Helper|Utils?|Base)$", name)]


@pytest.mark.parametrize("module", MODULES)
def test_no_task_is_without_an_owner(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and node.attr == "create_task":
            # Of a TaskGroup only: neither of the module asyncio nor of its loop.
            assert "tasks" in ast.unparse(node.value), ast.unparse(node)
