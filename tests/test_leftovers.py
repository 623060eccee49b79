"""Intake and what grows: files are followed and left, a withdrawal forgets keys first, and what a reboot left is put away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gdprcall.asterisk.spool import Spool, SpoolFile
from gdprcall.errors import VaultError
from gdprcall.intake import Intake
from gdprcall.vault.incomplete import REST
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.work import Found, Work
from tests import vaults
from tests.gates import Gate
from tests.recorders import MixMonitor, in_memory
from tests.test_intake import Marks
from tests.vaults import ACME, decision, recording_id, wav

REC = recording_id()


class Room:
    """A vault, a spool and keys in memory, and the intake between them."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self.memory = memory / "keys"
        self.spool = Spool(memory / "spool")
        self.spool.folder.mkdir()
        self.gates: dict[str, Gate] = {}
        self.vault = vaults.opened(folder, memory=self.memory, step=self._step)
        self.live: set[str] | None = {REC}
        self.followed: list[str] = []
        self.marks = Marks()
        self.intake = Intake(
            Work(
                self.vault,
                self.spool.files,
                lambda _id: ACME.recipients,
                self.marks,
                lambda: None if self.live is None else frozenset(self.live),
                follow=lambda file: self.followed.append(f"follow {file.segment}"),
                leave=lambda file: self.followed.append(f"leave {file.segment}"),
            )
        )
        self.vault.note(decision(REC))

    def _step(self, name: str) -> None:
        if name in self.gates:
            self.gates.pop(name)()

    def growing(self, seconds: float = 30, buffers: int = 10) -> tuple[MixMonitor, SpoolFile]:
        """Return a recording of which some chunks are sealed."""
        path = self.spool.folder / f"{REC}.1.wav"
        recorder = MixMonitor(path, wav(seconds, 8)[44:])
        recorder.write(buffers)
        self.advance(path)
        assert self.vault.left_growing() == {(REC, 1)}
        return recorder, SpoolFile(path, REC, 1)

    def advance(self, path: Path) -> float | None:
        return self.vault.advance(path, REC, 1, lambda _id: ACME.recipients)

    def nothing_left(self) -> bool:
        assert self.vault.keys.names(Slot.HEADER) == []
        assert self.vault.left_growing() == set()
        assert list(self.vault.objects.folder.glob("*/*")) == []
        return not list(self.vault.verify())


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    with in_memory() as memory:
        made = Room(tmp_path, memory)
        yield made
        made.vault.close()


async def test_a_file_is_followed_from_its_creation_until_it_is_closed(room: Room) -> None:
    recorder, file = room.growing()
    room.intake.created(file)
    recorder.close()
    room.intake.closed(file)
    assert room.followed == ["follow 1", "leave 1"]
    with capture_logs() as lines:
        await room.intake.take(file)
    (line,) = lines
    assert (line["event"], line["seconds"]) == ("sealed", 30.0)
    assert 100_000 < line["peak_bytes"] <= 10 * 32_768 + 44
    assert ACME.opens(vaults.whole(room.vault, REC)) == recorder.whole


async def test_a_call_that_another_daemon_began_is_followed_after_the_first_look_through_the_spool(room: Room) -> None:
    recorder, _ = room.growing()
    await room.intake.sweep()
    assert room.followed == ["follow 1"]
    room.live = set()
    recorder.close()
    await room.intake.sweep()
    assert room.followed == ["follow 1", "leave 1"]
    assert ACME.opens(vaults.whole(room.vault, REC)) == recorder.whole


@pytest.mark.parametrize("wish", ["withdraw", "erase"])
async def test_con_08_a_withdrawal_forgets_the_key_before_anything_else(room: Room, wish: str) -> None:
    recorder, file = room.growing()
    if wish == "erase":
        room.vault.note(Fact(Kind.WITHDRAWN, REC, "acme", {"method": "key", "reason": "withdrawn"}))
    gate = room.gates["discard noted"] = Gate()
    wished = room.intake.withdraw(REC, "key") if wish == "withdraw" else room.intake.erase(REC)
    carried_out = asyncio.ensure_future(wished)
    await gate.reached.wait()
    assert list(room.memory.iterdir()) == []
    assert len(room.vault.growing) == 0
    gate.open()
    async with asyncio.timeout(10):
        await carried_out
    recorder.close()
    assert room.advance(file.path) is None
    assert room.vault.recording(REC).state == "erased"
    assert room.nothing_left()


async def test_con_08_a_withdrawal_that_the_ledger_cannot_take_has_forgotten_the_key_all_the_same(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, file = room.growing()

    def refuse(*_facts: Fact) -> None:
        raise VaultError("the ledger is full")

    monkeypatch.setattr(room.vault, "submit", refuse)
    with pytest.raises(VaultError, match="full"):
        await room.intake.withdraw(REC, "key")
    assert list(room.memory.iterdir()) == []
    recorder.write(6)
    assert room.advance(file.path) is None, "no new key for it"
    monkeypatch.undo()
    await room.intake.withdraw(REC, "key")
    assert room.nothing_left()
    assert room.spool.files() == []


async def test_a_withdrawal_waits_for_the_chunk_that_is_being_sealed_and_then_nothing_of_it_is_left(room: Room) -> None:
    recorder, file = room.growing()
    recorder.write(4)
    gate = room.gates["chunk written"] = Gate()
    chunk = asyncio.ensure_future(asyncio.to_thread(room.advance, file.path))
    await gate.reached.wait()
    withdrawing = asyncio.ensure_future(room.intake.withdraw(REC, "key"))
    await asyncio.sleep(0)
    gate.open()
    async with asyncio.timeout(10):
        await asyncio.gather(chunk, withdrawing)
    assert room.vault.recording(REC).state == "erased"
    assert room.nothing_left()


async def test_no_chunk_is_taken_out_while_the_file_is_sealed_at_its_end(room: Room) -> None:
    recorder, file = room.growing()
    recorder.close()
    gate = room.gates["payload whole"] = Gate()
    sealing = asyncio.ensure_future(room.intake.take(file))
    await gate.reached.wait()
    before = file.path.stat().st_blocks
    assert room.advance(file.path) == 0.25
    assert file.path.stat().st_blocks == before
    gate.open()
    async with asyncio.timeout(10):
        await sealing
    assert room.advance(file.path) is None
    assert ACME.opens(vaults.whole(room.vault, REC)) == recorder.whole


async def test_what_a_reboot_left_is_put_away_once_its_call_is_known_to_be_over(room: Room) -> None:
    _, file = room.growing()
    room.vault.growing.close()
    file.path.unlink()
    for key in room.memory.iterdir():
        key.unlink()
    for live in (None, {REC}):
        room.live = live
        await room.intake.sweep()
        assert room.vault.recording(REC).state == "recording"
    room.live = set()
    with capture_logs() as lines:
        await room.intake.sweep()
        await room.intake.sweep()
    assert [(line["event"], line["recording"]) for line in lines] == [("quarantined", REC)]
    assert "--salvage" in lines[0]["hint"]
    row = room.vault.recording(REC)
    assert (row.state, row.seconds) == ("quarantined", 16.384)
    assert list(room.vault.verify()) == []


async def test_a_sound_that_somebody_removed_ends_in_what_was_sealed_of_it_and_the_key_is_forgotten(room: Room) -> None:
    _, file = room.growing()
    file.path.unlink()
    room.live = set()
    await room.intake.sweep()
    assert room.vault.recording(REC).state == "quarantined"
    assert list(room.memory.iterdir()) == []
    assert len(room.vault.growing) == 0


async def test_a_key_without_a_payload_is_forgotten_and_the_books_are_closed(room: Room) -> None:
    _, file = room.growing()
    file.path.unlink()
    room.vault.objects.growing(REC, 1).unlink()
    room.live = set()
    with capture_logs() as lines:
        await room.intake.sweep()
    assert list(room.memory.iterdir()) == []
    assert [line["event"] for line in lines] == ["recording_missing"]
    assert room.vault.recording(REC).state == "not_started"


async def test_what_was_withdrawn_meanwhile_is_not_put_away(room: Room) -> None:
    _, file = room.growing()
    file.path.unlink()
    room.vault.note(Fact(Kind.WITHDRAWN, REC, "acme", {"method": "key", "reason": "withdrawn"}))
    room.live = set()
    await room.intake.sweep()
    assert list(room.memory.iterdir()) == []
    assert room.vault.finish_erasures()
    assert room.nothing_left()


async def test_a_lost_key_is_told_when_the_rest_is_sealed(room: Room) -> None:
    recorder, file = room.growing()
    room.vault.growing.close()
    for key in room.memory.iterdir():
        key.unlink()
    recorder.close()
    with capture_logs() as lines:
        await room.intake.take(file)
    assert [line["event"] for line in lines] == ["sealed", "quarantined"]
    assert [row.segment for row in room.vault.segments(REC)] == [1, 1 + REST]
    assert room.spool.files() == []


def test_nobody_follows_where_nobody_is_told() -> None:
    names: list[Callable[[Found], None]] = [Work.__dataclass_fields__[name].default for name in ("follow", "leave")]
    assert [name(SpoolFile(Path(), REC, 1)) for name in names] == [None, None]  # type: ignore[func-returns-value]
