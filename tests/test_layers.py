"""The architecture as a table: who may import whom, which library is behind which file, what stays pure."""

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gdprcall"

# part: the parts that it may import, from the bottom up
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "times": set(),
    "roles": set(),
    "systemd": set(),
    "age": set(),
    "consent": set(),
    "policy": set(),
    "events": set(),
    "log": {"errors", "events"},
    "asterisk": {"consent", "errors", "log"},
    "vault": {"age", "errors", "times"},
    "handout": {"errors", "vault"},
    "auditing": {"config", "errors", "handout", "vault"},
    "checkpoints": {"auditing", "config", "errors", "log", "vault"},
    "prompts": {"errors", "policy", "times"},
    "sections": set(),
    "schema_papers": {"sections"},
    "schema": {"schema_papers", "sections"},
    "policies": {"policy", "schema"},
    "profiles": {"errors", "policy"},
    "dialplan": {"errors", "policy"},
    "mistakes": {"errors", "policy"},
    "values": {"age", "policy", "schema"},
    "misspelt": {"schema", "schema_papers"},
    "instructions": {"policy", "prompts"},
    "parties": {"policy", "schema", "schema_papers"},
    "deadlines": {"schema"},
    "access": {"policy", "roles", "schema"},
    "timing": {"policy", "schema"},
    "config": {
        *(
            "access",
            "deadlines",
            "errors",
            "instructions",
            "misspelt",
            "mistakes",
            "parties",
            "policies",
            "policy",
            "profiles",
            "prompts",
            "roles",
            "schema",
            "timing",
            "values",
        ),
    },
    "session": {"consent", "errors"},
    "question": {"consent", "policy"},
    "simulate": {"consent", "errors", "policy", "question", "session"},
    "presence": set(),
    "livecall": {"consent"},
    "calls": {"asterisk", "consent", "errors", "livecall", "presence"},
    "agents": {"consent", "errors", "log", "policy", "times", "vault"},
    "orphans": {
        "agents",
        "asterisk",
        "calls",
        "consent",
        "errors",
        "intake",
        "livecall",
        "log",
        "policy",
        "vault",
        "work",
        "sounding",
    },
    "guard": {"asterisk", "errors", "log", "policy", "presence", "vault"},
    "evidence": {"consent", "errors", "log", "policy", "vault"},
    "work": {"errors", "policy", "times", "vault"},
    "backlog": {"log"},
    "told": {"log", "vault"},
    "leftovers": {"errors", "log", "told", "vault", "work"},
    "follower": {"errors", "log", "vault", "work"},
    "intake": {"backlog", "errors", "leftovers", "log", "policy", "told", "vault", "work"},
    "recorder": {"asterisk", "calls", "errors", "evidence", "intake", "livecall", "log", "vault"},
    "joining": {"calls", "consent", "errors", "evidence", "livecall", "log", "times", "vault"},
    "sounding": {"calls", "errors", "livecall"},
    "rights": {"consent", "errors", "policy", "roles", "times", "vault"},
    "selfservice": {
        *("auditing", "claims", "config", "errors", "register", "rights", "times", "timing", "vault"),
    },
    "rightsdesk": {
        *("asterisk", "consent", "context", "errors", "fronts", "holding", "log", "policy", "prompts", "rights"),
        *("selfservice", "vault", "watchedfront"),
    },
    "scope": {"errors", "vault"},
    "persons": {"config", "errors", "vault"},
    "accessing": {"config", "consents", "errors", "parameters", "persons", "rights", "scope", "times", "vault"},
    "importing": {"context", "errors", "parameters", "policy", "rights", "times", "vault"},
    "correcting": {"context", "errors", "parameters", "persons", "scope", "vault"},
    "rehearsing": {"context", "errors", "parameters", "times", "vault"},
    "sweeping": {
        "auditing",
        "breach",
        "context",
        "errors",
        "parameters",
        "register",
        "rehearsing",
        "rights",
        "times",
        "vault",
    },
    "keeping": {"errors", "parameters", "rights", "scope", "times", "vault"},
    "ending": {"claims", "errors", "parameters", "rights", "times", "vault"},
    "noticing": {"claims", "errors", "parameters", "times", "vault"},
    "claims": {"config", "errors", "parameters", "persons", "rights", "scope", "times", "vault"},
    "packing": {"age", "errors", "vault"},
    "letters": {"errors"},
    "opus": {"errors", "vault"},
    "playing": set(),
    "live": {"times"},
    "view": {"calls", "consent", "errors", "evidence", "live", "livecall", "policy", "recorder", "times"},
    "incall": {"consent", "errors", "live", "parameters", "scope", "times", "vault"},
    "parameters": {"errors", "times", "vault"},
    "consents": {"auditing", "config", "errors", "handout", "rights", "vault"},
    "safekeeping": {"config", "errors", "handout", "scope", "vault"},
    "custody": {"age", "config", "errors", "policy", "times", "vault"},
    "promptkeeping": {"config", "errors", "prompts", "vault"},
    "standing": {"config", "rights", "times", "vault"},
    "context": {"config", "errors", "live", "parameters", "times", "vault"},
    "register": {"config", "errors", "parameters", "persons", "rights", "times", "timing", "vault"},
    "papers": {"errors"},
    "report": set(),
    "reporting": {"breach", "errors", "rehearsing", "parameters", "rights", "times", "vault"},
    "paperwork": {"config", "errors", "parameters", "policy", "prompts", "times", "vault"},
    "breach": {"config", "errors", "parameters", "policy", "rights", "times", "timing", "vault"},
    "operations": {
        *(
            "accessing",
            "auditing",
            "breach",
            "consents",
            "context",
            "custody",
            "errors",
            "incall",
            "paperwork",
            "parameters",
        ),
        *(
            "claims",
            "ending",
            "keeping",
            "noticing",
            "promptkeeping",
            "register",
            "rehearsing",
            "reporting",
            "sweeping",
            "correcting",
            "importing",
        ),
        *("rights", "roles", "safekeeping", "scope", "standing", "vault"),
    },
    "reminders": {"config", "errors", "log", "register", "rights", "times", "vault"},
    "alertness": {"breach", "config", "errors", "handout", "log", "rights", "times", "vault"},
    "peers": {"errors"},
    "api": {"errors", "log", "operations", "peers", "roles"},
    "doctor": {
        "asterisk",
        "auditing",
        "config",
        "custody",
        "dialplan",
        "errors",
        "policy",
        "prompts",
        "times",
        "vault",
    },
    "holding": {"asterisk", "policy", "prompts", "vault"},
    "reception": {
        *("asterisk", "calls", "consent", "errors", "evidence", "holding", "intake", "joining", "livecall", "log"),
        *("agents", "policy", "question", "recorder", "session", "sounding", "times", "vault", "view", "watchedfront"),
    },
    "watchedfront": {"asterisk", "consent", "recorder", "session"},
    "fronts": {"asterisk", "config", "watchedfront"},
    "terms": {"config", "custody", "holding", "log", "prompts", "vault"},
    "daemon": {
        *(
            "agents",
            "alertness",
            "api",
            "asterisk",
            "calls",
            "checkpoints",
            "config",
            "errors",
            "follower",
            "fronts",
            "guard",
            "intake",
            "log",
            "operations",
            "orphans",
            "policy",
        ),
        *("reception", "reminders", "rightsdesk", "systemd", "terms", "vault", "work"),
    },
    "service": {"config", "daemon", "errors", "log", "vault", "safekeeping"},
    "cli": {
        *(
            "age",
            "auditing",
            "config",
            "custody",
            "dialplan",
            "mistakes",
            "service",
            "times",
            "doctor",
            "errors",
            "instructions",
            "letters",
            "log",
            "operations",
            "opus",
            "packing",
            "papers",
            "report",
            "playing",
            "policy",
            "prompts",
            "safekeeping",
            "simulate",
            "times",
            "vault",
        ),
    },
    "__main__": {"cli"},
}

# library: the only files that know it
LIBRARIES: dict[str, set[str]] = {
    "aiohttp": {"api", "asterisk.ari"},
    "asyncinotify": {"asterisk.spool"},
    "babel": {"prompts.lint", "prompts.slots", "values"},
    "click": {"cli"},
    "cryptography": {"age", "vault.note"},
    "holidays": {"rights.workdays"},
    "jinja2": {"cli.receipts", "letters", "papers", "report"},
    "markdown_it": {"papers"},
    "panoramisk": {"asterisk.amilink"},
    "phonenumbers": {"vault.subjects"},
    "pyaudio": {"prompts.microphone"},
    "pydantic": {"config", "misspelt", "schema", "schema_papers", "sections"},
    "pydantic_core": {"misspelt"},
    "rich": {"cli"},
    "soundfile": {"opus"},
    "sqlite_utils": {"vault.database", "vault.index_schema", "vault.ledger_schema", "vault.slots"},
    "structlog": {"log"},
    "weasyprint": {"papers"},
    # of Python's own: what starts programs, and what reaches a database
    "subprocess": {"doctor.files", "handout", "prompts.synthesis"},
    "sqlite3": {"vault"},
}

# No clock, randomness, file, socket, log or task: these may import what is listed, and call nothing that reaches out.
PURE = (
    "consent",
    "policy",
    "roles",
    "asterisk.agi",
    "asterisk.ami_events",
    "rights.clocks",
    "rights.severity",
    "report.charts",
    "rights.talk",
    "rights.telephone",
    "vault.entry",
    "vault.merkle",
)
PURE_LIBRARY = {
    "calendar",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "html",
    "itertools",
    "json",
    "math",
    "re",
    "textwrap",
    "typing",
}
REACHES_OUT = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__"}
TELLS_THE_TIME = {"now", "today", "utcnow"}

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
