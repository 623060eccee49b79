"""The consent dialogue of one call: what each event changes, and what must be done; the law's answers are ``table.py``'s.

``step`` is a pure function of a value and an event. It never looks at a clock, plays a sound, writes evidence or
touches a recording: it says what must be done, and the front end of the call does it.

Theory of operation:

* What is played has a number, ``asked``, and every event that answers it returns that number, so the silence or the
  end of an earlier question never counts against a later one.
* Under ``consent`` only an active act after the information counts: the accept key, once the mandatory part of the
  prompt had been heard when it was pressed; earlier, it is ignored. Under any other basis the whole prompt must have
  been heard, for that is what informs. The key that says no counts at once, everywhere.
* The more key plays the full notice and returns to the question, which begins anew; that uses up no try.
* Evidence comes first: a note that begins a recording must come back as ``Noted`` before ``Record`` or ``Begin`` is
  said. Whatever arrives in between (a refusal, a hangup) is weighed before anything is recorded.
* A call that is ``ready`` goes on unrecorded until the agent's word: that a contract is being made, or, twice, that the
  caller, whose keys do not come through, said yes. Each leads to a note of its own first. Where the agent reads the
  question, every call is ready from the start, and the second word may be the keys of who was asked.
* A contract that has been made is kept, so the next one in the call has a decision and a recording of its own; after a
  no, another party or a failure there is no next one.
* Commands are carried out in order; the first that fails stops the rest and comes back as ``Failed``. No failure
  leads to a recording; a missing notice does, where a life is at stake.
"""

from dataclasses import replace
from typing import assert_never

from gdprcall.consent.commands import (
    Ask,
    Begin,
    Command,
    Erase,
    Hold,
    Listen,
    Note,
    Pause,
    Record,
    Release,
    Renew,
    Resume,
    Route,
    Stop,
)
from gdprcall.consent.midcall import PARTY, Step, cell, counted, of_desk, paused, recording, stopped, way_on
from gdprcall.consent.outcomes import Basis, Ending, Outcome, Sound, State
from gdprcall.consent.table import DRAWN, ENDING, Act, Answer, Row
from gdprcall.consent.values import (
    AgentUnready,
    Agreed,
    Consent,
    ContractBegun,
    ContractEnded,
    Digit,
    Ended,
    Event,
    Failed,
    MinorSuspected,
    NoInput,
    Noted,
    PartyJoined,
    Paused,
    Played,
    PrivateCall,
    Resumed,
    SpokenYes,
    Started,
    StopAsked,
    Terms,
    Withdrawn,
)

__all__ = [
    "MOST_NOTICES", "AgentUnready", "Agreed", "Ask", "Basis", "Begin", "Command", "Consent", "ContractBegun", "ContractEnded",
    "Digit", "Ended", "Ending", "Erase", "Event", "Failed", "Hold", "Listen", "MinorSuspected", "NoInput", "Note", "Noted",
    "Outcome", "PartyJoined", "Pause", "Paused", "Played", "PrivateCall", "Record", "Release", "Renew", "Resume", "Resumed",
    "Route", "Sound", "SpokenYes", "Started", "State", "Step", "Stop", "StopAsked", "Terms", "Withdrawn", "step",
]  # fmt: skip

MOST_NOTICES = 3
"""How often the full notice is played in one call; after that its key is a key like any other."""
NOTICE_WAIT_MS = 500
AT_ONCE_MS = 1


def step(consent: Consent, event: Event) -> Step:
    """Return the dialogue after ``event`` and the commands to carry out, in order."""
    match consent.state:
        case State.NEW:
            return _new(consent, event)
        case State.ASKING:
            return _asking(consent, event)
        case State.EXPLAINING:
            return _explaining(consent, event)
        case State.NOTING:
            return _noting(consent, event)
        case State.READY | State.CONFIRMING:
            return _ready(consent, event)
        case State.RECORDING:
            return recording(consent, event)
        case State.PAUSED:
            return paused(consent, event)
        case State.CONCLUDED:
            return _concluded(consent, event)
        case State.STOPPED:
            return stopped(consent, event)
        case State.UNRECORDED:
            return consent, ()
        case _:
            assert_never(consent.state)


def _new(consent: Consent, event: Event) -> Step:
    terms = consent.terms
    match event:
        case Started() if not terms.sampled and terms.basis in DRAWN:
            # The draw went against it: nobody is asked, and nothing is kept of a call that nothing happened to.
            return replace(consent, state=State.UNRECORDED), way_on(consent)
        case Started() if not terms.dtmf and cell(consent, Row.NO_DTMF).act is Act.UNRECORDED:
            return _answered(consent, Row.NO_DTMF)
        case Started() if terms.deferred and terms.basis is Basis.VITAL_INTEREST:
            return _answered(consent, Row.UNHEARD, "notice_deferred")
        case Started() if terms.read and terms.basis is Basis.CONSENT and not terms.must:
            return replace(consent, state=State.READY, held=True, tries=1), (Hold(),)
        case Started():
            return _ask(consent, tries=1)
        case _:
            return _broken_off(consent, event)


def _asking(consent: Consent, event: Event) -> Step:
    match event:
        case Digit(asked) if asked == consent.asked:
            return _key(replace(consent, heard_ms=event.heard_ms), event.digit)
        case Played(asked, heard_ms) if asked == consent.asked:
            return replace(consent, heard_ms=heard_ms, heard_all=True), ()
        case NoInput(asked) if asked == consent.asked:
            informed = consent.heard_all or consent.terms.basis is Basis.CONSENT
            return _answered(consent, Row.SILENCE) if informed else _answered(consent, Row.UNHEARD, "prompt_unheard")
        case _:
            return _broken_off(consent, event)


def _key(consent: Consent, digit: str) -> Step:
    terms = consent.terms
    if digit == terms.refuse:
        return _answered(consent, Row.REFUSE)
    if _more(consent) and digit == terms.more:
        after = replace(consent, state=State.EXPLAINING, asked=consent.asked + 1, notices=consent.notices + 1)
        return after, (Ask(after.asked, terms.notice, terms.refuse, NOTICE_WAIT_MS),)
    if digit != terms.accept:
        return _answered(consent, Row.WRONG)
    asked_for = terms.basis is Basis.CONSENT
    heard = consent.heard_ms >= terms.mandatory_ms if asked_for else consent.heard_all
    return _answered(replace(consent, acknowledged=not asked_for), Row.ACCEPT if heard else Row.EARLY)


def _explaining(consent: Consent, event: Event) -> Step:
    match event:
        case Digit(asked) if asked == consent.asked:
            return _answered(consent, Row.REFUSE) if event.digit == consent.terms.refuse else _ask(consent)
        case NoInput(asked) if asked == consent.asked:
            return _ask(consent)
        case Played():
            return consent, ()
        case Ended(how):
            # What was heard of the question counts, not what was heard of the notice.
            return _gone(consent, how)
        case _:
            return _broken_off(consent, event)


def _noting(consent: Consent, event: Event) -> Step:
    # Two keys at once, or a hangup right after the key: what is not clear is not consent. The note may already be
    # durable; the later one stands beside it and no recording ever starts.
    match event:
        case Noted(outcome) if outcome is consent.outcome and consent.then is not None:
            held = isinstance(consent.then, Hold)
            state = State.READY if held else State.RECORDING
            return replace(consent, state=state, held=held or consent.held, then=None), (consent.then,)
        case Digit(asked) if asked == consent.asked and event.digit != consent.terms.accept:
            no = event.digit == consent.terms.refuse
            return _weighed(consent, Row.REFUSE if no else Row.SECOND, "second_key")
        case Withdrawn(method):
            return _weighed(consent, Row.REFUSE, method)
        case MinorSuspected() | PrivateCall() | AgentUnready():
            return _weighed(consent, *of_desk(event))
        case PartyJoined(why) | Paused(why) if consent.held:
            return _unrecorded(consent, consent.outcome or Outcome.SYSTEM_FAIL, why)
        case Ended() if consent.held:
            return replace(consent, state=State.UNRECORDED), ()
        case Failed(reason) if consent.terms.basis is Basis.VITAL_INTEREST and _of_prompt(reason):
            return consent, ()
        case _:
            return _broken_off(consent, event)


def _weighed(consent: Consent, row: Row, reason: str) -> Step:
    """Return what an event does to a note that is being written: it comes to nothing, or goes on."""
    match cell(consent, row):
        case Answer(Act.UNRECORDED | Act.CLOSE | Act.FLAG | Act.DESTROY, outcome) if outcome is not None:
            return _unrecorded(consent, outcome, reason)
        case Answer(Act.ROUTE, outcome) if outcome is not None:
            return _unrecorded(consent, outcome, reason)
        case Answer(Act.WISH):
            return replace(consent, wished=True), ()
        case _:
            return consent, ()


def _word(consent: Consent, event: Event) -> Step:
    """Return what the agent's word begins; behind a card number, or on hold, it begins nothing."""
    asks, sure = consent.terms.basis is Basis.CONSENT, consent.state is State.CONFIRMING
    match event:
        case _ if consent.pauses:
            return consent, ()
        case ContractBegun() if consent.terms.basis is Basis.CONTRACT:
            return _note(consent, Outcome.INFORMED, "contract_phase", Begin())
        case SpokenYes() if asks and sure:
            return _note(consent, Outcome.GRANTED, "spoken", Begin())
        case Agreed() if asks and sure:
            return _note(consent, Outcome.GRANTED, "read", Begin())
        case SpokenYes() if asks:
            return replace(consent, state=State.CONFIRMING), ()
        case _:
            return consent, ()


def _ready(consent: Consent, event: Event) -> Step:
    sure = consent.state is State.CONFIRMING
    match event:
        case ContractBegun() | SpokenYes() | Agreed():
            return _word(consent, event)
        case Paused() | Resumed():
            return counted(consent, event), ()
        case Withdrawn(method):
            return _weighed(consent, Row.REFUSE, method)
        case MinorSuspected() | PrivateCall() | AgentUnready():
            return _weighed(consent, *of_desk(event))
        case PartyJoined(why) | StopAsked(why):
            return _unrecorded(consent, consent.outcome or Outcome.SYSTEM_FAIL, why)
        case Ended() if consent.terms.read:
            return _unrecorded(consent, Outcome.TIMEOUT, "unconfirmed" if sure else "not_read")
        case Ended() if sure:
            return _unrecorded(consent, Outcome.NO_DTMF, "unconfirmed")
        case Ended():
            return replace(consent, state=State.UNRECORDED), ()
        case Failed(reason):
            # It may not have been given back.
            return _unrecorded(replace(consent, held=False), Outcome.SYSTEM_FAIL, reason)
        case _:
            return consent, ()


def _concluded(consent: Consent, event: Event) -> Step:
    match event:
        case ContractBegun() if not (consent.closed or consent.pauses):
            after, commands = _note(replace(consent, wished=False), Outcome.INFORMED, "contract_phase", Begin())
            return after, (Renew(), *commands)
        case PartyJoined() if consent.terms.joins:
            return replace(consent, pauses=consent.pauses | {PARTY}), ()
        case Paused() | Resumed():
            return counted(consent, event), ()
        case PartyJoined() | Failed():
            return replace(consent, closed=True), ()
        case Withdrawn():
            return stopped(replace(consent, closed=True), event)
        case _:
            return stopped(consent, event)


def _answered(consent: Consent, row: Row, reason: str = "") -> Step:
    """Return what the table says to an answer, or to none."""
    match cell(consent, row):
        case Answer(Act.RECORD, outcome) if outcome is not None:
            why = "notice_failed" if row is Row.UNHEARD and _of_prompt(reason) else reason
            return _note(consent, outcome, why or _manner(consent), Record(ENDING[consent.terms.basis]))
        case Answer(Act.HOLD) if consent.terms.must:
            return _unrecorded(consent, Outcome.ROUTED, "must")
        case Answer(Act.HOLD, outcome) if outcome is not None:
            return _note(consent, outcome, reason or _manner(consent), Hold())
        case Answer(Act.AGAIN, outcome) if outcome is not None:
            again = consent.tries < consent.terms.attempts
            return _ask(consent, tries=1) if again else _unrecorded(consent, outcome)
        case Answer(Act.UNRECORDED | Act.ROUTE, outcome) if outcome is not None:
            return _unrecorded(consent, outcome, reason)
        case Answer(Act.WISH):
            return replace(consent, wished=True), (Listen(),)
        case _:
            return consent, (Listen(),)


def _manner(consent: Consent) -> str:
    """Return how it came to a note that begins something."""
    if consent.terms.explicit and consent.terms.basis is Basis.CONSENT:
        return "explicit"
    return "wish_key" if consent.wished else "acknowledged" if consent.acknowledged else ""


def _ask(consent: Consent, tries: int = 0) -> Step:
    terms = consent.terms
    after = replace(consent, state=State.ASKING, asked=consent.asked + 1, heard_ms=0, heard_all=False)
    after = replace(after, tries=consent.tries + tries)
    digits = terms.accept + terms.refuse + (terms.more if _more(after) else "")
    # No key can change anything where a life is at stake, so none is waited for.
    wait_ms = AT_ONCE_MS if terms.basis is Basis.VITAL_INTEREST else terms.timeout_ms
    return after, (Ask(after.asked, terms.prompt, digits, wait_ms),)


def _more(consent: Consent) -> bool:
    terms = consent.terms
    known = bool(terms.more and terms.notice) and terms.basis is not Basis.VITAL_INTEREST
    return known and consent.notices < MOST_NOTICES


def _note(consent: Consent, outcome: Outcome, reason: str, then: Record | Hold | Begin) -> Step:
    after = replace(consent, state=State.NOTING, outcome=outcome, then=then)
    return after, (Note(outcome, reason, Sound.NONE if isinstance(then, Hold) else None),)


def _broken_off(consent: Consent, event: Event) -> Step:
    """Return what a failure or the end of the call does before anything is recorded."""
    match event:
        case Failed(reason):
            return _answered(consent, Row.UNHEARD if _of_prompt(reason) else Row.FAILED, reason)
        case Ended(how, heard_ms):
            return _gone(replace(consent, heard_ms=max(consent.heard_ms, heard_ms)), how)
        case StopAsked(why) if cell(consent, Row.ORDERED).act is Act.STOP:
            return _unrecorded(consent, Outcome.SYSTEM_FAIL, why)
        case _:
            return consent, ()


def _unrecorded(consent: Consent, outcome: Outcome, reason: str = "") -> Step:
    terms = consent.terms
    told = Note(outcome, reason, None if Note(outcome).sound is Sound.NONE else Sound.NONE)
    after = replace(consent, outcome=outcome, then=None)
    may_be_spoken = terms.spoken and terms.basis is Basis.CONSENT and not (terms.must or consent.held)
    if may_be_spoken and outcome in {Outcome.TIMEOUT, Outcome.NO_DTMF}:
        # Silence is no refusal: the agent may read the question out.
        return replace(after, state=State.READY, held=True), (Hold(), told)
    # The way on comes first: no caller waits for a disk to hear that nothing is recorded.
    return replace(after, state=State.UNRECORDED), (*way_on(consent), told)


def _gone(consent: Consent, how: str) -> Step:
    outcome = Outcome.HANGUP_IN_PROMPT if how == "hangup" else Outcome.SYSTEM_FAIL
    after = replace(consent, state=State.UNRECORDED, outcome=outcome)
    return after, (Note(outcome, how),)


def _of_prompt(reason: str) -> bool:
    return reason.startswith("prompt")
