"""The ARI front end of a call: numbered questions, the moment of a key, one verdict."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from gdprcall.asterisk import stasis as stasis_module
from gdprcall.asterisk import stasiscall as module
from gdprcall.asterisk.ari import Ari
from gdprcall.asterisk.arrival import Arrival, PlayablePrompt
from gdprcall.asterisk.stasis import Stasis
from gdprcall.asterisk.stasiscall import StasisCall
from gdprcall.consent.dialogue import Ask, Digit, Ended, Ending, Event, Failed, NoInput, Played
from gdprcall.errors import PeerError
from tests.fakes.ari import FakeAri, serving

PROMPT = PlayablePrompt("sound:gdprcall/x", "en", 4000)
CHANNEL = "17.1"


class Desk:
    """A front end with its surroundings."""

    def __init__(self, fake: FakeAri, ari: Ari, tasks: asyncio.TaskGroup) -> None:
        self.fake = fake
        self.seconds: int | None = 30
        self.claimed: list[Arrival] = []
        self.arrived: list[tuple[Arrival, StasisCall]] = []
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.stasis = Stasis(ari, tasks=tasks, claim=self._claim, arrive=self._arrive)

    def _claim(self, arrival: Arrival) -> int | None:
        self.claimed.append(arrival)
        return self.seconds

    def _arrive(self, arrival: Arrival, call: StasisCall) -> None:
        call.listen(self.events.put_nowait)
        self.arrived.append((arrival, call))

    def start(self, *args: str) -> None:
        channel = {"id": CHANNEL, "name": "PJSIP/a-1", "caller": {"number": "+46701740001"}}
        self.stasis.handle({"type": "StasisStart", "args": list(args), "channel": channel})

    def tell(self, kind: str, **more: object) -> None:
        self.stasis.handle({"type": kind, "channel": {"id": CHANNEL}, **more})

    def playback(self, kind: str, state: str = "done", id_: str | None = None, **more: object) -> None:
        path = [p for m, p, _ in self.fake.requests if m == "POST" and "/play/" in p][-1]
        playback = {"id": id_ or path.rsplit("/", 1)[-1], "state": state, "target_uri": f"channel:{CHANNEL}"}
        self.stasis.handle({"type": kind, "playback": playback, **more})

    async def event(self) -> Event:
        return await asyncio.wait_for(self.events.get(), 5)

    def dialplan_asks_again(self, *, events: tuple[str, ...] = ("StasisEnd", "StasisStart")) -> None:
        """From now on a call that is sent to be asked leaves and comes back, as it does in the dialplan."""

        def hop(_path: str, query: Mapping[str, str]) -> None:
            if query.get("context") == "gdprcall-ask":
                for event in events:
                    if event == "StasisStart":
                        self.start("v1", "ask", "support", "may", "en")
                    else:
                        self.tell(event)

        self.fake.on_request = hop

    def verdicts(self) -> list[tuple[str, str]]:
        queries = self.fake.asked("POST", f"/channels/{CHANNEL}/continue")
        return [(query["context"], query["extension"]) for query in queries]


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    async with serving() as fake:
        ari = Ari(fake.url, "u", "p", "gdprcall", on_event=lambda _e: None, on_up=_nothing)
        async with ari.requests(), asyncio.TaskGroup() as tasks:
            yield Desk(fake, ari, tasks)


async def _nothing() -> None:
    pass


async def until_given_back(there: Desk) -> None:
    async with asyncio.timeout(5):
        while not there.verdicts():
            await asyncio.sleep(0.005)


async def asked(there: Desk, timeout_ms: int = 5000) -> StasisCall:
    there.start("v1", "ask", "support", "may", "en")
    _, call = there.arrived[-1]
    await call.ask(Ask(1, "x", "12", timeout_ms), PROMPT)
    return call


async def test_a_claimed_call_is_held_for_the_seconds_that_its_questions_may_last() -> None:
    async with desk() as there:
        there.start("v1", "claim", "support", "must", "sv")
        await until_given_back(there)
        assert there.verdicts() == [("gdprcall-ask", "30")]
        (arrival,) = there.claimed
        assert (arrival.line, arrival.demand, arrival.language, arrival.channel) == ("support", "must", "sv", CHANNEL)
        assert "4670" not in repr(arrival)


async def test_pty_08_of_a_call_that_goes_out_the_number_is_the_one_that_the_dialplan_says_was_called() -> None:
    async with desk() as there:
        there.start("v1", "claim", "offers", "may", "en", "out+46701760002")
        await until_given_back(there)
        (arrival,) = there.claimed
        assert (arrival.outbound, arrival.number) == (True, "+46701760002")
        assert "4670" not in repr(arrival)
        there.start("v1", "claim", "offers", "may", "en", "out")
        assert (there.claimed[-1].outbound, there.claimed[-1].number) == (True, "")


async def test_a_call_that_is_not_claimed_is_given_back_unrecorded() -> None:
    async with desk() as there:
        there.seconds = None
        there.start("v1", "claim", "nowhere", "may", "en")
        await until_given_back(there)
        assert there.verdicts() == [("gdprcall-verdict", "norec")]


@pytest.mark.parametrize(
    "args",
    [("v2", "ask", "a", "may", "en"), ("v1", "other", "a", "may", "en"), ("v1",), ()]
    + [("v1", "ask", "a", "may", "en", *more) for more in (("in",), ("out1", "x"))],
)
async def test_a_dialplan_of_another_version_is_given_back_unrecorded(args: tuple[str, ...]) -> None:
    async with desk() as there:
        there.start(*args)
        await until_given_back(there)
        assert there.verdicts() == [("gdprcall-verdict", "norec")]
        assert not there.arrived


async def test_con_03_a_key_counts_from_the_moment_it_was_pressed_not_reported() -> None:
    async with desk() as there:
        await asked(there)
        there.playback("PlaybackStarted")
        await asyncio.sleep(0.3)
        there.tell("ChannelDtmfReceived", digit="1", duration_ms=200)
        event = await there.event()
        assert isinstance(event, Digit)
        assert 50 <= event.heard_ms <= 200
        there.tell("ChannelDtmfReceived", digit="1", duration_ms=10_000)
        event = await there.event()
        assert isinstance(event, Digit)
        assert event.heard_ms == 0


@pytest.mark.parametrize(
    ("begun", "pressed", "heard_ms"),
    [
        # Asterisk says that the key came at once: we read it late, as after standing still.
        ("2026-11-23T22:45:53.100+0000", "2026-11-23T22:45:53.130+0000", 30),
        # Asterisk's clock was set back in between: nothing was heard for certain.
        ("2026-11-23T22:45:53.100+0000", "2026-11-23T22:40:53.100+0000", 0),
    ],
)
async def test_con_03_a_key_that_is_read_late_counts_from_asterisks_own_time(
    begun: str, pressed: str, heard_ms: int
) -> None:
    async with desk() as there:
        await asked(there)
        there.playback("PlaybackStarted", timestamp=begun)
        await asyncio.sleep(0.1)
        there.tell("ChannelDtmfReceived", digit="1", duration_ms=0, timestamp=pressed)
        assert await there.event() == Digit(1, "1", heard_ms)


async def test_con_03_a_clock_that_jumps_ahead_does_not_lengthen_what_was_heard() -> None:
    async with desk() as there:
        await asked(there)
        there.playback("PlaybackStarted", timestamp="2026-11-23T22:45:53.100+0000")
        there.tell("ChannelDtmfReceived", digit="1", duration_ms=0, timestamp="2026-11-23T23:45:53.100+0000")
        event = await there.event()
        assert isinstance(event, Digit)
        assert event.heard_ms < 1000


async def test_a_key_before_the_sound_began_has_heard_nothing() -> None:
    async with desk() as there:
        await asked(there)
        there.tell("ChannelDtmfReceived", digit="1")
        assert await there.event() == Digit(1, "1", 0)


async def test_silence_counts_from_the_end_of_the_prompt_and_names_its_question() -> None:
    async with desk() as there:
        await asked(there, timeout_ms=50)
        there.playback("PlaybackFinished")
        assert await there.event() == Played(1, 4000)
        assert await there.event() == NoInput(1)


async def test_inf_05_a_prompt_that_fails_is_told() -> None:
    async with desk() as there:
        await asked(there)
        there.playback("PlaybackFinished", "failed")
        assert await there.event() == Failed("prompt_failed")


async def test_a_call_that_leaves_in_mid_prompt_has_left_and_its_prompt_did_not_fail() -> None:
    async with desk() as there:
        await asked(there)
        there.playback("PlaybackFinished", "failed")
        there.tell("ChannelDtmfReceived", digit="1")
        there.tell("StasisEnd")
        assert await there.event() == Ended("left")
        await asyncio.sleep(module.LEAVING_SECONDS + 0.05)
        assert there.events.empty()


async def test_the_end_of_an_earlier_prompt_and_its_silence_do_not_count() -> None:
    async with desk() as there:
        call = await asked(there, timeout_ms=50)
        there.playback("PlaybackFinished")
        await there.event()
        there.dialplan_asks_again()
        await call.ask(Ask(2, "x", "12", 60_000), PROMPT)
        there.playback("PlaybackFinished", id_="another")
        there.tell("ChannelDtmfReceived", digit="2")
        assert await there.event() == Digit(2, "2", 0)
        await asyncio.sleep(0.1)
        assert there.events.empty()


async def test_a_new_question_and_a_verdict_stop_the_sound_first() -> None:
    async with desk() as there:
        call = await asked(there)
        there.dialplan_asks_again()
        await call.ask(Ask(2, "x", "12", 5000), PROMPT)
        await call.record("0" * 32)
        kinds = [(m, "playbacks" if "playbacks" in p else p.rsplit("/", 2)[-2]) for m, p, _ in there.fake.requests]
        assert kinds == [
            ("POST", "play"),
            ("DELETE", "playbacks"),
            ("POST", CHANNEL),
            ("POST", "play"),
            ("DELETE", "playbacks"),
            ("POST", CHANNEL),
        ]
        assert there.verdicts() == [("gdprcall-ask", "11"), ("gdprcall-verdict", "rec" + "0" * 32)]


async def test_fcl_02_each_question_has_a_watchdog_of_its_own() -> None:
    async with desk() as there:
        call = await asked(there, timeout_ms=5000)
        there.dialplan_asks_again()
        await call.ask(Ask(2, "x", "12", 5000), PROMPT)
        # 4 seconds of prompt, 5 for the key, 2 of margin.
        assert there.verdicts() == [("gdprcall-ask", "11")]
        assert len(there.arrived) == 1, "it is still the same call"
        assert there.events.empty(), "its way through the dialplan is no event"
        there.tell("StasisEnd")
        assert await there.event() == Ended("left")


async def test_con_03_who_hangs_up_in_the_prompt_has_heard_so_much_of_it() -> None:
    async with desk() as there:
        await asked(there)
        there.playback("PlaybackStarted")
        await asyncio.sleep(0.1)
        there.tell("ChannelHangupRequest")
        event = await there.event()
        assert isinstance(event, Ended)
        assert 50 <= event.heard_ms <= 2000


async def test_a_call_that_leaves_before_its_prompt_begins_has_ended_and_not_failed() -> None:
    async with desk() as there:
        there.start("v1", "ask", "support", "may", "en")
        _, call = there.arrived[-1]
        there.fake.gone = "/play/"
        await call.ask(Ask(1, "x", "12", 5000), PROMPT)
        there.tell("ChannelHangupRequest")
        assert await there.event() == Ended("hangup")
        await asyncio.sleep(module.LEAVING_SECONDS + 0.05)
        assert there.events.empty()


async def test_a_call_that_cannot_be_asked_and_did_not_leave_fails() -> None:
    async with desk() as there:
        there.start("v1", "ask", "support", "may", "en")
        _, call = there.arrived[-1]
        there.fake.gone = "/play/"
        await call.ask(Ask(1, "x", "12", 5000), PROMPT)
        assert await there.event() == Failed("ask_failed")


async def test_a_call_that_does_not_come_back_for_its_next_question_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BACK_SECONDS", 0.05)
    async with desk() as there:
        call = await asked(there)
        there.dialplan_asks_again(events=("StasisEnd",))
        with pytest.raises(PeerError):
            await call.ask(Ask(2, "x", "12", 5000), PROMPT)
        assert not there.stasis._calls


async def test_a_hangup_on_the_way_to_the_next_question_ends_the_dialogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_SECONDS", 0.05)
    async with desk() as there:
        call = await asked(there)
        there.dialplan_asks_again(events=("ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"))
        with pytest.raises(PeerError):
            await call.ask(Ask(2, "x", "12", 5000), PROMPT)
        assert await there.event() == Ended("hangup")


async def test_a_sound_that_cannot_be_stopped_delays_a_release_but_prevents_a_recording() -> None:
    async with desk() as there:
        call = await asked(there)
        playback = next(p for m, p, _ in there.fake.requests if "/play/" in p).rsplit("/", 1)[-1]
        there.fake.answers[f"DELETE /playbacks/{playback}"] = (500, {})
        with pytest.raises(PeerError):
            await call.record("0" * 32)
        assert not there.verdicts()
    async with desk() as there:
        call = await asked(there)
        playback = next(p for m, p, _ in there.fake.requests if "/play/" in p).rsplit("/", 1)[-1]
        there.fake.answers[f"DELETE /playbacks/{playback}"] = (500, {})
        await call.release()
        assert there.verdicts() == [("gdprcall-verdict", "norec")]


async def test_what_comes_before_the_first_question_is_no_answer() -> None:
    async with desk() as there:
        there.start("v1", "ask", "support", "may", "en")
        there.tell("ChannelDtmfReceived", digit="1")
        playback = {"id": "", "state": "done", "target_uri": f"channel:{CHANNEL}"}
        there.stasis.handle({"type": "PlaybackFinished", "playback": playback})
        assert there.events.empty()


async def test_two_keys_at_once_are_two_events_in_order() -> None:
    async with desk() as there:
        await asked(there)
        there.tell("ChannelDtmfReceived", digit="1")
        there.tell("ChannelDtmfReceived", digit="2")
        assert [await there.event(), await there.event()] == [Digit(1, "1", 0), Digit(1, "2", 0)]


async def test_after_a_verdict_nothing_more_is_told() -> None:
    async with desk() as there:
        call = await asked(there)
        await call.release()
        there.tell("ChannelDtmfReceived", digit="1")
        there.tell("StasisEnd")
        assert there.events.empty()
        assert there.verdicts() == [("gdprcall-verdict", "norec")]


async def test_a_caller_who_hangs_up_is_told_apart_from_a_watchdog_that_took_the_call() -> None:
    async with desk() as there:
        await asked(there)
        there.tell("ChannelHangupRequest")
        assert await there.event() == Ended("hangup")
        there.tell("StasisEnd")
    async with desk() as there:
        await asked(there)
        there.tell("StasisEnd")
        assert await there.event() == Ended("left")


async def test_a_sound_that_ended_by_itself_does_not_hinder_the_verdict() -> None:
    async with desk() as there:
        call = await asked(there)
        playback = next(p for m, p, _ in there.fake.requests if "/play/" in p).rsplit("/", 1)[-1]
        there.fake.answers[f"DELETE /playbacks/{playback}"] = (404, {})
        await call.route()
        assert there.verdicts() == [("gdprcall-verdict", "route")]


@pytest.mark.parametrize("status", [404, 500])
async def test_giving_back_never_raises_but_a_lost_verdict_to_record_does(status: int) -> None:
    async with desk() as there:
        there.fake.answers[f"POST /channels/{CHANNEL}/continue"] = (status, {})
        await (await asked(there)).release()
        with pytest.raises(PeerError):
            await (await asked(there)).record("0" * 32)


@pytest.mark.parametrize("status", [404, 500])
async def test_a_call_that_cannot_be_held_or_freed_does_not_stop_the_rest(status: int) -> None:
    async with desk() as there:
        there.fake.answers[f"POST /channels/{CHANNEL}/continue"] = (status, {})
        there.start("v1", "claim", "support", "may", "en")
        there.seconds = None
        there.start("v1", "claim", "support", "may", "en")
        async with asyncio.timeout(5):
            while len(there.verdicts()) < 2:
                await asyncio.sleep(0.005)


def listed(id_: str, app: str = "Stasis", data: str = "gdprcall,v1,ask,support,may,en") -> dict[str, object]:
    return {"id": id_, "dialplan": {"app_name": app, "app_data": data}}


async def test_fcl_02_calls_that_nobody_answers_for_are_given_back_after_a_reconnection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stasis_module, "GRACE_SECONDS", 0.05)
    async with desk() as there:
        there.fake.answers["GET /channels"] = (
            200,
            [
                listed(CHANNEL),
                listed("18.0", data="gdprcall,v0,other"),
                listed("18.2", data="otherapp,v1"),
                listed("18.3", app="Dial"),
                {"id": "18.4"},
            ],
        )
        assert await there.stasis.sweep() == 2
        await until_given_back(there)
        assert there.verdicts() == [("gdprcall-verdict", "norec")]
        async with asyncio.timeout(5):
            while not there.fake.asked("POST", "/channels/18.0/continue"):
                await asyncio.sleep(0.005)
    assert not [path for _, path, _ in there.fake.requests if path.startswith(("/channels/18.2", "/channels/18.3"))]


async def test_a_call_that_comes_in_while_the_link_is_made_is_not_taken_for_a_stranded_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stasis_module, "GRACE_SECONDS", 0.05)
    async with desk() as there:
        there.fake.answers["GET /channels"] = (200, [listed(CHANNEL), listed("18.1")])
        await there.stasis.sweep()
        there.start("v1", "ask", "support", "may", "en")
        async with asyncio.timeout(5):
            while not there.fake.asked("POST", "/channels/18.1/continue"):
                await asyncio.sleep(0.005)
    assert not there.verdicts()


async def test_con_01_a_call_whose_keys_may_have_been_missed_is_not_recorded() -> None:
    async with desk() as there:
        call = await asked(there)
        there.fake.answers["GET /channels"] = (200, [])
        assert await there.stasis.sweep() == 0
        assert await there.event() == Failed("ari_lost")
        there.tell("ChannelDtmfReceived", digit="1")
        assert there.events.empty()
        await call.release()
        assert there.verdicts() == [("gdprcall-verdict", "norec")]
        await there.stasis.sweep()
        assert there.events.empty()


async def test_a_call_that_has_its_verdict_is_not_failed_by_a_reconnection() -> None:
    async with desk() as there:
        call = await asked(there)
        await call.record("0" * 32)
        there.fake.answers["GET /channels"] = (200, [])
        await there.stasis.sweep()
        assert there.events.empty()


async def test_events_of_channels_that_are_not_ours_are_passed_over() -> None:
    async with desk() as there:
        there.tell("ChannelDtmfReceived", digit="1")
        await asked(there)
        there.tell("ChannelVarset")
        assert there.events.empty()


@pytest.mark.parametrize(("ending", "verdict"), [(Ending.NONE, "reck"), (Ending.OBJECTION, "reco")])
async def test_bas_05_a_recording_that_no_key_or_an_objection_ends_has_a_verdict_of_its_own(
    ending: Ending, verdict: str
) -> None:
    async with desk() as there:
        call = await asked(there)
        await call.record("0" * 32, ending)
        assert there.verdicts() == [("gdprcall-verdict", verdict + "0" * 32)]


async def test_bas_04_a_call_that_is_open_for_the_agents_word_is_held() -> None:
    async with desk() as there:
        call = await asked(there)
        await call.hold()
        assert there.verdicts() == [("gdprcall-verdict", "hold")]


@pytest.mark.parametrize(
    ("ending", "letters"), [(Ending.WITHDRAWAL, "l"), (Ending.OBJECTION, "ol"), (Ending.NONE, "kl")]
)
async def test_a_line_whose_voices_are_recorded_apart_is_told_by_a_letter(ending: Ending, letters: str) -> None:
    async with desk() as there:
        call = await asked(there)
        await call.record("0" * 32, ending, legs=True)
        assert there.verdicts() == [("gdprcall-verdict", f"rec{letters}{'0' * 32}")]


async def test_the_agents_word_begins_a_recording_of_voices_apart_where_the_line_says_so() -> None:
    async with desk() as there:
        call = await asked(there)
        await call.hold(legs=True)
        assert there.verdicts() == [("gdprcall-verdict", "holdl")]
        assert call.finished
