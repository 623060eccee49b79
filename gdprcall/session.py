"""Drives the consent dialogue of one call: events come in from its front end, commands go out in order.

It decides nothing: what happens next is ``consent.dialogue.step``'s word alone. It opens no file and knows no protocol.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, assert_never

from gdprcall.consent.dialogue import (
    Ask,
    Begin,
    Command,
    Consent,
    Ended,
    Ending,
    Erase,
    Event,
    Failed,
    Hold,
    Listen,
    Note,
    Noted,
    Pause,
    Record,
    Release,
    Renew,
    Resume,
    Route,
    Sound,
    Started,
    State,
    Stop,
    Terms,
    step,
)
from gdprcall.errors import GdprcallError

P = TypeVar("P")
Prompt_contra = TypeVar("Prompt_contra", contravariant=True)


class Front(Protocol[Prompt_contra]):
    """What asks a caller: ARI, FastAGI or a simulation. ``release`` and ``route`` never raise.

    A verdict that cannot be delivered is not repeated: the dialplan's own watchdog frees the call, unrecorded.
    """

    def listen(self, deliver: Callable[[Event], None]) -> None:
        """Hand every later event of the call to ``deliver``, in order."""

    async def ask(self, ask: Ask, prompt: Prompt_contra) -> None:
        """Start the question; raises GdprcallError when it cannot be asked."""

    async def listen_on(self) -> None:
        """Let the question go on after a key that did not count; raises GdprcallError when it cannot."""

    async def quiet(self) -> None:
        """Stop the sound of a question that has been answered; never raises, and what fails costs only time."""

    async def record(self, recording: str, ending: Ending = Ending.WITHDRAWAL) -> None:
        """Give the call back with the verdict that records, and what the caller's key then means.

        Raises GdprcallError when that is not certain.
        """

    async def hold(self) -> None:
        """Give the call back unrecorded, open for the agent's word; raises GdprcallError when that is not certain."""

    async def release(self) -> None:
        """Give the call back unrecorded."""

    async def route(self) -> None:
        """Give the call back to be served elsewhere."""


class Evidence(Protocol):
    """Where decisions become durable, within a second or not at all."""

    async def note(self, consent: Consent, note: Note) -> None:
        """Return when the note is durable; raises GdprcallError when it is not."""

    async def not_started(self, reason: str) -> None:
        """Note that the granted decision never led to a recording."""

    def renew(self) -> str:
        """Let what is noted from now on be a decision of its own, and return the recording that it is about."""


class Recorder(Protocol):
    """The running recording of one call."""

    def follow(self, recording: str) -> None:
        """Let everything from now on be about another recording of the call; the one before has ended."""

    async def begin(self) -> None:
        """Let the dialplan begin the recording in the running call; raises GdprcallError when that is not certain."""

    async def pause(self, why: str) -> None:
        """End the running segment; raises GdprcallError when that is not certain."""

    async def resume(self) -> None:
        """Note that the recording goes on, then let the next segment begin; raises GdprcallError when it may not."""

    async def stop(self, reason: str) -> None:
        """End the recording; raises GdprcallError when that is not certain."""

    async def erase(self) -> None:
        """Destroy everything recorded under the decision."""


def unwatched(_consent: Consent, _commands: tuple[Command, ...]) -> None:
    """Look at no step."""


_DONE = frozenset({State.STOPPED, State.CONCLUDED})


class Session(Generic[P]):
    """The dialogue of one call, from ``Started`` until nothing can change any more."""

    def __init__(
        self,
        terms: Terms,
        *,
        recording: str,
        prompt: P,
        front: Front[P],
        evidence: Evidence,
        recorder: Recorder,
        notice: P | None = None,
        watch: Callable[[Consent, tuple[Command, ...]], None] = unwatched,
    ) -> None:
        """Prepare the dialogue; ``watch`` hears of each step before it is carried out."""
        self.consent = Consent(terms)
        self.recording = recording
        self.failure = ""
        self._prompt = prompt
        self._notice = notice
        self._front = front
        self._evidence = evidence
        self._recorder = recorder
        self._watch = watch
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._begins = False
        self._recorded = False
        front.listen(self.feed)

    @property
    def recorded(self) -> bool:
        """Whether Asterisk was told to record."""
        return self._recorded

    def feed(self, event: Event) -> None:
        """Queue an event; it is weighed after those that came before it."""
        self._events.put_nowait(event)

    async def run(self) -> None:
        """Ask, and follow the recording until the call has ended or nothing is recorded any more."""
        self.feed(Started())
        while True:
            event = await self._events.get()
            if isinstance(event, Failed):
                self.failure = event.reason
            self.consent, commands = step(self.consent, event)
            self._watch(self.consent, commands)
            await self._carry_out(commands)
            if self._over(event):
                break
        if self._begins and not self._recorded:
            await self._evidence.not_started(self.failure or str(self.consent.outcome))

    def _over(self, event: Event) -> bool:
        # What was recorded may still be withdrawn as long as the call lives.
        state = self.consent.state
        return state is State.UNRECORDED or (state in _DONE and isinstance(event, Ended))

    async def _carry_out(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            try:
                await self._do(command)
            except GdprcallError as error:
                self.feed(Failed(_reason(command, error)))
                return

    async def _do(self, command: Command) -> None:
        match command:
            case Ask():
                await self._front.ask(command, self._sound_of(command))
            case Listen():
                await self._front.listen_on()
            case Note(outcome):
                begins = command.sound is Sound.BEGINS
                # At the same time: the caller hears that the key counts, and the verdict need not wait for the sound.
                await asyncio.gather(self._evidence.note(self.consent, command), self._front.quiet())
                self._begins = self._begins or begins
                self.feed(Noted(outcome))
            case Pause(why):
                await self._recorder.pause(why)
            case Resume():
                await self._recorder.resume()
            case Stop(reason):
                await self._recorder.stop(reason)
            case Erase():
                await self._recorder.erase()
            case Renew():
                self.recording = self._evidence.renew()
                self._recorder.follow(self.recording)
                self._begins = self._recorded = False
            case _:
                await self._give(command)

    async def _give(self, verdict: Record | Hold | Begin | Route | Release) -> None:
        match verdict:
            case Record(ending):
                # Set before the request: when its answer is lost, Asterisk may be recording.
                self._recorded = True
                await self._front.record(self.recording, ending)
            case Begin():
                self._recorded = True
                await self._recorder.begin()
            case Hold():
                await self._front.hold()
            case Route():
                await self._front.route()
            case Release():
                await self._front.release()
            case _:
                assert_never(verdict)

    def _sound_of(self, ask: Ask) -> P:
        return self._notice if self._notice is not None and ask.prompt == self.consent.terms.notice else self._prompt


def _reason(command: Command, error: GdprcallError) -> str:
    """Return the code of a failed command: which one, and whose fault; never the error's text."""
    return f"{type(command).__name__.lower()}_failed:{type(error).__name__}"
