"""Which policies are lawful: each rule with its requirement, the place it was broken, and the mend.

It judges values only, and what it does not know it refuses.
"""

from collections.abc import Collection, Iterator
from itertools import combinations

from gdprcall.policy import agents, asking, bases, duties, jurisdiction, selfservice
from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Basis, Controller, Direction, Line, Policy, Purpose

__all__ = ["SERVED_BASES", "SERVED_OPTIONS", "Finding", "check"]

SERVED_BASES: frozenset[Basis] = frozenset(Basis)
"""What the dialogue can carry out today; a line on any other basis is refused, however lawful it is."""
SERVED_OPTIONS: frozenset[str] = frozenset({"outbound", "sample_rate", "explicit", "pause", "more"})
"""Which of ``OPTIONS`` the daemon carries out today; a line that would be served otherwise than it says is refused."""
OPTIONS = ("outbound", "sample_rate", "explicit", "pause", "more")


def check(
    policy: Policy,
    languages: Collection[str],
    purposes: Collection[str],
    *,
    served: Collection[Basis] | None = None,
    options: Collection[str] | None = None,
    today: str = "",
) -> list[Finding]:
    """Return what is wrong with a policy; ``languages`` and ``purposes`` are those that prompts exist for.

    Without ``today`` (an ISO date) no date is held against it.
    """
    found: list[Finding] = []
    for controller in policy.controllers.values():
        found += duties.controller(controller, f"controllers.{controller.id}", today)
        found += asking.controller(controller, f"controllers.{controller.id}")
        found += jurisdiction.controller(controller, policy.profiles, f"controllers.{controller.id}")
    for id_, service in policy.self_service.items():
        found += selfservice.check(service, languages, f"controllers.{id_}.self_service")
    found += _shared_keys(policy)
    for line in policy.lines.values():
        found += _line(policy, line, languages, purposes, today)
        found += _served(
            line, SERVED_BASES if served is None else served, SERVED_OPTIONS if options is None else options
        )
    return [*found, *agents.check(policy, today), *_basis_swapped(policy)]


def _line(
    policy: Policy, line: Line, languages: Collection[str], purposes: Collection[str], today: str
) -> Iterator[Finding]:
    place = f"lines.{line.id}"
    owner = policy.controllers.get(line.controller)
    if owner is None:
        mend = f"name one of: {', '.join(sorted(policy.controllers)) or 'none is configured'}"
        yield refuse("BAS-01", f"{place}.controller", "there is no such controller", mend)
    yield from _purpose(line, place, purposes)
    for language in line.languages:
        if language not in languages:
            mend = f"use some of: {', '.join(sorted(languages))}"
            yield refuse("INF-03", f"{place}.languages", f"there is no prompt text in {language!r}", mend)
    yield from bases.line(line, owner, place, today)
    yield from asking.line(line, place)
    yield from duties.line(line, owner, place)
    if owner is not None:
        yield from jurisdiction.line(line, owner, policy.profiles, place)


def _purpose(line: Line, place: str, purposes: Collection[str]) -> Iterator[Finding]:
    place = f"{place}.purpose"
    mend = f"use one of: {', '.join(sorted(purposes))}"
    if any(sign in line.purpose for sign in (",", "+", "/", "&", " ")):
        text = "a line asks for one purpose, so that each can be refused alone"
        yield refuse("CON-06", place, text, f"make a line for each; {mend}")
    elif line.purpose not in set(Purpose):
        yield refuse("BAS-02", place, "there is no such purpose", mend)
    elif line.purpose not in purposes:
        yield refuse("INF-01", place, "no prompt can speak of this purpose", mend)


def _served(line: Line, served: Collection[Basis], options: Collection[str]) -> Iterator[Finding]:
    place = f"lines.{line.id}"
    if line.basis in set(Basis) and line.basis not in served:
        text = f"this release records on the basis of {' or '.join(sorted(served))} alone"
        yield refuse("BAS-01", f"{place}.basis", text, f'write basis = "{min(served)}", or leave the line out')
    if line.direction is Direction.OUTBOUND and "outbound" not in options:
        text = "this release asks those who call in, not those who are called"
        yield refuse("PTY-08", f"{place}.direction", text, "leave the line out")
    if line.sample_rate < 1 and "sample_rate" not in options:
        text = "this release cannot record a part of the calls: it would ask at every one"
        yield refuse("BAS-10", f"{place}.sample_rate", text, "leave it out, or leave the line out")
    if line.art9_condition == "a" and "explicit" not in options:
        text = "this release has no prompt that names special categories of data"
        yield refuse("CON-11", f"{place}.art9_condition", text, "leave the line out")
    if line.keys.pause and "pause" not in options:
        yield refuse("PRF-PCI", f"{place}.pause", "this release cannot pause a recording", "leave the line out")


def _shared_keys(policy: Policy) -> Iterator[Finding]:
    for one, other in combinations(policy.controllers.values(), 2):
        place = f"controllers.{other.id}"
        if _pseudonym_key(one) == _pseudonym_key(other):
            text = f"its callers get the same pseudonyms as those of {one.id}: they could be told to be the same people"
            yield refuse("SEC-09", f"{place}.pseudonym_key", text, "name a secret of its own, or leave it out")
        for number, recipient in enumerate(other.recipients):
            if recipient in one.recipients:
                text = f"is one of {one.id} as well, who could open everything of {other.id}"
                yield refuse(
                    "SEC-09", f"{place}.recipients[{number}]", text, "make another pair with: gdprcall keys new"
                )


def _pseudonym_key(controller: Controller) -> str:
    return controller.pseudonym_key or f"pseudonym-key-{controller.id}"


def _basis_swapped(policy: Policy) -> Iterator[Finding]:
    for one, other in combinations(policy.lines.values(), 2):
        alike = (one.controller, one.purpose, one.direction) == (other.controller, other.purpose, other.direction)
        if alike and one.basis != other.basis:
            text = f"has the purpose of {one.id} on another basis: who says no there must not be recorded here"
            mend = "see that no call comes by both (gdprcall check --dialplan FILE), or give both one basis"
            yield warn("BAS-03", f"lines.{other.id}.basis", text, mend)
