"""Reads files like extensions.conf and features.conf, with what they include: the lines asked for, the codes of keys.

It resolves no variable and runs nothing; what it could not read it says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gdprcall.errors import ConfigError
from gdprcall.policy.codes import Code, code
from gdprcall.policy.dialplan import Gosub, gosubs

LARGEST_FILE = 16 * 1024 * 1024
DEEPEST = 16
OWN = "gdprcall"
APPLICATIONS = "applicationmap"
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


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a file that is neither a heading nor an inclusion: its section, its words and where it stands."""

    section: str
    words: str
    place: str


def read(*paths: Path) -> Reading:
    """Return what the dialplan in these files asks for; raises ConfigError for a file that cannot be read."""
    reading = Reading()
    for path in paths:
        if path.suffix in {".ael", ".lua"}:
            reading.unread.append(f"{path} is no extensions.conf: it cannot be compared")
        else:
            _steps(path, reading)
    return reading


def read_codes(path: Path) -> tuple[list[Code], Reading]:
    """Return the codes of the [applicationmap] of a features.conf, and what could not be read.

    Raises ConfigError for a file that cannot be read.
    """
    reading = Reading()
    mapped = [line for line in settings(path, reading) if line.section == APPLICATIONS]
    return [found for line in mapped if (found := code(line.words, line.place))], reading


def _steps(path: Path, reading: Reading) -> None:
    context = extension = ""
    for setting in settings(path, reading):
        if setting.section != context:
            context, extension = setting.section, ""
        if (step := STEP.fullmatch(setting.words)) and context.split("-")[0] != OWN:
            text = step[2]
            if step[1].lower() == "exten":
                extension, _, text = text.partition(",")
            reading.found += gosubs(text, f"{context},{extension.strip()}", setting.place)


def settings(path: Path, reading: Reading) -> Iterator[Setting]:
    """Yield the lines of a file and of what it includes, which goes on in the section that it is included in.

    What could not be read is told in ``reading``; raises ConfigError for a file that cannot be read.
    """
    return _settings(path, path.parent, reading, "", 0)


def _settings(path: Path, folder: Path, reading: Reading, section: str, depth: int) -> Iterator[Setting]:
    resolved = path.resolve()
    if resolved in reading.files:
        return
    reading.files.add(resolved)
    for number, line in enumerate(text_of(path).splitlines(), 1):
        words = COMMENT.sub("", line).strip()
        if include := INCLUDE.fullmatch(words):
            for included in _included(include[1], include[2], folder, reading, depth):
                yield from _settings(included, folder, reading, section, depth + 1)
        elif heading := CONTEXT.match(words):
            section = heading[1]
        elif words:
            yield Setting(section, words, f"{path}:{number}")


def text_of(path: Path) -> str:
    """Return a file without its block comments, each line where it was; raises ConfigError for one that cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path} is too large", "name the file that holds the Gosub")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path") from error
    # A block comment leaves its line ends, so that places keep their numbers.
    return _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)


def _included(kind: str, name: str, folder: Path, reading: Reading, depth: int) -> list[Path]:
    paths = list(_paths(name, folder)) if kind != "exec" else []
    if kind == "exec":
        reading.unread.append(f"what #exec {name} prints is not read")
    elif depth >= DEEPEST:
        reading.unread.append(f"{name} is included too deep and is not read")
        return []
    elif not paths and kind == "include":
        reading.unread.append(f"{name} is included and is not there")
    return paths


def _paths(name: str, folder: Path) -> Iterator[Path]:
    try:
        where = Path(name)
        base, pattern = (Path("/"), name.lstrip("/")) if where.is_absolute() else (folder, name)
        yield from sorted(path for path in base.glob(pattern) if path.is_file())
    except (OSError, ValueError, NotImplementedError, IndexError):
        return  # a name that no system can have includes nothing, which is told
