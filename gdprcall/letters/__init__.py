"""Letters to a person, in his language: one text of which both the page and the plain text are made, so that they say the same.

A template knows headings (``# ``, ``## ``), items (``- ``) and paragraphs, one a line; no value becomes markup or a line.
"""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from gdprcall.errors import ConfigError

DEFAULT = "en"
WIDTH = 90
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z")


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as a page that needs nothing else, and as text; ``language`` is the one that it is in."""

    page: str
    text: str
    language: str


def language_for(kind: str, wanted: str, folder: Path | None) -> str:
    """Return the language that a letter can be written in: the wanted one, its primary subtag, or else English."""
    if _LANGUAGE.fullmatch(wanted):
        tag = wanted.replace("_", "-").lower()
        for language in (tag, tag.split("-")[0]):
            if _source(f"{kind}.{language}.j2", folder) is not None:
                return language
    return DEFAULT


def write(kind: str, language: str, values: Mapping[str, object], folder: Path | None) -> Letter:
    """Return a letter; ``folder`` has templates that go before those that are installed. Raises ConfigError."""
    name = f"{kind}.{language}.j2"
    source, frame = _source(name, folder), _source("page.html.j2", folder)
    if source is None or frame is None:
        raise ConfigError(f"there is no template {name}", "see the README: Giving a person their recordings")
    try:
        told = _environment(autoescape=False).from_string(source).render(values)
        lines = [line for line in (" ".join(line.split()) for line in told.splitlines()) if line]
        title = next((line.removeprefix("# ") for line in lines if line.startswith("# ")), kind)
        page = _environment(autoescape=True).from_string(frame)
        return Letter(page.render(title=title, language=language, blocks=blocks(lines)), plain(lines), language)
    except TemplateError as error:
        raise ConfigError(
            f"the template {name} cannot be used: {error}", "compare it with the one installed"
        ) from error


def blocks(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return the parts of a letter for its page: what each is (h1, h2, ul, p), and its lines."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        kind, said = _kind(line)
        if kind == "ul" and found and found[-1][0] == "ul":
            found[-1][1].append(said)
        else:
            found.append((kind, [said]))
    return found


def plain(lines: list[str]) -> str:
    """Return a letter as text of lines that fit a screen."""
    parts = []
    for line in lines:
        kind, said = _kind(line)
        if kind in {"h1", "h2"}:
            parts.append(f"\n{said}\n{('=' if kind == 'h1' else '-') * len(said)}\n")
        else:
            first, rest = ("- ", "  ") if kind == "ul" else ("", "")
            parts.append(textwrap.fill(said, WIDTH, initial_indent=first, subsequent_indent=rest))
    return "\n".join(parts).strip() + "\n"


def _kind(line: str) -> tuple[str, str]:
    for mark, kind in (("## ", "h2"), ("# ", "h1"), ("- ", "ul")):
        if line.startswith(mark):
            return kind, line.removeprefix(mark)
    return "p", line


def _environment(*, autoescape: bool) -> Environment:
    made = Environment(
        autoescape=autoescape,  # noqa: S701 # a letter's text is escaped where it becomes a page
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_one_line,
    )
    made.filters["when"] = when
    return made


def _one_line(value: object) -> object:
    """Let no value begin a line of its own: what it holds is said, and is neither heading nor item."""
    return " ".join(value.split()) if type(value) is str else value


def when(time: object) -> str:
    """Return an RFC 3339 time (UTC) as a person reads it, to the minute."""
    match = _TIME.fullmatch(str(time))
    return f"{match[1]} {match[2]} UTC" if match else str(time)


def _source(name: str, folder: Path | None) -> str | None:
    own = folder / name if folder is not None else None
    try:
        if own is not None and own.is_file():
            return own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the template {name} cannot be read", "it is a file of text in UTF-8") from error
    return _installed(name)


@cache
def _installed(name: str) -> str | None:
    path = files(__package__) / name
    return path.read_text(encoding="utf-8") if path.is_file() else None
