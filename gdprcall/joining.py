"""Asks who joins the call of a recorded caller, and notes the answer before he is recorded.

It plays nothing and records nothing: the dialplan does, on the newcomer's own channel, with the question of the line.
What counts as a yes is ``consent.midcall``'s word.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from gdprcall.calls import Calls
from gdprcall.consent.dialogue import Terms
from gdprcall.consent.midcall import joined
from gdprcall.errors import GdprcallError
from gdprcall.evidence import CallFacts
from gdprcall.livecall import LiveCall
from gdprcall.log import get_logger
from gdprcall.times import now_ms
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody who joins is asked: the question of the line, with its keys, in the language of the call."""

    terms: Terms
    language: str

    def __str__(self) -> str:
        """Return it as ``[gdprcall-join]`` of the dialplan reads it."""
        terms = self.terms
        return f"{terms.prompt}:{self.language}:{terms.accept}:{terms.refuse}:{-(-terms.timeout_ms // 1000)}"


class Joining:
    """Those who join one call."""

    def __init__(
        self, facts: CallFacts, question: Question, vault: Vault, calls: Calls, tasks: asyncio.TaskGroup
    ) -> None:
        self._facts = facts
        self._question = question
        self._vault = vault
        self._calls = calls
        self._tasks = tasks
        self._asked_at: dict[str, int] = {}
        self._log = get_logger()

    def attend(self, live: LiveCall) -> None:
        """Ask everybody who joins ``live`` from now on."""
        live.ask = lambda other: self._begin(self._ask(live, other))
        live.answered = lambda other, word: self._begin(self._take(live, other, word))

    def _begin(self, asking: Coroutine[None, None, None]) -> None:
        self._tasks.create_task(asking)

    async def _ask(self, live: LiveCall, other: str) -> None:
        self._asked_at[other] = now_ms()
        try:
            await self._calls.stopper.ask_other(live.uniqueid, other, str(self._question))
        except GdprcallError as error:
            # Who was not asked is not recorded; the call goes on.
            self._log.error("party_unasked", recording=live.recording, hint=error.hint)

    async def _take(self, live: LiveCall, other: str, word: str) -> None:
        outcome, may = joined(self._question.terms.basis, word)
        self._log.info("party_asked", recording=live.recording, outcome=str(outcome))
        body = {
            "outcome": str(outcome),
            "basis": str(self._question.terms.basis),
            "language": self._question.language,
            "prompt_sha256": self._facts.prompt_sha256,
            "text_sha256": self._facts.text_sha256,
            "policy_sha256": self._facts.policy_sha256,
            "asked_at": self._asked_at.get(other, 0),
        }
        try:
            fact = Fact(Kind.PARTY, live.recording, self._facts.controller.id, body)
            await asyncio.wrap_future(self._vault.submit(fact))
        except GdprcallError as error:
            self._log.error("evidence_failed", recording=live.recording, hint=error.hint)
        else:
            if may:
                self._calls.clear(live, other)
