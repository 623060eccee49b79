"""Every dialogue file by both front ends: the same events and commands in the same order, with the real session, vault and recorder.

Asterisk's end is played by the test: the websocket and the requests, the AGI socket, what AMI reports. Only the clock is warped.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gdprcall.asterisk import ami_events as ami
from gdprcall.asterisk.arrival import PlayablePrompt
from gdprcall.calls import Calls
from gdprcall.consent import dialogue as d
from gdprcall.evidence import LedgerEvidence
from gdprcall.intake import Intake
from gdprcall.livecall import LiveCall
from gdprcall.recorder import CallRecorder
from gdprcall.session import Session
from gdprcall.vault.archive import Vault
from gdprcall.watchedfront import WatchedFront
from gdprcall.work import Work
from tests import dialogue_files as files
from tests.dialogue_files import DialogueFile
from tests.exchange import Monitors
from tests.fronts import CHANNEL, FRONTS, Caller, WarpedLoop, until, warp
from tests.test_evidence import call_facts
from tests.test_intake import Marks
from tests.vaults import ACME, opened

AGENT, THIRD = "17.2", "17.3"
PROMPT, NOTICE = (
    PlayablePrompt("sound:gdprcall/prompt", "en", 9_000),
    PlayablePrompt("sound:gdprcall/notice", "en", 20_000),
)
ALL = files.read_all()
NOT_BY_A_FRONT = {
    "stale-silence": "neither front end tells of the silence of a question that is over",
    "two-keys-at-once": "Asterisk reports one key after the other",
    "interest-notice": "neither front end tells of silence before a sound has ended",
    "interest-prompt-cut": "neither front end tells of silence before a sound has ended",
    "vital-accept-ari": "in an emergency a question is over with its sound",
    "interest-object-while-noting-agi": "AGI tells of a key only while a command of ours waits for one",
    "obligation-refused-while-noting-agi": "AGI tells of a key only while a command of ours waits for one",
}
"""Files that tell of what no front end can report, and why."""
WORDS = {
    "contract-begun": "contract", "contract-ended": "done", "spoken-yes": "yes", "agreed": "agreed", "minor agent": "minor",
    "private key": "private", "paused card": "pause", "resumed card": "resume", "withdrawn spoken": "no",
}  # fmt: skip
"""What the agent says by key."""
LEFT_OUT = (d.Started, d.Noted, d.Played, d.PartyJoined)
BY_ITSELF = ("started", "noted", "failed note", "failed record", "failed pause", "failed resume")
"""What happens without anybody's doing, once what leads to it has happened."""


class Traced(Session[PlayablePrompt]):
    """A session that remembers what was fed to it, in the order in which it is weighed."""

    busy = False

    def feed(self, event: d.Event) -> None:
        self.fed.append(event)
        super().feed(event)

    async def _carry_out(self, commands: tuple[d.Command, ...]) -> None:
        self.busy = True
        await super()._carry_out(commands)
        self.busy = False

    @property
    def fed(self) -> list[d.Event]:
        return self.__dict__.setdefault("_fed", [])


class Faltering(Monitors):
    """Monitors that fail once when they are told to."""

    @property  # type: ignore[override]
    def fails(self) -> bool:
        now, self._fails = self._fails, False
        return now

    @fails.setter
    def fails(self, value: bool) -> None:
        self._fails = value


class Held(LedgerEvidence):
    """Evidence that is written when the test lets it be."""

    @property
    def gate(self) -> asyncio.Semaphore:
        return self.__dict__.setdefault("_gate", asyncio.Semaphore(0))

    waits = False

    async def note(self, consent: d.Consent, note: d.Note) -> None:
        self.waits = True
        await self.gate.acquire()
        self.waits = False
        await super().note(consent, note)


class Call:
    """One call of a file, by one front end."""

    def __init__(self, file: DialogueFile, folder: Path, caller: Caller, tasks: asyncio.TaskGroup) -> None:
        self.file, self.folder, self.caller, self.tasks = file, folder, caller, tasks
        self.monitors = Faltering()
        self.calls = Calls(self.monitors, lambda _r: None, lambda _r, _s: None)
        self.vault: Vault = opened(folder)
        live = lambda: self.calls.recordings  # noqa: E731 # one line of wiring
        self.intake = Intake(Work(self.vault, list, lambda _id: ACME.recipients, Marks(), live))
        self.steps: list[tuple[str, ...]] = []
        self.bridged = self.heard_out = self.explained = False
        self.running: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Let the call arrive, and its dialogue begin."""
        front = await self.caller.arrives()
        facts = replace(call_facts(), recording="ab" * 16)
        recorder = CallRecorder(facts, self.vault, self.intake, self.calls, self.tasks)
        self.evidence = Held(self.vault, facts)
        self.session = Traced(
            self.file.terms, recording=facts.recording, prompt=PROMPT, notice=NOTICE,
            front=WatchedFront(front, recorder, legs=False), evidence=self.evidence, recorder=recorder,
            watch=lambda _consent, commands: self.steps.append(tuple(files.command(one) for one in commands)),
        )  # fmt: skip
        self.live = recorder.live = LiveCall(facts.recording, CHANNEL, "PJSIP/a-1", self._deliver)
        if self.file.terms.joins:
            self.live.ask = lambda _other: None
        self.calls.add(self.live)

    @property
    def over(self) -> bool:
        """Whether nothing can change any more."""
        return self.running is not None and self.running.done()

    async def end(self) -> None:
        """Let the call end, whatever became of it."""
        assert self.running is not None
        self.calls.drop(self.live.recording)
        self.running.cancel()
        await asyncio.wait([self.running])
        for task in asyncio.all_tasks():
            if "CallRecorder" in task.get_coro().__qualname__:  # type: ignore[union-attr]
                task.cancel()

    def _deliver(self, event: d.Event) -> None:
        self.session.feed(event)

    def in_front(self) -> bool:
        """Whether the front end has the call."""
        return not any({"record", "record for good", "hold", "release", "route"} & set(step) for step in self.steps)

    async def happen(self, text: str) -> None:
        """Let what a line tells of happen where it happens in earnest."""
        match text.split():
            case ["digit", key, "of", _, "at", ms]:
                await self.caller.presses(files.KEYS[key], int(ms))
            case ["played", _, "after", ms]:
                await self.caller.hears_it_out(int(ms))
                self.heard_out = True
            case ["no-input", _]:
                if not self.heard_out:
                    await self.caller.hears_it_out(NOTICE.total_ms if self.explained else PROMPT.total_ms)
                await self.caller.is_silent(self.file.terms.timeout_ms / 1000)
            case ["failed", "prompt_failed"]:
                await self.caller.hears_nothing()
            case ["ended", how]:
                await self._end(how)
            case _ if text in WORDS:
                self.calls.handle(ami.AgentSaid(CHANNEL, WORDS[text]))
            case ["withdrawn", "key"]:
                self.calls.handle(ami.Withdrawn(self.live.recording))
            case ["paused" | "resumed" as what, "hold"] if self.live.on_hold is (what == "resumed"):
                self._bridge()
                self.calls.handle(ami.PutOnHold(CHANNEL, on=what == "paused"))
            case ["party-joined", why]:
                self._bridge()
                self.calls.handle(ami.PartyChanged(CHANNEL, why))
                self.calls.handle(ami.BridgeLeft(AGENT, "b"))
                self.calls.handle(ami.BridgeEntered(THIRD, "b"))
            case ["resumed", "party"] if self.live.strangers:
                self.calls.clear(self.live, THIRD)
            case _:  # who orders it is not at Asterisk's end, or it would not be told twice
                self.session.feed(files.event(text))

    async def _end(self, how: str) -> None:
        if not self.in_front():
            self.calls.handle(ami.HungUp(CHANNEL))
        elif how == "left":
            await self.caller.is_taken_on()
        else:
            await self.caller.hangs_up()

    def _bridge(self) -> None:
        if not self.bridged:
            self.bridged = True
            for uniqueid in (CHANNEL, AGENT):
                self.calls.handle(ami.BridgeEntered(uniqueid, "b"))

    async def carried_out(self, command: str, *, fails: bool) -> None:
        """Do at Asterisk's end what a command leads to there, whether or not we hear of it."""
        match command.split():
            case ["record", *_] if fails:
                self._starts(1)
            case _ if fails:
                pass
            case ["ask" | "explain" as what, asked]:
                self.heard_out, self.explained = False, what == "explain"
                await self.caller.hears(int(asked))
            case ["listen"]:
                await self.caller.listens_on()
            case ["record", *_]:
                assert (await self.caller.verdict("rec")).endswith(self.session.recording)
                self._starts(1)
            case ["begin"]:
                await until(lambda: self.monitors.let)
                self._starts(1)
            case ["resume"]:
                await until(lambda: self.monitors.went_on)
                self._starts(self.live.segment + 1)
            case ["hold"]:
                await self.caller.verdict("hold")
            case ["release"]:
                await self.caller.verdict("norec")
            case ["route"]:
                await self.caller.verdict("route")
            case _:
                pass

    def _starts(self, segment: int) -> None:
        recording = self.live.recording
        self.calls.handle(ami.RecordingStarted(recording, segment, "0x1", "PJSIP/a-1", CHANNEL))
        self.calls.file_seen(recording, segment)


@contextmanager
def held_up(call: Call, *, wanted: bool) -> Iterator[None]:
    """Keep the ledger from being written to, if that is wanted."""
    if not wanted:
        yield
        return
    with closing(sqlite3.connect(call.folder / "vault" / "ledger.db", isolation_level=None, timeout=5)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def said(event: d.Event, expected: str) -> bool:
    """Whether an event is what a line tells of; a key is timed to a tenth of a second, and what was heard at the end is not told."""
    wanted = files.event(expected)
    match event, wanted:
        case d.Digit(), d.Digit():
            return (
                replace(event, heard_ms=0) == replace(wanted, heard_ms=0)
                and abs(event.heard_ms - wanted.heard_ms) < 100
            )
        case d.Ended(), d.Ended():
            return event.how == wanted.how
        case _:
            return event == wanted


@dataclass(frozen=True)
class Step:
    """An event of a file, and the commands that it leads to."""

    event: str
    commands: tuple[str, ...]

    @property
    def by_itself(self) -> bool:
        """Whether it happens without anybody's doing, once what leads to it has happened."""
        return self.event.startswith(BY_ITSELF)

    @property
    def noting(self) -> bool:
        """Whether it waits for a note."""
        return any(command.startswith("note") for command in self.commands)


def steps_of(file: DialogueFile) -> list[Step]:
    """Return the steps of a file."""
    found: list[tuple[str, list[str]]] = []
    for line in file.lines:
        if line.mark == ">":
            found.append((line.text, []))
        else:
            found[-1][1].append(line.text)
    return [Step(event, tuple(commands)) for event, commands in found]


class Act:
    """A file that is acted out: each event is made to happen in its turn, and what comes of it compared."""

    def __init__(self, call: Call) -> None:
        self.call, self.steps = call, steps_of(call.file)
        self._made = 0  # so many of its events have happened
        self._looked = 0  # so many of those that were weighed have been looked at

    async def run(self) -> None:
        """Go through the file; what it tells of after the dialogue is over leads to nothing."""
        for place, one in enumerate(self.steps):
            await self.make(place + 1)
            fails = self._next(place).startswith("failed resume")
            with held_up(self.call, wanted=fails):
                if not await self._weighed(one):
                    assert not any(later.commands for later in self.steps[place:])
                    return
                if fails:
                    await self._fed(late=True)
            for command in one.commands:
                if command.startswith("note"):
                    await self._write(place, command)
                else:
                    await self.call.carried_out(
                        command, fails=self._next(place).startswith(f"failed {command.split()[0]}")
                    )

    def _next(self, place: int) -> str:
        return self.steps[place + 1].event if place + 1 < len(self.steps) else ""

    async def make(self, count: int) -> None:
        """Let so many events of the file happen, if they have not."""
        while self._made < count:
            place, one = self._made, self.steps[self._made]
            self._made += 1
            if not one.by_itself:
                self._spoil(place)
            if one.by_itself or any(said(event, one.event) for event in self.call.session.fed[self._looked :]):
                continue
            await until(lambda: not self.call.session.busy or self.call.evidence.waits or self.call.over)
            fed = len(self.call.session.fed)
            await self.call.happen(one.event)
            await self._grown(fed)

    def _spoil(self, place: int) -> None:
        """Let what an event leads to fail, once, where the file says so."""
        if self._next(place).startswith("failed record"):
            self.call.caller.fails = True
        if self._next(place).startswith("failed pause"):
            self.call.monitors.fails = True

    async def _write(self, place: int, note: str) -> None:
        """Let a note become durable or not in time, once all that the file tells of in the meantime has happened."""
        outcome = f"noted {note.split()[1]}"
        ends = (outcome, "failed note")
        noted = next((k for k in range(place + 1, len(self.steps)) if self.steps[k].event.startswith(ends)), None)
        if noted is not None:
            await self.make(noted)
            self._spoil(noted)
        fails = noted is not None and self.steps[noted].event.startswith("failed note")
        with held_up(self.call, wanted=fails):
            self.call.evidence.gate.release()
            await self._fed(late=fails)

    async def _fed(self, *, late: bool) -> None:
        """Wait until one more event was fed; what is to be late gets late by the clock."""
        fed = len(self.call.session.fed)
        if late:
            await asyncio.sleep(0.02)
            await warp(1.1)
        await self._grown(fed)

    async def _grown(self, fed: int) -> None:
        await until(lambda: len(self.call.session.fed) > fed or self.call.over)

    async def _weighed(self, one: Step) -> bool:
        """Wait until an event was weighed, whether it still is; it and its commands are those of the file."""
        call = self.call
        while True:
            await until(lambda: len(call.steps) > self._looked or call.over)
            if len(call.steps) == self._looked:
                return False
            event, commands = call.session.fed[self._looked], call.steps[self._looked]
            self._looked += 1
            # A file leaves out what leads to nothing: a note that was written, a question heard out, a party told of twice.
            if said(event, one.event) or commands or not isinstance(event, LEFT_OUT):
                break
        assert said(event, one.event), f"{event} is not: {one.event}"
        assert commands == one.commands, f"after {one.event}"
        return True


async def play(file: DialogueFile, folder: Path, front: str) -> None:
    """Act a file out, and compare each step."""
    hung = any(line.text == "ended hangup" for line in file.lines)
    async with FRONTS[front](folder, lambda: not hung) as caller, asyncio.TaskGroup() as tasks:
        call = Call(file, folder, caller, tasks)
        await call.begin()
        act = Act(call)
        if act.steps[0].event != "started":
            await act.make(1)
        call.running = tasks.create_task(call.session.run())
        try:
            await act.run()
            assert (call.session.consent.state, call.session.consent.outcome) == (file.state, file.outcome)
        finally:
            await call.end()
            call.vault.close()


@pytest.mark.parametrize("front", list(FRONTS))
@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_each_dialogue_file_is_the_same_by_either_front_end(file: DialogueFile, front: str, tmp_path: Path) -> None:
    for name in (file.name, f"{file.name}-{front}"):
        if name in NOT_BY_A_FRONT:
            pytest.skip(NOT_BY_A_FRONT[name])
    with asyncio.Runner(loop_factory=WarpedLoop) as runner:
        runner.run(asyncio.wait_for(play(file, tmp_path, front), 600))


def test_what_no_front_end_reports_is_told_of_by_a_file() -> None:
    names = {file.name for file in ALL}
    assert {name.removesuffix("-ari").removesuffix("-agi") for name in NOT_BY_A_FRONT} <= names
