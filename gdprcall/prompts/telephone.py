"""What a caller hears who uses his rights by telephone: the sentences of the catalogue, and ten digits for every number.

A number is said digit by digit, so that each is a sound that is built once; nothing is spoken while somebody waits.
"""

from collections.abc import Iterator
from string import digits

from gdprcall.policy.finding import Finding, warn
from gdprcall.policy.model import Controller, Policy
from gdprcall.policy.selfservice import SelfService
from gdprcall.prompts import slots, texts

TABLE = "telephone"
"""The table of a language's file; a language without it is not offered by telephone."""
DIGITS = tuple(digits)


def speaks(language: str) -> bool:
    """Return whether a language has these sentences."""
    return language in texts.LANGUAGES and TABLE in texts.of(language)


def languages(service: SelfService) -> tuple[str, ...]:
    """Return the languages that a controller offers and that can be spoken, its first one first."""
    return tuple(language for language in service.languages if speaks(language))


def said() -> tuple[str, ...]:
    """Return the names of all that can be said: the sentences, and each digit by itself."""
    return (*texts.of(texts.REFERENCE)[TABLE], *DIGITS)


def words(controller: Controller, language: str, name: str) -> texts.Words:
    """Return a sentence or a digit in a language; raises KeyError where there is none, EmptySlot for a hole in it."""
    told = texts.of(language)
    values = {"controller": controller.name, "contact": slots.spoken_address(controller.contact, told)}
    filled = texts.Filled(values, f"controllers.{controller.id}.self_service ({language}, {name})")
    text = name if name in DIGITS else filled.into(told[TABLE][name])
    return texts.Words(language, told["voice"], (texts.Part(name, text),))


def now_wanted(policy: Policy) -> Iterator[tuple[Controller, str, str]]:
    """Yield everything that is said by telephone now: for which controller, in which language, by its name."""
    for id_, service in policy.self_service.items():
        for language in languages(service):
            for name in said():
                yield policy.controllers[id_], language, name


def findings(policy: Policy) -> Iterator[Finding]:
    """Yield the languages that a controller names, and in which nothing can be said by telephone."""
    spoken = [language for language in texts.LANGUAGES if speaks(language)]
    for id_, service in policy.self_service.items():
        for language in service.languages:
            if language in texts.LANGUAGES and not speaks(language):
                text = f"there are no sentences for it in {language!r}: callers are not served in it"
                mend = f"use some of: {', '.join(spoken)}"
                yield warn("INF-03", f"controllers.{id_}.self_service.languages", text, mend)
