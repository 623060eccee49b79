"""Live calls of a test, served by a loop in a thread of its own, as the daemon serves them: each with the real dialogue."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

from gdprcall.asterisk import ami_events as ami
from gdprcall.calls import Calls
from gdprcall.consent import dialogue as d
from gdprcall.errors import PeerError
from gdprcall.evidence import CallFacts
from gdprcall.livecall import LiveCall
from gdprcall.policy.model import Controller, Line
from gdprcall.question import terms
from gdprcall.view import View
from tests.exchange import Monitors
from tests.vaults import DAY_ONE, NUMBER, Clock

T = TypeVar("T")
SECONDS = 10.0


def facts(number: int, line: Line, controller: Controller, caller: str | None = NUMBER) -> CallFacts:
    """Return what is known of the call with this number; its ids end with it."""
    named = f"{number:x}".rjust(31, "0")
    return CallFacts(
        call=f"a{named}",
        decision=f"b{named}",
        recording=f"c{named}",
        uniqueid=f"{number}.1",
        line=line,
        controller=controller,
        policy_sha256="ef" * 32,
        language="en",
        front="test",
        asked_at=DAY_ONE,
        number=caller,
    )


@dataclass
class Call:
    """One live call: what happens to it goes through its dialogue, and Asterisk obeys at once."""

    facts: CallFacts
    calls: Calls
    view: View
    live: LiveCall
    consent: d.Consent
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def happens(self, *events: d.Event) -> None:
        """Let the dialogue weigh events."""
        for event in events:
            self.consent, commands = d.step(self.consent, event)
            self.view.watch(self.facts.decision)(self.consent, commands)
            for command in commands:
                self._does(command)
        if self.consent.state is d.State.UNRECORDED:
            self.view.over(self.facts.decision)

    def _does(self, command: d.Command) -> None:
        if isinstance(command, d.Note) and self.consent.state is d.State.NOTING:
            self.happens(d.Noted(command.outcome))
        elif isinstance(command, d.Record):
            recording, uniqueid = self.facts.recording, self.facts.uniqueid
            self.calls.handle(ami.RecordingStarted(recording, 1, "0x1", self.live.channel, uniqueid))
            self.calls.file_seen(recording, 1)
        elif isinstance(command, d.Stop | d.Pause):
            self._soon(self._stopped())
        elif isinstance(command, d.Resume):
            self._soon(self._resumed())

    def _soon(self, part: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(part)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _resumed(self) -> None:
        await self.calls.resume(self.live)
        recording, uniqueid, segment = self.facts.recording, self.facts.uniqueid, self.live.segment + 1
        self.calls.handle(ami.RecordingStarted(recording, segment, "0x2", self.live.channel, uniqueid))
        self.calls.file_seen(recording, segment)

    async def _stopped(self) -> None:
        try:
            await self.calls.stop(self.live)
        except PeerError:
            return


class Switchboard:
    """The calls, and the thread that serves them."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.monitors = Monitors()
        self.clock = Clock()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.calls = Calls(self.monitors, lambda _recording: None, lambda _recording, _segment: None)
        self.view = self.run(lambda: View(self.calls, self.clock))

    def run(self, do: Callable[[], T]) -> T:
        """Do something where the calls are served."""

        async def done() -> T:
            return do()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(SECONDS)

    def arrives(self, number: int, line: Line, controller: Controller, caller: str | None = NUMBER) -> Call:
        """Let a call arrive and be asked."""
        known = facts(number, line, controller, caller)
        return self.run(lambda: self._arrived(known))

    def _arrived(self, known: CallFacts) -> Call:
        live = LiveCall(known.recording, known.uniqueid, "PJSIP/a-1", lambda _event: None)
        asked = terms(known.line, prompt="p", mandatory_ms=0, must=False)
        call = Call(known, self.calls, self.view, live, d.Consent(asked))
        live.deliver = call.happens
        self.calls.add(live)
        self.view.begin(known, live)
        call.happens(d.Started())
        return call

    def recorded(self, number: int, line: Line, controller: Controller) -> Call:
        """Let a call arrive, agree (or hear the notice out), and be recorded."""
        call = self.arrives(number, line, controller)
        self.run(lambda: call.happens(d.Digit(1, "1", 9000), d.Played(1, 9000), d.NoInput(1)))
        return call

    def hangs_up(self, call: Call) -> None:
        """Let the caller hang up."""
        self.run(lambda: self._hung_up(call))

    def _hung_up(self, call: Call) -> None:
        self.calls.handle(ami.HungUp(call.facts.uniqueid))
        self.view.over(call.facts.decision)

    def __enter__(self) -> "Switchboard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SECONDS)
        self.loop.close()
