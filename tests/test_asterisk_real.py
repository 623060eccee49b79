"""The links to Asterisk, against a real one: which events come in which order, and what our small rights allow."""

import asyncio
import secrets
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from gdprcall.asterisk.ami import Ami
from gdprcall.asterisk.ami_events import AmiEvent, HungUp, RecordingStarted, WatchdogFired, Withdrawn
from gdprcall.asterisk.ari import Ari, AriEvent
from gdprcall.asterisk.arrival import Arrival, PlayablePrompt
from gdprcall.asterisk.spool import Spool, SpoolFile
from gdprcall.asterisk.stasis import Stasis
from gdprcall.asterisk.stasiscall import StasisCall
from gdprcall.consent.dialogue import Ask, Digit, Ended, Event, Failed, NoInput, Played
from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller, Hangup, Press, Stay, Step, Wait

pytestmark = pytest.mark.pbx

NUMBER = "+46701749917"
SECONDS = 4
PROMPT = PlayablePrompt("sound:long", "en", SECONDS * 1000)


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    with Asterisk(tmp_path_factory.mktemp("pbx")) as asterisk, Agent(asterisk):
        with wave.open(str(asterisk.sounds / "en" / "long.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(b"\x00\x08" * 8000 * SECONDS)
        yield asterisk


class Desk:
    """Both links and the spool, with everything that they told."""

    def __init__(self, pbx: Asterisk, tasks: asyncio.TaskGroup) -> None:
        self.pbx = pbx
        self.seconds = 20
        self.raw: list[AriEvent] = []
        self.claims: list[Arrival] = []
        self.arrivals: asyncio.Queue[StasisCall] = asyncio.Queue()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.told: asyncio.Queue[AmiEvent] = asyncio.Queue()
        self.closed: asyncio.Queue[SpoolFile] = asyncio.Queue()
        self.ready = [asyncio.Event() for _ in range(3)]
        self.swept: list[int] = []
        self.ari = Ari(pbx.ari_url, "gdprcall", pbx.ari_password, "gdprcall", on_event=self._event, on_up=self._ari_up)
        self.ami = Ami(
            "127.0.0.1", pbx.ami_port, "gdprcall", pbx.ami_password, on_event=self.told.put_nowait, on_up=self._ami_up
        )
        self.stasis = Stasis(self.ari, tasks=tasks, claim=self._claim, arrive=self._arrive)
        watching = Spool(pbx.spool).watch(lambda _f: None, self.closed.put_nowait, lambda: None, self.ready[2].set)
        self.running = [tasks.create_task(part) for part in (self.ari.run(), self.ami.run(), watching)]

    def _event(self, event: AriEvent) -> None:
        self.raw.append(event)
        self.stasis.handle(event)

    async def _ari_up(self) -> None:
        self.swept.append(await self.stasis.sweep())
        self.ready[0].set()

    async def _ami_up(self) -> None:
        self.ready[1].set()

    def _claim(self, arrival: Arrival) -> int:
        self.claims.append(arrival)
        return self.seconds

    def _arrive(self, _arrival: Arrival, call: StasisCall) -> None:
        call.listen(self.events.put_nowait)
        self.arrivals.put_nowait(call)

    async def event(self) -> Event:
        return await asyncio.wait_for(self.events.get(), 15)

    async def until(self, kind: type[AmiEvent]) -> AmiEvent:
        async with asyncio.timeout(15):
            while not isinstance(event := await self.told.get(), kind):
                pass
        return event

    def kinds(self) -> list[str]:
        return [str(event["type"]) for event in self.raw]


@asynccontextmanager
async def desk(pbx: Asterisk) -> AsyncIterator[Desk]:
    async with asyncio.TaskGroup() as tasks:
        there = Desk(pbx, tasks)
        for ready in there.ready:
            await asyncio.wait_for(ready.wait(), 10)
        try:
            yield there
        finally:
            for task in there.running:
                task.cancel()


@asynccontextmanager
async def calling(pbx: Asterisk, *steps: Step, to: str = "support") -> AsyncIterator[Caller]:
    pbx.rx("database deltree result")
    caller = Caller(pbx, NUMBER, to, list(steps))
    await asyncio.to_thread(caller.start)
    try:
        yield caller
    finally:
        await asyncio.to_thread(caller.stop)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + 15
    while not await true():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def result(pbx: Asterisk) -> str:
    async def there() -> bool:
        return NUMBER in await asyncio.to_thread(pbx.db, "result")

    await eventually(there)
    return (await asyncio.to_thread(pbx.db, "result"))[NUMBER]


async def question(there: Desk, timeout_ms: int = 5000, prompt: PlayablePrompt = PROMPT) -> StasisCall:
    call = await asyncio.wait_for(there.arrivals.get(), 15)
    await call.ask(Ask(1, "x", "12", timeout_ms), prompt)
    return call


async def test_two_hops_a_key_and_a_verdict_make_a_recording_that_our_rights_can_see_and_end(pbx: Asterisk) -> None:
    recording = secrets.token_hex(16)
    async with desk(pbx) as there, calling(pbx, Wait(2), Press("1"), Stay(30)):
        call = await question(there)
        (arrival,) = there.claims
        assert (arrival.line, arrival.demand, arrival.language, arrival.number) == ("support", "may", "en", NUMBER)
        key = await there.event()
        assert isinstance(key, Digit)
        assert (key.asked, key.digit) == (1, "1")
        assert 1000 < key.heard_ms < 3500
        await call.record(recording)
        started = await there.until(RecordingStarted)
        assert isinstance(started, RecordingStarted)
        assert (started.recording, started.segment, started.uniqueid) == (recording, 1, call.channel)
        assert await result(pbx) == "recorded"
        (live,) = [channel for channel in await there.ami.live() if channel.recording]
        assert (live.recording, live.segment, live.mixmonitor) == (recording, 1, started.mixmonitor)
        assert (live.name, live.uniqueid) == (started.channel, call.channel)
        # A channel may be named by its uniqueid as well; the second request finds nothing to end.
        assert await there.ami.stop_recording(call.channel, started.mixmonitor) is True
        assert await there.ami.stop_recording(started.channel, started.mixmonitor) is False
        assert await there.ami.stop_recording("PJSIP/nobody-1", started.mixmonitor) is False
        closed = await asyncio.wait_for(there.closed.get(), 5)
        assert (closed.recording, closed.segment) == (recording, 1)
        assert [file.recording for file in Spool(pbx.spool).files()] == [recording]
        closed.path.unlink()
        assert there.events.empty()


async def test_con_08_a_withdrawal_is_told_and_its_mark_can_be_read_afterwards(pbx: Asterisk) -> None:
    recording = secrets.token_hex(16)
    async with desk(pbx) as there, calling(pbx, Wait(1), Press("1"), Wait(3), Press("*9"), Stay(30)) as caller:
        call = await question(there)
        await there.event()
        await call.record(recording)
        assert await there.until(Withdrawn) == Withdrawn(recording)
        assert await there.ami.withdrawn_mark(recording) is True
        assert await there.ami.withdrawn_mark("0" * 32) is False
        assert recording in await there.ami.withdrawn_marks()
        closed = await asyncio.wait_for(there.closed.get(), 5)
        closed.path.unlink()
        await asyncio.to_thread(caller.stop)
        await there.ari.run_local(f"forget{recording}", "gdprcall-forget")

        async def forgotten() -> bool:
            return not await there.ami.withdrawn_mark(recording)

        await eventually(forgotten)
        assert await there.ami.withdrawn_marks() == []


async def test_a_caller_who_hangs_up_in_the_prompt_has_hung_up_and_nothing_else(pbx: Asterisk) -> None:
    async with desk(pbx) as there, calling(pbx, Wait(1), Hangup()):
        call = await question(there)
        event = await there.event()
        assert isinstance(event, Ended)
        assert (event.how, event.heard_ms > 0) == ("hangup", True)
        assert await there.until(HungUp) == HungUp(call.channel)

        async def ended() -> bool:
            return there.kinds()[-1] in {"ChannelDestroyed", "StasisEnd"}

        await eventually(ended)
        order = [kind for kind in there.kinds() if kind in {"ChannelHangupRequest", "StasisEnd"}]
        assert order[-2:] == ["ChannelHangupRequest", "StasisEnd"]
        assert there.events.empty()
        # Whoever answers too late is told so, and does not fail.
        await call.release()


@pytest.mark.parametrize("in_prompt", [True, False])
async def test_a_call_that_the_watchdog_took_has_left_and_nothing_else(pbx: Asterisk, in_prompt: bool) -> None:
    async with desk(pbx) as there, calling(pbx, Stay(30)):
        there.seconds = 2 if in_prompt else SECONDS + 1
        await question(there, 60_000)
        if not in_prompt:
            assert await there.event() == Played(1, PROMPT.total_ms)
        event = await there.event()
        assert isinstance(event, Ended)
        assert event.how == "left"
        assert await there.until(WatchdogFired) == WatchdogFired("support")
        assert await result(pbx) == "unrecorded"
        assert "ChannelHangupRequest" not in there.kinds()
        assert there.events.empty()


async def test_inf_05_a_prompt_that_is_not_there_fails(pbx: Asterisk) -> None:
    async with desk(pbx) as there, calling(pbx, Stay(30)):
        call = await question(there, prompt=PlayablePrompt("sound:nowhere", "en", 1000))
        assert await there.event() == Failed("prompt_failed")
        await call.route()
        assert await result(pbx) == "route"


async def test_silence_is_told_after_the_prompt_and_the_time_to_answer(pbx: Asterisk) -> None:
    async with desk(pbx) as there, calling(pbx, Stay(30)):
        call = await question(there, 500)
        begun = time.monotonic()
        assert await there.event() == Played(1, PROMPT.total_ms)
        assert SECONDS - 1 < time.monotonic() - begun < SECONDS + 1
        assert await there.event() == NoInput(1)
        await call.ask(Ask(2, "x", "12", 500), PROMPT)
        await asyncio.sleep(0)
        await call.ask(Ask(3, "x", "12", 500), PROMPT)
        # The sound of the second question was stopped: its end is not told.
        assert await there.event() == Played(3, PROMPT.total_ms)
        await call.release()
        assert await result(pbx) == "unrecorded"


async def test_fcl_02_a_call_that_the_last_daemon_left_behind_is_freed_by_the_next(pbx: Asterisk) -> None:
    async with calling(pbx, Stay(30)):
        async with desk(pbx) as first:
            await question(first)
            assert first.swept == [0]
        begun = time.monotonic()
        async with desk(pbx) as second:
            assert second.swept == [1]
            assert await result(pbx) == "unrecorded"
            # The sound that still plays is heard to its end: only who started it knows its name.
            assert time.monotonic() - begun < SECONDS + 2
            assert second.arrivals.empty()


async def test_fcl_02_after_asterisk_restarted_both_links_stand_again(pbx: Asterisk) -> None:
    async with desk(pbx) as there:
        async with calling(pbx, Stay(30)):
            await question(there)
            for ready in there.ready[:2]:
                ready.clear()
            await asyncio.to_thread(pbx.kill)
        await asyncio.to_thread(pbx.start)
        for ready in there.ready[:2]:
            await asyncio.wait_for(ready.wait(), 15)
        assert await there.event() == Failed("ari_lost")
        async with calling(pbx, Stay(30)):
            call = await question(there)
            await call.release()
            assert await result(pbx) == "unrecorded"
