"""The spool: names of ours only, told when they open and close, and when the folder is gone."""

import asyncio
from pathlib import Path

import pytest

from gdprcall.asterisk.spool import Spool, SpoolFile
from gdprcall.errors import PeerError

REC = "0123456789abcdef" * 2


async def test_a_file_is_told_when_it_opens_and_when_it_closes(tmp_path: Path) -> None:
    created: asyncio.Queue[SpoolFile] = asyncio.Queue()
    closed: asyncio.Queue[SpoolFile] = asyncio.Queue()
    ready = asyncio.Event()
    spool = Spool(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(spool.watch(created.put_nowait, closed.put_nowait, lambda: None, ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        with (tmp_path / f"{REC}.3.wav").open("wb") as file:
            opened = await asyncio.wait_for(created.get(), 5)
            assert (opened.recording, opened.segment) == (REC, 3)
            assert closed.empty()
            file.write(b"x")
        assert await asyncio.wait_for(closed.get(), 5) == opened
        (tmp_path / "note.txt").write_text("x")
        (tmp_path / "moved").write_bytes(b"x")
        (tmp_path / "moved").rename(tmp_path / f"{REC}.4.wav")
        assert (await asyncio.wait_for(closed.get(), 5)).segment == 4
        assert created.empty()
        task.cancel()


@pytest.mark.parametrize("order", ["rt", "tr"])
async def test_two_legs_are_one_segment_that_is_closed_with_the_second_of_them(tmp_path: Path, order: str) -> None:
    created: list[SpoolFile] = []
    closed: asyncio.Queue[SpoolFile] = asyncio.Queue()
    ready = asyncio.Event()
    spool = Spool(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(spool.watch(created.append, closed.put_nowait, lambda: None, ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        for segment in (1, 2):
            first, second = (tmp_path / f"{REC}.{segment}.{leg}.wav" for leg in order)
            with second.open("wb") as later:
                first.open("wb").close()
                mark = tmp_path / f"{REC}.9{segment}.wav"
                mark.touch()
                assert (await asyncio.wait_for(closed.get(), 5)).path == mark
                later.write(b"x")
            found = await asyncio.wait_for(closed.get(), 5)
            assert (found.recording, found.segment) == (REC, segment)
            assert set(found.paths) == {first, second}
            assert found == next(file for file in created if file.segment == segment)
        assert closed.empty()
        task.cancel()


async def test_a_leg_whose_other_one_is_not_there_is_told_by_itself(tmp_path: Path) -> None:
    closed: asyncio.Queue[SpoolFile] = asyncio.Queue()
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(Spool(tmp_path).watch(lambda _f: None, closed.put_nowait, lambda: None, ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        (tmp_path / f"{REC}.1.t.wav").touch()
        assert (await asyncio.wait_for(closed.get(), 5)).segment == 1
        task.cancel()


def test_the_legs_of_a_segment_are_listed_as_one(tmp_path: Path) -> None:
    for name in ("1.r", "1.t", "2", "3.t"):
        (tmp_path / f"{REC}.{name}.wav").touch()
    files = Spool(tmp_path).files()
    assert [(file.segment, [path.name[33:] for path in file.paths]) for file in files] == [
        (1, ["1.r.wav", "1.t.wav"]), (2, ["2.wav"]), (3, ["3.r.wav", "3.t.wav"]),
    ]  # fmt: skip
    assert len({file.path for file in files}) == 3


async def test_a_folder_that_goes_away_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    ready = asyncio.Event()
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Spool(folder).watch(lambda _f: None, lambda _f: None, lambda: None, ready.set))
            await asyncio.wait_for(ready.wait(), 5)
            folder.rmdir()
            await asyncio.wait_for(asyncio.Event().wait(), 5)
    assert caught.group_contains(PeerError, match="went away")


async def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="cannot be watched"):
        await Spool(tmp_path / "none").watch(lambda _f: None, lambda _f: None, lambda: None)
    with pytest.raises(PeerError, match="cannot be read"):
        Spool(tmp_path / "none").files()


@pytest.mark.parametrize(
    "name",
    [
        f"{REC}.wav",
        f"{REC}.0.wav",
        f"{REC}.01.wav",
        f"{REC}.1.WAV",
        f"{REC[:-1]}.1.wav",
        f"{REC.upper()}.1.wav",
        "x",
        f"{REC}.1.s.wav",
        f"{REC}.r.wav",
        f"{REC}.1.r.r.wav",
    ],
)
def test_sec_04_a_name_that_is_not_ours_is_a_stranger(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / f"{REC}.12.wav").touch()
    spool = Spool(tmp_path)
    assert [(file.recording, file.segment) for file in spool.files()] == [(REC, 12)]
    assert spool.strangers() == 1


async def test_events_that_were_lost_are_told_so_that_the_folder_is_looked_through(tmp_path: Path) -> None:
    ready, overflow = asyncio.Event(), asyncio.Event()
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            Spool(tmp_path).watch(lambda _f: None, lambda _f: None, overflow.set, ready.set),
        )
        await asyncio.wait_for(ready.wait(), 5)
        # Two names in turn: the kernel joins events that are the same.
        for number in range(most + 10):
            (tmp_path / str(number % 2)).open("wb").close()
        await asyncio.wait_for(overflow.wait(), 30)
        task.cancel()
