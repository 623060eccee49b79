"""FastAGI and what comes at the wrong moment, or from somebody who only speaks like Asterisk."""

import asyncio
from pathlib import Path

import pytest

from gdprcall.asterisk import agicall, agilink, fastagi
from gdprcall.asterisk.arrival import Arrival
from gdprcall.consent.dialogue import Digit, Ended, Failed
from gdprcall.errors import PeerError
from tests.test_fastagi import ASK, Desk, Peer, desk


async def closed(peer: Peer) -> bool:
    """Whether our side closes the connection by itself."""
    while line := await peer.command():
        assert line.startswith("EXEC Goto")
    return True


@pytest.mark.parametrize("result", ["999999999", "-2", "1", "65", "8364"])
async def test_a_key_that_no_telephone_has_is_a_failure_of_its_call_alone(tmp_path: Path, result: str) -> None:
    async with desk(tmp_path) as there:
        peer, _ = await there.asked()
        peer.say(f"200 result={result} endpos=800")
        assert isinstance(await there.event(), Failed)
        assert isinstance(await next_call(there), Digit)


async def next_call(there: Desk) -> object:
    """Return what the next call tells: the server still serves."""
    peer, _ = await there.asked()
    peer.say("200 result=50 endpos=800")
    return await there.event()


async def test_a_caller_who_leaves_while_nothing_is_asked_is_told_and_leaves_no_connection_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agicall, "LEAVING_SECONDS", 0.05)
    async with desk(tmp_path) as there:
        peer, _ = await there.asked()
        peer.say("200 result=49 endpos=800")
        assert isinstance(await there.event(), Digit)
        peer.say("HANGUP")
        peer.writer.write_eof()
        assert isinstance(await there.event(), Ended)
        assert await closed(peer)
        assert not there.server._calls


async def test_con_01_an_answer_to_a_question_that_was_not_put_ends_the_call_unrecorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agicall, "LEAVING_SECONDS", 0.05)
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        peer.say("200 result=49 endpos=99999")
        assert await closed(peer)
        with pytest.raises(PeerError):
            await call.record("0" * 32)


async def test_con_01_a_call_that_is_being_asked_cannot_be_taken_over_by_a_second_connection(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, _ = await there.asked()
        other = await there.connect()
        other.greet(*ASK)
        assert await closed(other)
        assert there.arrived.empty()
        peer.say("200 result=50 endpos=800")
        assert isinstance(await there.event(), Digit)


async def test_more_calls_than_there_is_room_for_go_on_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastagi, "MOST_CALLS", 2)
    async with desk(tmp_path) as there:
        for number in range(2):
            peer = await there.connect()
            peer.greet(*ASK, uniqueid=f"1.{number}")
            await asyncio.wait_for(there.arrived.get(), 5)
        third = await there.connect()
        third.greet(*ASK, uniqueid="1.3")
        assert await closed(third)
        assert there.arrived.empty()
        there.peers[0].writer.close()
        async with asyncio.timeout(5):
            while len(there.server._calls) > 1:
                await asyncio.sleep(0.001)
        fourth = await there.connect()
        fourth.greet(*ASK, uniqueid="1.4")
        await asyncio.wait_for(there.arrived.get(), 5)


async def test_a_fault_of_ours_in_one_call_leaves_the_others_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk(tmp_path) as there:

        def faulty(_arrival: Arrival) -> int:
            raise LookupError

        monkeypatch.setattr(there.server, "_claim", faulty)
        peer = await there.connect()
        peer.greet("claim", *ASK[1:])
        assert await closed(peer)
        assert isinstance(await next_call(there), Digit)
    assert "internal_error" in capsys.readouterr().out


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agilink, "COMMAND_SECONDS", 0.05)
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        with pytest.raises(PeerError):
            await call.record("0" * 32)
        peer.say("200 result=0")
        with pytest.raises(PeerError):
            await call.record("0" * 32)


async def test_fcl_01_a_verdict_that_asterisk_did_not_carry_out_has_failed(tmp_path: Path) -> None:
    async with desk(tmp_path) as there:
        peer, call = await there.call()
        giving = asyncio.create_task(call.record("0" * 32))
        await peer.command()
        peer.say("200 result=-2")
        with pytest.raises(PeerError):
            await giving
