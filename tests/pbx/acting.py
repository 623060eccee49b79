"""Turns a dialogue file into what a real caller does: the same lines that drive the dialogue, played on a telephone."""

from dataclasses import dataclass

from gdprcall.consent.dialogue import Basis
from tests.dialogue_files import KEYS, DialogueFile
from tests.pbx.callers import Hangup, Press, Stay, Step, Wait

TALK = Wait(3)
LATE_S = 0.5
"""How much later than the key the next question may begin on a slow machine: no key of it comes before it counts."""


@dataclass(frozen=True)
class Lengths:
    """How long the real prompt is, in seconds, and how long it waits for a key."""

    mandatory: float
    total: float
    timeout: float


def actable(file: DialogueFile) -> bool:
    """Whether a caller alone can act a file out: what fails inside the system is not a caller's doing."""
    events = [line.text for line in file.lines if line.mark == ">"]
    foreign = (
        *("failed", "party-joined", "stop-asked", "ended left", "minor", "contract", "spoken", "agreed", "paused"),
        *("resumed", "private", "agent"),
    )
    # Asterisk reports one key after the other, so these two moments exist only between its events.
    between = file.name in {"stale-silence", "two-keys-at-once"}
    if any(text.startswith(foreign) for text in events) or events[0] != "started":
        return False
    return _on_these_lines(file) and not between and not _explained_to_the_end(file)


def _on_these_lines(file: DialogueFile) -> bool:
    # The lines of these calls ask for consent; test_real_bases.py has those of the other bases.
    terms = file.terms
    return (
        terms.basis is Basis.CONSENT
        and terms.sampled
        and terms.dtmf
        and not (terms.explicit or terms.spoken or terms.read)
    )


def _explained_to_the_end(file: DialogueFile) -> bool:
    # A full notice takes a minute.
    notices = {line.text.split()[1] for line in file.lines if line.text.startswith("explain")}
    return any(line.text == f"no-input {notice}" for line in file.lines for notice in notices)


def line_of(file: DialogueFile) -> str:
    """Return the extension whose line has the terms of the file."""
    return "support-must" if file.terms.must else "once" if file.terms.attempts == 1 else "support"


def act(file: DialogueFile, lengths: Lengths) -> list[Step]:
    """Return the steps of a caller who does what the file says."""
    steps: list[Step] = []
    asked_at, now = 0.15, 0.0
    for place, line in enumerate(file.lines):
        words = line.text.split()
        match (line.mark, *words):
            case (">", "digit", key, "of", _, "at", ms):
                moment = asked_at + _real(int(ms), file, lengths)
                if moment > now:
                    steps.append(Wait(moment - now))
                steps.append(Press(KEYS[key]))
                # Press leaves 0.15 seconds after the key; a wrong key starts the next question at once.
                now = max(moment, now) + 0.15
                asked_at = moment + LATE_S if key in {"wrong", "more"} or _explaining(file, place) else asked_at
            case (">", "no-input", _):
                asked_at += lengths.total + lengths.timeout
            case (">", "ended", "hangup"):
                return [*steps, *_leave(file, place), Hangup()]
            case (">", "withdrawn", _):
                return [*steps, TALK, Press("*9"), Wait(3), Hangup()]
            case _:
                pass
    silent = max(0.0, asked_at - now)
    # A call that is routed away is ended by the other side.
    rest: list[Step] = [Stay(10)] if file.terms.must else [TALK, Hangup()]
    return [*steps, *([Wait(silent)] if silent else []), *rest]


def _explaining(file: DialogueFile, place: int) -> bool:
    """Whether a key is pressed in a full notice, which it ends."""
    said = [line.text for line in file.lines[:place] if line.text.startswith(("ask", "explain"))]
    return bool(said) and said[-1].startswith("explain")


def _leave(file: DialogueFile, place: int) -> list[Step]:
    """Return what comes before a hangup: nothing after a key, a little in a prompt, a talk in a recording."""
    before = [line.text for line in file.lines[:place]]
    if "record" in before:
        return [TALK]
    if any(text.startswith("played") for text in before):
        return [Wait(9.5)]
    return [] if "note granted" in before else [Wait(1)]


def _real(ms: int, file: DialogueFile, lengths: Lengths) -> float:
    """Return the moment of the real prompt that stands for one of the file's nine seconds."""
    mandatory = file.terms.mandatory_ms
    if ms < mandatory:
        return ms / 1000
    if ms > 8900:
        return lengths.total - 0.05
    return lengths.mandatory + (lengths.total - lengths.mandatory) * (ms - mandatory) / (9000 - mandatory)
