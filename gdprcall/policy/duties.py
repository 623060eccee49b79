"""What a controller and the operator owe beside the caller's answer: periods, agents, contracts, a quiet log.

It judges neither a basis nor what callers hear.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from gdprcall.policy.bases import OWN_ENDS
from gdprcall.policy.finding import Finding, refuse, warn
from gdprcall.policy.model import Basis, Controller, Line, Purpose, Role
from gdprcall.policy.staff import AgentBasis, Agents

LONG_DAYS = 183
SETS_OUT = ("subject_matter", "duration", "nature_and_purpose", "data", "data_subjects", "rights_and_duties")
CLAUSES = "abcdefgh"
_LIKE_A_NUMBER = re.compile(r"\d{7,}")


def controller(controller: Controller, place: str, today: str) -> Iterator[Finding]:
    """Yield what is wrong between a controller and who runs this installation."""
    yield from _quiet(controller.id, place)
    contract = controller.contract
    if controller.operator is Role.CONTROLLER:
        if contract is not None:
            text = "is a processor's, and the operator is said to be the controller itself"
            yield warn("DOC-03", f"{place}.contract", text, 'write operator = "processor", or leave it out')
        return
    if contract is None:
        text = "a processor records for nobody without a written contract"
        mend = "make one, and name its reference, date, sha256 and clauses"
        yield refuse("DOC-03", f"{place}.contract", text, mend)
        return
    silent = [matter for matter in SETS_OUT if matter not in contract.sets_out]
    if silent:
        text = f"does not set out: {', '.join(silent)}"
        yield refuse("DOC-03", f"{place}.contract.sets_out", text, "amend the contract, then tick them")
    absent = [clause for clause in CLAUSES if clause not in contract.clauses]
    if absent:
        text = f"lacks what Art. 28(3) demands under: {', '.join(f'({clause})' for clause in absent)}"
        yield refuse("DOC-03", f"{place}.contract.clauses", text, "amend the contract, then tick them")
    if not contract.reference.strip():
        yield refuse("DOC-03", f"{place}.contract.reference", "is empty", "write where the contract is found")
    if today and contract.date > today:
        text = f"holds only from {contract.date}"
        yield refuse("DOC-03", f"{place}.contract.date", text, "wait, or write when it was signed")


def line(line: Line, owner: Controller | None, place: str) -> Iterator[Finding]:
    """Yield what is wrong with how long a line's recordings are kept, whom it records besides, and who wanted it."""
    yield from _quiet(line.id, place)
    yield from _retention(line, place)
    yield from _agents(line, owner, place)
    if owner is not None and owner.operator is Role.PROCESSOR and not line.approved_by.strip():
        text = "a processor records as the controller has instructed, and nobody there has approved this"
        yield warn("DOC-04", f"{place}.approved_by", text, "have it approved, and write by whom")
    if line.sample_rate < 1 and line.basis is Basis.LEGAL_OBLIGATION:
        text = "a law that demands recordings demands all of them"
        yield refuse("BAS-10", f"{place}.sample_rate", text, "leave it out")


def _quiet(id_: str, place: str) -> Iterator[Finding]:
    if _LIKE_A_NUMBER.search(id_):
        text = "a name that holds a telephone number would be in every entry of the ledger and of the log"
        yield warn("BAS-11", place, text, "choose a name that says what it is for")


def _retention(line: Line, place: str) -> Iterator[Finding]:
    if line.retention_reason.strip():
        return
    if line.purpose in OWN_ENDS and line.retention_days > LONG_DAYS:
        text = f"{line.retention_days} days is longer than {line.purpose} is known to need"
        yield warn("RET-01", f"{place}.retention_days", text, "shorten it, or write a retention_reason")
    elif line.purpose in {Purpose.DOCUMENTATION, Purpose.CONTRACT_PROOF}:
        text = f"how long {line.purpose} is needed hangs on the matter, and no reason is given for {line.retention_days} days"
        yield warn("RET-01", f"{place}.retention_reason", text, "write it, such as the period to contest")


def _agents(line: Line, owner: Controller | None, place: str) -> Iterator[Finding]:
    agents = line.agents
    if agents.each:
        if agents.basis is not None or agents.acknowledged_on:
            text = "each agent stands for himself here, so a basis or a day of all of them says nothing"
            yield refuse("PTY-01", f"{place}.agents", text, "leave it out, or leave each out")
        return
    if agents.basis is None and replace(agents, tone=False) != Agents():
        mend = "name it, or write each = true and name each agent under [agents]"
        yield refuse("PTY-01", f"{place}.agents.basis", "is missing", mend)
        return
    if agents.basis is None:
        text = "the agent's voice is recorded too, and nothing says on what basis and who told him"
        mend = 'write agents = { basis = "works_agreement", notice = "…", acknowledged_on = … }'
        yield warn("PTY-01", f"{place}.agents", text, mend)
        return
    if not agents.notice.strip():
        yield refuse("PTY-01", f"{place}.agents.notice", "it does not say which notice agents got", "name its version")
    if not agents.acknowledged_on:
        text = "it does not say when they acknowledged the notice"
        yield refuse("PTY-01", f"{place}.agents.acknowledged_on", text, "write the day")
    if agents.basis is AgentBasis.CONSENT:
        text = "agents can hardly say no to their employer: their consent is seldom free"
        yield warn("PTY-01", f"{place}.agents.basis", text, "find another basis, such as a works agreement")
    if agents.basis is AgentBasis.LEGITIMATE_INTEREST and owner is not None and owner.public_authority:
        text = "a public authority has no legitimate interest in the performance of its tasks"
        yield refuse("PTY-01", f"{place}.agents.basis", text, "name another basis")
