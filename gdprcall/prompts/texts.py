"""The words of each prompt in each language, with its slots filled from the line's own policy (Art. 13).

No slot can stay empty, and no text says that a call "may be" recorded.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

from gdprcall.errors import ConfigError
from gdprcall.policy.model import Basis, Controller, Line
from gdprcall.prompts import slots

PURPOSES = ("documentation", "emergency", "quality", "training")
Texts = Mapping[str, Any]
"""What one language file holds."""


class Kind(StrEnum):
    """What a prompt is for: the question of a basis (the same word as the basis), the full notice, or a confirmation."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"
    NOTICE = "notice"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"


QUESTIONS = tuple(Kind(basis) for basis in Basis)
CONFIRMATIONS = (Kind.WITHDRAWN, Kind.OBJECTED)
OBJECTIONABLE = (Basis.PUBLIC_TASK, Basis.LEGITIMATE_INTEREST)
"""Where there is a right to object (Art. 21(1))."""

NOTICE_PARTS = ("controller", "contact", "basis", "recipients", "retention", "rights", "duty", "complaint", "automated")


class EmptySlot(ConfigError):
    """A text needs what the policy does not say."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a prompt; ``must`` be heard before an accept key counts."""

    name: str
    text: str
    must: bool = True


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in one language, in parts; those that must be heard come first."""

    language: str
    voice: str
    parts: tuple[Part, ...]

    @property
    def mandatory(self) -> str:
        """What must be heard."""
        return " ".join(part.text for part in self.parts if part.must)

    @property
    def keys(self) -> str:
        """What names the keys, and need not be heard to the end."""
        return " ".join(part.text for part in self.parts if not part.must)

    @property
    def text(self) -> str:
        """The whole prompt."""
        return " ".join(part.text for part in self.parts)


def words(line: Line, controller: Controller, language: str, kind: Kind | None = None) -> Words:
    """Return what a line says, by default the question of its own basis.

    Raises KeyError for a language or purpose without a text, EmptySlot when the policy leaves one of its slots empty.
    """
    texts = of(language)
    kind = kind or Kind(line.basis)
    filled = _Filled(slots.fill(line, controller, texts), f"{line.id} ({language}, {kind})")
    if kind in CONFIRMATIONS:
        return confirmation(language, kind)
    if kind is Kind.NOTICE:
        parts = _notice(line, texts, filled)
    else:
        parts = _question(kind, texts, filled)
        if slots.more(line):
            parts.append(Part("more", filled.into(texts["more"]), must=False))
    return Words(language, texts["voice"], tuple(parts))


def confirmation(language: str, kind: Kind) -> Words:
    """Return what a caller hears after a withdrawal or an objection."""
    texts = of(language)
    return Words(language, texts["voice"], (Part("mandatory", texts[kind]),))


def templates(kind: Kind, texts: Texts, basis: Basis = Basis.CONSENT) -> dict[str, str]:
    """Return the templates of a prompt by the names of its parts, in the order in which they are said."""
    if kind in CONFIRMATIONS:
        return {"mandatory": texts[kind]}
    if kind is Kind.NOTICE:
        notice = texts["notice"]
        said = {name: notice[name][basis] if name in {"basis", "duty"} else notice[name] for name in NOTICE_PARTS}
        return said | ({"objection": texts["objection"]} if basis in OBJECTIONABLE else {})
    own = texts if kind is Kind.CONSENT else texts[kind]
    said = {"mandatory": own["mandatory"]}
    if str(kind) in OBJECTIONABLE:
        said["objection"] = texts["objection"]
    return said | ({"keys": own["keys"]} if "keys" in own else {})


def _question(kind: Kind, texts: Texts, filled: "_Filled") -> list[Part]:
    return [Part(name, filled.into(text), must=name != "keys") for name, text in templates(kind, texts).items()]


def _notice(line: Line, texts: Texts, filled: "_Filled") -> list[Part]:
    return [Part(name, filled.into(text)) for name, text in templates(Kind.NOTICE, texts, line.basis).items()]


class _Filled:
    """Values for slots, and where they are missing, so that no sentence is spoken with a hole in it."""

    def __init__(self, values: Mapping[str, str], place: str) -> None:
        self._values = values
        self._place = place

    def into(self, template: str) -> str:
        """Return the template with its slots filled; raises EmptySlot."""
        for name in slots_of(template):
            if not self._values[name].strip():
                raise EmptySlot(f"{self._place}: there is nothing to say for {name!r}", "complete the line's policy")
        return template.format(**self._values)


def slots_of(template: str) -> set[str]:
    """Return the names of a template's slots; raises ValueError for a template that is none."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@cache
def languages() -> tuple[str, ...]:
    """Return the languages of the catalogue, as BCP 47 tags: each is one file beside this one."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _files().iterdir() if file.name.endswith(".toml")))


@cache
def of(language: str) -> Texts:
    """Return the texts of a language; raises KeyError."""
    if language not in languages():
        raise KeyError(language)
    return tomllib.loads((_files() / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def sha256(language: str) -> str:
    """Return the hash of a language's file: what a controller approves."""
    return hashlib.sha256((_files() / f"{language}.toml").read_bytes()).hexdigest()


def is_draft(language: str) -> bool:
    """Return whether the texts of a language may be used only by a controller that has approved them."""
    return bool(of(language)["state"] != "finished")


def _files() -> Any:  # importlib.resources.abc.Traversable has another name before Python 3.11.2
    return files(__package__)


LANGUAGES = languages()
FINISHED = tuple(language for language in LANGUAGES if not is_draft(language))
