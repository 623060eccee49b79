"""What each lawful basis of Art. 6(1) needs of a line, and what does not go with it.

It knows neither countries nor sectors (jurisdiction.py), nor what the daemon can carry out (rules.py).
"""

from collections.abc import Iterator
from typing import assert_never

from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Basis, Controller, Line, OnRefuse, Purpose, Regime

EEA = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # read as a list
)
OWN_ENDS = frozenset({Purpose.QUALITY, Purpose.TRAINING})
"""What serves the controller's own betterment: no contract, law or life hangs on it."""
# What belongs to some bases alone; on another line it would be a basis in reserve.
RESERVED = {
    "assessment": {Basis.LEGITIMATE_INTEREST},
    "interest": {Basis.LEGITIMATE_INTEREST},
    "law": {Basis.LEGAL_OBLIGATION, Basis.PUBLIC_TASK},
    "emergency": {Basis.VITAL_INTEREST},
}


def line(line: Line, owner: Controller | None, place: str, today: str) -> Iterator[Finding]:
    """Yield what is wrong with the basis of a line, and with what the line says for it."""
    if line.basis not in set(Basis):
        mend = f"write one of: {', '.join(Basis)} (Art. 6(1) GDPR)"
        yield refuse("BAS-01", f"{place}.basis", "a line has exactly one lawful basis", mend)
        return
    match line.basis:
        case Basis.CONSENT:
            yield from _consent(line, place)
        case Basis.CONTRACT:
            yield from _contract(line, place)
        case Basis.LEGAL_OBLIGATION:
            yield from _legal_obligation(line, owner, place)
        case Basis.VITAL_INTEREST:
            yield from _vital_interest(line, place)
        case Basis.PUBLIC_TASK:
            yield from _objection(line, place, "BAS-07")
            yield from _law(line, owner, place, "BAS-07")
        case Basis.LEGITIMATE_INTEREST:
            yield from _objection(line, place, "BAS-08")
            yield from _legitimate_interest(line, owner, place, today)
        case _:
            assert_never(line.basis)
    yield from _demand(line, place)
    yield from _reserved(line, place)


def _consent(line: Line, place: str) -> Iterator[Finding]:
    if line.on_refuse is not OnRefuse.SAME_SERVICE:
        text = "who says no gets another service than who agrees: consent is then not freely given"
        yield refuse("CON-05", f"{place}.on_refuse", text, 'write on_refuse = "same_service"')
    if line.min_retention_days:
        text = "a consent that is withdrawn takes the recording with it, so it cannot be kept for a least time"
        yield refuse("CON-08", f"{place}.min_retention_days", text, "leave it out")
    if line.autostart:
        yield refuse("CON-02", f"{place}.autostart", "nothing is recorded before the answer", "leave it out")


def _contract(line: Line, place: str) -> Iterator[Finding]:
    if line.autostart:
        text = "the recording begins with the contract's own part of the call, never with the answer"
        yield refuse("BAS-04", f"{place}.autostart", text, "leave it out: the agent starts it")
    if not line.no_other_proof_reason.strip():
        text = "recording must be necessary for the contract: it does not say why nothing else can prove it"
        yield refuse("BAS-04", f"{place}.no_other_proof_reason", text, "write the reason, or ask for consent")
    if line.purpose in OWN_ENDS:
        text = f"{line.purpose} is no part of performing the caller's contract"
        yield refuse("BAS-04", f"{place}.purpose", text, 'use contract_proof, or basis = "consent"')
    if line.on_refuse is OnRefuse.HANG_UP:
        text = "who does not want to be recorded must be offered another way to the contract"
        yield refuse("BAS-04", f"{place}.on_refuse", text, 'write on_refuse = "route" or "same_service"')


def _legal_obligation(line: Line, owner: Controller | None, place: str) -> Iterator[Finding]:
    yield from _law(line, owner, place, "BAS-05")
    if not line.min_retention_days:
        text = "a law that demands recordings says how long they are kept at least"
        yield refuse("BAS-05", f"{place}.min_retention_days", text, "write the least number of days")
    elif line.min_retention_days > line.retention_days:
        text = f"they would be deleted after {line.retention_days} days, before the law allows it"
        yield refuse("BAS-05", f"{place}.min_retention_days", text, "raise retention_days")
    if not line.must:
        text = "a call that the law wants recorded must not be served unrecorded"
        yield refuse("BAS-05", f"{place}.must", text, "write must = true, and must in the dialplan's Gosub")
    if line.on_refuse is not OnRefuse.ROUTE:
        text = "the caller cannot switch it off, but must be offered another way"
        yield refuse("BAS-05", f"{place}.on_refuse", text, 'write on_refuse = "route", or leave it out')
    if line.autostart:
        yield refuse("INF-05", f"{place}.autostart", "callers are told before they are recorded", "leave it out")


def _law(line: Line, owner: Controller | None, place: str, rule: str) -> Iterator[Finding]:
    if not line.law.strip():
        yield refuse(rule, f"{place}.law", "it does not say which law", "name the act and its article")
    if not line.member_state:
        yield refuse(rule, f"{place}.member_state", "it does not say whose law", 'write for example "EU" or "DE"')
        return
    british = owner is not None and owner.regime is Regime.UK_GDPR
    if british and line.member_state != "GB":
        text = "under the UK's GDPR it is the law of the United Kingdom that counts"
        yield warn(rule, f"{place}.member_state", text, 'write "GB"')
    elif not british and line.member_state not in EEA | {"EU"}:
        text = "only the law of the Union or of a Member State is a basis"
        yield refuse(rule, f"{place}.member_state", text, 'write "EU" or a state of the EEA, such as "DE"')


def _vital_interest(line: Line, place: str) -> Iterator[Finding]:
    if not line.emergency:
        text = "only a line where lives are at stake is recorded to protect them"
        yield refuse("BAS-06", f"{place}.emergency", text, "write emergency = true if it is one, or ask for consent")
    if not line.emergency_reason.strip():
        text = "it does not say whose life a recording protects, and how"
        yield refuse("BAS-06", f"{place}.emergency_reason", text, "write the reason")
    if line.purpose in OWN_ENDS:
        yield refuse("BAS-06", f"{place}.purpose", f"{line.purpose} protects no life", 'write purpose = "emergency"')
    if line.notice_deferred and not line.full_notice_url.strip():
        text = "callers who are told nothing first must find the notice somewhere"
        yield refuse("BAS-06", f"{place}.full_notice_url", text, "name where the notice is published")
    if line.on_refuse is not OnRefuse.SAME_SERVICE:
        text = "nobody in need is sent away for not wanting to be recorded"
        yield refuse("BAS-06", f"{place}.on_refuse", text, 'write on_refuse = "same_service"')


def _objection(line: Line, place: str, rule: str) -> Iterator[Finding]:
    if not line.keys.object:
        text = "callers have the right to object, and no key to do it with"
        yield refuse(rule, f"{place}.object", text, 'write for example object = "9"')
    if line.on_refuse is not OnRefuse.SAME_SERVICE:
        text = "who objects gets another service than who does not: the right would be one in name only"
        yield warn(rule, f"{place}.on_refuse", text, 'write on_refuse = "same_service"')
    if line.autostart:
        yield refuse("INF-05", f"{place}.autostart", "callers are told before they are recorded", "leave it out")


def _legitimate_interest(line: Line, owner: Controller | None, place: str, today: str) -> Iterator[Finding]:
    if owner is not None and owner.public_authority:
        text = "a public authority has no legitimate interest in the performance of its tasks"
        yield refuse("BAS-08", f"{place}.basis", text, 'write basis = "public_task" with its law, or "consent"')
    if not line.interest.strip():
        text = "callers must be told which interest it is (Art. 13(1)(d))"
        yield refuse("BAS-08", f"{place}.interest", text, "write the interest in a few words")
    weighed = line.assessment
    if weighed is None:
        text = "nobody has weighed it in writing: the interest, whether recording is needed, the caller's side"
        mend = "make the assessment, and name its id, date, sha256 and review_by"
        yield refuse("BAS-08", f"{place}.assessment", text, mend)
    elif weighed.review_by <= weighed.date:
        text = "it was to be reviewed before it was made"
        yield refuse("BAS-08", f"{place}.assessment.review_by", text, "write a day after its date")
    elif today and weighed.review_by < today:
        text = f"its review was due on {weighed.review_by}"
        yield warn("BAS-08", f"{place}.assessment.review_by", text, "review it, and write the next day of review")
    elif today and weighed.date > today:
        yield warn("BAS-08", f"{place}.assessment.date", "is a day to come", "write when it was made")


def _demand(line: Line, place: str) -> Iterator[Finding]:
    if not line.must or line.basis is Basis.LEGAL_OBLIGATION:
        return
    rule = "CON-05" if line.basis is Basis.CONSENT else "FCL-02"
    text = f"on {line.basis} a call is served recorded or not; sent away for it, nobody is free to say no"
    yield refuse(rule, f"{place}.must", text, "leave it out, and write may in the dialplan's Gosub")


def _reserved(line: Line, place: str) -> Iterator[Finding]:
    for name, of in RESERVED.items():
        if getattr(line, name) and line.basis not in of:
            text = f"belongs to {' or '.join(sorted(of))}: a basis in reserve cannot be gone over to"
            yield warn("BAS-03", f"{place}.{name}", text, "leave it out")
    if line.min_retention_days and line.basis not in {Basis.CONSENT, Basis.LEGAL_OBLIGATION, Basis.PUBLIC_TASK}:
        text = "only a law can forbid an earlier deletion"
        yield refuse("RET-01", f"{place}.min_retention_days", text, "leave it out")
