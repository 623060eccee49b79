"""What a caller may do by telephone without talking to anybody, and which of it is lawful.

It knows no call and opens nothing; a controller that says nothing of it offers nothing (Art. 25(2)).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gdprcall.policy.finding import Finding, refuse


class Proof(StrEnum):
    """What it takes for a wish to be carried out at once: nothing does (it is entered), a code, or the number alone."""

    REQUEST = "request"
    CODE = "code"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class SelfService:
    """What one controller offers by telephone; the code is the one that was told by calling the number back."""

    languages: tuple[str, ...]
    erasure: Proof = Proof.REQUEST
    never_record: Proof = Proof.REQUEST


_SAID = {
    Proof.REQUEST: "is entered as a request",
    Proof.CODE: "is carried out for who has shown who he is",
    Proof.NUMBER: "is carried out on the number alone",
}


def summary(service: SelfService) -> str:
    """Return in plain words what a controller offers."""
    told = f"erasure {_SAID[service.erasure]}, never to be recorded {_SAID[service.never_record]}"
    return f"rights by telephone in {', '.join(service.languages)}: {told}"


def check(service: SelfService, languages: Collection[str], place: str) -> Iterator[Finding]:
    """Yield what is wrong with what a controller offers; ``languages`` are those of the catalogue."""
    if service.erasure is Proof.NUMBER:
        text = "a number alone proves nobody: it can be forged, shared, and given to somebody else"
        yield refuse("RGT-03", f"{place}.erasure", text, 'write "code", or "request"')
    for language in service.languages:
        if language not in languages:
            mend = f"use some of: {', '.join(sorted(languages))}"
            yield refuse("INF-03", f"{place}.languages", f"there is no prompt text in {language!r}", mend)
