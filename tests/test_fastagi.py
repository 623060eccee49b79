"""The FastAGI server and its calls against a hand-made Asterisk: what a real one cannot be made to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gdprcall.asterisk import agicall, agilink, fastagi
from gdprcall.asterisk.agicall import AgiCall
from gdprcall.asterisk.arrival import Arrival, PlayablePrompt
from gdprcall.asterisk.fastagi import FastAgi
from gdprcall.consent.dialogue import Ask, Digit, Ended, Ending, Event, Failed, NoInput, Played
from gdprcall.errors import ConfigError, PeerError
from tests.pbx.asterisk import free_port

PROMPT = PlayablePrompt("sound:gdprcall/x", "en", 4000)
QUESTION = Ask(1, "x", "12", 5000)
ASK = ("ask", "v1", "support", "may", "en")


class Peer:
    """Asterisk's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def command(self) -> str:
        """Return the next command, or "" at the end."""
        return (await asyncio.wait_for(self.reader.readline(), 5)).decode().strip()

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\n" for line in lines).encode())

    def greet(self, script: str, *arguments: str, uniqueid: str = "17.1") -> None:
        given = [f"agi_arg_{place}: {text}" for place, text in enumerate(arguments, 1)]
        self.say(f"agi_network_script: {script}", f"agi_uniqueid: {uniqueid}", "agi_callerid: unknown", *given, "")


class Desk:
    """A server with its surroundings."""

    def __init__(self, sounds: Path) -> None:
        self.seconds: int | None = 30
        self.arrived: asyncio.Queue[tuple[Arrival, AgiCall]] = asyncio.Queue()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.peers: list[Peer] = []
        self.called = 0
        self.port = free_port()
        self.up: bool | PeerError = True
        self.server = FastAgi(
            ("127.0.0.1", self.port),
            sounds,
            claim=lambda _a: self.seconds,
            arrive=self._arrive,
            is_up=self._is_up,
        )

    def _arrive(self, arrival: Arrival, call: AgiCall) -> None:
        call.listen(self.events.put_nowait)
        self.arrived.put_nowait((arrival, call))

    async def _is_up(self, uniqueid: str) -> bool:
        assert uniqueid == f"17.{self.called}"
        if isinstance(self.up, PeerError):
            raise self.up
        return self.up

    async def connect(self) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port))
        self.peers.append(peer)
        return peer

    async def event(self) -> Event:
        return await asyncio.wait_for(self.events.get(), 5)

    async def call(self) -> tuple[Peer, AgiCall]:
        """Let a call come in that is asked."""
        peer = await self.connect()
        self.called += 1
        peer.greet(*ASK, uniqueid=f"17.{self.called}")
        _, call = await asyncio.wait_for(self.arrived.get(), 5)
        return peer, call

    async def asked(self) -> tuple[Peer, AgiCall]:
        """Let a call come in and ask it; its STREAM FILE has been read."""
        peer, call = await self.call()
        await call.ask(QUESTION, PROMPT)
        assert (await peer.command()).startswith("STREAM FILE")
        return peer, call


@asynccontextmanager
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    there = Desk(tmp_path)
    task = asyncio.create_task(there.server.run())
    async with asyncio.timeout(5):
        while not there.server.listening:
            await asyncio.sleep(0.001)
    try:
        yield there
    finally:
        task.cancel()
        await asyncio.wait([task])
        for peer in there.peers:
            peer.writer.close()
            with suppress(ConnectionError):
                await peer.writer.wait_closed()


async def test_a_claimed_call_is_sent_to_be_asked_with_its_seconds(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer = await there.connect()
        peer.greet("claim", *ASK[1:])
        assert await peer.command() == 'EXEC Goto "gdprcall-ask,30,1"'
        peer.say("200 result=0")
        assert await peer.command() == ""


async def test_a_call_for_rights_is_claimed_by_the_word_of_its_own_hop(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer = await there.connect()
        peer.greet("rights", "v1", "acme", "rights", "en")
        assert await peer.command() == 'EXEC Goto "gdprcall-ask,30,1"'


@pytest.mark.parametrize(
    "greeting",
    [
        ("claim", "v2", "a", "may", "en"),
        ("other", *ASK[1:]),
        ("claim",),
        ("claim", "v1", "acme", "rights", "en"),
        ("rights", "v1", "acme", "may", "en"),
    ],
)
async def test_a_dialplan_of_another_version_is_given_back_unrecorded(
    tmp_path: Path, greeting: tuple[str, ...]
) -> None:
    async with desk(tmp_path) as there:
        peer = await there.connect()
        peer.greet(*greeting)
        assert await peer.command() == 'EXEC Goto "gdprcall-verdict,norec,1"'


async def test_a_call_that_is_not_claimed_is_given_back_unrecorded(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        there.seconds = None
        peer = await there.connect()
        peer.greet("claim", *ASK[1:])
        assert await peer.command() == 'EXEC Goto "gdprcall-verdict,norec,1"'


async def test_the_prompt_is_played_by_its_place_and_language_and_a_key_after_it_counts_in_full(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        short = PlayablePrompt("sound:gdprcall/x", "sv", 100)
        await call.ask(QUESTION, short)
        assert await peer.command() == f'STREAM FILE "{tmp_path}/sv/gdprcall/x" "0123456789*#" "0"'
        await asyncio.sleep(0.1)
        peer.say("200 result=0 endpos=800")
        assert await there.event() == Played(1, 100)
        command, _, milliseconds = (await peer.command()).rpartition(" ")
        assert command == "WAIT FOR DIGIT"
        assert 4900 <= int(milliseconds.strip('"')) <= 5000
        peer.say("200 result=49")
        assert await there.event() == Digit(1, "1", 100)


async def test_nobody_who_stays_silent_after_the_prompt_pressed_a_key(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        await call.ask(QUESTION, PlayablePrompt("sound:gdprcall/x", "en", 20))
        await peer.command()
        await asyncio.sleep(0.03)
        peer.say("200 result=0 endpos=160")
        await there.event()
        await peer.command()
        peer.say("200 result=0")
        assert await there.event() == NoInput(1)


async def test_con_03_a_key_that_does_not_count_lets_the_prompt_go_on_from_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.asked()
        await asyncio.sleep(0.3)
        peer.say("200 result=49 endpos=2400")
        event = await there.event()
        assert isinstance(event, Digit)
        # 300 ms were played; the key is thought to have been held for 200 of them.
        assert 80 <= event.heard_ms <= 100
        await call.listen_on()
        assert (await peer.command()).endswith('"2400"')
        peer.say("200 result=50 endpos=999999")
        event = await there.event()
        assert isinstance(event, Digit)
        assert event.heard_ms < 300, "no more is believed than the time that has passed"


async def test_several_sounds_are_played_in_a_row_and_a_key_lets_the_one_go_on_that_it_stopped(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        await call.ask(QUESTION, PlayablePrompt("sound:gdprcall/x,sound:gdprcall/y,sound:gdprcall/z", "en", 60))
        assert '/en/gdprcall/x"' in await peer.command()
        await asyncio.sleep(0.03)
        peer.say("200 result=0 endpos=160")
        assert '/en/gdprcall/y"' in await peer.command()
        peer.say("200 result=52 endpos=80")
        event = await there.event()
        assert isinstance(event, Digit)
        assert event.digit == "4"
        await call.listen_on()
        again = await peer.command()
        assert '/en/gdprcall/y"' in again
        assert again.endswith('"80"')
        await asyncio.sleep(0.03)
        peer.say("200 result=0 endpos=160")
        assert '/en/gdprcall/z"' in await peer.command()
        peer.say("200 result=0 endpos=160")
        assert await there.event() == Played(1, 60)
        assert (await peer.command()).startswith("WAIT FOR DIGIT")


async def test_inf_05_where_one_of_several_sounds_cannot_be_played_the_question_has_failed(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        await call.ask(QUESTION, PlayablePrompt("sound:gdprcall/x,sound:gdprcall/y", "en", 20))
        await peer.command()
        await asyncio.sleep(0.03)
        peer.say("200 result=0 endpos=0")
        assert await there.event() == Failed("prompt_failed")


async def test_inf_05_a_sound_that_asterisk_does_not_play_to_its_end_has_failed(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        for answer in ("200 result=0 endpos=0", "200 result=0 endpos=32000"):
            peer, _ = await there.asked()
            peer.say(answer)
            assert await there.event() == Failed("prompt_failed")


async def test_inf_05_a_sound_that_asterisk_cannot_open_has_failed_if_the_call_is_still_here(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, _ = await there.asked()
        peer.say("200 result=-1 endpos=0")
        assert await peer.command() == "CHANNEL STATUS"
        peer.say("200 result=6")
        assert await there.event() == Failed("prompt_failed")


@pytest.mark.parametrize("end", [("HANGUP",), ("200 result=-1 endpos=100",), ("511 Command Not Permitted",), ()])
@pytest.mark.parametrize(("up", "how"), [(True, "left"), (False, "hangup"), (PeerError("AMI is gone"), "left")])
async def test_a_call_that_goes_has_left_unless_asterisk_has_it_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: tuple[str, ...], up: bool | PeerError, how: str
) -> None:
    monkeypatch.setattr(agicall, "LEAVING_SECONDS", 0.05)
    async with desk(tmp_path) as there:
        there.up = up
        peer, call = await there.asked()
        await asyncio.sleep(0.05)
        assert 30 <= call.heard_ms <= 500
        peer.say(*end)
        peer.writer.close()
        event = await there.event()
        assert isinstance(event, Ended)
        assert event.how == how


async def test_a_verdict_is_one_command(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        for give, verdict in (("record", "rec" + "0" * 32), ("release", "norec"), ("route", "route"), ("hold", "hold")):
            peer, call = await there.call()
            giving = asyncio.create_task(call.record("0" * 32) if give == "record" else getattr(call, give)())
            assert await peer.command() == f'EXEC Goto "gdprcall-verdict,{verdict},1"'
            peer.say("200 result=0")
            await giving
            assert await peer.command() == ""


@pytest.mark.parametrize(("ending", "verdict"), [(Ending.NONE, "reck"), (Ending.OBJECTION, "reco")])
async def test_bas_05_a_recording_that_no_key_or_an_objection_ends_has_a_verdict_of_its_own(
    tmp_path: Path, ending: Ending, verdict: str
) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        giving = asyncio.create_task(call.record("0" * 32, ending))
        assert await peer.command() == f'EXEC Goto "gdprcall-verdict,{verdict}{"0" * 32},1"'
        peer.say("200 result=0")
        await giving
        assert await peer.command() == ""


async def test_a_verdict_to_record_that_nobody_took_has_failed_and_another_is_not_missed(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        for give in ("record", "release"):
            peer, call = await there.call()
            peer.writer.close()
            await peer.writer.wait_closed()
            if give == "record":
                with pytest.raises(PeerError):
                    await call.record("0" * 32)
            else:
                await call.release()


async def test_a_verdict_that_asterisk_refuses_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        giving = asyncio.create_task(call.release())
        await peer.command()
        peer.say("510 Invalid or unknown command")
        await giving
    assert "verdict_lost" in capsys.readouterr().out


async def test_fcl_02_each_question_has_a_watchdog_and_a_connection_of_its_own(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.asked()
        peer.say("200 result=55 endpos=800")
        await there.event()
        asking = asyncio.create_task(call.ask(Ask(2, "x", "12", 5000), PROMPT))
        # 4 seconds of prompt, 5 for the key, 2 of margin.
        assert await peer.command() == 'EXEC Goto "gdprcall-ask,11,1"'
        peer.say("200 result=0")
        again = await there.connect()
        again.greet(*ASK)
        await asking
        assert (await again.command()).startswith("STREAM FILE")
        again.say("200 result=50 endpos=800")
        event = await there.event()
        assert isinstance(event, Digit)
        assert (event.asked, there.arrived.empty()) == (2, True)


async def test_a_call_that_does_not_come_back_for_its_next_question_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agicall, "BACK_SECONDS", 0.05)
    async with desk(tmp_path) as there:
        peer, call = await there.asked()
        peer.say("200 result=55 endpos=800")
        await there.event()
        with pytest.raises(PeerError):
            await call.ask(Ask(2, "x", "12", 5000), PROMPT)


async def test_a_peer_that_does_not_answer_costs_its_own_call_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agicall, "SLACK_SECONDS", 0.05)
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        await call.ask(QUESTION, PlayablePrompt("sound:gdprcall/x", "en", 1))
        await peer.command()
        assert await there.event() == Failed("agi_lost")


async def test_con_08_the_marks_of_erased_recordings_are_removed_by_the_next_call(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        for _ in range(2):
            there.server.forget("a" * 32)
        peer = await there.connect()
        peer.greet("claim", *ASK[1:])
        assert await peer.command() == f'DATABASE DEL "gdprcall/withdrawn" "{"a" * 32}"'
        peer.say("200 result=1")
        assert await peer.command() == 'EXEC Goto "gdprcall-ask,30,1"'
        other = await there.connect()
        other.greet("claim", *ASK[1:])
        assert await other.command() == 'EXEC Goto "gdprcall-ask,30,1"'


HOSTILE = [b"", b"agi_net", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"agi_a: b\n" * 1000, b"x" * 100_000]


async def test_peers_that_say_nothing_or_nonsense_are_let_go_and_cost_no_call_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(agilink, "GREETING_SECONDS", 0.3)
    async with desk(tmp_path) as there:
        peers = [await there.connect() for _ in range(fastagi.MOST_GREETING * 3)]
        for place, peer in enumerate(peers):
            peer.writer.write(HOSTILE[place % len(HOSTILE)])
        good, _ = await there.asked()
        good.say("200 result=50 endpos=800")
        assert isinstance(await there.event(), Digit)
        for peer in peers:
            with suppress(ConnectionError):  # cut is as good as closed
                assert await asyncio.wait_for(peer.reader.read(), 5) == b""
        assert there.server.refused == len(peers)
        assert not there.server._greeting
    assert capsys.readouterr().out.count("agi_refused") == len(peers).bit_length(), "told at 1, 2, 4, 8 …"


async def test_an_address_that_is_taken_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        second = FastAgi(
            ("127.0.0.1", there.port),
            tmp_path,
            claim=lambda _a: None,
            arrive=lambda _a, _c: None,
            is_up=there._is_up,
        )
        with pytest.raises(ConfigError, match="cannot listen"):
            await second.run()


async def test_when_it_stops_every_call_goes_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, _ = await there.asked()
    assert await peer.command() == ""
