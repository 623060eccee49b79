"""What is put into the slots of a text: names, keys, addresses, durations and numbers as they are said in its language.

It takes all of it from the line's own policy, and invents nothing.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from babel import Locale
from babel.dates import format_timedelta
from babel.lists import format_list

from gdprcall.policy.model import Controller, Line

ADDRESS = re.compile(r"://|\w[@./]\w")
"""What a word of an address has, and one of a name, such as "Dr." or "GmbH", has not."""


def fill(line: Line, controller: Controller, texts: Mapping[str, Any]) -> dict[str, str]:
    """Return the value of every slot; empty where the policy says nothing. Raises KeyError for an unknown purpose."""
    locale = texts["locale"]
    return {
        "controller": controller.name,
        "address": controller.address,
        "contact": spoken_address(controller.contact, texts),
        "officer": spoken_address(controller.officer, texts),
        "authority": spoken_address(controller.authority, texts),
        "recipients": format_list(controller.disclosed_to, locale=_cldr(locale)),
        "transfers": format_list([place_name(place, locale) for place in controller.transfers], locale=_cldr(locale)),
        "purpose": texts["purposes"][line.purpose],
        "retention": retention(line.retention_days, locale),
        "notice": spoken_address(line.full_notice(controller), texts),
        "law": line.law,
        "interest": line.interest,
        "special": line.art9_content,
        "source": line.source,
        "accept": spoken_keys(line.keys.accept, texts),
        "refuse": spoken_keys(line.keys.refuse, texts),
        "withdraw": spoken_keys(line.keys.withdraw, texts),
        "object": spoken_keys(line.keys.object, texts),
        "more": spoken_keys(line.keys.more, texts),
    }


def place_name(place: str, locale: str) -> str:
    """Return the name of a country that is given by its ISO 3166 code; anything else as it is."""
    return str(_cldr(locale).territories.get(place, place))


def retention(days: int, locale: str) -> str:
    """Return how long something is kept, in the words of a locale."""
    # With its preposition ("in 30 days"), for the case of the noun hangs on it. Days throughout: "1 month" would be shorter or longer than what is configured.
    return format_timedelta(
        timedelta(days=days), granularity="day", threshold=10_000, add_direction=True, locale=_cldr(locale)
    )


def spoken_keys(keys: str, texts: Mapping[str, Any]) -> str:
    """Return telephone keys as words and digits."""
    return " ".join(texts["signs"].get(key, key) for key in keys)


def spoken_address(text: str, texts: Mapping[str, Any]) -> str:
    """Return a text in which the addresses of the web and of mail are as they are said."""
    return " ".join(_spelt(word, texts) if ADDRESS.search(word) else word for word in text.split())


def _spelt(address: str, texts: Mapping[str, Any]) -> str:
    bare = address.removeprefix("https://").removeprefix("http://").rstrip("/")
    for sign, word in (("@", texts["at"]), (".", texts["dot"]), ("/", texts["slash"])):
        bare = bare.replace(sign, f" {word} ")
    return bare


@cache
def _cldr(locale: str) -> Locale:
    return Locale.parse(locale, sep="-")
