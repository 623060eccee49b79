"""Papers: one text of Markdown from which the page and the PDF are made, so that all three say the same.

It knows no vault and no configuration: what a paper says is given to it. No value becomes markup or a line of its own.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gdprcall.errors import ConfigError

LANGUAGES = ("en", "sv", "de")
"""The languages of the full notice; the other papers are in English."""
NAMES = (
    *("addendum", "register", "processor-register", "notice", "assessment", "dpia"),
    *("retention", "subprocessors", "certificates"),
)
OPEN = {"en": "TO FILL IN", "sv": "FYLL I", "de": "AUSZUFÜLLEN"}
_PLACE = re.compile(rf"\[(?:{'|'.join(OPEN.values())}): ([^\]]+)\]")
_SIGNS = re.compile(r"([\\`*_\[\]<>|#&~!])")
_FIRST = re.compile(r"^(?:([-+>])|(\d+)([.)]))")


class Ready(str):
    """Text that is Markdown already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper as Markdown and as a page that needs nothing else; ``places`` are those that a person has to fill in."""

    name: str
    language: str
    title: str
    text: str
    page: str
    places: tuple[str, ...]


def write(name: str, language: str, values: Mapping[str, object], folder: Path | None) -> Paper:
    """Return a paper; templates in ``folder`` go before those that are installed. Raises ConfigError that names the template."""
    template = f"{name}.{language}.md.j2"
    try:
        told = _environment(language).from_string(_source(template, folder)).render(values)
        lines = re.sub(r"\n{3,}", "\n\n", told).strip() + "\n"
        title = next((line.removeprefix("# ") for line in lines.splitlines() if line.startswith("# ")), name)
        frame = Environment(autoescape=True, undefined=StrictUndefined).from_string(_source("page.html.j2", folder))
        page = frame.render(title=re.sub(r"\\(.)", r"\1", title), language=language, body=Ready(html(lines)))
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ConfigError(
            f"the template {template} cannot be used: {error}", "compare it with the one installed"
        ) from error
    return Paper(name, language, title, lines, page, _places(lines))


def _places(text: str) -> tuple[str, ...]:
    found = dict.fromkeys(_PLACE.findall(text.replace("\\", "")))
    return tuple(place for place in found if place != "…")


def html(text: str) -> str:
    """Return Markdown as HTML: no tag of the text is one, headings of a table say what they are of."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.type in {"th_open", "td_open"}:
            token.attrs.pop("style", None)
    rendered: str = parser.renderer.render(_boxed(tokens), parser.options, {})
    return re.sub(r"<strong>(\[(?:TO FILL IN|FYLL I|AUSZUFÜLLEN): )", r'<strong class="open">\1', rendered)


def pdf(page: str) -> bytes:
    """Return a page as PDF; raises ConfigError where WeasyPrint, an optional package, is not there."""
    try:
        from weasyprint import HTML  # noqa: PLC0415 # an extra, and slow to load
    except (ImportError, OSError) as error:
        hint = "pip install 'gdprcall[pdf]', and of the system: apt install libpango-1.0-0 libpangoft2-1.0-0"
        raise ConfigError("a PDF needs WeasyPrint, which cannot be loaded here", hint) from error
    # It complains of what is for screens alone.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    made: bytes = HTML(string=page).write_pdf()
    return made


def _boxed(tokens: list[Token]) -> list[Token]:
    """Put each table into a box that scrolls by itself: a page is as wide as its screen."""
    found: list[Token] = []
    for token in tokens:
        if token.type == "table_open":
            found.append(_raw('<div class="table" tabindex="0">\n'))
        found.append(token)
        if token.type == "table_close":
            found.append(_raw("</div>\n"))
    return found


def _raw(text: str) -> Token:
    return Token("html_block", "", 0, content=text)


def _environment(language: str) -> Environment:
    made = Environment(
        autoescape=False,  # noqa: S701 # what is escaped here is Markdown, and HTML where it becomes a page
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_escaped,
    )

    open_ = OPEN.get(language, OPEN["en"])

    def fill(what: str) -> Ready:
        return Ready(f"**[{open_}: {what}]**")

    made.globals["fill"] = fill
    made.globals["mark"] = Ready(f"[{open_}: …]")
    made.globals["known"] = lambda value, what: value if value not in ("", None) else fill(what)
    return made


def _escaped(value: object) -> object:
    """Let no value be markup, nor begin a line of its own."""
    if isinstance(value, Ready) or not isinstance(value, str):
        return "-" if value is None else value
    line = _SIGNS.sub(r"\\\1", " ".join(value.split()))
    return _FIRST.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", line)


def _source(name: str, folder: Path | None) -> str:
    own = folder / name if folder is not None else None
    try:
        if own is not None and own.is_file():
            return own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the template {name} cannot be read", "it is a file of text in UTF-8") from error
    installed = _installed(name)
    if installed is None:
        raise ConfigError(f"there is no template {name}", "see the README: The papers")
    return installed


@cache
def _installed(name: str) -> str | None:
    path = files(__package__) / "templates" / name
    return path.read_text(encoding="utf-8") if path.is_file() else None
