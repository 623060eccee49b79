"""The dialogue in which a caller uses his rights by telephone, as one table: what happens comes in, what must be done goes out.

It is pure, and decides alone what a number, and what a code, is enough for. A caller who has not shown who he is learns
nothing but what he asked for himself: not how much is kept of the number, nor whether anything is.
"""

from collections.abc import Mapping
from dataclasses import replace

from gdprcall.consent.values import Digit, Ended, Failed, NoInput, Played, Started
from gdprcall.policy.selfservice import Proof
from gdprcall.rights.talk import (
    SERVED,
    CarryOut,
    Check,
    Command,
    Deed,
    Enter,
    Entered,
    Erased,
    Event,
    Finish,
    Impossible,
    Kept,
    Listen,
    NeverRecorded,
    Outcome,
    Result,
    Say,
    State,
    Talk,
    Unconfirmed,
    Wish,
)

CODE_DIGITS = 8
TIME_DIGITS = 8
"""Day, month, hour and minute of a call."""
ENTRIES, TRIES = 3, 3
"""How often a code may be entered in one call, and how often a question is asked."""
KEY_MS, ENTRY_MS, MOMENT_MS = 5_000, 20_000, 100
"""How long a key is waited for, and eight of them; and after "one moment", hardly: it is said again."""
MOMENTS = 40
"""How often a moment is asked for, about a minute in all: what takes longer goes on without the caller."""
ACCESS, ERASURE, NEVER, CODE = "1234"

HEARD = (Digit, NoInput, Played, Failed, Ended)
"""What a front end may tell of such a call."""
Step = tuple[Talk, tuple[Command, ...]]


def step(talk: Talk, event: Event) -> Step:
    """Return the dialogue after an event, and what must be done, in order."""
    if talk.state is State.OVER:
        return talk, ()
    match event:
        case Ended():
            return replace(talk, state=State.OVER, keys="", code=""), ()
        case Failed():
            return _over(replace(talk, outcome=talk.outcome if talk.outcome in SERVED else Outcome.FAILED))
        case Started():
            return _welcome(talk)
        case Digit(asked, digit, _) if asked == talk.asked:
            return _key(talk, digit)
        case Played(asked, _) if asked == talk.asked and talk.state is State.LEAVING:
            return _over(talk)
        case NoInput(asked) if asked == talk.asked:
            return _silence(talk)
        case Digit() | Played() | NoInput():
            return talk, ()  # of a question that is over
        case _:
            return (replace(talk, result=event), ()) if talk.state is State.BUSY else (talk, ())


def _welcome(talk: Talk) -> Step:
    if not talk.terms.number:
        return _leave(talk, Outcome.WITHHELD, "welcome", "withheld", "write")
    return _ask(talk, State.MENU, "welcome", "menu")


def _key(talk: Talk, digit: str) -> Step:
    match talk.state:
        case State.MENU if digit == CODE and talk.entries < ENTRIES:
            return _ask(replace(talk, tries=0), State.CODE, "code")
        case State.MENU | State.CHOICE if digit in _WISHES:
            return _wished(talk, _WISHES[digit])
        case State.MENU | State.CHOICE:
            return _again(talk)
        case State.CODE | State.TIME:
            return _entered(talk, digit)
        case _:
            return talk, (Listen(),)


_WISHES: Mapping[str, Wish] = {ACCESS: Wish.ACCESS, ERASURE: Wish.ERASURE, NEVER: Wish.NEVER_RECORD}


def _entered(talk: Talk, digit: str) -> Step:
    """Take one key of an entry; one that is no digit begins it anew."""
    if not digit.isdecimal():
        return _again(talk)
    keys = talk.keys + digit
    if len(keys) < (CODE_DIGITS if talk.state is State.CODE else TIME_DIGITS):
        return replace(talk, keys=keys), (Listen(),)
    if talk.state is State.CODE:
        return _ask(replace(talk, code=keys, tries=0), State.TIME, "time")
    return _do(replace(talk, entries=talk.entries + 1, code=""), Check(talk.code, keys))


def _wished(talk: Talk, wish: Wish) -> Step:
    """Carry a wish out where the policy lets what the caller has shown be enough, and enter it otherwise."""
    enough = {Proof.CODE: talk.identified, Proof.NUMBER: True, Proof.REQUEST: False}
    match wish:
        case Wish.ERASURE:
            # On a number alone nothing is destroyed, whatever a policy says (Art. 12(6)).
            at_once = talk.identified and enough[talk.terms.erasure]
        case Wish.NEVER_RECORD:
            at_once = enough[talk.terms.never_record]
        case Wish.ACCESS:
            at_once = False
    return _do(talk, CarryOut(wish) if at_once else Enter(wish, talk.identified))


def _do(talk: Talk, deed: Deed) -> Step:
    # First, so that it is done also for who hangs up with the key.
    talk, commands = _ask(replace(talk, result=None, tries=0), State.BUSY, "moment", timeout_ms=MOMENT_MS)
    return talk, (deed, *commands)


def _silence(talk: Talk) -> Step:
    """Go on after the time that a question, or a moment, gives."""
    match talk.state:
        case State.BUSY if talk.result is None and talk.tries < MOMENTS:
            # Said again, it gives the dialplan's watchdog another question's time.
            return _ask(replace(talk, tries=talk.tries + 1), State.BUSY, "moment", timeout_ms=MOMENT_MS)
        case State.BUSY:
            return _answer(replace(talk, result=None), talk.result or Impossible())
        case State.LEAVING:
            return _over(talk)
        case _:
            return _again(talk)


def _again(talk: Talk) -> Step:
    """Ask the same once more, if that was not too often."""
    tries = talk.tries + 1
    if tries >= TRIES:
        return _leave(talk, talk.outcome, "goodbye") if talk.identified else _leave(talk, talk.outcome, "write")
    return _ask(replace(talk, tries=tries), talk.state, _QUESTIONS[talk.state])


_QUESTIONS: Mapping[State, str] = {
    State.MENU: "menu",
    State.CODE: "code",
    State.TIME: "time",
    State.CHOICE: "choices",
}


def _answer(talk: Talk, result: Result) -> Step:
    match result:
        case Kept(count, days, held):
            told = ("kept", *str(count), "until", *str(days), *(["longer"] if held else [])) if count else ("none",)
            talk = replace(talk, identified=True, tries=0, outcome=Outcome.IDENTIFIED)
            return _ask(talk, State.CHOICE, *told, "choices")
        case Entered(days):
            said = "entered" if talk.identified else "callback"
            return _leave(talk, Outcome.ENTERED, said, *str(days), "goodbye")
        case NeverRecorded():
            return _leave(talk, Outcome.NEVER_RECORD, "never", "goodbye")
        case Erased(days):
            if days is None:
                return _leave(talk, Outcome.ERASED, "erased", "goodbye")
            return _leave(talk, Outcome.ERASED_IN_PART, "erased_part", *str(days), "goodbye")
        case Impossible():
            return _leave(talk, talk.outcome if talk.outcome in SERVED else Outcome.FAILED, "write")
        case Unconfirmed():
            return _unconfirmed(replace(talk, tries=0, outcome=Outcome.UNCONFIRMED))


def _unconfirmed(talk: Talk) -> Step:
    if talk.entries >= ENTRIES:
        return _leave(talk, Outcome.UNCONFIRMED, "unconfirmed", "write")
    return _ask(talk, State.MENU, "unconfirmed", "menu")


def _ask(talk: Talk, state: State, *sounds: str, timeout_ms: int | None = None) -> Step:
    if timeout_ms is None:
        timeout_ms = ENTRY_MS if state in {State.CODE, State.TIME} else KEY_MS
    talk = replace(talk, state=state, asked=talk.asked + 1, keys="")
    return talk, (Say(talk.asked, sounds, timeout_ms),)


def _leave(talk: Talk, outcome: Outcome, *sounds: str) -> Step:
    return _ask(replace(talk, outcome=outcome, code=""), State.LEAVING, *sounds, timeout_ms=MOMENT_MS)


def _over(talk: Talk) -> Step:
    return replace(talk, state=State.OVER, keys="", code=""), (Finish(talk.outcome in SERVED),)
