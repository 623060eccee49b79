"""Reads the dialogue files: each lists events (``>``) and commands (``<``) in the order in which they happen.

The first line is the sentence that is proven, the second the terms, the last (``=``) the final state and outcome. The
same files drive the dialogue itself, the simulation and real calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gdprcall.consent import dialogue as d

FOLDER = Path(__file__).parent / "dialogues"
KEYS = {"accept": "1", "refuse": "2", "wrong": "7", "more": "0"}

IN_A_WORD: dict[str, d.Event] = {
    "contract-begun": d.ContractBegun(),
    "contract-ended": d.ContractEnded(),
    "spoken-yes": d.SpokenYes(),
    "stop-asked": d.StopAsked(),
    "agreed": d.Agreed(),
}


WITH_A_WORD: dict[str, Callable[[str], d.Event]] = {
    "withdrawn": d.Withdrawn,
    "minor": d.MinorSuspected,
    "private": d.PrivateCall,
    "agent-unready": d.AgentUnready,
    "party-joined": d.PartyJoined,
    "paused": d.Paused,
    "resumed": d.Resumed,
    "failed": d.Failed,
    "ended": d.Ended,
}


@dataclass(frozen=True)
class Line:
    """One line of a dialogue file: an event that happens or a command that is expected."""

    mark: str
    text: str


@dataclass(frozen=True)
class DialogueFile:
    """One dialogue: what it proves, its terms, its lines and how it ends."""

    name: str
    sentence: str
    terms: d.Terms
    lines: tuple[Line, ...]
    state: d.State
    outcome: d.Outcome | None


def read_all() -> list[DialogueFile]:
    """Return all dialogue files, by name."""
    return [read(path) for path in sorted(FOLDER.glob("*.txt"))]


def read(path: Path) -> DialogueFile:
    """Return one dialogue file."""
    sentence, terms, blank, *rest = path.read_text().splitlines()
    assert not blank, f"{path.name}: the third line is empty"
    lines = tuple(Line(*text.split(" ", 1)) for text in rest)
    assert {line.mark for line in lines} <= set("<>="), path.name
    state, outcome = lines[-1].text.split()
    end = None if outcome == "none" else d.Outcome(outcome)
    return DialogueFile(path.stem, sentence, _terms(terms.split()), lines[:-1], d.State(state), end)


def _terms(words: list[str]) -> d.Terms:
    assert words[0] == "terms"
    return d.Terms(
        prompt="prompt",
        mandatory_ms=int(words[words.index("mandatory") + 1]),
        accept=KEYS["accept"],
        refuse=KEYS["refuse"],
        attempts=int(words[words.index("attempts") + 1]),
        timeout_ms=5000,
        must="must" in words,
        basis=d.Basis(words[words.index("basis") + 1]) if "basis" in words else d.Basis.CONSENT,
        more=KEYS["more"] if "notice" in words else "",
        notice="notice" if "notice" in words else "",
        sampled="sampled-out" not in words,
        deferred="deferred" in words,
        explicit="explicit" in words,
        spoken="spoken" in words,
        dtmf="no-dtmf" not in words,
        joins="joins" in words,
        read="read" in words,
    )


def event(text: str) -> d.Event:
    """Return the event that a ``>`` line names."""
    match text.split():
        case ["started"]:
            return d.Started()
        case ["digit", key, "of", asked, "at", ms]:
            return d.Digit(int(asked), KEYS[key], int(ms))
        case ["played", asked, "after", ms]:
            return d.Played(int(asked), int(ms))
        case ["no-input", asked]:
            return d.NoInput(int(asked))
        case ["noted", outcome]:
            return d.Noted(d.Outcome(outcome))
        case [word] if word in IN_A_WORD:
            return IN_A_WORD[word]
        case [word, how] if word in WITH_A_WORD:
            return WITH_A_WORD[word](how)
        case _:
            raise AssertionError(f"no such event: {text}")


def command(command: d.Command) -> str:
    """Return the ``<`` text of a command."""
    match command:
        case d.Ask(asked, "notice"):
            return f"explain {asked}"
        case d.Ask(asked):
            return f"ask {asked}"
        case d.Record(d.Ending.NONE):
            return "record for good"
        case d.Note(outcome, reason):
            return f"note {outcome} {reason}".strip()
        case d.Stop(reason):
            return f"stop {reason}"
        case d.Pause(why):
            return f"pause {why}"
        case _:
            return type(command).__name__.lower()
