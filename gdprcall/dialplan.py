"""Reads files like extensions.conf, with what they include, for the lines that they ask for.

It resolves no variable and runs nothing; what it could not read it says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gdprcall.errors import ConfigError
from gdprcall.policy.dialplan import Gosub, gosubs

LARGEST_FILE = 16 * 1024 * 1024
DEEPEST = 16
OWN = "gdprcall"
INCLUDE = re.compile(r"#(include|tryinclude|exec)\s+[\"<]?([^\">]+?)[\">]?\s*")
CONTEXT = re.compile(r"\[([^\]]+)\]")
STEP = re.compile(r"(exten|same)\s*=>?\s*(.*)", re.IGNORECASE)
COMMENT = re.compile(r"(?<!\\);.*")
_BLOCK = re.compile(r";--(?!-).*?--;", re.DOTALL)


@dataclass
class Reading:
    """What was found so far, what could not be read, and which files were."""

    found: list[Gosub] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)


def read(*paths: Path) -> Reading:
    """Return what the dialplan in these files asks for; raises ConfigError for a file that cannot be read."""
    reading = Reading()
    for path in paths:
        if path.suffix in {".ael", ".lua"}:
            reading.unread.append(f"{path} is no extensions.conf: it cannot be compared")
        else:
            _file(path, path.parent, reading, 0)
    return reading


def _file(path: Path, folder: Path, reading: Reading, depth: int) -> None:
    resolved = path.resolve()
    if resolved in reading.files:
        return
    reading.files.add(resolved)
    context = extension = ""
    for number, line in enumerate(text_of(path).splitlines(), 1):
        words = COMMENT.sub("", line).strip()
        if include := INCLUDE.fullmatch(words):
            _include(include[1], include[2], folder, reading, depth)
        elif heading := CONTEXT.match(words):
            context, extension = heading[1], ""
        elif (step := STEP.fullmatch(words)) and context.split("-")[0] != OWN:
            text = step[2]
            if step[1].lower() == "exten":
                extension, _, text = text.partition(",")
            reading.found += gosubs(text, f"{context},{extension.strip()}", f"{path}:{number}")


def text_of(path: Path) -> str:
    """Return a file without its block comments, each line where it was; raises ConfigError for one that cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"the dialplan {path} is too large", "name the file that holds the Gosub")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"the dialplan {path} cannot be read: {error.strerror}", "check the path") from error
    # A block comment leaves its line ends, so that places keep their numbers.
    return _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)


def _include(kind: str, name: str, folder: Path, reading: Reading, depth: int) -> None:
    paths = list(_paths(name, folder)) if kind != "exec" else []
    if kind == "exec":
        reading.unread.append(f"what #exec {name} prints is not read")
    elif depth >= DEEPEST:
        reading.unread.append(f"{name} is included too deep and is not read")
    elif not paths and kind == "include":
        reading.unread.append(f"{name} is included and is not there")
    else:
        for path in paths:
            _file(path, folder, reading, depth + 1)


def _paths(name: str, folder: Path) -> Iterator[Path]:
    try:
        where = Path(name)
        base, pattern = (Path("/"), name.lstrip("/")) if where.is_absolute() else (folder, name)
        yield from sorted(path for path in base.glob(pattern) if path.is_file())
    except (OSError, ValueError, NotImplementedError, IndexError):
        return  # a name that no system can have includes nothing, which is told
