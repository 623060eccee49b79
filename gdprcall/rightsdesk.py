"""Receives callers who use their rights by telephone, and drives the dialogue of each; nothing of these calls is recorded.

It decides nothing: what a caller may is the dialogue's word, and what it means for the vault is ``selfservice``'s.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from gdprcall.asterisk.arrival import Arrival, PlayablePrompt, question_seconds
from gdprcall.consent.commands import Ask
from gdprcall.consent.values import Ended, Failed, Started
from gdprcall.context import Context
from gdprcall.errors import GdprcallError, PeerError
from gdprcall.fronts import Desk
from gdprcall.holding import Holding
from gdprcall.log import get_logger
from gdprcall.policy.model import Controller
from gdprcall.policy.selfservice import SelfService
from gdprcall.prompts import telephone as sentences
from gdprcall.prompts.catalogue import Prompt
from gdprcall.rights import telephone
from gdprcall.rights.talk import (
    CarryOut,
    Check,
    Deed,
    Enter,
    Event,
    Finish,
    Impossible,
    Listen,
    Say,
    State,
    Talk,
    Terms,
)
from gdprcall.selfservice import Caller
from gdprcall.vault import subjects
from gdprcall.watchedfront import CallFront

MOST_CALLS = 20
"""How many callers are served at once; of more, each is given back to the dialplan."""


@dataclass(frozen=True, slots=True)
class Desks:
    """The two desks of a daemon: one for calls on a line, one for rights."""

    lines: Desk
    rights: Desk

    def claim(self, arrival: Arrival) -> int | None:
        """As of a ``Desk``."""
        return self._of(arrival).claim(arrival)

    def arrive(self, arrival: Arrival, front: CallFront) -> None:
        """As of a ``Desk``."""
        self._of(arrival).arrive(arrival, front)

    def _of(self, arrival: Arrival) -> Desk:
        return self.rights if arrival.for_rights else self.lines


class Lines(Desk, Protocol):
    """The desk for calls on a line, which knows what holds now."""

    @property
    def offered(self) -> Holding | None:
        """What holds for a call that begins now, None while nothing does."""


def desks(lines: Lines, context: Context, tasks: asyncio.TaskGroup) -> Desks:
    """Return both desks."""
    return Desks(lines, RightsDesk(context, lambda: lines.offered, tasks))


@dataclass(frozen=True, slots=True)
class Case:
    """What holds for one call: with whom, in which language and sounds, and whose number it is."""

    controller: Controller
    service: SelfService
    language: str
    sounds: Mapping[str, Prompt]
    number: str | None = field(repr=False)
    subject: str = field(repr=False)

    def playable(self, said: tuple[str, ...]) -> PlayablePrompt:
        """Return what is said in a row, as a front end plays it."""
        prompts = [self.sounds[name] for name in said]
        media, total = ",".join(prompt.media for prompt in prompts), sum(prompt.total_ms for prompt in prompts)
        return PlayablePrompt(media, self.language, total)


class RightsDesk:
    """One task per caller."""

    def __init__(self, context: Context, terms: Callable[[], Holding | None], tasks: asyncio.TaskGroup) -> None:
        """Serve with what ``terms`` gives; where that is None nobody is served."""
        self._context = context
        self._terms = terms
        self._tasks = tasks
        self._serving = 0
        self._log = get_logger()

    def claim(self, arrival: Arrival) -> int | None:
        """Return how many seconds the first question may last, or None to give the call back at once."""
        case = "too_many" if self._serving >= MOST_CALLS else self._case(arrival)
        if isinstance(case, str):
            self._log.warning("call_unasked", line=arrival.line, uniqueid=arrival.channel, reason=case)
            return None
        _, (first,) = telephone.step(Talk(_terms(case)), Started())
        assert isinstance(first, Say)
        return question_seconds(case.playable(first.sounds).total_ms, first.timeout_ms)

    def arrive(self, arrival: Arrival, front: CallFront) -> None:
        """Serve a claimed call in a task of its own."""
        self._tasks.create_task(self._contained(arrival, front))

    def _case(self, arrival: Arrival) -> Case | str:
        """Return what holds for a call, or why it is not served."""
        terms = self._terms()
        if terms is None:
            return "configuration"
        controller, service = terms.policy.controllers.get(arrival.line), terms.policy.self_service.get(arrival.line)
        if controller is None or service is None:
            return "no_self_service"
        language = _language(sentences.languages(service), arrival.language)
        sounds = terms.catalogue.by_telephone(controller.id, language)
        if not sounds:
            return "prompt_unfit"
        number = subjects.e164(arrival.number, controller.country)
        subject = subjects.pseudonym(terms.pseudonym_keys[controller.id], number) if number else ""
        return Case(controller, service, language, sounds, number, subject)

    async def _contained(self, arrival: Arrival, front: CallFront) -> None:
        self._serving += 1
        try:
            case = self._case(arrival)
            await (front.release() if isinstance(case, str) else self._serve(arrival, case, front))
        except Exception:  # noqa: BLE001 # the top of one call: it goes on in the dialplan, and so do the others as before
            self._log.error("internal_error", uniqueid=arrival.channel, exc_info=True)
            await front.release()
        finally:
            self._serving -= 1

    async def _serve(self, arrival: Arrival, case: Case, front: CallFront) -> None:
        begun = asyncio.get_running_loop().time()
        context = self._context
        config = context.now() if context.now else context.config
        number = case.number or ""
        caller = Caller(
            *(context.vault, config, case.controller.id, number, case.subject, case.language),
            *(context.clock, context.alarm),
        )
        conversation = Conversation(case, caller, front, self._tasks)
        talk = await conversation.run()
        self._log.info(
            "rights_call",
            controller=case.controller.id,
            language=case.language,
            outcome=str(talk.outcome),
            reason=conversation.failure,
            uniqueid=arrival.channel,
            ms=round((asyncio.get_running_loop().time() - begun) * 1000),
        )


class Conversation:
    """The dialogue of one call, from its first sentence until it has left."""

    def __init__(self, case: Case, caller: Caller, front: CallFront, tasks: asyncio.TaskGroup) -> None:
        self.failure = ""
        self._case = case
        self._caller = caller
        self._front = front
        self._tasks = tasks
        self._talk = Talk(_terms(case))
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def run(self) -> Talk:
        """Talk until the call is given back or has ended, and return how it ended."""
        self._front.listen(self._hear)
        self._events.put_nowait(Started())
        while self._talk.state is not State.OVER:
            event = await self._events.get()
            self.failure = event.reason if isinstance(event, Failed) else event.how if isinstance(event, Ended) else ""
            self._talk, commands = telephone.step(self._talk, event)
            for command in commands:
                try:
                    await self._do(command)
                except PeerError as error:
                    self._events.put_nowait(Failed(f"front_failed:{type(error).__name__}"))
                    break
        return self._talk

    def _hear(self, event: object) -> None:
        # Of what a front end can tell, the rest belongs to recordings, and there is none.
        if isinstance(event, telephone.HEARD):
            self._events.put_nowait(event)

    async def _do(self, command: Say | Listen | Deed | Finish) -> None:
        match command:
            case Say(asked, sounds, timeout_ms):
                await self._front.ask(Ask(asked, "", "", timeout_ms), self._case.playable(sounds))
            case Listen():
                await self._front.listen_on()
            case Check() | Enter() | CarryOut():
                # Beside the dialogue: the caller is told meanwhile that it takes a moment.
                self._tasks.create_task(self._carry_out(command))
            case Finish(served):
                await (self._front.served() if served else self._front.release())
            case _:
                assert_never(command)

    async def _carry_out(self, deed: Deed) -> None:
        try:
            result: Event = await asyncio.to_thread(self._caller.do, deed)
        except GdprcallError as error:
            get_logger().error("rights_failed", error=type(error).__name__, hint=error.hint)
            result = Impossible()
        except Exception:  # noqa: BLE001 # the top of a deed: its caller hears that it is not possible now
            get_logger().error("internal_error", exc_info=True)
            result = Impossible()
        self._events.put_nowait(result)


def _terms(case: Case) -> Terms:
    return Terms(case.number is not None, case.service.erasure, case.service.never_record)


def _language(offered: tuple[str, ...], wanted: str) -> str:
    """Return ``wanted`` (or its primary subtag) if it is offered, else the first language that is."""
    known = {language.lower(): language for language in offered}
    tag = wanted.replace("_", "-").lower()
    return known.get(tag) or known.get(tag.split("-")[0]) or next(iter(offered), "")
