"""Which papers there are for whom, made from facts: those of each controller, and the processor's own register."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdprcall.papers import LANGUAGES, NAMES, Paper, write

HOUSE = "processor-register"
"""The one paper that is nobody's but the processor's."""
FOR_PROCESSED = frozenset({"addendum", "subprocessors"})
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One paper of one controller (empty: of the house), in a language."""

    name: str
    controller: str
    language: str = "en"

    @property
    def path(self) -> str:
        """Where it lies below a folder of papers, without its ending."""
        suffix = f".{self.language}" if self.name == "notice" else ""
        return f"{self.controller}/{self.name}{suffix}" if self.controller else self.name


def papers(facts: Facts) -> Iterator[Wanted]:
    """Yield the papers that can be made of facts."""
    for one in facts["controllers"]:
        id_ = one["controller"]["id"]
        for name in NAMES:
            if name == HOUSE or (name in FOR_PROCESSED and not one["processor"]):
                continue
            if name == "notice":
                yield from (Wanted(name, id_, language) for language in LANGUAGES if language in one["notices"])
            else:
                yield Wanted(name, id_)
    if facts["house"] is not None:
        yield Wanted(HOUSE, "")


def make(facts: Facts, wanted: Wanted, folder: Path | None) -> Paper:
    """Return one paper; raises ConfigError."""
    if not wanted.controller:
        processed = [one for one in facts["controllers"] if one["processor"]]
        return write(wanted.name, "en", {**facts["house"], "controllers": processed}, folder)
    one = next(one for one in facts["controllers"] if one["controller"]["id"] == wanted.controller)
    spoken = one["notices"].get(wanted.language, [])
    return write(wanted.name, wanted.language, {**one, "spoken": spoken}, folder)
