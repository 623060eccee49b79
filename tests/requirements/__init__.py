"""What the law asks, what is built of it, and which tests say so: their names carry the ids, and dialogue files too.

Nothing here is run or imported from the tests: they are read.
"""

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
TESTS = FOLDER.parent
UNBUILT = FOLDER / "unbuilt.toml"
KINDS = "bas con inf rgt pty ret sec doc bre prf fcl".split()
NAME = re.compile(rf"test_({'|'.join(KINDS)})_(\d\d|[a-z]+)_")
SENTENCE = re.compile(r"([A-Z]{3}-(?:\d\d|[A-Z]+)) ")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One id: the article that it is from, and in a line what is owed."""

    id: str
    article: str
    owed: str


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """What is not built: ids without a test, and ids whose tests do not say all of it, with what is missing."""

    none: tuple[str, ...]
    part: dict[str, str]


@dataclass(frozen=True, slots=True)
class Named:
    """A test or a dialogue file that carries an id; ``real`` needs a real Asterisk."""

    id: str
    file: str
    name: str
    real: bool


def requirements() -> dict[str, Requirement]:
    """Return all requirements by their ids."""
    said = tomllib.loads((FOLDER / "requirements.toml").read_text())
    return {id_: Requirement(id_, values["article"], values["owed"]) for id_, values in said.items()}


def unbuilt() -> Unbuilt:
    """Return what is not built yet."""
    said = tomllib.loads(UNBUILT.read_text())
    return Unbuilt(tuple(said["none"]), said["part"])


def named() -> list[Named]:
    """Return everything that carries an id, also one that there is not."""
    found = []
    for path in sorted(TESTS.glob("test_*.py")):
        module = ast.parse(path.read_text())
        whole = any("pytestmark" in ast.unparse(node) and "pbx" in ast.unparse(node) for node in module.body)
        for node in module.body:
            match = NAME.match(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
            if match is not None and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                real = whole or any("pbx" in ast.unparse(one) for one in node.decorator_list)
                found.append(Named(id_of(match), path.name, node.name, real))
    for path in sorted((TESTS / "dialogues").glob("*.txt")):
        match = SENTENCE.match(path.read_text())
        if match is not None:
            found.append(Named(match[1], f"dialogues/{path.name}", path.stem, real=False))
    return found


def id_of(match: re.Match[str]) -> str:
    """Return the id that a test's name carries."""
    return f"{match[1]}-{match[2]}".upper()


def ids_of(name: str, sentences: list[str]) -> set[str]:
    """Return the ids of a test that is run: by its name, and by the dialogue files that it is given."""
    match = NAME.match(name)
    said = [SENTENCE.match(sentence) for sentence in sentences]
    return {one[1] for one in said if one} | ({id_of(match)} if match else set())


def shrink() -> list[str]:
    """Take off the list what has tests now; return what was taken off."""
    proven, lines, gone = {one.id for one in named()}, [], []
    for line in UNBUILT.read_text().splitlines(keepends=True):
        id_ = re.match(r' {4}"(.+)",', line)
        if id_ is not None and id_[1] in proven:
            gone.append(id_[1])
        else:
            lines.append(line)
    UNBUILT.write_text("".join(lines))
    return gone
