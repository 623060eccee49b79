"""What the law says to everything that can happen, basis by basis: one table, and nothing that is not in it.

It carries nothing out: ``dialogue.py`` turns each answer into states and commands.

The columns are the bases of Art. 6(1); legitimate interest and public task share one, since both bow to an objection
(Art. 21). A row that a column lacks cannot happen there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gdprcall.consent.outcomes import Basis, Ending, Outcome


class Row(StrEnum):
    """What can happen: first while a caller is asked or informed, then while the call runs."""

    ACCEPT = "the accept key after what must be heard"
    EARLY = "the accept key before that"
    REFUSE = "the key that says no, at any time"
    WRONG = "another key"
    SILENCE = "silence after the prompt"
    UNHEARD = "the prompt is missing, failed or was cut"
    FAILED = "something else failed"
    NO_DTMF = "no key can come from this caller"
    SECOND = "another key while the note is written"

    WITHDRAWN = "withdrawal or objection in mid-call"
    PARTY = "somebody joins who was not asked"
    PAUSE = "a hold, a card number, an operator's word"
    MINOR = "the agent suspects a minor"
    ORDERED = "somebody in charge wants it ended, before it begins or in mid-call"
    PRIVATE = "the agent keeps a private call out"
    AGENT = "the agent has not acknowledged that he is recorded"


class Act(StrEnum):
    """What is done."""

    RECORD = "note it, then record"
    HOLD = "note it, then wait for the agent to begin"
    AGAIN = "ask once more; when the tries are used up, unrecorded"
    UNRECORDED = "the call goes on unrecorded, to the same service"
    ROUTE = "the call is not served here"
    GO_ON = "nothing changes"
    WISH = "what was wanted is noted, and nothing else changes"
    STOP = "the recording ends, or pauses until who joined has been asked, where the line asks; what there is stays"
    PAUSE = "the recording pauses until that is over"
    CLOSE = "the recording ends for the rest of the call; what there is stays"
    FLAG = "the recording ends, and what there is stays for a person to look at"
    DESTROY = "the recording ends, and all of it is destroyed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One cell: what is done, and the outcome that is noted."""

    act: Act
    outcome: Outcome | None = None


Column = Mapping[Row, Answer]

_GO_ON = Answer(Act.GO_ON)
_STOP = Answer(Act.STOP)
_PAUSE = Answer(Act.PAUSE)
# What was recorded before is the caller's business and stays; nothing of it is the agent's private call.
_PRIVATE = Answer(Act.CLOSE, Outcome.PRIVATE)
# Nothing of an agent who was not told may be kept, however little.
_UNREADY = Answer(Act.DESTROY, Outcome.UNACKNOWLEDGED)
_UNHEARD = Answer(Act.UNRECORDED, Outcome.PROMPT_ERROR)
_FAILED = Answer(Act.UNRECORDED, Outcome.SYSTEM_FAIL)

CONSENT: Column = {
    Row.ACCEPT: Answer(Act.RECORD, Outcome.GRANTED),
    Row.EARLY: _GO_ON,
    Row.REFUSE: Answer(Act.UNRECORDED, Outcome.REFUSED),
    Row.WRONG: Answer(Act.AGAIN, Outcome.INVALID),
    Row.SILENCE: Answer(Act.AGAIN, Outcome.TIMEOUT),
    Row.UNHEARD: _UNHEARD,
    Row.FAILED: _FAILED,
    Row.NO_DTMF: Answer(Act.UNRECORDED, Outcome.NO_DTMF),
    # Two keys at once are no unambiguous act.
    Row.SECOND: Answer(Act.UNRECORDED, Outcome.INVALID),
    Row.WITHDRAWN: Answer(Act.DESTROY, Outcome.WITHDRAWN),
    Row.PARTY: _STOP,
    Row.PAUSE: _PAUSE,
    Row.MINOR: Answer(Act.DESTROY, Outcome.MINOR),
    Row.ORDERED: _STOP,
    Row.PRIVATE: _PRIVATE,
    Row.AGENT: _UNREADY,
}

OBJECTION: Column = {
    # The accept key has no meaning in law here; that it was pressed is noted as an acknowledgement, never as consent.
    Row.ACCEPT: Answer(Act.RECORD, Outcome.INFORMED),
    Row.EARLY: _GO_ON,
    Row.REFUSE: Answer(Act.UNRECORDED, Outcome.OBJECTED),
    Row.WRONG: _GO_ON,
    Row.SILENCE: Answer(Act.RECORD, Outcome.INFORMED),
    Row.UNHEARD: _UNHEARD,
    Row.FAILED: _FAILED,
    # Who has no keys objects by voice, to the agent.
    Row.NO_DTMF: _GO_ON,
    Row.SECOND: _GO_ON,
    # Art. 21(1) lets grounds be weighed; to honour the bare objection at once is stricter, and simpler.
    Row.WITHDRAWN: Answer(Act.DESTROY, Outcome.OBJECTED),
    Row.PARTY: _STOP,
    Row.PAUSE: _PAUSE,
    Row.MINOR: Answer(Act.FLAG, Outcome.MINOR),
    Row.ORDERED: _STOP,
    Row.PRIVATE: _PRIVATE,
    Row.AGENT: _UNREADY,
}

CONTRACT: Column = {
    Row.ACCEPT: Answer(Act.HOLD, Outcome.INFORMED),
    Row.EARLY: _GO_ON,
    Row.REFUSE: Answer(Act.UNRECORDED, Outcome.REFUSED),
    Row.WRONG: _GO_ON,
    Row.SILENCE: Answer(Act.HOLD, Outcome.INFORMED),
    Row.UNHEARD: _UNHEARD,
    Row.FAILED: _FAILED,
    Row.NO_DTMF: _GO_ON,
    Row.SECOND: _GO_ON,
    # Before the agent said that it was made, there is no contract that the sound could prove.
    Row.WITHDRAWN: Answer(Act.DESTROY, Outcome.WITHDRAWN),
    Row.PARTY: _STOP,
    Row.PAUSE: _PAUSE,
    Row.MINOR: Answer(Act.FLAG, Outcome.MINOR),
    Row.ORDERED: _STOP,
    Row.PRIVATE: _PRIVATE,
    Row.AGENT: _UNREADY,
}

OBLIGATION: Column = {
    Row.ACCEPT: Answer(Act.RECORD, Outcome.LEGAL_REQUIRED),
    Row.EARLY: _GO_ON,
    Row.REFUSE: Answer(Act.ROUTE, Outcome.ROUTED),
    Row.WRONG: _GO_ON,
    Row.SILENCE: Answer(Act.RECORD, Outcome.LEGAL_REQUIRED),
    Row.UNHEARD: Answer(Act.ROUTE, Outcome.PROMPT_ERROR),
    Row.FAILED: Answer(Act.ROUTE, Outcome.SYSTEM_FAIL),
    Row.NO_DTMF: _GO_ON,
    Row.SECOND: _GO_ON,
    Row.WITHDRAWN: Answer(Act.WISH),
    Row.PARTY: _STOP,
    Row.PAUSE: _PAUSE,
    Row.MINOR: Answer(Act.WISH),
    # What a law wants recorded is not for anybody here to end.
    Row.ORDERED: _GO_ON,
    Row.PRIVATE: Answer(Act.WISH),
    # The call is recorded all the same: whoever employs the agent hears of it.
    Row.AGENT: _GO_ON,
}

VITAL: Column = {
    Row.ACCEPT: Answer(Act.RECORD, Outcome.INFORMED),
    Row.EARLY: _GO_ON,
    Row.REFUSE: Answer(Act.WISH),
    Row.WRONG: _GO_ON,
    Row.SILENCE: Answer(Act.RECORD, Outcome.INFORMED),
    # A life comes before a notice, which comes later.
    Row.UNHEARD: Answer(Act.RECORD, Outcome.INFORMED),
    Row.FAILED: _FAILED,
    Row.NO_DTMF: _GO_ON,
    Row.SECOND: _GO_ON,
    Row.WITHDRAWN: Answer(Act.WISH),
    Row.PARTY: _GO_ON,
    Row.PAUSE: _GO_ON,
    Row.MINOR: Answer(Act.WISH),
    Row.ORDERED: _STOP,
    Row.PRIVATE: Answer(Act.WISH),
    Row.AGENT: _GO_ON,
}

TABLE: Mapping[Basis, Column] = {
    Basis.CONSENT: CONSENT,
    Basis.LEGITIMATE_INTEREST: OBJECTION,
    Basis.PUBLIC_TASK: OBJECTION,
    Basis.CONTRACT: CONTRACT,
    Basis.LEGAL_OBLIGATION: OBLIGATION,
    Basis.VITAL_INTEREST: VITAL,
}

DRAWN = frozenset({Basis.CONSENT, Basis.CONTRACT, Basis.LEGITIMATE_INTEREST, Basis.PUBLIC_TASK})
"""Where a part of the calls may be enough; a duty and a life leave no choice."""

ENDING: Mapping[Basis, Ending] = {
    Basis.CONSENT: Ending.WITHDRAWAL,
    Basis.LEGITIMATE_INTEREST: Ending.OBJECTION,
    Basis.PUBLIC_TASK: Ending.OBJECTION,
    Basis.CONTRACT: Ending.WITHDRAWAL,
    Basis.LEGAL_OBLIGATION: Ending.NONE,
    Basis.VITAL_INTEREST: Ending.NONE,
}
"""What the caller's key means for a running recording."""
