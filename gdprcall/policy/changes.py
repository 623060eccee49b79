"""What a new policy changes of an old one, and what that change may not reach: whatever was decided or recorded before.

It compares two policies as values; that old decisions keep their own hash and deadline is the vault's doing.
"""

from collections.abc import Iterator
from dataclasses import fields, replace

from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Line, Policy, canonical


def changes(before: Policy, after: Policy) -> list[Finding]:
    """Return what is to be known, or mended, before ``after`` takes the place of ``before``."""
    both = [(old, after.lines[old.id]) for old in before.lines.values() if old.id in after.lines]
    return [finding for old, new in both for finding in _line(before, after, old, new)]


def _line(before: Policy, after: Policy, old: Line, new: Line) -> Iterator[Finding]:
    place = f"lines.{new.id}"
    # The rest of a purpose's terms can change for new calls; another purpose, or company, needs a name of its own.
    for name in ("purpose", "controller"):
        if getattr(old, name) != getattr(new, name):
            text = f"was {getattr(old, name)}, and what was recorded for that cannot be used for another {name}"
            yield refuse("INF-07", f"{place}.{name}", text, "make a new line, tell callers, and leave this one out")
    if old.basis != new.basis:
        text = f"was {old.basis}: recordings and answers of before keep it, and who said no is not asked anew"
        yield warn("BAS-03", f"{place}.basis", text, "see that no call under way comes by both")
    if new.retention_days > old.retention_days:
        text = f"was {old.retention_days} days, and stays so for what is recorded already"
        yield warn("RET-02", f"{place}.retention_days", text, "nothing: each recording keeps the day it was given")
    if new.version < old.version:
        yield refuse("CON-09", f"{place}.version", f"was {old.version} already", "count on from there")
    elif new.version == old.version and _form(before, old) != _form(after, new):
        changed = [field.name for field in fields(Line) if getattr(old, field.name) != getattr(new, field.name)]
        text = f"stays {old.version} though others are asked for something else now: {', '.join(changed) or 'the controller'}"
        yield warn("CON-09", f"{place}.version", text, f"write version = {old.version + 1}")


def _form(policy: Policy, line: Line) -> str:
    return canonical(policy.controller_of(line), replace(line, version=1))
