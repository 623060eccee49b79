"""What callers hear and press: the keys, the slots of the notice, and the words that must not be in it.

It does not know what the prompt says around the slots; prompts/ does, and is judged by ``hedged`` too.
"""

import re
from collections.abc import Iterator

from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import OBJECTED_TO, Basis, Controller, Direction, Keys, Line

LONGEST_WITHDRAWAL = 2
SIGNS = frozenset("0123456789*#")
_HEDGED = re.compile(
    r"\b(may|might|could|can) (also )?be recorded\b|\b(may|might) record\b"
    r"|\b(kann|können|könnte|könnten) [\w ]{0,60}aufgezeichnet werden\b"
    r"|\bkan [\w ]{0,60}(spelas in|komma att spelas in)\b"
    r"|\b(peut|peuvent|pourrait|pourraient) être enregistrée?s?\b"
    r"|\b(puede|pueden|podría|podrían) ser grabad[ao]s?\b",
    re.IGNORECASE,
)


def hedged(text: str) -> bool:
    """Return whether a text says that a call may be recorded, where it is to say that it is (known in five languages)."""
    return _HEDGED.search(text) is not None


def controller(controller: Controller, place: str) -> Iterator[Finding]:
    """Yield what a caller could not be told about a controller."""
    for name in ("name", "contact", "notice_url"):
        yield from _slot(getattr(controller, name), f"{place}.{name}")
    absent = [name for name in ("address", "authority") if not getattr(controller, name).strip()]
    if controller.public_authority and not controller.officer.strip():
        absent.append("officer")
    if absent:
        text = f"the full notice cannot be written without: {', '.join(absent)}"
        yield warn("INF-02", place, text, "add them")


def line(line: Line, place: str) -> Iterator[Finding]:
    """Yield what is wrong with what callers of a line hear and press."""
    yield from _keys(line, line.keys, place)
    yield from _withdrawal(line.keys, place)
    yield from _special(line, place)
    yield from _told(line, place)
    for name in ("interest", "art9_content", "law", "source", "full_notice_url"):
        if getattr(line, name):
            yield from _slot(getattr(line, name), f"{place}.{name}")


def _slot(text: str, place: str) -> Iterator[Finding]:
    if not text.strip():
        yield refuse("INF-01", place, "is empty, and callers must be told it", "write it")
    elif not text.isprintable():
        yield refuse("INF-01", place, "has signs that cannot be spoken", "write one line of plain text")
    elif hedged(text):
        text = "says that a call may be recorded: callers must be told that it is, or will be if they agree"
        yield refuse("INF-08", place, text, "say what happens")


def _keys(line: Line, keys: Keys, place: str) -> Iterator[Finding]:
    if keys.accept == keys.refuse:
        text = "to accept and to refuse must be different keys (Art. 4(11))"
        yield refuse("CON-05", f"{place}.refuse", text, "choose another digit")
    objected = line.basis in OBJECTED_TO
    if objected and keys.object == keys.accept:
        text = "the objection has a sentence and a key of its own, and this key also says yes"
        yield refuse("INF-04", f"{place}.object", text, "choose another digit")
    taken = {keys.accept, keys.refuse, *([keys.object] if objected else [])}
    if keys.more and keys.more in taken:
        text = "the key that plays the full notice is also an answer"
        yield refuse("INF-02", f"{place}.more", text, "choose another digit")
    if not keys.more:
        text = "no key plays the full notice: callers are told of its address alone"
        yield warn("INF-02", f"{place}.more", text, 'write for example more = "0"')


def _withdrawal(keys: Keys, place: str) -> Iterator[Finding]:
    if not 1 <= len(keys.withdraw) <= LONGEST_WITHDRAWAL or set(keys.withdraw) - SIGNS:
        text = "withdrawing must be as easy as consenting (Art. 7(3)): one or two keys"
        yield refuse("CON-07", f"{place}.withdraw", text, 'write for example withdraw = "*9"')
    elif keys.pause and (keys.pause.startswith(keys.withdraw) or keys.withdraw.startswith(keys.pause)):
        text = "the code that pauses begins like the one that withdraws"
        yield refuse("CON-07", f"{place}.pause", text, "choose other keys")


def _special(line: Line, place: str) -> Iterator[Finding]:
    if line.minors and line.basis in {Basis.CONSENT, Basis.LEGITIMATE_INTEREST}:
        text = (
            f"a child alone can hardly {'agree' if line.basis is Basis.CONSENT else 'be weighed against an interest'}"
        )
        yield warn("CON-10", f"{place}.minors", text, "see that a parent answers, or leave the line out")
    if line.art9 and not line.art9_condition:
        text = "special categories of data need a condition of Art. 9(2) beside the basis"
        yield refuse("CON-11", f"{place}.art9_condition", text, "write its letter, a to j")
    if line.art9_condition and not line.art9:
        text = "names a condition for data that the line does not say it has"
        yield refuse("CON-11", f"{place}.art9", text, "write art9 = true, or leave the condition out")
    if line.art9_condition == "a":
        if line.basis is not Basis.CONSENT:
            text = f"explicit consent is what nobody is asked for on {line.basis}"
            yield refuse("CON-11", f"{place}.art9_condition", text, 'write basis = "consent", or another letter')
        if not line.art9_content.strip():
            text = "explicit consent names what it is given to"
            yield refuse("CON-11", f"{place}.art9_content", text, 'write for example "your health"')


def _told(line: Line, place: str) -> Iterator[Finding]:
    if line.notice_deferred and line.basis is not Basis.VITAL_INTEREST:
        text = "callers are told before they are recorded; only an emergency may tell them later"
        yield refuse("INF-05", f"{place}.notice_deferred", text, "leave it out")
    if line.direction is Direction.OUTBOUND and not line.source.strip():
        text = "who is called must hear where the number is from"
        yield refuse("INF-06", f"{place}.source", text, "write for example: the form that you sent us")
    yield from _called(line, place)
    if line.charged:
        text = "callers pay for hearing the notice, which must be free"
        yield refuse("INF-08", f"{place}.charged", text, "ask before the charged part of the call begins")


def _called(line: Line, place: str) -> Iterator[Finding]:
    outbound = line.direction is Direction.OUTBOUND
    if outbound and line.basis is not Basis.CONSENT:
        text = "a machine that answers hears the notice in silence, as people do, and would be recorded"
        yield warn("PTY-08", f"{place}.direction", text, "write GDPRCALL_AMD=yes in [globals] of the dialplan")
    if line.agent_asks and not (outbound and line.basis is Basis.CONSENT):
        text = "the agent reads the question to those who are called, and where their consent is what counts"
        yield refuse("PTY-08", f"{place}.agent_asks", text, "leave it out; callers are asked by a prompt")
