"""A line in plain words: what happens for each thing that a caller can do, and who is told what.

It says what the policy means and the dialogue does; it decides nothing, and knows no call.
"""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import assert_never

from gdprcall.policy.agents import lacks
from gdprcall.policy.dialplan import written
from gdprcall.policy.jurisdiction import rules_for
from gdprcall.policy.model import (
    OBJECTED_TO,
    Basis,
    Controller,
    Demand,
    Direction,
    ForeignRecorder,
    Line,
    OnRefuse,
    Policy,
)
from gdprcall.policy.profile import Kind

AFTER_NO = {
    OnRefuse.SAME_SERVICE: "the call goes on at once to the same service, unrecorded",
    OnRefuse.ROUTE: "the call is offered another way, unrecorded",
    OnRefuse.HANG_UP: "the call ends",
}
UNINFORMED = "nothing is recorded, and the call goes on to the same service"


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that can happen on a line, and what follows."""

    when: str
    then: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A line in plain words."""

    line: str
    summary: str
    ways: tuple[Way, ...]
    told: tuple[Way, ...]
    duties: tuple[str, ...]
    dialplan: str

    def as_json(self) -> dict[str, object]:
        """Return the explanation as JSON."""
        return asdict(self)


def explain(policy: Policy, line: Line, options: Collection[str]) -> Explanation:
    """Return what a line of a policy means; ``options`` are those that the daemon carries out."""
    owner = policy.controller_of(line)
    return Explanation(
        line=line.id,
        summary=summary(owner, line),
        ways=(*_ways(line), *_more(line, options), *_any(line), *_with_agent(line), *_abroad(policy, owner, line)),
        told=tuple(_told(policy, owner, line)),
        duties=tuple(_duties(policy, owner, line)),
        dialplan=f"expected to say {line.demand}: {written(line)}",
    )


def summary(owner: Controller, line: Line) -> str:
    """Return a line in one sentence."""
    deed = "asks" if line.basis is Basis.CONSENT else "tells"
    whom = "callers" if line.direction is Direction.INBOUND else "those who are called"
    part = "" if line.sample_rate >= 1 else f", {line.sample_rate:.4g} of the calls"
    return (
        f"{deed} {whom} of {owner.name} in {', '.join(line.languages)}; records for {line.purpose} on the basis of "
        f"{line.basis}{part}; {_silence(line)}; kept {line.retention_days} days"
    )


def _silence(line: Line) -> str:
    keys = line.keys
    if line.basis is Basis.CONSENT:
        return f"{keys.accept} records, {keys.refuse}, silence and anything else does not; {keys.withdraw} withdraws"
    if line.basis in OBJECTED_TO:
        return f"{keys.object} objects, and nothing is recorded"
    return f"{keys.refuse}: {AFTER_NO[line.on_refuse]}" if line.basis is not Basis.VITAL_INTEREST else "no key stops it"


def _ways(line: Line) -> Iterator[Way]:
    match line.basis:
        case Basis.CONSENT:
            yield from _consent(line)
        case Basis.LEGITIMATE_INTEREST | Basis.PUBLIC_TASK:
            yield from _objection(line)
        case Basis.CONTRACT:
            yield from _contract(line)
        case Basis.LEGAL_OBLIGATION:
            yield from _legal_obligation(line)
        case Basis.VITAL_INTEREST:
            yield from _vital_interest(line)
        case _:
            assert_never(line.basis)


def _consent(line: Line) -> Iterator[Way]:
    keys, tries = line.keys, line.attempts
    asked = f"is asked {'once' if tries == 1 else f'{tries} times'}, with {line.timeout_ms // 1000} s to answer"
    yield Way(f"presses {keys.accept} after the mandatory part of the prompt", "the answer is noted, then recorded")
    yield Way(f"presses {keys.accept} before its end", "it does not count; the prompt goes on")
    yield Way(f"presses {keys.refuse}, at any time", AFTER_NO[line.on_refuse])
    yield Way("is silent, or presses another key", f"{asked}; then the call goes on unrecorded")
    then = "the recording stops and all of it is destroyed; the proof of what was asked stays; the call goes on"
    yield Way(f"presses {keys.withdraw} in mid-call", then)
    yield Way("is joined by somebody who was not asked", "the recording ends before that voice is heard")
    yield Way("gets no prompt, or no daemon", UNINFORMED)


def _objection(line: Line) -> Iterator[Way]:
    keys = line.keys
    yield Way("hears the notice and its objection to the end, and does nothing", "the call is recorded")
    yield Way(f"presses {keys.object} in or after the notice", AFTER_NO[line.on_refuse])
    yield Way(f"presses {keys.accept}", "it is noted as understood, never as consent; the call is recorded")
    yield Way("presses another key", "as if nothing had been pressed")
    yield Way(
        f"presses {keys.withdraw} in mid-call", "the recording stops and all of it is destroyed; the call goes on"
    )
    yield Way("is joined by somebody who was not told", "the recording ends before that voice is heard")
    yield Way("gets no notice, or no daemon", UNINFORMED)


def _contract(line: Line) -> Iterator[Way]:
    keys = line.keys
    yield Way("hears the notice and comes to the contract", "the agent starts the recording then, and ends it with it")
    yield Way("talks of anything else", "nothing is recorded")
    no = f"{AFTER_NO[line.on_refuse]}; the caller is told what cannot be agreed by telephone then"
    yield Way(f"presses {keys.refuse} in or after the notice", no)
    yield Way(
        f"presses {keys.withdraw} in mid-call", "the recording stops and all of it is destroyed; the call goes on"
    )
    yield Way("is joined by somebody who was not told", "the recording ends before that voice is heard")
    yield Way("gets no notice, or no daemon", UNINFORMED)


def _legal_obligation(line: Line) -> Iterator[Way]:
    keys = line.keys
    yield Way("hears the notice to its end", f"the call is recorded, as {line.law or 'the law'} wants it")
    yield Way(f"presses {keys.refuse}", "is not served here: the dialplan offers another way")
    yield Way(f"presses {keys.withdraw} in mid-call", "the wish is noted, and the recording goes on")
    yield Way("is joined by somebody who was not told", "the recording ends before that voice is heard")
    yield Way("gets no notice, or no daemon", "the call is not served unrecorded: the dialplan sends it elsewhere")


def _vital_interest(line: Line) -> Iterator[Way]:
    first = "at once; the notice comes later" if line.notice_deferred else "after the notice"
    yield Way("calls", f"the call is recorded {first}")
    yield Way("does not want it", "the wish is noted, and the recording goes on")
    yield Way("gets no notice", "the call is recorded, and the notice comes later")
    yield Way("gets no daemon", "the call goes on unrecorded: help comes first")


def _more(line: Line, options: Collection[str]) -> Iterator[Way]:
    if line.keys.more and "more" in options:
        yield Way(f"presses {line.keys.more}", "the full notice is played, then the question comes again")


def _any(line: Line) -> Iterator[Way]:
    if line.basis is not Basis.VITAL_INTEREST:
        yield Way("hangs up before an answer", "a minimal note without a number, and nothing else, is kept")
    if line.spoken and line.basis is Basis.CONSENT:
        yield Way(
            "is silent, and says yes to the agent", "the agent notes it by key, twice; it is noted, then recorded"
        )
    if line.direction is Direction.OUTBOUND:
        yield Way("is called, and a machine answers", "where the dialplan has it listened for, it is not recorded")
        yield Way("is left by the agent before an answer", "the call ends at once, and nothing is recorded")
    if line.agent_asks:
        then = "the agent notes that by key, and who is called agrees by key, or aloud: noted, then recorded"
        yield Way("is read the question by the agent, and not by a prompt", then)
    if line.legs:
        then = "one voice can be silenced in the copy: the caller's and the others' are recorded apart"
        yield Way("asks for a copy, and others have a right to their voice", then)
    if line.sample_rate < 1:
        yield Way("is not among the calls that are chosen", "is neither asked nor recorded")
    ended = ", and the recorder ended" if line.foreign_recorder is ForeignRecorder.STOP else ""
    yield Way("is recorded by something else on the PBX", f"it is told and noted, whatever was answered{ended}")
    if line.keys.pause:
        yield Way(f"pays by card (the agent presses {line.keys.pause})", "the recording pauses until it goes on by key")


def _with_agent(line: Line) -> Iterator[Way]:
    kept = line.basis in {Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST}
    if line.agents.each:
        then = "the recording stops, and what there is of it is destroyed; the call goes on"
        when = "is answered by an agent who has not acknowledged his notice, or who is not named"
        yield Way(when, "the call is recorded all the same, and the log says so" if kept else then)
    then = "the recording ends for the rest of the call; what was recorded before stays"
    yield Way(
        "is on a private call, as the agent says by key",
        "the wish is noted, and the recording goes on" if kept else then,
    )
    if line.demand is Demand.MAY:
        yield Way("comes by a prefix for private calls", "is neither asked nor recorded, which is noted")


def _abroad(policy: Policy, owner: Controller, line: Line) -> Iterator[Way]:
    if line.basis is Basis.CONSENT:
        return
    countries = [country for profile in policy.profiles.countries for country in profile.countries]
    stricter = [one for one in countries if rules_for(policy.profiles, line, owner, one).basis is not line.basis]
    if rules_for(policy.profiles, line, owner, owner.country).basis is not line.basis:
        yield Way("calls from anywhere", "is asked for consent: the controller's own country wants it")
    elif rules_for(policy.profiles, line, owner, "").basis is not line.basis:
        where = f"from {', '.join(stricter)}, " if stricter else "from "
        when = f"calls {where}a country whose rules are not known, or without a number"
        yield Way(when, "is asked for consent, as the stricter rules want it")


def _told(policy: Policy, owner: Controller, line: Line) -> Iterator[Way]:
    what = "who records, what for, how long it is kept, the keys, and where the full notice is"
    first = "the notice may come after the call" if line.notice_deferred else f"hears {what}"
    yield Way("the caller" if line.direction is Direction.INBOUND else "who is called", first)
    yield Way("who wants to know all", f"finds it at {line.full_notice(owner)}")
    yield Way("the agent", _agent_told(policy, line))
    if owner.disclosed_to:
        yield Way("others", f"{', '.join(owner.disclosed_to)} may get recordings, and the full notice names them")


def _agent_told(policy: Policy, line: Line) -> str:
    agents = line.agents
    if agents.each:
        ready = sum(not lacks(agent, agents.notice, "") for agent in policy.agents.values())
        notice = f"notice {agents.notice}" if agents.notice else "a notice"
        return f"has acknowledged {notice} for himself: {ready} of the {len(policy.agents)} who are named have"
    if agents.basis is None:
        return "the policy does not say: see PTY-01"
    return f"knows notice {agents.notice} since {agents.acknowledged_on} ({agents.basis})"


def _duties(policy: Policy, owner: Controller, line: Line) -> Iterator[str]:
    own = policy.profiles.of_country(owner.country)
    chosen = [own, *(policy.profiles.by_id.get(id_) for id_ in line.profiles)]
    for profile in chosen:
        for rule in profile.rules if profile else ():
            if rule.kind is Kind.TOLD and rule.concerns(line.purpose, line.basis):
                yield f"{rule.text} ({rule.article})"
