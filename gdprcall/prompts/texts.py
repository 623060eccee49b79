"""The words of the consent prompt in each language, with the slots of Art. 13 filled from the line's own policy.

No slot can stay empty, and no text says that a call "may be" recorded.
"""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from babel.dates import format_timedelta

from gdprcall.policy.model import Controller, Line

LANGUAGES = ("de", "en", "sv")
PURPOSES = ("documentation", "quality", "training")


@dataclass(frozen=True, slots=True)
class Words:
    """What is said on one line in one language: the part that must be heard, and the part that names the keys."""

    language: str
    voice: str
    mandatory: str
    keys: str

    @property
    def text(self) -> str:
        """The whole prompt."""
        return f"{self.mandatory} {self.keys}"


def words(line: Line, controller: Controller, language: str) -> Words:
    """Return the consent prompt of a line; raises KeyError for a language or purpose without a text."""
    text = _texts(language)
    slots = {
        "controller": controller.name,
        "purpose": text["purposes"][line.purpose],
        "retention": _retention(line.retention_days, text["locale"]),
        "withdraw": _spoken_keys(line.keys.withdraw, text),
        "notice": _spoken_address(controller.notice_url, text),
        "accept": _spoken_keys(line.keys.accept, text),
        "refuse": _spoken_keys(line.keys.refuse, text),
    }
    return Words(language, text["voice"], text["mandatory"].format(**slots), text["keys"].format(**slots))


def withdrawn(language: str) -> Words:
    """Return what a caller hears after a withdrawal."""
    text = _texts(language)
    return Words(language, text["voice"], text["withdrawn"], "")


@cache
def _texts(language: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / f"{language}.toml").read_text(encoding="utf-8"))


def _retention(days: int, locale: str) -> str:
    # With its preposition ("in 30 days"), for the case of the noun hangs on it. Days throughout: "1 month" would be shorter or longer than what is configured.
    return format_timedelta(
        timedelta(days=days), granularity="day", threshold=10_000, add_direction=True, locale=locale
    )


def _spoken_keys(keys: str, text: dict[str, Any]) -> str:
    return " ".join(text["signs"].get(key, key) for key in keys)


def _spoken_address(address: str, text: dict[str, Any]) -> str:
    bare = address.removeprefix("https://").removeprefix("http://").rstrip("/")
    for sign, word in (("@", text["at"]), (".", text["dot"]), ("/", text["slash"])):
        bare = bare.replace(sign, f" {word} ")
    return bare
