"""Which policies are lawful: each rule with its requirement, the place it was broken, and the mend.

It judges values only, and what it does not know it refuses.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from gdprcall.policy.model import Basis, Line, Policy

SERVED_BASES = frozenset({Basis.CONSENT})
"""What the dialogue can carry out today; a line on any other basis is refused, however lawful it is."""
LONGEST_WITHDRAWAL = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule; ``severity`` is ``refuse`` or ``warn``."""

    rule: str
    place: str
    severity: str
    text: str
    mend: str

    @property
    def refuses(self) -> bool:
        """Whether the policy must not be used."""
        return self.severity == "refuse"


def check(policy: Policy, languages: Collection[str], purposes: Collection[str]) -> list[Finding]:
    """Return what is wrong with a policy; ``languages`` and ``purposes`` are those that prompts exist for."""
    return [finding for line in policy.lines.values() for finding in _line(policy, line, languages, purposes)]


def _line(policy: Policy, line: Line, languages: Collection[str], purposes: Collection[str]) -> Iterator[Finding]:
    place = f"lines.{line.id}"
    if line.controller not in policy.controllers:
        mend = f"name one of: {', '.join(sorted(policy.controllers)) or 'none is configured'}"
        yield Finding("BAS-01", f"{place}.controller", "refuse", "there is no such controller", mend)
    yield from _basis(line, place)
    if line.purpose not in purposes:
        mend = f"use one of: {', '.join(sorted(purposes))}"
        yield Finding("INF-01", f"{place}.purpose", "refuse", "no prompt can speak of this purpose", mend)
    for language in line.languages:
        if language not in languages:
            mend = f"use some of: {', '.join(sorted(languages))}"
            yield Finding("INF-03", f"{place}.languages", "refuse", f"there is no prompt text in {language!r}", mend)
    yield from _keys(line, place)


def _basis(line: Line, place: str) -> Iterator[Finding]:
    if line.basis not in set(Basis):
        mend = f"write one of: {', '.join(Basis)} (Art. 6(1) GDPR)"
        yield Finding("BAS-01", f"{place}.basis", "refuse", "a line has exactly one lawful basis", mend)
    elif line.basis not in SERVED_BASES:
        text = "this release records on the basis of consent alone"
        yield Finding("BAS-01", f"{place}.basis", "refuse", text, 'write basis = "consent", or leave the line out')


def _keys(line: Line, place: str) -> Iterator[Finding]:
    keys = line.keys
    if keys.accept == keys.refuse:
        text = "to accept and to refuse must be different keys (Art. 4(11))"
        yield Finding("CON-05", f"{place}.refuse", "refuse", text, "choose another digit")
    if not 1 <= len(keys.withdraw) <= LONGEST_WITHDRAWAL or set(keys.withdraw) - set("0123456789*#"):
        text = "withdrawing must be as easy as consenting (Art. 7(3)): one or two keys"
        yield Finding("CON-07", f"{place}.withdraw", "refuse", text, 'write for example withdraw = "*9"')
