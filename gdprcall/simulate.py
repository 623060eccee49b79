"""The third front end: a caller typed on the command line, or read from a dialogue file.

It runs the same session as a real call, but touches no PBX, no vault and no clock: nothing is recorded by it.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from gdprcall import question
from gdprcall.consent.dialogue import (
    Agreed,
    Ask,
    Consent,
    ContractBegun,
    ContractEnded,
    Digit,
    Ended,
    Ending,
    Event,
    Failed,
    MinorSuspected,
    NoInput,
    Note,
    Noted,
    Outcome,
    Paused,
    Played,
    PrivateCall,
    Resumed,
    SpokenYes,
    State,
    Terms,
    Withdrawn,
)
from gdprcall.errors import ConfigError, NotFound, PeerError, VaultError
from gdprcall.policy.model import Basis, Policy
from gdprcall.session import Session


class Moment(StrEnum):
    """When a simulated caller gets the chance to do something."""

    ARRIVED = "arrived"
    ASKED = "asked"
    LISTENING = "listening"
    NOTING = "noting"
    HELD = "held"
    RECORDING = "recording"
    CONCLUDED = "concluded"


AGENT: dict[str, Event] = {
    "c": ContractBegun(),
    "e": ContractEnded(),
    "y": SpokenYes(),
    "a": Agreed(),
    "m": MinorSuspected(),
    "p": Paused("card"),
    "g": Resumed("card"),
    "k": PrivateCall(),
}
"""What an agent may do in a simulated call, and who was asked by him, by letter."""
CONFIRMED = ([AGENT["y"], AGENT["y"]], [AGENT["y"], AGENT["a"]])


class Caller(Protocol):
    """What the simulated caller, and the simulated world, do next."""

    def act(self, moment: Moment, asked: int) -> list[Event]:
        """Return what happens now; a ``Failed`` makes the running command fail."""


class Simulation:
    """Front end, evidence and recorder in one; ``lines`` is the transcript, commands marked ``<``, events ``>``."""

    def __init__(self, terms: Terms, caller: Caller) -> None:
        self.lines: list[str] = []
        self._caller = caller
        self._deliver: Callable[[Event], None] = lambda _event: None
        self._asked = 0
        self._notice = terms.notice or None
        self.session: Session[str] = Session(
            terms,
            recording="0" * 32,
            prompt=terms.prompt,
            notice=terms.notice or None,
            front=self,
            evidence=self,
            recorder=self,
        )

    async def run(self) -> Consent:
        """Play the call to its end and return the dialogue as it was then."""
        self._happen(self._caller.act(Moment.ARRIVED, 0))
        await self.session.run()
        return self.session.consent

    def listen(self, deliver: Callable[[Event], None]) -> None:
        """Satisfy ``session.Front``."""
        self._deliver = deliver

    async def ask(self, ask: Ask, prompt: str) -> None:
        """Play nothing, and let the caller answer."""
        self._asked = ask.asked
        self.lines.append(f"< {'explain' if prompt == self._notice else 'ask'} {ask.asked}")
        self._happen(self._caller.act(Moment.ASKED, ask.asked))

    async def listen_on(self) -> None:
        """Let the caller answer again."""
        self.lines.append("< listen")
        self._happen(self._caller.act(Moment.LISTENING, self._asked))

    async def quiet(self) -> None:
        """Do nothing: nothing plays."""

    async def note(self, consent: Consent, note: Note) -> None:
        """Write the note into the transcript; while one is noted that begins something the caller may still act."""
        self.lines.append(f"< note {note.outcome} {note.reason}".rstrip())
        if consent.state is State.READY:
            self._wait_for_agent()
        if consent.state is not State.NOTING:
            return
        events = self._caller.act(Moment.NOTING, self._asked)
        if any(isinstance(event, Failed) for event in events):
            self.lines.append("> the note fails")
            raise VaultError("simulated")
        self._happen(events)
        self.lines.append(f"> noted {note.outcome}")

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL) -> None:
        """Record nothing, and let the caller act while it would be recorded."""
        self.lines.append("< record for good" if ending is Ending.NONE else "< record")
        self._run_recorded()

    async def begin(self) -> None:
        """Satisfy ``session.Recorder``; as ``record``."""
        self.lines.append("< begin")
        self._run_recorded()

    async def hold(self) -> None:
        """Give the call back; what the agent does comes when all has been noted."""
        self.lines.append("< hold")
        if self.session.consent.outcome in {Outcome.INFORMED, None}:
            self._wait_for_agent()

    def _wait_for_agent(self) -> None:
        self._happen(self._caller.act(Moment.HELD, self._asked) or [Ended()])

    def _run_recorded(self) -> None:
        events = self._caller.act(Moment.RECORDING, self._asked)
        if events and isinstance(events[0], Failed):
            self.lines.append("> the verdict is lost")
            raise PeerError("simulated")
        self._happen(events or [Ended()])

    async def release(self) -> None:
        """Give the call back, and let it end."""
        self.lines.append("< release")
        self._deliver(Ended())

    async def route(self) -> None:
        """Give the call back, and let it end."""
        self.lines.append("< route")
        self._deliver(Ended())

    async def pause(self, why: str) -> None:
        """Satisfy ``session.Recorder``."""
        self.lines.append(f"< pause {why}")

    async def resume(self) -> None:
        """Satisfy ``session.Recorder``."""
        self.lines.append("< resume")

    async def stop(self, reason: str) -> None:
        """Satisfy ``session.Recorder``."""
        self.lines.append(f"< stop {reason}")
        if self.session.consent.state is State.CONCLUDED:
            self._happen(self._caller.act(Moment.CONCLUDED, self._asked) or [Ended()])

    def renew(self) -> str:
        """Satisfy ``session.Evidence``."""
        self.lines.append("< renew")
        return self.session.recording

    def follow(self, recording: str) -> None:
        """Satisfy ``session.Recorder``."""

    async def erase(self) -> None:
        """Satisfy ``session.Recorder``."""
        self.lines.append("< erase")

    async def not_started(self, reason: str) -> None:
        """Satisfy ``session.Evidence``."""
        self.lines.append(f"< not started {reason}")

    def _happen(self, events: list[Event]) -> None:
        for event in events:
            if not isinstance(event, Noted):
                self.lines.append(f"> {_words(event)}")
                self._deliver(event)


class TypedCaller:
    """A caller given as text: digits, ``.`` for a silence, ``h`` for a hangup, the withdrawal code once recorded.

    Once the call has gone on, letters are the agent's word: ``c`` a contract is being made, ``e`` it has been, ``y`` the
    caller said yes, or was read the question, ``m`` the caller seems to be a child, ``p`` a card number follows, ``g`` it
    is over, ``k`` the rest of the call is private. ``a`` is the key of who was read the question, and agrees.
    """

    def __init__(self, keys: str, withdraw: str, heard_ms: int, *, contract: bool = False) -> None:
        self._left = keys
        self._withdraw = withdraw
        self._heard_ms = heard_ms
        self._contract = contract
        self._no = False

    def act(self, moment: Moment, asked: int) -> list[Event]:
        """Return the next typed act; when nothing is left the caller stays silent, and hangs up once recorded."""
        if moment in {Moment.ASKED, Moment.LISTENING}:
            return self._answer(asked)
        if moment in {Moment.RECORDING, Moment.HELD, Moment.CONCLUDED}:
            return self._talk(moment)
        return []

    def _talk(self, moment: Moment) -> list[Event]:
        events: list[Event] = []
        while self._left:
            if self._withdraw and self._left.startswith(self._withdraw):
                self._left = self._left[len(self._withdraw) :]
                events.append(Withdrawn())
                self._no = True
                continue
            word, self._left = self._left[0], self._left[1:]
            if word in AGENT:
                events.append(AGENT[word])
            self._no = self._no or word == "m"
            if not self._no and self._turns(moment, word, events):
                return events  # what follows happens in another moment
        return [*events, Ended()]

    def _turns(self, moment: Moment, word: str, events: list[Event]) -> bool:
        """Whether the agent's word begins or ends a recording."""
        if self._contract:
            return word == ("e" if moment is Moment.RECORDING else "c")
        return moment is Moment.HELD and events[-2:] in CONFIRMED

    def _answer(self, asked: int) -> list[Event]:
        key, self._left = self._left[:1] or ".", self._left[1:]
        if key == "h":
            return [Ended()]
        if key == ".":
            return [Played(asked, self._heard_ms), NoInput(asked)]
        return [Digit(asked, key, self._heard_ms)]


def run(policy: Policy, line_id: str, keys: str) -> list[str]:
    """Return the transcript of one simulated call on ``line_id``, the outcome in its last line.

    Raises NotFound for a line that the policy does not have and ConfigError for keys that no telephone has.
    """
    line = policy.lines.get(line_id)
    if line is None:
        raise NotFound(f"there is no line {line_id!r}", f"lines: {', '.join(sorted(policy.lines)) or 'none'}")
    unknown = set(keys) - set("0123456789*#.h") - set(AGENT)
    if unknown:
        raise ConfigError(
            "the keys hold something no telephone has",
            "write digits, * and #, . for silence, h for hangup; the agent: c contract, e its end, y spoken yes, m minor, p pause, g go on, k private; a agreed",
        )
    terms = question.terms(line, prompt=line_id, mandatory_ms=1, must=False, notice="notice" if line.keys.more else "")
    simulation = Simulation(
        terms, TypedCaller(keys, line.keys.withdraw, heard_ms=1, contract=line.basis is Basis.CONTRACT)
    )
    consent = asyncio.run(simulation.run())
    return [*simulation.lines, f"= {consent.state} {consent.outcome}"]


def _words(event: Event) -> str:
    match event:
        case Digit(asked):
            return f"key at question {asked}"
        case Played(asked):
            return f"prompt {asked} heard"
        case NoInput(asked):
            return f"silence after question {asked}"
        case Ended(how):
            return f"ended {how}"
        case _:
            return type(event).__name__.lower()
