"""Receives calls from a front end: finds the line's terms, asks, and follows the recording until the call has ended.

It records nothing itself, and where anything is missing or in doubt the call goes on unrecorded.
"""

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gdprcall.asterisk.arrival import Arrival, PlayablePrompt, question_seconds
from gdprcall.calls import Calls, LiveCall
from gdprcall.consent.dialogue import Ask, Ended, Event, Failed, State, Terms
from gdprcall.errors import GdprcallError
from gdprcall.evidence import CallFacts, LedgerEvidence
from gdprcall.intake import Intake
from gdprcall.log import get_logger
from gdprcall.policy.model import Demand, Line, Policy
from gdprcall.prompts.catalogue import Catalogue, Prompt
from gdprcall.recorder import CallRecorder
from gdprcall.session import Front, Session
from gdprcall.times import now_ms
from gdprcall.vault import subjects
from gdprcall.vault.archive import Vault


class CallFront(Front[PlayablePrompt], Protocol):
    """A real call in the hands of a front end."""

    @property
    def heard_ms(self) -> int:
        """How much of the present question's prompt has been heard until now."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds for new calls: policy, prompts, and the pseudonym key of each controller."""

    policy: Policy
    catalogue: Catalogue
    pseudonym_keys: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class House:
    """What a call is served with."""

    vault: Vault
    intake: Intake
    calls: Calls
    tasks: asyncio.TaskGroup
    spool: Path
    unfit: Callable[[], str]
    reserve_bytes: int = 64 << 20
    """Free space in spool and vault below which nothing new is recorded: what runs can still be written and sealed."""


class Reception:
    """The front desk: one task per asked call."""

    def __init__(self, house: House) -> None:
        self.terms: Holding | None = None
        self.draining = False
        self._house = house
        self._sessions: set[Session[PlayablePrompt]] = set()
        self._log = get_logger()

    @property
    def asking(self) -> int:
        """How many calls are being asked now."""
        open_states = {State.NEW, State.ASKING, State.NOTING}
        return sum(session.consent.state in open_states for session in self._sessions)

    def claim(self, arrival: Arrival) -> int | None:
        """Return how many seconds one question to this call may last, or None to give it back at once."""
        reason = self._refusal(arrival)
        if reason:
            self._log.warning("call_unasked", line=arrival.line, uniqueid=arrival.channel, reason=reason)
            return None
        assert self.terms is not None
        line = self.terms.policy.lines[arrival.line]
        prompt = self.terms.catalogue.find(line.id, line.language_for(arrival.language))
        return question_seconds(prompt.total_ms if prompt else 0, line.timeout_ms)

    def arrive(self, arrival: Arrival, front: CallFront) -> None:
        """Serve a claimed call in a task of its own."""
        if self._refusal(arrival):
            self._house.tasks.create_task(front.release())
        else:
            self._house.tasks.create_task(self._serve_contained(arrival, front))

    def _refusal(self, arrival: Arrival) -> str:
        if self.draining:
            return "stopping"
        if self.terms is None:
            return "configuration"
        return "" if arrival.line in self.terms.policy.lines else "unknown_line"

    async def _serve_contained(self, arrival: Arrival, front: CallFront) -> None:
        try:
            await self._serve(arrival, front)
        except Exception:  # noqa: BLE001 # the top of one call: it goes on unrecorded, and so do the others as before
            self._log.error("internal_error", uniqueid=arrival.channel, exc_info=True)
            await front.release()

    async def _serve(self, arrival: Arrival, front: CallFront) -> None:
        assert self.terms is not None
        begun = asyncio.get_running_loop().time()
        line = self.terms.policy.lines[arrival.line]
        language = line.language_for(arrival.language)
        prompt = self.terms.catalogue.find(line.id, language)
        facts = self._facts(self.terms, arrival, line, language, prompt)
        if arrival.demand == Demand.MUST:
            self._log.warning("must_on_consent", line=line.id)
        session, live = self._session(arrival, front, facts, prompt)
        unfit = self._house.unfit() or self.short_of_space() or ("" if prompt else "prompt_unfit")
        if unfit:
            if unfit == "prompt_unfit":
                self._log.error("prompt_unfit", line=line.id, language=language)
            session.feed(Failed(unfit))
        self._sessions.add(session)
        self._house.calls.add(live)
        try:
            await session.run()
        except GdprcallError as error:
            self._log.error("evidence_failed", call=facts.call, error=type(error).__name__, hint=error.hint)
        finally:
            self._sessions.discard(session)
            if not session.recorded:
                self._house.calls.drop(facts.recording)
        self._finished(session, facts, round((asyncio.get_running_loop().time() - begun) * 1000))

    def _session(
        self, arrival: Arrival, front: CallFront, facts: CallFacts, prompt: Prompt | None
    ) -> tuple[Session[PlayablePrompt], LiveCall]:
        house = self._house
        recorder = CallRecorder(facts, house.vault, house.intake, house.calls, house.tasks)
        session = Session(
            Terms(
                prompt=facts.prompt_sha256,
                mandatory_ms=facts.mandatory_ms,
                accept=facts.line.keys.accept,
                refuse=facts.line.keys.refuse,
                attempts=facts.line.attempts,
                timeout_ms=facts.line.timeout_ms,
                must=arrival.demand == Demand.MUST,
            ),
            recording=facts.recording,
            prompt=PlayablePrompt(prompt.media if prompt else "", facts.language, prompt.total_ms if prompt else 0),
            front=WatchedFront(front, recorder),
            evidence=LedgerEvidence(self._house.vault, facts),
            recorder=recorder,
        )

        def deliver(event: Event) -> None:
            # AMI may tell of a hangup before the front end does, and does not know what was heard until then.
            session.feed(Ended(event.how, front.heard_ms) if isinstance(event, Ended) else event)

        live = LiveCall(facts.recording, arrival.channel, arrival.name, deliver)
        recorder.live = live
        return session, live

    def _facts(self, terms: Holding, arrival: Arrival, line: Line, language: str, prompt: Prompt | None) -> CallFacts:
        controller = terms.policy.controller_of(line)
        number = subjects.e164(arrival.number, controller.country)
        return CallFacts(
            call=secrets.token_hex(16),
            decision=secrets.token_hex(16),
            recording=secrets.token_hex(16),
            uniqueid=arrival.channel,
            line=line,
            controller=controller,
            policy_sha256=terms.policy.sha256(line),
            language=language,
            front=arrival.front,
            prompt_sha256=prompt.sha256 if prompt else "",
            text_sha256=hashlib.sha256(prompt.text.encode()).hexdigest() if prompt else "",
            asked_at=now_ms(),
            mandatory_ms=prompt.mandatory_ms if prompt else 0,
            subject=subjects.pseudonym(terms.pseudonym_keys[controller.id], number) if number else None,
            number=number,
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
            outcome=str(consent.outcome),
            reason=session.failure,
            heard_ms=consent.heard_ms,
            attempts=consent.asked,
            recording=facts.recording if session.recorded else None,
            ms=took_ms,
        )


class WatchedFront:
    """A front end whose verdict to record is followed by a look for the file."""

    def __init__(self, front: CallFront, recorder: CallRecorder) -> None:
        self._front = front
        self._recorder = recorder

    def listen(self, deliver: Callable[[Event], None]) -> None:
        """Satisfy ``session.Front``."""
        self._front.listen(deliver)

    async def ask(self, ask: Ask, prompt: PlayablePrompt) -> None:
        """Satisfy ``session.Front``."""
        await self._front.ask(ask, prompt)

    async def listen_on(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.listen_on()

    async def quiet(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.quiet()

    async def record(self, recording: str) -> None:
        """Give the verdict, and expect a file."""
        self._recorder.expect_file()
        await self._front.record(recording)

    async def release(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.release()

    async def route(self) -> None:
        """Satisfy ``session.Front``."""
        await self._front.route()
