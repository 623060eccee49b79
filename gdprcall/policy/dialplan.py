"""What a dialplan says of lines, compared with what the policy says: may or must, who is asked, and who is asked twice.

It reads no file; a step of a dialplan is given as text, from wherever it was read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Basis, Demand, Direction, Line, Policy

_GOSUB = re.compile(r"(?<![\w-])gdprcall(-out|-rights)?(?:-agi)?\s*,\s*s\s*,\s*1\s*\(")
_LINE = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Gosub:
    """One place of a dialplan that asks for a line; None is what only the running call knows.

    Where a caller comes for his ``rights``, the line is a controller.
    """

    line: str | None
    demand: Demand | None
    entrance: str
    place: str
    direction: Direction = Direction.INBOUND
    rights: bool = False


def written(line: Line) -> str:
    """Return the step of a dialplan that asks for a line."""
    if line.direction is Direction.OUTBOUND:
        return f"Gosub(gdprcall-out,s,1({line.id},{line.demand},${{EXTEN}}))"
    return f"Gosub(gdprcall,s,1({line.id},{line.demand}))"


def gosubs(step: str, entrance: str, place: str) -> Iterator[Gosub]:
    """Yield the lines that one step of a dialplan asks for, as Gosub(), GosubIf() or whatever holds such a call."""
    for begin in _GOSUB.finditer(step):
        words = arguments(step[begin.end() :])
        line = words[0].strip() if words else ""
        said = words[1].strip() if len(words) > 1 else ""
        # As the dialplan itself reads it: whatever is not "must" is "may".
        demand = None if "$" in said else Demand.MUST if said == Demand.MUST else Demand.MAY
        direction = Direction.OUTBOUND if begin[1] == "-out" else Direction.INBOUND
        yield Gosub(None if "$" in line else line, demand, entrance, place, direction, begin[1] == "-rights")


def arguments(text: str) -> list[str]:
    """Return the arguments up to the parenthesis that closes them."""
    words, depth = [""], 0
    for sign in text:
        if sign == ")" and depth == 0:
            break
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            words.append("")
        else:
            words[-1] += sign
    return words


def compare(policy: Policy, found: Sequence[Gosub], *, whole: bool) -> list[Finding]:
    """Return where dialplan and policy disagree; ``whole`` says that nothing of the dialplan stayed unread."""
    rights, found = [gosub for gosub in found if gosub.rights], [gosub for gosub in found if not gosub.rights]
    findings = [finding for gosub in found for finding in _one(policy, gosub)]
    findings += [finding for gosub in rights for finding in _rights(policy, gosub)]
    findings += _asked_twice(policy, found)
    named = {gosub.line for gosub in found}
    if whole and None not in named:
        for line in policy.lines.values():
            if line.id not in named:
                mend = f"write in front of its Dial(): {written(line)}"
                findings.append(warn("BAS-10", f"lines.{line.id}", "no dialplan asks for it: nobody is recorded", mend))
    return findings


def _one(policy: Policy, gosub: Gosub) -> Iterator[Finding]:
    if gosub.line is None:
        text = "which line it asks for is known to the running call alone: it cannot be compared"
        yield warn("FCL-02", gosub.place, text, "write the line's name, or look at each value that it can have")
        return
    line = policy.lines.get(gosub.line)
    if line is None or not _LINE.fullmatch(gosub.line):
        sent = "its calls are all sent elsewhere" if gosub.demand is Demand.MUST else "its calls are never recorded"
        yield warn("BAS-01", gosub.place, f"asks for a line that is not configured: {sent}", "name one of [lines]")
    elif gosub.direction is not line.direction:
        whom = "callers" if line.direction is Direction.INBOUND else "those who are called"
        text = f"{line.id} is for {whom}, and its calls here go the other way: they are never recorded"
        yield refuse("PTY-08", gosub.place, text, f"write {written(line)}, or name another line")
    elif gosub.demand is None:
        text = f"may or must is known to the running call alone: {line.id} cannot be compared"
        yield warn("FCL-02", gosub.place, text, f"write {line.demand}")
    elif gosub.demand is not line.demand:
        yield _disagreement(line, gosub)


def _rights(policy: Policy, gosub: Gosub) -> Iterator[Finding]:
    if gosub.line is not None and gosub.line not in policy.self_service:
        text = "leads to a controller that offers nothing by telephone: its callers all come back unserved"
        yield warn("RGT-03", gosub.place, text, "add [controllers.<name>.self_service], or take it out")


def _disagreement(line: Line, gosub: Gosub) -> Finding:
    mend = f"write {written(line)}, then: dialplan reload"
    if line.must:
        text = f"says may of {line.id}, which must not be served unrecorded: without the daemon it would be"
        return refuse("BAS-05", gosub.place, text, mend)
    text = f"says must of {line.id}: who says no, and everybody while the daemon is down, would be sent elsewhere"
    return refuse("CON-05" if line.basis is Basis.CONSENT else "FCL-02", gosub.place, text, mend)


def _asked_twice(policy: Policy, found: Sequence[Gosub]) -> Iterator[Finding]:
    for one, other in combinations(found, 2):
        first, second = policy.lines.get(one.line or ""), policy.lines.get(other.line or "")
        if first is None or second is None or one.entrance != other.entrance or first.basis == second.basis:
            continue
        if (first.controller, first.purpose) == (second.controller, second.purpose):
            text = f"a call that comes by {first.id} comes by {second.id} too: a no there must not be recorded here"
            yield refuse("BAS-03", other.place, text, "give the entrance one line of this purpose")
