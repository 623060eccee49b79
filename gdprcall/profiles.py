"""Reads the profiles of countries and sectors that are installed with the program (policy/profiles/*.toml).

It adds none of its own, and refuses a file that says less than a rule must.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from gdprcall.errors import ConfigError
from gdprcall.policy.profile import Backing, Kind, Profile, Profiles, Rule

LISTS = ("purposes", "bases", "allowed")


@cache
def installed() -> Profiles:
    """Return all profiles that are installed."""
    folder = files("gdprcall.policy") / "profiles"
    texts = sorted((place.name, place.read_text(encoding="utf-8")) for place in folder.iterdir())
    read = [parse(name, text) for name, text in texts if name.endswith(".toml")]
    return Profiles({profile.id: profile for profile in read})


def parse(name: str, text: str) -> Profile:
    """Return the profile that a file describes; raises ConfigError."""
    try:
        data = tomllib.loads(text)
        rules = tuple(_rule(table) for table in data["rules"])
        return Profile(str(data["id"]), str(data["name"]), tuple(data["countries"]), rules)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the profile {name} is broken: {type(error).__name__} {error}", "install it again"
        ) from error


def _rule(table: Mapping[str, Any]) -> Rule:
    own = dict(table)
    rule = Rule(
        kind=Kind(own.pop("kind")),
        text=str(own.pop("text")),
        mend=str(own.pop("mend", "")),
        article=str(own.pop("article")),
        backing=Backing(own.pop("backing")),
        source=str(own.pop("source")),
        date=str(own.pop("date")),
        days=int(own.pop("days", 0)),
        **{name: tuple(str(one) for one in own.pop(name, [])) for name in LISTS},
    )
    if own:
        raise ValueError(f"unknown: {', '.join(sorted(own))}")
    return rule
