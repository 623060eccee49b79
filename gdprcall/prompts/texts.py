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
from gdprcall.policy.model import OBJECTED_TO, Basis, Controller, Direction, Line, Purpose
from gdprcall.prompts import slots

PURPOSES = tuple(Purpose)
Texts = Mapping[str, Any]
"""What one language file holds."""


class Kind(StrEnum):
    """What a prompt is for: the question of a basis (the same word as the basis), the full notice, a confirmation, or rights."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"
    NOTICE = "notice"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
    TELEPHONE = "telephone"


QUESTIONS = tuple(Kind(basis) for basis in Basis)
CONFIRMATIONS = (Kind.WITHDRAWN, Kind.OBJECTED)
NOTICE_PARTS = (
    *("controller", "address", "contact", "officer", "basis", "source", "recipients", "nobody", "transfers", "staying"),
    *("retention", "rights", "objection", "duty", "complaint", "authority", "automated"),
)
"""What Art. 13(1) and (2) demand, in the order in which it is said; some of it hangs on the policy."""


REFERENCE = "en"
"""The language whose templates say what there is to say, and which slots belong where."""


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
    kind = kind or Kind(line.basis)
    if kind in CONFIRMATIONS:
        return confirmation(language, kind)
    texts = of(language)
    filled = Filled(slots.fill(line, controller, texts), f"lines.{line.id} ({language}, {kind})")
    said = notice(texts, line, controller) if kind is Kind.NOTICE else question(kind, texts, line)
    parts = (Part(name, filled.into(text), must=name not in {"keys", "more"}) for name, text in said.items())
    return Words(language, texts["voice"], tuple(parts))


def confirmation(language: str, kind: Kind) -> Words:
    """Return what a caller hears after a withdrawal or an objection."""
    texts = of(language)
    return Words(language, texts["voice"], (Part("mandatory", texts[kind]),))


def question(kind: Kind, texts: Texts, line: Line) -> dict[str, str]:
    """Return the templates of a question by the names of their parts, in the order in which they are said."""
    basis, consent = Basis(kind), kind is Kind.CONSENT
    said = {"mandatory": texts["mandatory"] if consent else texts["frame"].replace("{told}", texts["told"][basis])}
    if line.direction is Direction.OUTBOUND:  # Art. 14(2)(f): the number was not got from who is called
        said["source"] = texts["source"]
    if consent and line.art9_content:
        said["special"] = texts["special"]
    if basis in OBJECTED_TO:
        said["objection"] = texts["objection"]
    if consent or basis in texts["answers"]:
        said["keys"] = texts["keys"] if consent else texts["answers"][basis]
    if line.keys.more:
        said["more"] = texts["more"]
    return said


def notice(texts: Texts, line: Line, controller: Controller) -> dict[str, str]:
    """Return the templates of the full notice (Art. 13(1), (2)) in the same way."""
    objected = line.basis in OBJECTED_TO
    hangs = {
        "address": controller.address,
        "officer": controller.officer,
        "authority": controller.authority,
        "source": line.direction is Direction.OUTBOUND,
        "recipients": controller.disclosed_to,
        "nobody": not controller.disclosed_to,
        "transfers": controller.transfers,
        "staying": not controller.transfers,
        "objection": objected,
    }
    own = {"basis": texts["basis"][line.basis], "duty": texts["duty"]["objection" if objected else line.basis]}
    said = {**texts["notice"], "objection": texts["objection"], "source": texts["source"], **own}
    return {name: said[name] for name in NOTICE_PARTS if hangs.get(name, True)}


class Filled:
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
