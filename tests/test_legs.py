"""Segments whose voices were recorded apart: two files become one sound of two channels, whatever befell either of them."""

import asyncio
import os
import struct
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gdprcall.asterisk.spool import SpoolFile
from gdprcall.errors import VaultError
from gdprcall.vault import sound
from gdprcall.vault.ledger import Kind
from gdprcall.vault.sound import Legs
from gdprcall.vault.wav import EmptyWav, NotAWav
from gdprcall.vault.wav import header_of as wav_header
from tests import vaults
from tests.recorders import in_memory
from tests.test_intake import REC, Room, both, events
from tests.vaults import ACME, DAY_ONE, wav, whole

CALLER, OTHERS = wav(1.0, 21), wav(1.0, 22)
HEADER_ALONE = wav(0, 0)
SIZE = 44 + 16_000


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    made.grant()
    yield made
    made.vault.close()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def put(room: Room, caller: bytes | None = CALLER, others: bytes | None = OTHERS, segment: int = 1) -> SpoolFile:
    """Put the legs of a segment into the spool, those that are not None."""
    name = room.spool.folder / f"{REC}.{segment}.wav"
    legs = (name.with_suffix(".r.wav"), name.with_suffix(".t.wav"))
    for path, data in zip(legs, (caller, others), strict=True):
        if data is not None:
            path.write_bytes(data)
            os.utime(path, (DAY_ONE / 1000, DAY_ONE / 1000))
    return SpoolFile(name, REC, segment, legs)


def stereo(caller: bytes, others: bytes) -> bytes:
    """Return one WAV of two sounds, sample by sample; the shorter one is followed by silence."""
    size = max(len(caller), len(others))
    samples = [struct.unpack(f"<{size // 2}h", voice.ljust(size, b"\0")) for voice in (caller, others)]
    sound = b"".join(struct.pack("<hh", *frame) for frame in zip(*samples, strict=True))
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", len(sound) + 36, b"WAVE", b"fmt ", 16, 1, 2, 8000, 32000, 4, 16, b"data", len(sound))  # fmt: skip
    return head + sound


def sealed_as(room: Room, segment: int = 1) -> dict[str, object]:
    entry = room.vault.stores.sealed(REC, segment)
    assert entry is not None
    return dict(entry.body or {})


async def test_two_legs_become_one_recording_with_the_caller_on_the_left(room: Room, logged: list[EventDict]) -> None:
    file = put(room)
    room.intake.created(file)
    room.clock.now += 40
    await room.intake.take(file)
    assert room.spool.files() == []
    assert ACME.opens(whole(room.vault, REC)) == stereo(CALLER[44:], OTHERS[44:])
    (segment,) = room.vault.segments(REC)
    assert (segment.seconds, segment.started_at, segment.closed_at) == (1.0, DAY_ONE, DAY_ONE)
    body = sealed_as(room)
    assert (body["legs"], body["repaired"], body["plaintext_peak"]) == ([SIZE, SIZE], False, 2 * SIZE)
    assert events(logged) == ["sealed"]
    assert list(room.vault.verify()) == []


@pytest.mark.parametrize("other", [None, b"", HEADER_ALONE[:20], HEADER_ALONE, wav(0.5, 9), wav(0.5, 9)[:-1]])
@pytest.mark.parametrize("which", ["caller", "others"])
async def test_what_one_leg_lacks_is_silence_and_nothing_of_the_other_is_lost(
    room: Room, logged: list[EventDict], which: str, other: bytes | None
) -> None:
    legs = (other, OTHERS) if which == "caller" else (CALLER, other)
    await room.intake.take(put(room, *legs))
    assert room.spool.files() == []
    sounds = [(leg or b"")[44:] for leg in legs]
    sounds = [sound[: len(sound) // 2 * 2] for sound in sounds]
    assert ACME.opens(whole(room.vault, REC)) == stereo(*sounds)
    body = sealed_as(room)
    assert body["legs"] == [len(leg or b"") for leg in legs]
    assert body["repaired"]
    assert events(logged) == ["sealed", "leg_short"]
    assert logged[1]["missing"] == SIZE - len(other or b"")


@pytest.mark.parametrize(
    ("silent", "seconds", "told"),
    [("caller", 5, True), ("others", 5, True), ("caller", 4.9, False), ("neither", 5, False), ("both", 5, False)],
)
async def test_pty_03_a_voice_of_which_a_whole_segment_holds_nothing_is_told(
    room: Room, logged: list[EventDict], silent: str, seconds: float, told: bool
) -> None:
    sound = wav(seconds, 1)
    nothing = sound[:44] + bytes(len(sound) - 44)
    legs = [nothing if silent in {voice, "both"} else sound for voice in ("caller", "others")]
    await room.intake.take(put(room, *legs))
    assert events(logged) == ["sealed", *(["leg_silent"] if told else [])]
    assert sealed_as(room).get("silent") == (silent if told else None)
    assert all(line["reason"] == silent for line in logged[1:])


async def test_fcl_04_what_a_killed_asterisk_had_written_of_both_is_repaired_and_sealed(room: Room) -> None:
    blocks = 32 * 1024
    caller, others = wav(5, 1, finished=False)[: 44 + 2 * blocks], wav(5, 2, finished=False)[: 44 + blocks]
    await room.intake.take(put(room, caller, others))
    assert ACME.opens(whole(room.vault, REC)) == stereo(caller[44:], others[44:])
    assert room.vault.segments(REC)[0].seconds == pytest.approx(blocks / 8000, abs=0.001)


@pytest.mark.parametrize("legs", [(HEADER_ALONE, HEADER_ALONE), (None, HEADER_ALONE), (b"", None)])
async def test_two_legs_without_any_sound_are_destroyed_and_noted(
    room: Room, logged: list[EventDict], legs: tuple[bytes | None, bytes | None]
) -> None:
    await room.intake.take(put(room, *legs))
    assert room.spool.files() == []
    assert room.reasons(Kind.DISCARDED) == ["empty"]
    assert events(logged) == ["discarded"]


async def test_two_legs_that_are_gone_already_are_no_fault(room: Room, logged: list[EventDict]) -> None:
    await room.intake.take(put(room, None, None))
    assert (room.intake.waiting, events(logged)) == (0, [])


@pytest.mark.parametrize(
    ("caller", "others"),
    [(b"x" * 100, OTHERS), (CALLER, b"y" * 3000), (None, b"z" * 99), (CALLER, wav(1, 3)[:24] + struct.pack("<II", 16000, 32000) + wav(1, 3)[32:])],
)  # fmt: skip
async def test_legs_that_cannot_be_understood_are_kept_byte_for_byte_for_a_person_to_look_at(
    room: Room, logged: list[EventDict], caller: bytes | None, others: bytes
) -> None:
    await room.intake.take(put(room, caller, others))
    assert room.spool.files() == []
    assert room.state() == "quarantined"
    assert ACME.opens(whole(room.vault, REC)) == (caller or b"") + others
    body = sealed_as(room)
    assert (body["reason"], body["legs"]) == ("no_wav", [len(caller or b""), len(others)])
    assert events(logged) == ["quarantined"]


# What a crash left, and what is not what it seems.


@pytest.mark.parametrize("left", [(CALLER, OTHERS), (None, OTHERS), (CALLER, None)])
@pytest.mark.parametrize("legs", [(CALLER, OTHERS), (b"junk" * 20, OTHERS)])
async def test_what_was_sealed_before_a_crash_is_only_removed(
    room: Room, legs: tuple[bytes, bytes], left: tuple[bytes | None, bytes | None]
) -> None:
    await room.intake.take(put(room, *legs))
    again = [leg if kept else None for leg, kept in zip(legs, left, strict=True)]
    await room.intake.take(put(room, *again))
    assert room.spool.files() == []
    assert room.intake.waiting == 0
    assert room.kinds().count(Kind.SEALED) + room.kinds().count(Kind.QUARANTINED) == 1
    assert room.reasons(Kind.DISCARDED) == ["already_sealed"]
    assert list(room.vault.verify()) == []


@pytest.mark.parametrize("legs", [(wav(2, 5), OTHERS), (None, wav(2, 5)), (CALLER + b"x", None)])
async def test_another_sound_under_a_name_that_was_sealed_is_neither_sealed_nor_destroyed(
    room: Room, logged: list[EventDict], legs: tuple[bytes | None, bytes | None]
) -> None:
    await room.intake.take(put(room))
    file = put(room, *legs)
    await room.intake.take(file)
    assert [path.exists() for path in file.paths] == [leg is not None for leg in legs]
    assert room.intake.waiting == 1
    assert events(logged) == ["sealed", "seal_failed"]


async def test_one_file_under_a_name_that_was_sealed_by_legs_is_another_sound_and_the_reverse(room: Room) -> None:
    await room.intake.take(put(room))
    await room.intake.take(room.file(data=stereo(CALLER[44:], OTHERS[44:])))
    await room.intake.take(room.file(segment=2))
    await room.intake.take(put(room, segment=2))
    assert room.intake.waiting == 2
    assert len(list(room.spool.folder.iterdir())) == 3


async def test_a_link_in_the_place_of_a_leg_is_not_followed(room: Room, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(OTHERS)
    file = put(room, CALLER, None)
    file.paths[1].symlink_to(tmp_path / "elsewhere")
    await room.intake.take(file)
    assert room.intake.waiting == 1
    assert room.kinds() == [Kind.DECISION]


async def test_legs_that_change_while_they_are_sealed_are_tried_again(room: Room) -> None:
    file = put(room)
    room.gates["header stored"] = lambda: file.paths[1].write_bytes(OTHERS[:-400])  # type: ignore[assignment]  # as a gate does
    await room.intake.take(file)
    assert room.intake.waiting == 1
    await room.intake.take(file)
    assert (room.intake.waiting, room.state()) == (0, "sealed")


def test_sec_02_of_two_long_legs_only_a_part_is_ever_in_memory(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    legs = Legs(spool / "r", spool / "t")
    for path in (legs.caller, legs.others):
        path.write_bytes(HEADER_ALONE + bytes(12 << 20))
    with vaults.opened(tmp_path) as vault:
        vault.note(vaults.decision(REC))
        tracemalloc.start()
        try:
            vault.seal(legs, vaults.facts(REC))
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()


LEG = st.one_of(
    st.none(),
    st.binary(max_size=120),
    st.builds(
        lambda sound, cut: (wav_header(len(sound)) + sound)[: 44 + cut], st.binary(max_size=900), st.integers(-44, 900)
    ),
)


@settings(max_examples=200, deadline=None)
@given(LEG, LEG, st.integers(1, 64))
def test_whatever_lies_there_is_read_whole_as_two_channels_or_byte_for_byte(
    caller: bytes | None, others: bytes | None, frames: int
) -> None:
    with in_memory() as folder:
        legs = Legs(folder / "r", folder / "t")
        for path, data in ((legs.caller, caller), (legs.others, others)):
            if data is not None:
                path.write_bytes(data)
        if caller is None and others is None:
            with pytest.raises(VaultError, match="cannot be read"), sound.opened(legs, raw=True):
                pass
            return
        with sound.opened(legs, raw=True) as found:
            read = b"".join(iter(lambda: found.read(4 * frames), b""))
            plain = found.head + read
            found.check(found.rest - len(read))
        try:
            with sound.opened(legs, raw=False):
                pass
        except (NotAWav, EmptyWav):
            assert plain == (caller or b"") + (others or b"")
            return
        voices = [(leg or b"")[44:] for leg in (caller, others)]
        assert plain == stereo(*(voice[: len(voice) // 2 * 2] for voice in voices))


# Withdrawal, sweeps, and what is no longer known.


@pytest.mark.parametrize("step", ["", "header stored", "payload stored", "sealed", "indexed", "a leg removed"])
async def test_con_08_a_withdrawal_before_or_while_legs_are_sealed_leaves_nothing(room: Room, step: str) -> None:
    file = put(room)
    if step:
        gate = room.gate(step)
        sealing = asyncio.ensure_future(room.intake.take(file))
        await gate.reached.wait()
        withdrawing = asyncio.ensure_future(room.intake.withdraw(REC, "key"))
        await asyncio.sleep(0)
        gate.open()
        await both(sealing, withdrawing)
    else:
        room.marks.standing.add(REC)
        await room.intake.take(file)
    assert room.gone()
    assert list(room.spool.folder.iterdir()) == []


@pytest.mark.parametrize("legs", [(CALLER, OTHERS), (None, OTHERS), (CALLER, None), (b"junk" * 20, HEADER_ALONE)])
async def test_con_08_a_withdrawal_destroys_whatever_is_there_of_both(
    room: Room, legs: tuple[bytes | None, bytes | None]
) -> None:
    put(room, *legs)
    put(room, segment=2)
    await room.intake.withdraw(REC, "key")
    assert room.gone()
    assert list(room.spool.folder.iterdir()) == []
    assert room.reasons(Kind.DISCARDED) == ["withdrawn", "withdrawn"]


async def test_a_sweep_takes_legs_whose_call_is_over_and_leaves_those_of_one_that_lives(room: Room) -> None:
    put(room)
    room.live = {REC}
    await room.intake.sweep()
    assert len(list(room.spool.folder.iterdir())) == 2
    room.live = set()
    await room.intake.sweep()
    assert (room.state(), list(room.spool.folder.iterdir())) == ("sealed", [])
    assert Kind.NOT_STARTED not in room.kinds()


async def test_fcl_05_two_legs_that_cannot_be_sealed_wait_as_one_and_are_sealed_later(room: Room) -> None:
    room.recipients = ()
    await room.intake.take(put(room))
    assert room.intake.waiting == 1
    room.recipients = ACME.recipients
    await room.intake.sweep()
    assert (room.intake.waiting, room.state()) == (0, "sealed")


async def test_con_01_legs_that_no_decision_explains_are_both_destroyed(
    tmp_path: Path, logged: list[EventDict]
) -> None:
    room = Room(tmp_path)
    await room.intake.take(put(room))
    assert list(room.spool.folder.iterdir()) == []
    assert room.reasons(Kind.DISCARDED) == ["no_decision"]
    assert events(logged) == ["plaintext_without_decision", "discarded"]
    room.vault.close()


async def test_a_leg_that_cannot_be_removed_is_told_and_tried_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(room)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == file.paths[1]:
            raise PermissionError(13, "not permitted")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        await room.intake.take(file)
        assert room.intake.waiting == 1
    assert [path.exists() for path in file.paths] == [False, True]
    await room.intake.take(file)
    assert (room.intake.waiting, room.state()) == (0, "sealed")
    assert list(room.spool.folder.iterdir()) == []


def test_legs_that_are_not_there_cannot_be_sealed_or_put_away(tmp_path: Path) -> None:
    legs = Legs(tmp_path / "r", tmp_path / "t")
    with vaults.opened(tmp_path) as vault:
        vault.note(vaults.decision(REC))
        for work in (
            lambda: vault.seal(legs, vaults.facts(REC)),
            lambda: vault.quarantine(legs, vaults.facts(REC), "x"),
        ):
            with pytest.raises(VaultError, match="cannot be read"):
                work()
