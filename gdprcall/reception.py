"""Receives calls from a front end: finds the line's terms, asks, and follows the recording until the call has ended.

It records nothing itself, and where anything is missing or in doubt the call goes on unrecorded.
"""

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdprcall import question, sounding
from gdprcall.agents import Attendance, look_at
from gdprcall.asterisk.arrival import Arrival, PlayablePrompt, question_seconds
from gdprcall.calls import Calls
from gdprcall.consent.dialogue import Consent, Ended, Event, Failed, Note, Outcome, State, Terms
from gdprcall.errors import GdprcallError, VaultError
from gdprcall.evidence import CallFacts, LedgerEvidence
from gdprcall.holding import Case, Holding, playable
from gdprcall.intake import Intake
from gdprcall.joining import Joining, Question
from gdprcall.livecall import LiveCall
from gdprcall.log import get_logger
from gdprcall.policy.model import Basis, Demand, Direction, Line
from gdprcall.recorder import CallRecorder
from gdprcall.session import Session
from gdprcall.times import now_ms
from gdprcall.vault.archive import Vault
from gdprcall.view import View
from gdprcall.watchedfront import CallFront, WatchedFront

CLAIMED = 64
"""How many calls may be between their claim and their question; of more, the oldest is looked at anew."""


@dataclass(frozen=True, slots=True)
class House:
    """What a call is served with."""

    vault: Vault
    intake: Intake
    calls: Calls
    tasks: asyncio.TaskGroup
    spool: Path
    unfit: Callable[[], str]
    watch: Callable[[str, Line], None]
    """Called for each call of a line, by its uniqueid: whatever is answered, nobody else may record it until it ends."""
    reserve_bytes: int = 64 << 20
    """Free space in spool and vault below which nothing new is recorded: what runs can still be written and sealed."""


class Reception:
    """The front desk: one task per asked call."""

    def __init__(self, house: House) -> None:
        self.terms: Holding | None = None
        self.draining = False
        self._seed = secrets.token_hex(16)
        self._house = house
        self.view = View(house.calls)
        self._sessions: set[Session[PlayablePrompt]] = set()
        self._claimed: dict[Arrival, tuple[Holding, Case]] = {}
        self._log = get_logger()

    @property
    def asking(self) -> int:
        """How many calls are being asked now."""
        open_states = {State.NEW, State.ASKING, State.EXPLAINING, State.NOTING}
        return sum(session.consent.state in open_states for session in self._sessions)

    @property
    def offered(self) -> Holding | None:
        """What holds for a call that begins now, None while nothing does."""
        return None if self.draining else self.terms

    def claim(self, arrival: Arrival) -> int | None:
        """Return how many seconds one question to this call may last, or None to give it back at once."""
        if self.terms is not None and (line := self.terms.policy.lines.get(arrival.line)):
            self._house.watch(arrival.channel, line)
        reason = self._refusal(arrival)
        if reason:
            self._log.warning("call_unasked", line=arrival.line, uniqueid=arrival.channel, reason=reason)
            return None
        assert self.terms is not None
        case = self.terms.case(arrival)
        if self._is_never_recorded(case):
            self._log.warning("call_unasked", line=arrival.line, uniqueid=arrival.channel, reason="never_record")
            return None
        # The question begins milliseconds later: what holds is found once.
        self._claimed[arrival] = self.terms, case
        if len(self._claimed) > CLAIMED:
            del self._claimed[next(iter(self._claimed))]
        return question_seconds(case.prompt.total_ms if case.prompt else 0, case.line.timeout_ms)

    def _is_never_recorded(self, case: Case) -> bool:
        """Whether the caller wants never to be recorded, and no law and no emergency wants it."""
        bound = case.line.basis in {Basis.LEGAL_OBLIGATION, Basis.VITAL_INTEREST}
        return not bound and (case.controller.id, case.subject) in self._house.vault.never

    def arrive(self, arrival: Arrival, front: CallFront) -> None:
        """Serve a claimed call in a task of its own."""
        if self._refusal(arrival):
            self._house.tasks.create_task(self._give_up(arrival, front))
        else:
            self._house.tasks.create_task(self._serve_contained(arrival, front))

    def _refusal(self, arrival: Arrival) -> str:
        if self.draining:
            return "stopping"
        if self.terms is None:
            return "configuration"
        line = self.terms.policy.lines.get(arrival.line)
        if line is None:
            return "unknown_line"
        # A no is a no on whatever basis the same purpose comes again (EDPB Guidelines 05/2020, 121 to 123).
        if self.view.refused(arrival.channel, line):
            return "refused_before"
        # Who is called hears whence the number is, and it is his number that counts: neither is so on a line for callers.
        return "" if arrival.outbound is (line.direction is Direction.OUTBOUND) else "direction"

    async def _serve_contained(self, arrival: Arrival, front: CallFront) -> None:
        try:
            await self._serve(arrival, front)
        except Exception:  # noqa: BLE001 # the top of one call: it goes on unrecorded, and so do the others as before
            self._log.error("internal_error", uniqueid=arrival.channel, exc_info=True)
            await self._give_up(arrival, front)

    async def _give_up(self, arrival: Arrival, front: CallFront) -> None:
        """Give a call back that cannot be asked; what a law requires to be recorded is not served unrecorded."""
        line = self.terms.policy.lines.get(arrival.line) if self.terms else None
        bound = line is not None and line.basis is Basis.LEGAL_OBLIGATION
        await (front.route() if bound else front.release())

    async def _serve(self, arrival: Arrival, front: CallFront) -> None:
        begun = asyncio.get_running_loop().time()
        assert self.terms is not None
        terms, case = self._claimed.pop(arrival, (None, None))
        if case is None or terms is not self.terms:
            case = self.terms.case(arrival)
        facts = self._facts(arrival, case)
        self._look_at_demand(arrival, case.line)
        session, live, evidence = self._session(arrival, front, facts, case)
        unfit = self._unfit(session, case)
        if unfit:
            if unfit == "prompt_unfit":
                self._log.error("prompt_unfit", line=case.line.id, language=case.language)
            session.feed(Failed(unfit))
        self._sessions.add(session)
        self._house.calls.add(live)
        self.view.begin(facts, live)
        try:
            await session.run()
        except GdprcallError as error:
            self._log.error("evidence_failed", call=facts.call, error=type(error).__name__, hint=error.hint)
        finally:
            self._sessions.discard(session)
            self.view.over(facts.decision)
            if not session.recorded:
                self._house.calls.drop(session.recording)
        self._finished(session, evidence.call, round((asyncio.get_running_loop().time() - begun) * 1000))

    def _look_at_demand(self, arrival: Arrival, line: Line) -> None:
        must = arrival.demand == Demand.MUST
        if must and line.basis is not Basis.LEGAL_OBLIGATION:
            self._log.warning("must_on_consent", line=line.id)
        elif not must and line.basis is Basis.LEGAL_OBLIGATION:
            self._log.error("may_on_obligation", line=line.id)

    def _unfit(self, session: Session[PlayablePrompt], case: Case) -> str:
        """Return why a call cannot be recorded, if so; what is not drawn or not told first needs no prompt."""
        terms = session.consent.terms
        silent = terms.deferred or not terms.sampled
        return self._house.unfit() or self.short_of_space() or ("" if case.prompt or silent else "prompt_unfit")

    def _session(
        self, arrival: Arrival, front: CallFront, facts: CallFacts, case: Case
    ) -> tuple[Session[PlayablePrompt], LiveCall, LedgerEvidence]:
        house = self._house
        recorder = CallRecorder(facts, house.vault, house.intake, house.calls, house.tasks)
        attendance, terms = Attendance(house.vault, facts.line), self._terms(arrival, facts)
        evidence = LedgerEvidence(house.vault, facts, attendance.grant)
        session = Session(
            terms,
            recording=facts.recording,
            prompt=playable(case.prompt, facts.language),
            notice=playable(case.notice, facts.language) if case.notice else None,
            front=WatchedFront(front, recorder, legs=facts.line.legs),
            evidence=evidence,
            recorder=recorder,
            watch=self.view.watch(facts.decision),
        )

        def deliver(event: Event) -> None:
            # AMI may tell of a hangup before the front end does, and does not know what was heard until then.
            session.feed(Ended(event.how, front.heard_ms) if isinstance(event, Ended) else event)

        live = LiveCall(facts.recording, arrival.channel, arrival.name, deliver)
        recorder.live = live
        live.met = self._meeting(facts, attendance, deliver)
        if facts.line.agents.tone:
            sounding.attend(live, house.calls, house.tasks)
        if terms.joins and terms.prompt:
            Joining(facts, Question(terms, facts.language), house.vault, house.calls, house.tasks).attend(live)
        return session, live, evidence

    def _terms(self, arrival: Arrival, facts: CallFacts) -> Terms:
        return question.terms(
            facts.line,
            prompt=facts.prompt_sha256,
            mandatory_ms=facts.mandatory_ms,
            must=arrival.demand == Demand.MUST,
            notice=facts.notice_sha256,
            sampled=question.is_drawn(facts.line.sample_rate, self._seed, facts.uniqueid),
        )

    def _meeting(
        self, facts: CallFacts, attendance: Attendance, deliver: Callable[[Event], None]
    ) -> Callable[[str], None]:
        """Return what is done about who answers the call: where agents stand each for himself, he is looked at."""
        assert self.terms is not None
        policy = self.terms.policy

        def met(channel: str) -> None:
            if facts.line.agents.each:
                found = look_at(policy, facts.line, channel, facts.uniqueid)
                self._house.tasks.create_task(attendance.met(found, deliver))

        return met

    async def private(self, line: str, channel: str, *, must: bool) -> None:
        """Note a call that came as a private one and was not asked; what must be recorded is asked like any other."""
        known = self.terms.policy.lines.get(line) if self.terms else None
        self._log.info("private_call", line=line, uniqueid=channel, demand="must" if must else "may")
        if self.terms is None or known is None or must:
            return
        call, decision, recording = (secrets.token_hex(16) for _ in range(3))
        owner, sha256 = self.terms.policy.controller_of(known), self.terms.policy.sha256(known)
        facts = CallFacts(call, decision, recording, channel, known, owner, sha256, language="", front="dialplan")
        consent = Consent(question.terms(known, prompt="", mandatory_ms=0, must=False))
        with suppress(VaultError):  # told already
            await LedgerEvidence(self._house.vault, facts).note(consent, Note(Outcome.PRIVATE, "prefix"))

    def _facts(self, arrival: Arrival, case: Case) -> CallFacts:
        return CallFacts(
            call=secrets.token_hex(16),
            decision=secrets.token_hex(16),
            recording=secrets.token_hex(16),
            uniqueid=arrival.channel,
            line=case.line,
            controller=case.controller,
            policy_sha256=case.policy_sha256,
            language=case.language,
            front=arrival.front,
            prompt_sha256=case.prompt.sha256 if case.prompt else "",
            text_sha256=hashlib.sha256(case.prompt.text.encode()).hexdigest() if case.prompt else "",
            notice_sha256=case.notice.sha256 if case.notice else "",
            asked_at=now_ms(),
            mandatory_ms=case.prompt.mandatory_ms if case.prompt else 0,
            sample_seed=self._seed if case.line.sample_rate < 1 else "",
            stricter=case.stricter,
            subject=case.subject,
            number=case.number,
        )

    def short_of_space(self) -> str:
        """Return why there is no room for another recording, or nothing; nothing is ever removed to make some."""
        try:
            free = min(shutil.disk_usage(path).free for path in (self._house.spool, self._house.vault.folder))
        except OSError:
            return "no_spool"
        return "no_space" if free < self._house.reserve_bytes else ""

    def _finished(self, session: Session[PlayablePrompt], facts: CallFacts, took_ms: int) -> None:
        consent = session.consent
        self._log.info(
            "call_finished",
            call=facts.call,
            decision=facts.decision,
            controller=facts.controller.id,
            line=facts.line.id,
            language=facts.language,
            outcome=str(consent.outcome or "not_drawn"),
            reason=session.failure,
            heard_ms=consent.heard_ms,
            attempts=consent.tries,
            recording=facts.recording if session.recorded else None,
            ms=took_ms,
        )
