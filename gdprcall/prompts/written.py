"""The full notice as it is written, from the same sentences as it is spoken (Art. 13, 14): addresses and keys as they are typed.

It invents nothing: a language without texts is named.
"""

from collections.abc import Iterable, Mapping

from gdprcall.policy.model import Controller, Line
from gdprcall.prompts import slots, texts

Json = dict[str, object]
WRITTEN = ("en", "sv", "de")
"""The languages in which the whole notice is written; the sentences are there in all of the catalogue."""


def notices(lines: Iterable[Line], owner: Controller) -> tuple[dict[str, list[Json]], list[str]]:
    """Return the notice of each line by language, and the languages of the lines that are not written."""
    found: dict[str, list[Json]] = {}
    missing: set[str] = set()
    for line in lines:
        for language in line.languages:
            tag = language.lower().split("-")[0]
            if tag not in WRITTEN:
                missing.add(language)
                continue
            found.setdefault(tag, []).append(
                {
                    "id": line.id,
                    "parts": sentences(line, owner, tag),
                    "art9_content": line.art9_content,
                    "source": line.source,
                }
            )
    return found, sorted(missing)


def sentences(line: Line, owner: Controller, language: str) -> list[str]:
    """Return the sentences of a line's full notice; one for which the policy has no word is left out."""
    words = texts.of(language)
    values = slots.fill(line, owner, words) | _typed(line, owner)
    said = texts.notice(words, line, owner).values()
    return [one.format(**values) for one in said if all(values[name].strip() for name in texts.slots_of(one))]


def purpose(code: str) -> str:
    """Return a purpose in words, in English."""
    told: Mapping[str, str] = texts.of("en")["purposes"]
    return told.get(code, code)


def _typed(line: Line, owner: Controller) -> dict[str, str]:
    keys = {name: getattr(line.keys, name) for name in ("accept", "refuse", "withdraw", "object", "more")}
    addresses = {"contact": owner.contact, "officer": owner.officer, "authority": owner.authority}
    return keys | addresses | {"notice": line.full_notice(owner)}
