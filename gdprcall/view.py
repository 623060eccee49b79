"""The calls of this moment as the live view shows them, and the way of an order into the dialogue of its call.

It begins and ends no recording itself: an order is an event like any other, weighed by the dialogue. A call that goes on
unrecorded is shown until it ends, and by then its caller's number is forgotten here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gdprcall.calls import Calls
from gdprcall.consent.dialogue import (
    Command,
    Consent,
    Event,
    Note,
    Outcome,
    Paused,
    Resumed,
    State,
    Stop,
    StopAsked,
)
from gdprcall.errors import PeerError
from gdprcall.evidence import CallFacts
from gdprcall.live import LiveRow, Standing
from gdprcall.livecall import LiveCall
from gdprcall.policy.model import Line
from gdprcall.recorder import FILE_SECONDS
from gdprcall.times import Clock, now_ms

ANSWER_SECONDS = 2.0
"""How long whoever asks waits for the thread that serves the calls."""
ORDER_SECONDS = 5.0
"""How long an order may take: Asterisk is given some seconds to say that a recording has ended."""
MOST_SHOWN = 5000
"""With more calls than this, those that go on unrecorded leave, the oldest first: nobody may have told of their end."""
OPERATOR = "operator"
ORDERS: Mapping[str, Callable[[str], Event]] = {
    "stop": lambda role: StopAsked(f"stopped_by_{role}"),
    "pause": lambda _role: Paused(OPERATOR),
    "resume": lambda _role: Resumed(OPERATOR),
}
"""What can be ordered, as the event that the dialogue is told; each takes the role of who asks."""

NO = frozenset({Outcome.REFUSED, Outcome.OBJECTED, Outcome.WITHDRAWN})
_OPEN = frozenset({State.NEW, State.ASKING, State.EXPLAINING, State.NOTING})
_WITH_REASON = frozenset({Standing.STOPPING, Standing.UNRECORDED})
_ENDED = frozenset({State.STOPPED, State.CONCLUDED, State.UNRECORDED})
_NAMES = {State.RECORDING: Standing.RECORDING, State.PAUSED: Standing.PAUSED}
T = TypeVar("T")


@dataclass(slots=True)
class _Shown:
    """One call from its arrival on; ``begun`` says that a recording was, ``over`` that its dialogue is at its end.

    ``changed`` is set by the next step of its dialogue, and another then.
    """

    facts: CallFacts
    live: LiveCall
    since: int
    consent: Consent | None = None
    why: str = ""
    begun: bool = False
    over: bool = False
    gone: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing is recorded of it any more, or ever will be."""
        return self.over or (self.consent is not None and self.consent.state in _ENDED)

    @property
    def pauses(self) -> frozenset[str]:
        """Why it pauses, if it does."""
        return frozenset() if self.consent is None else self.consent.pauses

    def moves(self) -> None:
        """Wake who waits for its next step."""
        self.changed.set()
        self.changed = asyncio.Event()


class View:
    """All calls that are asked, recorded, or known to go on unrecorded; satisfies ``live.LiveCalls``."""

    def __init__(self, calls: Calls, clock: Clock = now_ms) -> None:
        self._calls = calls
        self._clock = clock
        self._shown: dict[str, _Shown] = {}
        self._on: dict[str, list[str]] = {}  # channel: the decisions on it
        self._loop = asyncio.get_running_loop()
        calls.ends = self

    def begin(self, facts: CallFacts, live: LiveCall) -> None:
        """Show a call from now on."""
        self._shown[facts.decision] = _Shown(facts, live, self._clock())
        self._on.setdefault(facts.uniqueid, []).append(facts.decision)

    def refused(self, uniqueid: str, line: Line) -> bool:
        """Whether a no of this call, which goes on, is about the same purpose of the same controller on another basis."""
        calls = [self._shown[decision] for decision in self._on.get(uniqueid, ())]
        return any(
            call.consent is not None
            and call.consent.outcome in NO
            and (call.facts.line.controller, call.facts.line.purpose) == (line.controller, line.purpose)
            and call.facts.line.basis is not line.basis
            for call in calls
        )

    def watch(self, decision: str) -> Callable[[Consent, tuple[Command, ...]], None]:
        """Return what hears of each step of the call's dialogue."""

        def told(consent: Consent, commands: tuple[Command, ...]) -> None:
            call = self._shown.get(decision)
            if call is not None:
                self._told(call, consent, commands)

        return told

    def over(self, decision: str) -> None:
        """Hear that the dialogue of a call is at its end; while its call goes on, it is shown as unrecorded."""
        call = self._shown.get(decision)
        if call is None:
            return
        call.over = True
        call.moves()
        if call.gone or call.consent is None or call.consent.state is not State.UNRECORDED:
            self._drop(decision)
            return
        call.facts = replace(call.facts, number=None, subject=None)
        if len(self._shown) > MOST_SHOWN:
            self._drop(next(one for one, other in self._shown.items() if other.over))

    def hung_up(self, uniqueid: str) -> None:
        """Satisfy ``calls.Ends``."""
        for decision in list(self._on.get(uniqueid, ())):
            call = self._shown[decision]
            call.gone = True
            if call.over:
                self._drop(decision)

    def still_up(self, uniqueids: frozenset[str]) -> None:
        """Satisfy ``calls.Ends``."""
        for uniqueid in set(self._on) - uniqueids:
            self.hung_up(uniqueid)

    def rows(self) -> list[LiveRow]:
        """Satisfy ``live.LiveCalls``."""
        return self._asked(self._rows(), ANSWER_SECONDS, "the daemon is too busy to say which calls there are")

    def number(self, call: LiveRow) -> str | None:
        """Satisfy ``live.LiveCalls``."""
        return self._asked(self._number(call), ANSWER_SECONDS, "the daemon is too busy to say who calls")

    def order(self, call: LiveRow, what: str, role: str) -> None:
        """Satisfy ``live.LiveCalls``."""
        problem = "it is not certain that this was done: Asterisk has not said so"
        self._asked(self._order(call, ORDERS[what](role), _CERTAIN[what]), ORDER_SECONDS, problem)

    def _asked(self, question: Coroutine[None, None, T], seconds: float, problem: str) -> T:
        """Return what the thread that serves the calls answers; only there can none of them come or go meanwhile."""
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError as error:
            future.cancel()
            raise PeerError(problem, "it is tried again by itself; see: gdprcall calls list") from error

    async def _rows(self) -> list[LiveRow]:
        rows = [self._row(call) for call in self._shown.values()]
        mine = {call.live.recording for call in self._shown.values()}
        return rows + [_adopted(live) for live in self._calls if live.recording not in mine]

    async def _number(self, row: LiveRow) -> str | None:
        call = self._shown.get(row.decision)
        return None if call is None or call.over else call.facts.number

    async def _order(
        self, row: LiveRow, event: Event, certain: Callable[[LiveCall, _Shown | None], Awaitable[None]]
    ) -> None:
        call = self._shown.get(row.decision)
        if call is not None:
            call.live.deliver(event)
            await certain(call.live, call)
            return
        for live in [live for live in self._calls if live.recording == row.recording]:
            live.deliver(event)
            await certain(live, None)

    def _drop(self, decision: str) -> None:
        uniqueid = self._shown.pop(decision).facts.uniqueid
        self._on[uniqueid].remove(decision)
        if not self._on[uniqueid]:
            del self._on[uniqueid]

    def _told(self, call: _Shown, consent: Consent, commands: tuple[Command, ...]) -> None:
        before, call.consent = _named(call), consent
        for command in commands:
            match command:
                case Stop(reason):
                    call.why = reason
                case Note(outcome, reason):
                    call.why = reason if outcome is Outcome.SYSTEM_FAIL and reason else str(outcome)
        call.begun = call.begun or consent.state is State.RECORDING
        if consent.state is State.UNRECORDED and consent.outcome is None:
            call.why = "not_drawn"
        elif consent.held and consent.state is not State.UNRECORDED:
            call.why = "held"
        if _named(call) != before:
            call.since = self._clock()
        call.moves()

    def _row(self, call: _Shown) -> LiveRow:
        state, why = self._standing(call)
        facts = call.facts
        return LiveRow(
            state,
            decision=facts.decision,
            call=facts.call,
            recording=facts.recording if call.begun else None,
            controller=facts.controller.id,
            line=facts.line.id,
            language=facts.language,
            basis=str(facts.line.basis),
            front=facts.front,
            why=why,
            asked_at=facts.asked_at,
            since=call.since,
            segment=call.live.segment if call.live.told.is_set() else None,
        )

    def _standing(self, call: _Shown) -> tuple[Standing, str]:
        state = _named(call)
        silent = call.live.silent.is_set()
        if state is Standing.RECORDING and (silent or not call.live.seen.is_set()):
            if self._clock() - call.since <= FILE_SECONDS * 1000:
                return Standing.STARTING, ""
            return Standing.UNRECORDED, "stopped" if silent else "no_file"
        if state is Standing.PAUSED:
            return (state if silent else Standing.STOPPING), ", ".join(sorted(call.pauses))
        if state is Standing.UNRECORDED and call.begun and not silent:
            state = Standing.STOPPING
        return state, call.why if state in _WITH_REASON else ""


def _named(call: _Shown) -> Standing:
    """Return how a call stands as its dialogue says."""
    if call.consent is None or (call.consent.state in _OPEN and not call.consent.held):
        return Standing.ASKING
    return _NAMES.get(call.consent.state, Standing.UNRECORDED)


def _adopted(live: LiveCall) -> LiveRow:
    """Return what is known of a recording that an earlier daemon began."""
    runs = live.told.is_set() and not live.silent.is_set()
    state = (Standing.STOPPING if live.ending else Standing.RECORDING) if runs else Standing.UNRECORDED
    return LiveRow(state, recording=live.recording, segment=live.segment)


async def _stopped(live: LiveCall, call: _Shown | None) -> None:
    """Return when it is certain that nothing is recorded, and will not be."""
    while call is not None and not call.ended:
        await call.changed.wait()
    if call is None or call.begun:
        await live.silent.wait()


async def _paused(live: LiveCall, call: _Shown | None) -> None:
    """Return when it is certain that nothing is recorded until the pause is over."""
    while call is not None and not (call.ended or OPERATOR in call.pauses):
        await call.changed.wait()
    await live.silent.wait()


async def _resumed(_live: LiveCall, call: _Shown | None) -> None:
    """Return when nobody's order stands against the recording any more; other reasons may."""
    while call is not None and OPERATOR in call.pauses:
        await call.changed.wait()


_CERTAIN: Mapping[str, Callable[[LiveCall, _Shown | None], Awaitable[None]]] = {
    "stop": _stopped,
    "pause": _paused,
    "resume": _resumed,
}
"""When an order has been carried out."""
