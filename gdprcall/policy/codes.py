"""The codes that people press in mid-call: what features.conf has, compared with what the policy promises.

It reads no file; a line of features.conf is given as text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import OBJECTED_TO, Basis, Line, OnJoin, Policy

_LINE = re.compile(r"([\w.-]+)\s*=>?\s*([0-9*#A-D]+)\s*,\s*(\w+)(?:/\w+)?\s*,\s*(.*)", re.IGNORECASE)
_GOSUB = re.compile(r"Gosub[(,]\s*\"?([\w-]+)\s*,\s*(\w+)\s*,\s*1\b", re.IGNORECASE)
STOP = "gdprstop"
SHIPPED = {
    STOP: ("*9", "self", "gdprcall-withdraw,s"),
    "gdprcontract": ("*51", "peer", "gdprcall-agent,contract"),
    "gdprdone": ("*50", "peer", "gdprcall-agent,done"),
    "gdpryes": ("*41", "peer", "gdprcall-agent,yes"),
    "gdprno": ("*42", "peer", "gdprcall-agent,no"),
    "gdprprivate": ("*40", "peer", "gdprcall-agent,private"),
    "gdpragree": ("*1", "self", "gdprcall-agent,agreed"),
    "gdprminor": ("*43", "peer", "gdprcall-agent,minor"),
    "gdprpause": ("*7", "peer", "gdprcall-pause,s"),
    "gdprresume": ("*8", "peer", "gdprcall-agent,resume"),
    "gdprnext": ("D", "self", "gdprcall-next,s"),
    "gdprjoin": ("B", "peer", "gdprcall-join,s"),
    "gdprtone": ("C", "self", "gdprcall-tone,s"),
}
"""Each name with the code that is shipped for it, on whose channel it runs, and what."""
UNSTOPPABLE = frozenset({Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST})
FIXED = frozenset({"gdprnext", "gdprjoin", "gdprtone"})
"""What the daemon presses itself."""


@dataclass(frozen=True, slots=True)
class Code:
    """One line of [applicationmap]: its name, the keys, on whose channel it runs, and what."""

    name: str
    keys: str
    side: str
    runs: str
    place: str


@dataclass(frozen=True, slots=True)
class _Need:
    """That a line of the policy needs a code: by which requirement, as which keys, and whether it can do without."""

    name: str
    rule: str
    place: str
    why: str
    keys: str = ""
    vital: bool = False


def code(words: str, place: str) -> Code | None:
    """Return the code of one line of [applicationmap], None for what is none."""
    found = _LINE.fullmatch(words)
    if found is None:
        return None
    gosub = _GOSUB.search(found[4])
    return Code(found[1].lower(), found[2].upper(), found[3].lower(), f"{gosub[1]},{gosub[2]}" if gosub else "", place)


def compare(policy: Policy, found: Sequence[Code]) -> list[Finding]:
    """Return which codes a policy needs that are missing, other ones, or do something else; of one name the last counts."""
    there = {one.name: one for one in found}
    wrong = [finding for line in policy.lines.values() for need in _needs(line) for finding in _lacks(need, there)]
    return [*dict.fromkeys(wrong), *_shared(there)]


def _needs(line: Line) -> Iterator[_Need]:
    place = f"lines.{line.id}"
    if line.basis not in UNSTOPPABLE and line.keys.withdraw:
        rule = "INF-04" if line.basis in OBJECTED_TO else "CON-07"
        yield _Need(STOP, rule, f"{place}.withdraw", "callers are told it", line.keys.withdraw, vital=True)
    if line.basis is Basis.CONTRACT:
        yield _Need("gdprcontract", "BAS-04", place, "nothing else begins the recording of a contract")
        yield _Need("gdprdone", "BAS-04", place, "nothing else ends the recording of a contract", vital=True)
    if line.spoken or line.agent_asks:
        at = f"{place}.{'spoken' if line.spoken else 'agent_asks'}"
        yield _Need("gdpryes", "CON-01", at, "the agent notes a spoken yes by it")
        yield _Need("gdprno", "CON-07", at, "the agent notes a spoken no by it", vital=True)
    if line.agent_asks:
        yield _Need("gdpragree", "CON-01", f"{place}.agent_asks", "who was read the question agrees by it")
    if line.minors:
        yield _Need(
            "gdprminor", "CON-10", f"{place}.minors", "the agent says by it that a caller is a child", vital=True
        )
    if line.keys.pause:
        why = "the agent presses it before a card number"
        yield _Need("gdprpause", "PRF-PCI", f"{place}.pause", why, line.keys.pause, vital=True)
        yield _Need("gdprresume", "PRF-PCI", f"{place}.pause", "nothing else ends the pause")
    yield _Need("gdprnext", "PTY-04", place, "without it no recording goes on after a pause")
    if line.joins is OnJoin.ASK:
        yield _Need("gdprjoin", "PTY-04", f"{place}.joins", "without it nobody who joins is asked")
    if line.agents.tone:
        yield _Need("gdprtone", "PTY-01", f"{place}.agents", "without it no agent hears whether he is recorded")


def _lacks(need: _Need, there: dict[str, Code]) -> Iterator[Finding]:
    say = refuse if need.vital else warn
    shipped, side, runs = SHIPPED[need.name]
    keys = need.keys or (shipped if need.name in FIXED else "")
    mend = f"write in [applicationmap]: {need.name} => {keys or shipped},{side},Gosub({runs},1); then: module reload features"
    has = there.get(need.name)
    if has is None:
        yield say(need.rule, need.place, f"{need.name} is not there: {need.why}", mend)
    elif keys and has.keys != keys:
        yield say(need.rule, need.place, f"{need.name} is {has.keys}, and {keys} in the policy: {need.why}", mend)
    elif (has.side, has.runs) != (side, runs):
        yield say(need.rule, need.place, f"{need.name} does something else than gdprcall's: {need.why}", mend)


def _shared(there: dict[str, Code]) -> Iterator[Finding]:
    """Yield the codes of ours that something else has too: which of the two runs is chance."""
    for one in there.values():
        others = [other.name for other in there.values() if other.keys == one.keys and other is not one]
        if others and one.name in SHIPPED:
            text = f"{one.name} and {', '.join(others)} have the same code, {one.keys}"
            yield refuse("CON-07", one.place, text, "give each a code of its own")
