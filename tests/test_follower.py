"""The thread that looks after growing files: each in its turn, none because of another, and nothing where it may not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gdprcall import follower as module
from gdprcall.asterisk.spool import SpoolFile
from gdprcall.follower import Follower, Ground
from gdprcall.vault.archive import Vault
from gdprcall.vault.memory import Memory
from tests import vaults
from tests.recorders import MixMonitor, in_memory, plaintext
from tests.vaults import ACME, recording_id, wav

REC, OTHER = recording_id(1), recording_id(2)


@dataclass
class Room:
    """A follower that runs, its vault, and a spool."""

    vault: Vault
    follower: Follower
    memory: Path

    def record(self, recording: str = REC, seconds: float = 30) -> tuple[MixMonitor, SpoolFile]:
        path = self.memory / f"{recording}.1.wav"
        return MixMonitor(path, wav(seconds, 3)[44:]), SpoolFile(path, recording, 1)

    def following(self, recording: str = REC) -> int:
        kept = Memory(self.memory / "keys").read(recording, 1)
        return kept.following if kept else 0


@asynccontextmanager
async def running(folder: Path, *, wanted: bool = True) -> AsyncIterator[Room]:
    with in_memory() as memory, vaults.opened(folder, memory=memory / "keys") as vault:
        for recording in (REC, OTHER):
            vault.note(vaults.decision(recording))
        ground = Ground(memory, memory / "keys", wanted)
        room = Room(vault, Follower(vault, ground, lambda _id: ACME.recipients), memory)
        task = asyncio.get_running_loop().create_task(room.follower.run())
        try:
            yield room
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a new file be looked at without waiting for it to grow."""
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.0)


async def test_a_file_that_was_put_there_whole_is_sealed_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_SECONDS", 60.0)
    async with running(tmp_path) as room:
        recorder, file = room.record()
        recorder.write(30)
        room.follower.follow(file)
        recorder.close()
        room.follower.leave(file)
        entry = room.vault.seal(file.path, vaults.facts(REC))
        assert (entry.body or {})["plaintext_peak"] == len(recorder.whole)
        assert room.following() == 0
        assert ACME.opens(vaults.whole(room.vault, REC)) == recorder.whole


async def test_a_file_that_grows_is_sealed_as_it_grows_until_it_is_left(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        recorder, file = room.record()
        recorder.write(4)
        room.follower.follow(file)
        await until(lambda: room.following() == 2)
        assert room.follower.count == 1
        room.follower.leave(file)
        recorder.write(2)
        room.follower.follow(file)
        await until(lambda: room.following() == 3)
        await until(lambda: plaintext(recorder.path) == 65_536 + 4096)
        room.follower.leave(file)
        recorder.close()
        room.vault.seal(file.path, vaults.facts(REC))
        assert ACME.opens(vaults.whole(room.vault, REC)) == recorder.whole
        assert room.follower.count == 0


async def test_what_fails_is_told_once_tried_again_and_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.02)
    with capture_logs() as lines:
        async with running(tmp_path) as room:
            objects = room.vault.objects.folder
            (objects / REC[:2]).write_text("no folder")
            first, file = room.record()
            second, other = room.record(OTHER)
            for recorder in (first, second):
                recorder.write(4)
            room.follower.follow(file)
            room.follower.follow(other)
            await until(lambda: room.following(OTHER) == 2)
            await until(lambda: len(lines) > 0)
            assert not room.following(REC)
            (objects / REC[:2]).unlink()
            await until(lambda: room.following(REC) == 2)
    assert [(line["event"], line["recording"]) for line in lines] == [("chunk_failed", REC)]
    assert lines[0]["hint"]


async def test_a_fault_of_our_own_ends_the_following_of_one_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        async with running(tmp_path) as room:
            advance = room.vault.advance

            def broken(source: Path, recording: str, *rest: object) -> float | None:
                if recording == REC:
                    raise RuntimeError
                return advance(source, recording, *rest)  # type: ignore[arg-type]

            monkeypatch.setattr(room.vault, "advance", broken)
            first, file = room.record()
            second, other = room.record(OTHER)
            for recorder in (first, second):
                recorder.write(4)
            room.follower.follow(file)
            room.follower.follow(other)
            await until(lambda: room.following(OTHER) == 2)
    assert [line["event"] for line in lines] == ["internal_error"]


async def test_what_nobody_decided_is_left_alone_without_a_word(tmp_path: Path) -> None:
    with capture_logs() as lines:
        async with running(tmp_path) as room:
            unknown, stranger = room.record(recording_id(3))
            recorder, file = room.record()
            for one in (unknown, recorder):
                one.write(4)
            room.follower.follow(stranger)
            room.follower.follow(file)
            await until(lambda: room.following() == 2)
            assert plaintext(unknown.path) >= unknown.size
    assert lines == []


@pytest.mark.parametrize("reason", ["switched_off", "no_memory", "no_punching"])
async def test_where_it_cannot_or_may_not_be_nothing_is_begun_and_that_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "no_punching":
        monkeypatch.setattr(module, "punches", lambda _folder: False)
    if reason == "no_memory":
        monkeypatch.setattr(module, "in_memory", lambda _folder: False)
    with capture_logs() as lines:
        async with running(tmp_path, wanted=reason != "switched_off") as room:
            asked = []
            monkeypatch.setattr(room.vault, "advance", lambda *_: asked.append(1))
            for recording in (REC, OTHER):
                recorder, file = room.record(recording)
                recorder.write(4)
                room.follower.follow(file)
            await until(lambda: not room.follower._due)
            assert (asked, room.following()) == ([], 0)
    told = [] if reason == "switched_off" else [("progressive_off", reason)]
    assert [(line["event"], line["reason"]) for line in lines] == told


async def test_a_file_is_looked_at_when_its_next_chunk_can_be_full_and_not_before(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        recorder, file = room.record()
        recorder.write(4)
        room.follower.follow(file)
        await until(lambda: room.following() == 2)
        ((due, _),) = room.follower._due.values()
        assert 5 < due - time.monotonic() < 6
        room.follower.follow(file)
        assert room.follower._due[file.path.name][0] == due, "it is followed already"


async def test_its_thread_ends_when_it_does(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        recorder, file = room.record()
        recorder.write(4)
        room.follower.follow(file)
        await until(lambda: room.following() == 2)
    room.follower._work()
