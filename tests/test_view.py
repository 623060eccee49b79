"""The live view of a real reception: what it tells of each call, and what an order does to it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from gdprcall import incall
from gdprcall.asterisk import ami_events as ami
from gdprcall.live import LiveRow
from gdprcall.times import now_ms
from gdprcall.vault.ledger import Kind
from tests.test_reception import CHANNEL, Desk, hurry, open_desk, until
from tests.vaults import NUMBER

__all__ = ["hurry"]


async def asked(desk: Desk, what: Callable[[incall.Asker, dict[str, object]], object], **params: object) -> object:
    """Ask as an officer, from a thread of its own as the local interface does."""
    asker = incall.Asker(desk.vault, desk.reception.view, "acme", "uid:7", "officer", now_ms)
    return await asyncio.to_thread(what, asker, params)


async def only(desk: Desk) -> LiveRow:
    (row,) = await asyncio.to_thread(desk.reception.view.rows)
    return row


async def test_a_call_is_asked_recorded_and_stopped_and_what_was_recorded_is_sealed(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        assert (await only(desk)).state == "asking"
        recording = await _recorded(desk)
        row = await only(desk)
        assert (row.state, row.recording, row.segment) == ("recording", recording, 1)
        told = await asked(desk, incall.stop, id=recording, reason="request 17")
        assert isinstance(told, dict)
        assert (told["state"], told["why"]) == ("unrecorded", "stopped_by_officer")
        assert desk.monitors.stopped == [(CHANNEL, "0x1")]
        assert (await desk.noted(Kind.ORDERED))["role"] == "officer"
        assert (await desk.noted(Kind.STOPPED))["reason"] == "stopped_by_officer"
        assert len(desk.calls) == 1, "the call lives"
        assert [file.recording for file in desk.spool.files()] == [recording], "what was recorded stays"
        assert desk.verdicts() == [f"rec{recording}"]


async def _recorded(desk: Desk) -> str:
    desk.press("1")
    await until(lambda: bool(desk.verdicts()))
    recording = desk.verdicts()[0].removeprefix("rec")
    desk.tell("StasisEnd")
    desk.calls.handle(ami.RecordingStarted(recording, 1, "0x1", "PJSIP/a-1", CHANNEL))
    desk.file(recording)
    return recording


async def test_a_stop_in_the_question_gives_the_call_back_unrecorded(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        row = await only(desk)
        assert await asyncio.to_thread(desk.reception.view.number, row) == NUMBER
        await asked(desk, incall.stop, id=row.decision, reason="request 17")
        await until(lambda: bool(desk.verdicts()))
        assert desk.verdicts() == ["norec"]
        body = await desk.noted(Kind.DECISION)
        assert (body["outcome"], body["reason"]) == ("system_fail", "stopped_by_officer")
        await until(lambda: not desk.reception._sessions)
        assert await asyncio.to_thread(desk.reception.view.number, row) is None


async def test_who_refuses_is_shown_unrecorded_until_he_hangs_up(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.asked()
        desk.press("2")
        await until(lambda: not desk.reception._sessions)
        row = await only(desk)
        assert (row.state, row.why, row.recording) == ("unrecorded", "refused", None)
        desk.hangs_up()
        assert await asyncio.to_thread(desk.reception.view.rows) == []
