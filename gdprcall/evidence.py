"""Turns the outcome of a dialogue into a durable fact of the ledger, before Asterisk is told anything that records.

It never decides, and it never waits longer than a second: evidence that comes late is no evidence.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gdprcall import __version__
from gdprcall.consent.dialogue import Consent, Note, Sound
from gdprcall.errors import VaultError
from gdprcall.log import get_logger
from gdprcall.policy.model import Controller, Line
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind

EVIDENCE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of one asked call; the number is kept only to be sealed, and never shown."""

    call: str
    decision: str
    recording: str
    uniqueid: str
    line: Line
    controller: Controller
    policy_sha256: str
    language: str
    front: str
    prompt_sha256: str = ""
    text_sha256: str = ""
    notice_sha256: str = ""
    sample_seed: str = ""
    stricter: tuple[str, ...] = ()
    mandatory_ms: int = 0
    asked_at: int = 0
    subject: str | None = None
    number: str | None = field(default=None, repr=False)


class LedgerEvidence:
    """Notes the decisions of one call, and ``besides`` with what begins a recording; satisfies ``session.Evidence``."""

    def __init__(self, vault: Vault, call: CallFacts, besides: Callable[[str], list[Fact]] = lambda _: []) -> None:
        self._vault = vault
        self._besides = besides
        self._begin_with(call)

    def _begin_with(self, call: CallFacts) -> None:
        self._call = call
        self._numbered = False
        self._unneeded = False
        self._late = False

    @property
    def call(self) -> CallFacts:
        """What is known of the call and of the decision that is noted now."""
        return self._call

    def renew(self) -> str:
        """Let what is noted from now on be a decision of its own, and return the recording that it is about."""
        self._begin_with(replace(self._call, decision=secrets.token_hex(16), recording=secrets.token_hex(16)))
        return self._call.recording

    async def note(self, consent: Consent, note: Note) -> None:
        """Return when ``note`` is durable; one that begins a recording only with the sealed number of the caller.

        A number that was sealed for a recording which came to nothing is destroyed; that of a withdrawn one goes with it.
        Raises VaultError when the note failed or took longer than a second.
        """
        try:
            await self._note(consent, note)
        finally:
            if self._numbered and note.sound is Sound.NONE:
                # Should that fail, the next start does it, or retention if the decision is in the ledger.
                with suppress(VaultError):
                    await asyncio.to_thread(self._drop_number)

    async def _note(self, consent: Consent, note: Note) -> None:
        try:
            async with asyncio.timeout(EVIDENCE_TIMEOUT_S):
                fact = self._fact(consent, note)
                if note.sound is Sound.BEGINS:
                    self._numbered = self._call.number is not None
                    pending = await asyncio.to_thread(self._grant, fact)
                else:
                    pending = self._vault.submit(fact)
                await asyncio.wrap_future(pending)
        except (TimeoutError, VaultError) as error:
            self._late = True
            hint = (error.hint if isinstance(error, VaultError) else "") or "check the disk and the load of the machine"
            get_logger().error("evidence_failed", call=self._call.call, outcome=str(note.outcome), hint=hint)
            raise VaultError("the decision did not become durable within a second", hint) from error

    def _grant(self, fact: Fact) -> "Future[Entry]":
        """Seal the caller's number durably, then queue the grant, in one thread: the caller waits for both."""
        if self._call.number:
            self._keep_number(self._call.number)
        pending: Future[Entry] = Future()
        if self._late:
            pending.cancel()
        else:
            pending = self._vault.submit(fact, *self._caller(), *self._besides(self._call.recording))
            pending.add_done_callback(self._closed_if_late)
        return pending

    def _caller(self) -> list[Fact]:
        """Return the caller's pseudonym as an entry of its own: it is forgotten with the recording, the consent is not."""
        call = self._call
        body = {"subject": call.subject}
        return [Fact(Kind.SUBJECT, call.recording, call.controller.id, body)] if call.subject else []

    def _closed_if_late(self, pending: "Future[Entry]") -> None:
        # Called by the ledger's thread. A grant that became durable when nobody waited for it any more began nothing.
        if self._late and not pending.cancelled() and pending.exception() is None:
            self._vault.submit(self._not_started("evidence_late"))

    def _not_started(self, reason: str) -> Fact:
        return Fact(Kind.NOT_STARTED, self._call.recording, self._call.controller.id, {"reason": reason})

    async def not_started(self, reason: str) -> None:
        """Note that a granted decision led to no recording; raises VaultError when that is not durable."""
        await asyncio.wrap_future(self._vault.submit(self._not_started(reason)))

    def _keep_number(self, number: str) -> None:
        controller = self._call.controller
        self._vault.keep_number(self._call.recording, controller.id, number, controller.recipients)
        if self._unneeded:
            self._drop_number()

    def _drop_number(self) -> None:
        # Told first: a thread that still seals the number then drops it itself.
        self._unneeded = True
        self._vault.drop_number(self._call.recording)

    def _fact(self, consent: Consent, note: Note) -> Fact:
        call = self._call
        if note.sound is Sound.DESTROYED:
            body = {"method": note.reason, "reason": str(note.outcome)}
            return Fact(Kind.WITHDRAWN, call.recording, call.controller.id, body)
        recording = None if note.sound is Sound.NONE else call.recording
        return Fact(Kind.DECISION, recording, call.controller.id, decision_body(call, consent, note))


def decision_body(call: CallFacts, consent: Consent, note: Note) -> dict[str, object]:
    """Return the body of a ``decision`` fact: what was asked, how long it was heard, and what came of it.

    The pressed key is not in it: outcome and policy hash say which one it was. Nor is the caller: this is what remains
    as proof of consent (Art. 7(1)), or of the notice, when the recording is erased. A caller who is not recorded leaves
    no pseudonym anywhere (Art. 5(1)(c)).
    """
    begins = note.sound is Sound.BEGINS
    return _more(call, consent) | {
        "decision": call.decision,
        "call": call.call,
        "uniqueid": call.uniqueid,
        "line": call.line.id,
        "purpose": call.line.purpose,
        "basis": str(call.line.basis),
        "outcome": str(note.outcome),
        "reason": note.reason,
        **_heard(call, consent),
        "policy_sha256": call.policy_sha256,
        "retention_days": call.line.retention_days,
        "keep_days": call.controller.refusal_days if note.sound is Sound.NONE else call.controller.proof_days,
        "recipients": [fingerprint(recipient) for recipient in call.controller.recipients] if begins else [],
        "software": __version__,
        "front": call.front,
    }


def _heard(call: CallFacts, consent: Consent) -> dict[str, object]:
    """Return what was played since when, and how much of it was heard."""
    return {
        "language": call.language,
        "prompt_sha256": call.prompt_sha256,
        "text_sha256": call.text_sha256,
        "asked_at": call.asked_at,
        "heard_ms": consent.heard_ms,
        "mandatory_ms": call.mandatory_ms,
        "attempts": consent.tries,
    }


def _more(call: CallFacts, consent: Consent) -> dict[str, object]:
    """Return what belongs to some decisions alone: the full notice, stricter rules, the draw of a sample."""
    more: dict[str, object] = {}
    if consent.notices:
        more |= {"notices": consent.notices, "notice_sha256": call.notice_sha256}
    if call.stricter:
        # Why the basis or the retention is not the one that the line is written with.
        more |= {"stricter": list(call.stricter)}
    if call.sample_seed:
        # With the seed and Asterisk's id of the call anybody can draw again.
        more |= {"sample_rate": call.line.sample_rate, "sample_seed": call.sample_seed}
    return more
