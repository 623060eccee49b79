"""What is wrong with a text before anybody hears it: missing slots, vague words, answers that are not equally easy.

It judges words, of a language's file and as a line says them; it looks at no sound.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale, UnknownLocaleError

from gdprcall.policy.asking import hedged
from gdprcall.policy.model import Controller, Line
from gdprcall.prompts import texts
from gdprcall.prompts.telephone import TABLE
from gdprcall.prompts.texts import REFERENCE

STATES = ("finished", "draft")
SENTENCE = re.compile(r"[.!?;](\s|$)")
ANSWER_WORDS = 3
"""How many times as many words one answer may take as the other."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be said so, or is not said."""

    rule: str
    place: str
    text: str
    mend: str

    def as_json(self) -> dict[str, str]:
        """Return the finding for print."""
        return {"rule": self.rule, "place": self.place, "text": self.text, "mend": self.mend}


def language(tag: str, told: texts.Texts) -> Iterator[Finding]:
    """Yield what is wrong with the texts of a language, as its file has them."""
    yield from _shape(tag, told, texts.of(REFERENCE))
    flat = dict(_strings(told))
    for name, text in flat.items():
        if name.startswith("vague"):
            continue
        for phrase in told.get("vague", ()):
            if re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE):
                yield _vague(f"{tag}.{name}", phrase)
    if isinstance(keys := flat.get("keys"), str):
        yield from _answers(f"{tag}.keys", keys)
    if told.get("state") not in STATES:
        yield Finding("INF-03", f"{tag}.state", "is neither finished nor draft", 'write state = "draft"')
    try:
        Locale.parse(str(told.get("locale")), sep="-")
    except (ValueError, UnknownLocaleError):
        yield Finding("INF-03", f"{tag}.locale", "CLDR knows no such locale", "write for example en or pt-PT")


def said(line: Line, controller: Controller, tag: str, kind: texts.Kind) -> Iterator[Finding]:
    """Yield what is wrong with what a line says in a language, with its slots filled."""
    place = f"lines.{line.id} ({tag}, {kind})"
    try:
        whole = texts.words(line, controller, tag, kind).text
    except KeyError:
        yield Finding("INF-03", place, "there is no text", f"use some of: {', '.join(texts.LANGUAGES)}")
        return
    except texts.EmptySlot as error:
        yield Finding("INF-01", place, error.message.partition(": ")[2], error.hint)
        return
    for phrase in texts.of(tag)["vague"]:
        if re.search(rf"\b{re.escape(phrase)}\b", whole, re.IGNORECASE):
            yield _vague(place, phrase)
    if hedged(whole):
        yield _vague(place, "may be recorded")
    if "{" in whole or "}" in whole:
        yield Finding("INF-01", place, "has a brace in it", "take it out of the policy's words")


def _vague(place: str, phrase: str) -> Finding:
    text = f"says {phrase!r}: callers must be told that the call is recorded, or will be if they agree"
    return Finding("INF-08", place, text, "say what happens")


def _shape(tag: str, told: Mapping[str, Any], reference: Mapping[str, Any]) -> Iterator[Finding]:
    # Who has no sentences for the telephone does without: what must be said to everybody is in the other tables.
    reference = {name: value for name, value in reference.items() if name != TABLE or TABLE in told}
    have, want = dict(_strings(told)), dict(_strings(reference))
    for name in sorted(want.keys() - have.keys()):
        yield Finding("INF-01", f"{tag}.{name}", "is missing", f"say what the {REFERENCE} file says there")
    for name in sorted(have.keys() - want.keys()):
        if not name.startswith("vague"):
            yield Finding("INF-01", f"{tag}.{name}", "is said nowhere", "take it out, or correct its name")
    for name in sorted(want.keys() & have.keys()):
        yield from _slots(f"{tag}.{name}", have[name], want[name])


def _slots(place: str, text: str, reference: str) -> Iterator[Finding]:
    if not text.strip():
        yield Finding("INF-01", place, "is empty", f"say what the {REFERENCE} file says there")
        return
    try:
        slots = texts.slots_of(text)
    except ValueError:
        yield Finding("INF-01", place, "has a brace without its other half", "write slots as {name}")
        return
    for slot in sorted(texts.slots_of(reference) - slots):
        yield Finding("INF-01", place, f"lacks the slot {{{slot}}}", "callers must be told it: put it in")
    for slot in sorted(slots - texts.slots_of(reference)):
        yield Finding("INF-01", place, f"has a slot {{{slot}}} that is not filled there", "take it out")


def _answers(place: str, keys: str) -> Iterator[Finding]:
    accept, refuse = keys.find("{accept}"), keys.find("{refuse}")
    if accept < 0 or refuse < 0:
        return  # named among the slots
    if SENTENCE.search(keys[min(accept, refuse) : max(accept, refuse)]):
        text = "names the two answers in two sentences: the second is easily missed"
        yield Finding("CON-05", place, text, "name both in one sentence")
    if keys.count("{accept}") > keys.count("{refuse}"):
        yield Finding("CON-05", place, "names the key to accept more often", "name each key once")
    agreeing, refusing = len(keys[accept:refuse].split()), len(keys[refuse:].split())
    if accept < refuse and refusing > ANSWER_WORDS * agreeing:
        text = f"takes {refusing} words to refuse and {agreeing} to accept"
        yield Finding("CON-05", place, text, "make it as easy to refuse")


def _strings(told: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in told.items():
        if isinstance(value, Mapping):
            yield from _strings(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield f"{prefix}{name}", value
