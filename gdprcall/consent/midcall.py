"""The dialogue of a call that is recorded, or was: what ends its recording, what makes it pause, what destroys it.

Pure, as ``dialogue.py`` is, which calls it; it begins no recording, and after a refusal or a withdrawal resumes none.

A recording pauses for as long as there is a reason: a hold, a card number, a party who has not been asked. Reasons are
counted by name; when the last is over, and nothing was withdrawn in between, the next segment begins.
"""

from dataclasses import replace

from gdprcall.consent.commands import Command, Erase, Note, Pause, Release, Resume, Route, Stop
from gdprcall.consent.outcomes import Basis, Outcome, Sound, State
from gdprcall.consent.table import TABLE, Act, Answer, Row
from gdprcall.consent.values import (
    AgentUnready,
    Consent,
    ContractEnded,
    Ended,
    Event,
    Failed,
    MinorSuspected,
    PartyJoined,
    Paused,
    PrivateCall,
    Resumed,
    StopAsked,
    Withdrawn,
)

Step = tuple[Consent, tuple[Command, ...]]

PARTY = "party"
"""Why a recording pauses while somebody is there who has not been asked."""


def joined(basis: Basis, word: str) -> tuple[Outcome, bool]:
    """Return the outcome for somebody who joined a recorded call and was asked, and whether he may be recorded now.

    ``word`` is ``agreed``, ``refused``, ``silent`` or ``failed``: the whole prompt was heard unless it failed.
    """
    rows = {"agreed": Row.ACCEPT, "refused": Row.REFUSE, "silent": Row.SILENCE}
    answer = TABLE[basis][rows.get(word, Row.UNHEARD)]
    may = answer.act in {Act.RECORD, Act.HOLD, Act.WISH}
    return answer.outcome or Outcome.INFORMED, may


def recording(consent: Consent, event: Event) -> Step:
    """Return what an event does to a call that is recorded."""
    match event:
        case PartyJoined(why):
            return _in_mid_call(consent, Row.PARTY, why)
        case Paused(why):
            return _in_mid_call(consent, Row.PAUSE, why)
        case StopAsked(why) if cell(consent, Row.ORDERED).act is Act.STOP:
            return replace(consent, state=State.STOPPED), (Stop(why),)
        case ContractEnded() if consent.terms.basis is Basis.CONTRACT:
            return replace(consent, state=State.CONCLUDED), (Stop("contract_ended"),)
        case Failed(reason) if reason.startswith("resume"):
            return replace(consent, state=State.STOPPED), (Stop(reason),)
        case Failed(reason):
            # The verdict may be lost. The way on comes first: nobody waits for a stop that may take its time, or fail.
            return replace(consent, state=State.STOPPED), (*way_on(consent), Stop(reason))
        case Ended():
            return replace(consent, state=State.STOPPED), ()
        case _:
            return stopped(consent, event)


def paused(consent: Consent, event: Event) -> Step:
    """Return what an event does to a recording that pauses."""
    match event:
        case PartyJoined(why) if not consent.terms.joins:
            return replace(consent, state=State.STOPPED), (Stop(why),)
        case StopAsked(why) if cell(consent, Row.ORDERED).act is Act.STOP:
            return replace(consent, state=State.STOPPED), (Stop(why),)
        case PartyJoined():
            return replace(consent, pauses=consent.pauses | {PARTY}), ()
        case Resumed(why) if consent.pauses == {why}:
            return replace(consent, state=State.RECORDING, pauses=frozenset()), (Resume(),)
        case Paused() | Resumed():
            return counted(consent, event), ()
        case ContractEnded() if consent.terms.basis is Basis.CONTRACT:
            return replace(consent, state=State.CONCLUDED), (Stop("contract_ended"),)
        case Failed(reason):
            # The segment may still run.
            return replace(consent, state=State.STOPPED), (Stop(reason),)
        case Ended():
            return replace(consent, state=State.STOPPED), ()
        case _:
            return stopped(consent, event)


def stopped(consent: Consent, event: Event) -> Step:
    """Return what an event does after the recording ended; what was recorded can still be taken back."""
    match event:
        case Withdrawn(method) if consent.state is State.CONCLUDED:
            return _wish(consent, method)
        case Withdrawn(method):
            return _in_mid_call(consent, Row.WITHDRAWN, method)
        case MinorSuspected(method) if consent.outcome is not Outcome.MINOR:
            return _in_mid_call(consent, Row.MINOR, method)
        case PrivateCall() if consent.state in {State.RECORDING, State.PAUSED}:
            return _in_mid_call(consent, Row.PRIVATE, "private")
        case AgentUnready(why):
            return _in_mid_call(consent, Row.AGENT, why)
        case _:
            return consent, ()


def counted(consent: Consent, event: Paused | Resumed) -> Consent:
    """Return the dialogue with one reason to pause more, or less."""
    match event:
        case Paused(why):
            return replace(consent, pauses=consent.pauses | {why})
        case Resumed(why):
            return replace(consent, pauses=consent.pauses - {why})


def of_desk(event: MinorSuspected | PrivateCall | AgentUnready) -> tuple[Row, str]:
    """Return the row of what comes from the agent's desk, and its reason."""
    match event:
        case MinorSuspected(method):
            return Row.MINOR, method
        case PrivateCall(method):
            return Row.PRIVATE, method
        case AgentUnready(why):
            return Row.AGENT, why


def _in_mid_call(consent: Consent, row: Row, method: str) -> Step:
    match cell(consent, row):
        case Answer(Act.CLOSE):
            return replace(consent, state=State.STOPPED, pauses=frozenset()), (Stop(method),)
        case Answer(Act.STOP) if not consent.terms.joins:
            return replace(consent, state=State.STOPPED), (Stop(method),)
        case Answer(Act.STOP | Act.PAUSE as act):
            why = PARTY if act is Act.STOP else method
            return replace(consent, state=State.PAUSED, pauses=frozenset({why})), (Pause(why),)
        case Answer(Act.WISH):
            return _wish(consent, "minor" if row is Row.MINOR else method)
        case Answer(Act.FLAG, outcome) if outcome is not None:
            after = replace(consent, state=State.STOPPED, outcome=outcome)
            return after, (Stop(str(outcome)), Note(outcome, method, Sound.KEPT))
        case Answer(Act.DESTROY, outcome) if outcome is not None:
            after = replace(consent, state=State.UNRECORDED, outcome=outcome)
            means = None if outcome is Outcome.WITHDRAWN else Sound.DESTROYED
            return after, (Stop(str(outcome)), Note(outcome, method, means), Erase())
        case _:
            return consent, ()


def _wish(consent: Consent, what: str) -> Step:
    """Return the note of a wish that changes nothing; the first is enough."""
    if consent.wished or consent.outcome is None:
        return consent, ()
    return replace(consent, wished=True), (Note(consent.outcome, f"wish_{what}", Sound.KEPT),)


def way_on(consent: Consent) -> tuple[Command, ...]:
    """Return how a call that is in our hands is given back unrecorded; nothing for one that went on already."""
    if consent.held:
        return ()
    routed = consent.terms.must or consent.terms.basis is Basis.LEGAL_OBLIGATION
    return (Route(),) if routed else (Release(),)


def cell(consent: Consent, row: Row) -> Answer:
    """Return what the table says to ``row`` under the basis of this call."""
    return TABLE[consent.terms.basis][row]
