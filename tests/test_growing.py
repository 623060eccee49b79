"""A sound file is sealed while it grows: what goes out when, what never goes out, and what a lost key leaves."""

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.errors import NotFound, VaultError
from gdprcall.vault.archive import Vault
from gdprcall.vault.incomplete import REST
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.memory import Kept, Memory
from gdprcall.vault.punching import hole
from gdprcall.vault.wav import NotAWav
from tests import vaults
from tests.recorders import BUFFER, MixMonitor, in_memory, on_disk, plaintext
from tests.vaults import ACME, recording_id, wav

REC = recording_id()
CHUNK = age.CHUNK_BYTES
AGE = Path(__file__).parent.parent / ".pbx" / "bin" / "age"


@dataclass
class Room:
    """A vault, a spool and a place for keys, both in memory, and a call that is being recorded."""

    vault: Vault
    folder: Path
    spool: Path
    memory: Path

    def record(self, seconds: float = 30, segment: int = 1, seed: int = 7) -> MixMonitor:
        return MixMonitor(self.spool / f"{REC}.{segment}.wav", wav(seconds, seed)[44:])

    def advance(self, segment: int = 1) -> float | None:
        return self.vault.advance(self.spool / f"{REC}.{segment}.wav", REC, segment, lambda _id: ACME.recipients)

    def seal(self, segment: int = 1) -> dict[str, object]:
        return dict(self.vault.seal(self.spool / f"{REC}.{segment}.wav", vaults.facts(REC, segment)).body or {})

    def restart(self) -> None:
        self.vault.close()
        self.vault = vaults.opened(self.folder, memory=self.memory)

    def grow(self, recorder: MixMonitor, buffers: int) -> None:
        """Write so many buffers, and look at the file after each."""
        for _ in range(buffers):
            recorder.write()
            self.advance()

    def sealed_once(self, recorder: MixMonitor) -> None:
        """See that all of a recording is sealed, once, and that nothing else is left of it."""
        assert ACME.opens(vaults.whole(self.vault, REC)) == recorder.whole
        assert list(self.spool.iterdir()) == list(self.memory.glob("*/*")) == []
        assert list(self.vault.objects.names()) == [(REC, 1)]
        assert self.vault.objects.growing_names() == []
        assert list(self.vault.verify()) == []
        assert [e.kind for e in self.vault.ledger.entries(recording=REC)].count(Kind.SEALED) == 1


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with in_memory() as memory:
        (memory / "spool").mkdir()
        made = Room(vaults.opened(tmp_path, memory=memory / "keys"), tmp_path, memory / "spool", memory / "keys")
        made.vault.note(vaults.decision(REC))
        yield made
        made.vault.close()


def test_sec_01_a_recording_is_sealed_while_it_grows_and_is_a_plain_age_file_in_the_end(room: Room) -> None:
    recorder = room.record(60)
    peak = 0
    while recorder.write():
        room.advance()
        peak = max(peak, plaintext(recorder.path))
    recorder.close()
    body = room.seal()
    room.sealed_once(recorder)
    assert peak <= 160 * 1024
    assert int(str(body["plaintext_peak"])) <= 164_000
    assert (body["seconds"], body["repaired"]) == (60.0, False)
    assert body["recipients"] == [fingerprint(one) for one in ACME.recipients]


def test_a_full_chunk_goes_out_only_when_a_whole_frame_follows_it(room: Room) -> None:
    recorder = room.record(8.2)
    recorder.write(4)
    os.truncate(recorder.path, 2 * CHUNK + 1)
    assert room.advance() is not None
    assert not room.memory.exists(), "half a frame may be cut off in the end, and the chunk would be the last one"
    with recorder.path.open("ab") as file:
        file.write(b"\0")
    room.advance()
    assert room.vault.growing.kept() == [(REC, 1)]
    assert Memory(room.memory).read(REC, 1).following == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("extra", [0, 1, 2, 3])
def test_a_sound_that_ends_right_behind_a_chunk_is_sealed_whole(room: Room, extra: int) -> None:
    sound = wav(20)[44 : 3 * CHUNK + extra]
    recorder = MixMonitor(room.spool / f"{REC}.1.wav", sound)
    while recorder.write():
        room.advance()
    room.advance()
    recorder.abandon()  # a killed Asterisk: nobody evens it out
    room.seal()
    even = len(sound) // 2 * 2
    opened = ACME.opens(vaults.whole(room.vault, REC))
    assert opened[44:] == sound[:even]
    assert int.from_bytes(opened[40:44], "little") == even


def test_the_header_is_durable_before_anything_is_taken_out_and_in_this_order(tmp_path: Path) -> None:
    seen: list[str] = []
    with in_memory() as memory, vaults.opened(tmp_path, step=seen.append, memory=memory / "keys") as vault:
        vault.note(vaults.decision(REC))
        recorder = MixMonitor(memory / f"{REC}.1.wav", wav(9)[44:])
        recorder.write(9)
        recorder.close()
        vault.advance(recorder.path, REC, 1, lambda _id: ACME.recipients)
        assert seen == [
            *("header stored", "payload begun", "key kept", "chunk written", "chunk counted", "plaintext taken out"),
        ]
        seen.clear()
        vault.seal(recorder.path, vaults.facts(REC))
        assert seen == ["chunk written", "chunk written", "payload whole", "payload stored", "sealed", "indexed"]


def test_a_short_recording_is_sealed_at_its_end_and_has_no_key_before(room: Room) -> None:
    recorder = room.record(8)
    while recorder.write():
        assert room.advance() is not None
    assert (room.vault.keys.names(Slot.HEADER), room.vault.growing.kept()) == ([], [])
    recorder.close()
    room.seal()
    room.sealed_once(recorder)


def test_nothing_is_sealed_in_mid_call_that_no_decision_allows(room: Room) -> None:
    other = recording_id(2)
    path = room.spool / f"{other}.1.wav"
    path.write_bytes(wav(20))
    with pytest.raises(NotFound):
        room.vault.advance(path, other, 1, lambda _id: ACME.recipients)
    room.vault.note(vaults.decision(other, outcome="refused"))
    assert room.vault.advance(path, other, 1, lambda _id: ACME.recipients) is None
    room.vault.note(Fact(Kind.WITHDRAWN, REC, "acme", {"method": "key", "reason": "withdrawn"}))
    room.record().write(9)
    assert room.advance() is None
    assert (room.vault.keys.names(Slot.HEADER), room.vault.growing.kept()) == ([], [])
    assert path.read_bytes() == wav(20)


def test_what_is_no_sound_is_left_to_its_end(room: Room) -> None:
    path = room.spool / f"{REC}.1.wav"
    path.write_bytes(b"no sound" * 40_000)
    assert room.advance() is None
    path.unlink()
    os.mkfifo(path)
    assert room.advance() is not None  # it never becomes long enough
    path.unlink()
    assert room.advance() is None


def test_without_a_place_for_keys_nothing_is_sealed_in_mid_call(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        vault.note(vaults.decision(REC))
        path = vaults.spooled(tmp_path / "spool", REC, data=wav(20))
        assert vault.advance(path, REC, 1, lambda _id: ACME.recipients) is None
        vault.seal(path, vaults.facts(REC))
        assert ACME.opens(vaults.whole(vault, REC)) == wav(20)


def test_a_place_for_keys_that_is_not_in_memory_takes_none(tmp_path: Path) -> None:
    with on_disk() as disk, vaults.opened(tmp_path, memory=disk / "keys") as vault:
        vault.note(vaults.decision(REC))
        path = vaults.spooled(tmp_path / "spool", REC, data=wav(20))
        with pytest.raises(VaultError, match="not in memory"):
            vault.advance(path, REC, 1, lambda _id: ACME.recipients)
        vault.seal(path, vaults.facts(REC))
        assert ACME.opens(vaults.whole(vault, REC)) == wav(20)
        assert list(vault.verify()) == []


def test_another_daemon_goes_on_with_the_same_key_and_chunk(room: Room) -> None:
    recorder = room.record(40)
    room.grow(recorder, 9)
    header = room.vault.keys.get(REC, 1, Slot.HEADER)
    room.restart()
    room.grow(recorder, 6)
    assert room.vault.keys.get(REC, 1, Slot.HEADER) == header
    room.restart()
    recorder.close()
    room.seal()
    room.sealed_once(recorder)
    assert room.vault.keys.get(REC, 1, Slot.HEADER) == header


def test_what_a_killed_asterisk_leaves_is_repaired_before_its_first_chunk_is_sealed(room: Room) -> None:
    recorder = room.record(40)
    room.grow(recorder, 9)
    recorder.abandon()
    body = room.seal()
    assert body["repaired"]
    sound = recorder.whole[44 : 44 + 9 * BUFFER]
    assert ACME.opens(vaults.whole(room.vault, REC)) == vaults.wav(0, 0)[:4] + _sizes(sound) + sound


def _sizes(sound: bytes) -> bytes:
    head = bytearray(wav(0)[:44])
    head[4:8], head[40:44] = (len(sound) + 36).to_bytes(4, "little"), len(sound).to_bytes(4, "little")
    return bytes(head[4:])


def test_sec_02_two_different_first_chunks_are_never_sealed_under_one_key(room: Room) -> None:
    recorder = room.record(20)
    room.grow(recorder, 8)
    growth = room.vault.growing._growths[REC, 1]
    growth.write(0, growth.read(0), lambda _name: None)
    recorder.close()  # and its header is another one now
    with pytest.raises(VaultError, match="not sealed twice"):
        room.seal()
    before = room.vault.objects.growing(REC, 1).read_bytes()
    room.restart()  # the next daemon knows it from the payload
    with pytest.raises(VaultError, match="another chunk stands"):
        room.seal()
    assert room.vault.objects.growing(REC, 1).read_bytes() == before
    assert recorder.path.exists()


def test_a_file_that_was_begun_anew_under_its_name_is_not_mixed_up_with_the_first(room: Room) -> None:
    recorder = room.record(20)
    room.grow(recorder, 8)
    recorder.path.rename(room.spool / "aside")
    recorder.path.write_bytes(wav(40, 3))
    for _ in ("this daemon", "the next one"):
        with pytest.raises(VaultError, match="another sound lies under the name"):
            room.advance()
        with pytest.raises(VaultError, match="another sound lies under the name"):
            room.seal()
        room.restart()
    assert recorder.path.read_bytes() == wav(40, 3)


def test_con_08_a_withdrawal_in_mid_call_forgets_the_key_at_once(room: Room) -> None:
    recorder = room.record(60)
    room.grow(recorder, 12)
    secret = Memory(room.memory).read(REC, 1)
    assert secret is not None
    payload, header = room.vault.objects.growing(REC, 1).read_bytes(), room.vault.keys.get(REC, 1, Slot.HEADER)
    assert header is not None
    descriptor = os.open(room.memory / f"{REC}.1", os.O_RDONLY)
    room.vault.forget_keys(REC)
    assert not any(os.pread(descriptor, 4096, 0)), "overwritten before it is removed"
    os.close(descriptor)
    assert list(room.memory.iterdir()) == []
    assert vars(room.vault.growing._growths[REC, 1]).keys().isdisjoint({"sealer"})
    room.grow(recorder, 6)
    assert room.vault.objects.growing(REC, 1).read_bytes() == payload, "nothing is begun again"
    room.vault.note(Fact(Kind.WITHDRAWN, REC, "acme", {"method": "key", "reason": "withdrawn"}))
    room.vault.discard(recorder.path, REC, 1, "acme", "withdrawn")
    receipt = room.vault.erase(REC, reason="withdrawn", actor="caller")
    assert receipt.complete
    assert [step.step for step in receipt.steps] == ["intent", "header", "payload", "index", "ledger", "backups"]
    assert "1 files removed" in receipt.steps[2].seen
    assert vaults.files_with(room.folder, *header.split(b"\n")[2:3]) == []
    assert (list(room.vault.objects.folder.glob("*/*")), list(room.spool.iterdir())) == ([], [])
    assert list(room.vault.verify()) == []


def test_an_erasure_forgets_the_keys_of_all_its_recordings(room: Room) -> None:
    recorder = room.record(60)
    room.grow(recorder, 12)
    assert room.vault.erase(REC, reason="request", actor="officer").complete
    assert (room.vault.growing.kept(), room.vault.left_growing(), len(room.vault.growing)) == ([], set(), 0)
    room.grow(recorder, 8)
    recorder.close()
    room.vault.discard(recorder.path, REC, 1, "acme", "withdrawn")
    assert (list(room.spool.iterdir()), list(room.vault.verify())) == ([], [])


def test_a_key_that_cannot_be_removed_keeps_the_erasure_from_being_told_as_done(room: Room) -> None:
    recorder = room.record(60)
    room.grow(recorder, 8)
    (room.memory / f"{REC}.1.new").mkdir()  # something that cannot be overwritten and unlinked
    with pytest.raises(VaultError, match="could not be removed"):
        room.vault.erase(REC, reason="request", actor="officer")
    assert room.vault.recording(REC).state == "recording"


def test_while_it_grows_the_vault_is_in_order_and_a_start_removes_nothing(room: Room) -> None:
    recorder = room.record(60)
    room.grow(recorder, 12)
    assert list(room.vault.verify()) == []
    room.restart()
    assert room.vault.left_growing() == {(REC, 1)}
    assert room.vault.keys.names(Slot.HEADER) == [(REC, 1)]
    assert list(room.vault.verify()) == []


def test_a_growing_payload_of_nobody_is_named(room: Room) -> None:
    recorder = room.record(60)
    room.grow(recorder, 8)
    other = recording_id(9)
    path = room.vault.objects.growing(other, 1)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert [(f.where, f.name, f.detail) for f in room.vault.verify()] == [
        ("payload", f"{other}.1", "unknown to the ledger")
    ]


@pytest.mark.parametrize("damage", ["removed", "cut", "another key", "another count"])
def test_a_lost_key_begins_a_new_part_and_what_was_sealed_stays_for_the_controller(room: Room, damage: str) -> None:
    recorder = room.record(40)
    room.grow(recorder, 13)
    kept_in = room.memory / f"{REC}.1"
    kept = Memory(room.memory).read(REC, 1)
    assert kept is not None
    room.vault.close()
    if damage == "removed":
        kept_in.unlink()
    elif damage == "cut":
        os.truncate(kept_in, 30)
    else:
        wrong = {"another key": (bytes(16), kept.following), "another count": (kept.file_key, 60)}[damage]
        Memory(room.memory).keep(
            REC, 1, Kept(wrong[0], kept.nonce, kept.header_sha256, kept.recipients, kept.file, wrong[1], kept.peak)
        )
    room.vault = vaults.opened(room.folder, memory=room.memory)
    assert room.advance() is None, "its plaintext has a hole: no new key for it"
    recorder.close()
    body = room.seal()
    assert (body["segment"], body["rest_of"]) == (1 + REST, 1)
    assert (list(room.spool.iterdir()), list(room.memory.iterdir())) == ([], [])
    assert list(room.vault.verify()) == []
    row = room.vault.recording(REC)
    assert (row.state, row.segments) == ("quarantined", 2)
    taken_out = (kept.following - 1) * CHUNK
    rest = ACME.opens(vaults.whole(room.vault, REC, 1 + REST))
    assert rest[44:] == recorder.whole[44:CHUNK] + recorder.whole[CHUNK + taken_out :]
    assert int.from_bytes(rest[40:44], "little") == len(rest) - 44
    assert salvaged(vaults.whole(room.vault, REC, 1)) == recorder.whole[CHUNK : CHUNK + taken_out]


def salvaged(data: bytes) -> bytes:
    source, out = BytesIO(data), BytesIO()
    file_key, _ = age.open_header(age.read_header(source), [ACME.identities[0]])
    age.salvage_payload(file_key, source, out)
    return out.getvalue()


@pytest.mark.skipif(not AGE.exists(), reason="the public age tool is not prepared")
def test_the_public_tool_opens_the_rest_whole_and_refuses_what_was_never_finished(room: Room, tmp_path: Path) -> None:
    recorder = room.record(40)
    room.grow(recorder, 13)
    Memory(room.memory).forget(REC, 1)
    room.restart()
    recorder.close()
    room.seal()
    identity = tmp_path / "identity"
    identity.write_text(ACME.identities[0].encode())
    for segment, opens in ((1 + REST, True), (1, False)):
        data = vaults.whole(room.vault, REC, segment)
        done = subprocess.run([AGE, "-d", "-i", identity], input=data, capture_output=True, check=False)
        assert (done.returncode == 0) == opens
        assert bool(done.stdout) == opens


def test_what_the_host_lost_with_its_memory_is_put_away_as_far_as_it_was_sealed(room: Room) -> None:
    recorder = room.record(40)
    room.grow(recorder, 13)
    room.vault.close()
    for file in (*room.spool.iterdir(), *room.memory.iterdir()):
        file.unlink()
    room.vault = vaults.opened(room.folder, memory=room.memory)
    assert room.vault.left_growing() == {(REC, 1)}
    entry = room.vault.put_away(vaults.facts(REC))
    assert entry is not None
    assert (entry.kind, (entry.body or {})["reason"]) == (Kind.QUARANTINED, "incomplete")
    assert room.vault.recording(REC).state == "quarantined"
    assert salvaged(vaults.whole(room.vault, REC)) == recorder.whole[CHUNK : 6 * CHUNK]
    assert list(room.vault.verify()) == []
    assert room.vault.put_away(vaults.facts(REC)) == entry
    assert room.vault.erase(REC, reason="retention", actor="sweep").complete


def test_a_payload_without_a_chunk_is_nothing_to_put_away(room: Room) -> None:
    recorder = room.record(20)
    recorder.write(8)
    growing = room.vault.growing
    growing._begin(REC, 1, "acme", ACME.recipients, (0, 0))
    recorder.path.unlink()
    assert room.vault.put_away(vaults.facts(REC)) is None
    assert (room.vault.left_growing(), room.vault.keys.names(Slot.HEADER)) == (set(), [])


def test_a_file_that_cannot_be_punched_is_sealed_all_the_same(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _offset: int, _size: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("gdprcall.vault.growing.punch", refuse)
    recorder = room.record(30)
    recorder.write(9)
    with pytest.raises(OSError, match="not supported"):
        room.advance()
    recorder.close()
    room.seal()
    room.sealed_once(recorder)


@pytest.mark.parametrize("written", [0, 30_000])
@pytest.mark.parametrize("while_it", ["grows", "ends"])
def test_a_full_disk_leaves_no_gap_behind_the_chunk_that_it_did_not_take(
    room: Room, monkeypatch: pytest.MonkeyPatch, written: int, while_it: str
) -> None:
    recorder = room.record(40)
    room.grow(recorder, 8)
    recorder.write(6)
    pwrite = os.pwrite

    def full(descriptor: int, data: bytes, place: int) -> int:
        if len(data) > 1000:
            pwrite(descriptor, data[:written], place)
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, data, place)

    for _ in range(2):
        with monkeypatch.context() as disk:
            disk.setattr(os, "pwrite", full)
            if while_it == "grows":
                with pytest.raises(OSError, match="No space"):
                    room.advance()
            else:
                with pytest.raises(VaultError, match="No space"):
                    room.seal()
    room.advance()
    recorder.close()
    room.seal()
    room.sealed_once(recorder)


def test_a_counter_that_cannot_be_written_counts_the_same_chunk_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = room.record(40)
    room.grow(recorder, 8)
    recorder.write(4)

    def broken(_counter: int, _following: int, _peak: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as memory:
        memory.setattr("gdprcall.vault.growth.count", broken)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                room.advance()
    room.advance()
    recorder.close()
    room.seal()
    room.sealed_once(recorder)


def test_a_header_that_became_no_header_is_sealed_as_it_is_in_quarantine(room: Room) -> None:
    recorder = room.record(40)
    room.grow(recorder, 12)
    recorder.close()
    with recorder.path.open("r+b") as file:
        file.write(b"JUNK")
    with pytest.raises(NotAWav):
        room.seal()
    entry = room.vault.quarantine(recorder.path, vaults.facts(REC), "no_wav")
    assert (entry.kind, (entry.body or {})["reason"]) == (Kind.QUARANTINED, "no_wav")
    assert ACME.opens(vaults.whole(room.vault, REC)) == b"JUNK" + recorder.whole[4:]
    assert (list(room.spool.iterdir()), room.vault.left_growing(), list(room.vault.verify())) == ([], set(), [])


def test_what_waits_for_a_lock_is_looked_at_again_soon(room: Room) -> None:
    recorder = room.record(30)
    recorder.write(9)
    with room.vault.stores.holding(REC):
        assert room.advance() == 0.25
    with recorder.path.open("rb") as file:
        assert hole(file.fileno(), recorder.size) is None


def test_the_key_is_for_the_owner_alone_and_in_no_text(room: Room) -> None:
    recorder = room.record(30)
    room.grow(recorder, 8)
    path = room.memory / f"{REC}.1"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (room.memory, path)] == [0o700, 0o600]
    kept = Memory(room.memory).read(REC, 1)
    assert kept is not None
    assert not [text for text in (kept.file_key.hex(), repr(kept.file_key)) if text in repr(kept)]
    assert vaults.files_with(room.folder, kept.file_key, kept.file_key.hex().encode()) == []
