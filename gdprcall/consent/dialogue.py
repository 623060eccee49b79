"""The consent dialogue of one call: every state, event, command and transition is in this file.

``step`` is a pure function of a value and an event. It never looks at a clock, plays a sound, writes evidence or
touches a recording: it says what must be done, and the front end of the call does it.

Theory of operation, basis ``consent`` (GDPR Art. 6(1)(a); only an active act after the information counts):

* A question has a number, ``asked``, and every event that answers it returns that number, so the silence or the end
  of an earlier question never counts against a later one.
* The accept key counts only when the mandatory part of the prompt had been heard when it was pressed; earlier, it is
  ignored. The refuse key counts at once.
* Silence and wrong keys use up attempts; when none is left the call goes on unrecorded.
* Evidence comes first: ``Note(granted)`` must come back as ``Noted`` before ``Record`` is said. Whatever arrives in
  between (a refusal, a hangup) is weighed before anything is recorded.
* Commands are carried out in order; the first that fails stops the rest and comes back as ``Failed``. No failure
  leads to a recording.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never


class Outcome(StrEnum):
    """How a dialogue ended; the code that is kept with the decision."""

    GRANTED = "granted"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    INVALID = "invalid"
    HANGUP_IN_PROMPT = "hangup_in_prompt"
    PROMPT_ERROR = "prompt_error"
    SYSTEM_FAIL = "system_fail"
    WITHDRAWN = "withdrawn"


class State(StrEnum):
    """Where a dialogue stands; the last three are final for the question of recording."""

    NEW = "new"
    ASKING = "asking"
    NOTING = "noting"
    RECORDING = "recording"
    STOPPED = "stopped"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one line in one language; times in milliseconds.

    ``must`` is the dialplan's word: such a call is routed away, not served unrecorded.
    """

    prompt: str
    mandatory_ms: int
    accept: str
    refuse: str
    attempts: int
    timeout_ms: int
    must: bool = False


# Events: what happened to the call.


@dataclass(frozen=True, slots=True)
class Started:
    """The call is in the hands of the front end and can be asked."""


@dataclass(frozen=True, slots=True)
class Played:
    """The prompt of question ``asked`` was heard to its end; ``heard_ms`` long."""

    asked: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed when ``heard_ms`` of the prompt of question ``asked`` had been heard."""

    asked: int
    digit: str
    heard_ms: int

    def __repr__(self) -> str:
        """Leave the digit out: values are logged when something goes wrong."""
        return f"Digit(asked={self.asked}, heard_ms={self.heard_ms})"


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nobody pressed a key in the time that question ``asked`` allows after its prompt."""

    asked: int


@dataclass(frozen=True, slots=True)
class Noted:
    """The evidence of ``outcome`` is durable."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PartyJoined:
    """Somebody who was not asked is about to be heard in a recorded call."""

    why: str = "party_joined"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The caller took the consent back (GDPR Art. 7(3))."""

    method: str = "key"


@dataclass(frozen=True, slots=True)
class Failed:
    """A command, the prompt or the system failed; ``reason`` is a code, never a text with data in it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The call left the dialogue: ``hangup``, or ``left`` when Asterisk took it on without us; the prompt so far."""

    how: str = "hangup"
    heard_ms: int = 0


Event = Started | Played | Digit | NoInput | Noted | PartyJoined | Withdrawn | Failed | Ended


# Commands: what the front end, the ledger and the recorder must do, in this order.


@dataclass(frozen=True, slots=True)
class Ask:
    """Stop what is playing, play ``prompt`` and listen for ``digits`` until ``timeout_ms`` after its end."""

    asked: int
    prompt: str
    digits: str
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Let the question go on: the key did not count."""


@dataclass(frozen=True, slots=True)
class Note:
    """Make this outcome durable; comes back as ``Noted`` or ``Failed``."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Give the call back to the dialplan with the verdict that starts the recording."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running recording."""

    reason: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Destroy everything that was recorded under this decision."""


@dataclass(frozen=True, slots=True)
class Route:
    """Give the call back: it must not be served unrecorded."""


@dataclass(frozen=True, slots=True)
class Release:
    """Give the call back: it goes on unrecorded, to the same service."""


Command = Ask | Listen | Note | Record | Stop | Erase | Route | Release


@dataclass(frozen=True, slots=True)
class Consent:
    """The dialogue of one call so far."""

    terms: Terms
    state: State = State.NEW
    asked: int = 0
    heard_ms: int = 0
    outcome: Outcome | None = None


Step = tuple[Consent, tuple[Command, ...]]


def step(consent: Consent, event: Event) -> Step:
    """Return the dialogue after ``event`` and the commands to carry out, in order."""
    match consent.state:
        case State.NEW:
            return _new(consent, event)
        case State.ASKING:
            return _asking(consent, event)
        case State.NOTING:
            return _noting(consent, event)
        case State.RECORDING:
            return _recording(consent, event)
        case State.STOPPED:
            return _stopped(consent, event)
        case State.UNRECORDED:
            return consent, ()
        case _:
            assert_never(consent.state)


def _new(consent: Consent, event: Event) -> Step:
    match event:
        case Started():
            return _ask(consent)
        case Failed(reason):
            return _unrecorded(consent, _blame(reason), reason)
        case Ended(how, heard_ms):
            return _gone(replace(consent, heard_ms=max(consent.heard_ms, heard_ms)), how)
        case _:
            return consent, ()


def _asking(consent: Consent, event: Event) -> Step:
    match event:
        case Digit(asked) if asked == consent.asked:
            return _key(replace(consent, heard_ms=event.heard_ms), event.digit)
        case Played(asked, heard_ms) if asked == consent.asked:
            return replace(consent, heard_ms=heard_ms), ()
        case NoInput(asked) if asked == consent.asked:
            return _again(consent, Outcome.TIMEOUT)
        case Failed(reason):
            return _unrecorded(consent, _blame(reason), reason)
        case Ended(how, heard_ms):
            return _gone(replace(consent, heard_ms=max(consent.heard_ms, heard_ms)), how)
        case _:
            return consent, ()


def _key(consent: Consent, digit: str) -> Step:
    terms = consent.terms
    if digit == terms.refuse:
        return _unrecorded(consent, Outcome.REFUSED)
    if digit != terms.accept:
        return _again(consent, Outcome.INVALID)
    if consent.heard_ms < terms.mandatory_ms:
        return consent, (Listen(),)
    granted = replace(consent, state=State.NOTING, outcome=Outcome.GRANTED)
    return granted, (Note(Outcome.GRANTED),)


def _noting(consent: Consent, event: Event) -> Step:
    # Two keys at once, or a hangup right after the key: what is not clear is not consent. The granted note may
    # already be durable; the later note stands beside it and no recording ever starts.
    match event:
        case Noted(Outcome.GRANTED):
            return replace(consent, state=State.RECORDING), (Record(),)
        case Digit(asked) if asked == consent.asked and event.digit != consent.terms.accept:
            refused = event.digit == consent.terms.refuse
            return _unrecorded(consent, Outcome.REFUSED if refused else Outcome.INVALID, "second_key")
        case Failed(reason):
            return _unrecorded(consent, _blame(reason), reason)
        case Ended(how, heard_ms):
            return _gone(replace(consent, heard_ms=max(consent.heard_ms, heard_ms)), how)
        case _:
            return consent, ()


def _recording(consent: Consent, event: Event) -> Step:
    match event:
        case Withdrawn(method):
            return _withdrawn(consent, method)
        case PartyJoined(why):
            return replace(consent, state=State.STOPPED), (Stop(why),)
        case Failed(reason):
            # The verdict may be lost. The way on comes first: nobody waits for a stop that may take its time, or fail.
            return replace(consent, state=State.STOPPED), (*_way_on(consent), Stop(reason))
        case Ended():
            return replace(consent, state=State.STOPPED), ()
        case _:
            return consent, ()


def _stopped(consent: Consent, event: Event) -> Step:
    match event:
        case Withdrawn(method):
            return _withdrawn(consent, method)
        case _:
            return consent, ()


def _withdrawn(consent: Consent, method: str) -> Step:
    after = replace(consent, state=State.UNRECORDED, outcome=Outcome.WITHDRAWN)
    return after, (Stop("withdrawn"), Note(Outcome.WITHDRAWN, method), Erase())


def _ask(consent: Consent) -> Step:
    terms = consent.terms
    after = replace(consent, state=State.ASKING, asked=consent.asked + 1, heard_ms=0)
    return after, (Ask(after.asked, terms.prompt, terms.accept + terms.refuse, terms.timeout_ms),)


def _again(consent: Consent, otherwise: Outcome) -> Step:
    if consent.asked < consent.terms.attempts:
        return _ask(consent)
    return _unrecorded(consent, otherwise)


def _unrecorded(consent: Consent, outcome: Outcome, reason: str = "") -> Step:
    after = replace(consent, state=State.UNRECORDED, outcome=outcome)
    # The way on comes first: no caller waits for a disk to hear that nothing is recorded.
    return after, (*_way_on(consent), Note(outcome, reason))


def _gone(consent: Consent, how: str) -> Step:
    outcome = Outcome.HANGUP_IN_PROMPT if how == "hangup" else Outcome.SYSTEM_FAIL
    after = replace(consent, state=State.UNRECORDED, outcome=outcome)
    return after, (Note(outcome, how),)


def _way_on(consent: Consent) -> tuple[Command, ...]:
    return (Route(),) if consent.terms.must else (Release(),)


def _blame(reason: str) -> Outcome:
    return Outcome.PROMPT_ERROR if reason.startswith("prompt") else Outcome.SYSTEM_FAIL
