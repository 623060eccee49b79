"""The vault: what goes in comes out only as it went in, to those it was sealed to, and never comes back once erased."""

import asyncio
import hashlib
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.errors import GdprcallError, NotFound, Refused, VaultError
from gdprcall.rights import retention
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault
from gdprcall.vault.binding import BINDING
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import Receipt, Wanted
from gdprcall.vault.sealing import payload_size
from gdprcall.vault.wav import EmptyWav, NotAWav
from tests import vaults
from tests.vaults import ACME, DAY_ONE, NUMBER, SUBJECT, Clock, Controller


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with vaults.opened(tmp_path) as opened:
        yield opened


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def kinds(vault: Vault, recording: str) -> list[str]:
    return [str(entry.kind) for entry in vault.ledger.entries(recording=recording)]


# --- sealing


def test_a_sealed_recording_opens_with_each_identity_of_its_controller_and_is_the_sound(
    vault: Vault, spool: Path
) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = vaults.spooled(spool, recording)
    sound = source.read_bytes()
    entry = vault.seal(source, vaults.facts(recording))
    assert not source.exists()
    assert [ACME.opens(vaults.whole(vault, recording), which) for which in (0, 1)] == [sound, sound]
    assert entry.kind is Kind.SEALED
    payload = vault.objects.path(recording, 1).read_bytes()
    header = vaults.whole(vault, recording)[: -len(payload)]
    assert entry.body == {
        "segment": 1,
        "payload_sha256": hashlib.sha256(payload).hexdigest(),
        "payload_bytes": len(payload),
        "header_sha256": hashlib.sha256(header).hexdigest(),
        "recipients": [fingerprint(recipient) for recipient in ACME.recipients],
        "seconds": 1.0,
        "repaired": False,
        "started_at": DAY_ONE - 1_000,
        "closed_at": DAY_ONE,
        "expires_at": DAY_ONE + 30 * DAY_MS,
        "plaintext_ms": 0,
        "plaintext_peak": len(sound),
    }
    row = vault.recording(recording)
    assert (row.state, row.seconds, row.segments) == ("sealed", 1.0, 1)
    assert list(vault.verify()) == []


def test_sec_01_a_foreign_identity_opens_nothing(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    with pytest.raises(age.NoMatch):
        Controller("beta", seed=2).opens(vaults.whole(vault, recording))


def test_each_segment_has_its_own_key(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool, segments=2)
    whole = [vaults.whole(vault, recording, segment) for segment in (1, 2)]
    headers = [part[: part.index(b"\n---")] for part in whole]
    assert headers[0] != headers[1]
    assert [ACME.opens(part) for part in whole] == [vaults.wav(seed=101), vaults.wav(seed=102)]
    assert [row.segment for row in vault.segments(recording)] == [1, 2]


def test_the_header_is_bound_to_controller_recording_and_segment(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    export = vault.export(recording, 1, actor="a", purpose="p")
    stanzas = [stanza for stanza in age.Header.parse(export.header).stanzas if stanza.type == BINDING]
    assert [stanza.args for stanza in stanzas] == [(BINDING, recording, "ctl=acme", "part=1")]
    assert stanzas[0].body == b""
    assert export.name == f"{recording}.1.age"
    assert export.size == len(export.header) + export.payload.stat().st_size


def test_a_file_of_a_killed_asterisk_is_repaired_on_the_way(vault: Vault, spool: Path) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = vaults.spooled(spool, recording, data=vaults.wav(2.0, finished=False) + b"\x01")
    entry = vault.seal(source, vaults.facts(recording))
    assert entry.body is not None
    assert (entry.body["repaired"], entry.body["seconds"]) == (True, 2.0)
    assert ACME.opens(vaults.whole(vault, recording)) == vaults.wav(2.0)


@pytest.mark.parametrize("plain", [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])
def test_the_size_of_a_payload_is_known_beforehand(plain: int) -> None:
    class Sink:
        size = 0

        def write(self, data: bytes) -> None:
            self.size += len(data)

    sink = Sink()
    writer = age.PayloadWriter(bytes(16), bytes(16), sink)
    writer.write(bytes(plain))
    writer.finish()
    assert payload_size(plain) == sink.size


def test_a_long_recording_is_sealed_in_bounded_memory(vault: Vault, spool: Path) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = spool / f"{recording}.1.wav"
    with source.open("wb") as file:
        file.write(vaults.wav(0.5, finished=False))
        file.truncate(32 << 20)
    tracemalloc.start()
    vault.seal(source, vaults.facts(recording))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(
    ("data", "error"), [(b"", NotAWav), (b"x" * 500, NotAWav), (vaults.wav(0.0), EmptyWav), (b"RIFF", NotAWav)]
)
def test_what_is_no_sound_is_refused_by_kind_and_stays(
    vault: Vault, spool: Path, data: bytes, error: type[VaultError]
) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = vaults.spooled(spool, recording, data=data)
    with pytest.raises(error):
        vault.seal(source, vaults.facts(recording))
    assert source.read_bytes() == data
    assert kinds(vault, recording) == ["decision"]
    assert list(vault.verify()) == []


@pytest.mark.parametrize("data", [b"no sound at all", b"", vaults.wav()])
def test_quarantine_seals_any_bytes_with_or_without_a_decision(vault: Vault, spool: Path, data: bytes) -> None:
    recording = vaults.recording_id()
    source = vaults.spooled(spool, recording, data=data)
    entry = vault.quarantine(source, vaults.facts(recording), "no_decision")
    assert not source.exists()
    assert entry.body is not None
    assert entry.body["reason"] == "no_decision"
    assert vault.recording(recording).state == "quarantined"
    assert ACME.opens(vaults.whole(vault, recording)) == data
    assert list(vault.verify()) == []


def test_fcl_01_nothing_is_sealed_without_a_decision(vault: Vault, spool: Path) -> None:
    recording = vaults.recording_id()
    source = vaults.spooled(spool, recording)
    with pytest.raises(NotFound):
        vault.seal(source, vaults.facts(recording))
    assert source.exists()


def test_sec_09_nothing_is_sealed_to_another_controller_than_the_one_that_was_asked_for(
    vault: Vault, spool: Path
) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = vaults.spooled(spool, recording)
    with pytest.raises(VaultError, match="another controller"):
        vault.seal(source, vaults.facts(recording, controller=Controller("beta", seed=2)))
    assert source.exists()


@pytest.mark.parametrize("end", ["withdrawn", "erased"])
def test_con_08_nothing_is_sealed_or_released_once_withdrawn_or_erased(vault: Vault, spool: Path, end: str) -> None:
    recording = vaults.sealed(vault, spool)
    if end == "withdrawn":
        vault.note(Fact(Kind.WITHDRAWN, recording, "acme", {"method": "key", "reason": "withdrawn"}))
    else:
        vault.erase(recording, reason="test", actor="test")
    source = vaults.spooled(spool, recording, 2)
    with pytest.raises(Refused):
        vault.seal(source, vaults.facts(recording, 2))
    with pytest.raises(Refused):
        vault.export(recording, 1, actor="a", purpose="p")
    assert source.exists()


@pytest.mark.parametrize("recipients", [(), ("age1nonsense",), ("AGE-SECRET-KEY-1",)])
def test_fcl_05_without_a_usable_recipient_nothing_is_sealed_and_no_number_kept(
    vault: Vault, spool: Path, recipients: tuple[str, ...]
) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = vaults.spooled(spool, recording)
    broken = Controller()
    broken.recipients = recipients
    with pytest.raises(VaultError) as caught:
        vault.seal(source, vaults.facts(recording, controller=broken))
    assert caught.value.hint
    with pytest.raises(VaultError):
        vault.keep_number(recording, "acme", NUMBER, recipients)
    assert source.exists()


def test_a_file_that_still_grows_is_not_sealed(tmp_path: Path, spool: Path) -> None:
    recording = vaults.recording_id()
    source = vaults.spooled(spool, recording)

    def grow(step: str) -> None:
        if step == "header stored":
            with source.open("ab") as file:
                file.write(bytes(320))

    with vaults.opened(tmp_path, step=grow) as vault:
        vault.note(vaults.decision(recording))
        with pytest.raises(VaultError, match="changed while"):
            vault.seal(source, vaults.facts(recording))
        assert source.exists()
        assert list(vault.objects.names()) == []


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_put_into_the_spool_in_place_of_a_file_is_neither_followed_nor_waited_for(
    vault: Vault, spool: Path, kind: str
) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    source = spool / f"{recording}.1.wav"
    if kind == "link":
        elsewhere = spool.parent / "elsewhere.wav"
        elsewhere.write_bytes(vaults.wav())
        source.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(source)
    else:
        source.mkdir()
    with pytest.raises(VaultError):
        vault.seal(source, vaults.facts(recording))
    assert list(vault.objects.names()) == []


def test_a_file_that_is_not_there_is_an_error_with_a_hint(vault: Vault, spool: Path) -> None:
    recording = vaults.recording_id()
    vault.note(vaults.decision(recording))
    with pytest.raises(VaultError) as caught:
        vault.seal(spool / "none.wav", vaults.facts(recording))
    assert caught.value.hint


def test_a_file_sealed_already_is_removed_and_that_is_said(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    before = vaults.whole(vault, recording)
    again = vaults.spooled(spool, recording, data=vaults.wav(seed=101))
    entry = vault.seal(again, vaults.facts(recording))
    assert not again.exists()
    assert entry.seq == 2
    last = list(vault.ledger.entries(recording=recording))[-1]
    assert (last.kind, last.body) == (Kind.DISCARDED, {"segment": 1, "reason": "already_sealed"})
    assert vaults.whole(vault, recording) == before
    assert vault.recording(recording).state == "sealed"
    assert list(vault.verify()) == []


def test_another_sound_under_a_sealed_name_is_kept_and_told(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    other = vaults.spooled(spool, recording, data=vaults.wav(3.0))
    with pytest.raises(VaultError, match="another sound"):
        vault.seal(other, vaults.facts(recording))
    assert other.exists()


def test_a_plaintext_is_not_removed_when_its_sealed_copy_is_not_whole(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    vault.objects.path(recording, 1).unlink()
    again = vaults.spooled(spool, recording, data=vaults.wav(seed=101))
    with pytest.raises(VaultError, match="not whole"):
        vault.seal(again, vaults.facts(recording))
    assert again.exists()


# --- discarding


def test_a_discarded_file_is_known_first_and_then_gone(vault: Vault, spool: Path) -> None:
    recording = vaults.recording_id()
    source = vaults.spooled(spool, recording)
    entry = vault.discard(source, recording, 1, None, "no_decision")
    assert (entry.kind, entry.body) == (Kind.DISCARDED, {"segment": 1, "reason": "no_decision"})
    assert not source.exists()


def test_discarding_again_is_not_told_twice(vault: Vault, spool: Path) -> None:
    recording = vaults.recording_id()
    source = vaults.spooled(spool, recording)
    first = vault.discard(source, recording, 1, "acme", "empty")
    assert vault.discard(source, recording, 1, "acme", "empty") == first
    source.write_bytes(b"came back after a crash")
    assert vault.discard(source, recording, 1, "acme", "empty") == first
    assert not source.exists()
    assert kinds(vault, recording) == ["discarded"]


def test_what_never_was_there_is_not_discarded(vault: Vault, spool: Path) -> None:
    with pytest.raises(NotFound):
        vault.discard(spool / "none.wav", vaults.recording_id(), 1, "acme", "empty")


def test_a_file_that_cannot_be_removed_is_an_error(vault: Vault, spool: Path) -> None:
    source = spool / "folder.wav"
    source.mkdir()
    with pytest.raises(VaultError, match="removed"):
        vault.discard(source, vaults.recording_id(), 1, "acme", "empty")


# --- numbers and subjects


def test_sec_03_a_kept_number_opens_for_its_controller_alone(vault: Vault) -> None:
    recording = vaults.recording_id()
    vault.keep_number(recording, "acme", NUMBER, ACME.recipients)
    number = vault.sealed_number(recording)
    assert number is not None
    assert ACME.opens(number) == NUMBER.encode()
    stanzas = age.Header.parse(number[: number.index(b"\n", number.index(b"\n---") + 1) + 1]).stanzas
    assert stanzas[-1].args == (BINDING, recording, "ctl=acme", "part=number")
    assert vault.sealed_number(vaults.recording_id(2)) is None


def everything_in(folder: Path) -> bytes:
    """All bytes of all files and all their names."""
    found = [str(path).encode() for path in sorted(folder.rglob("*"))]
    return b"\0".join(found + [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()])


def test_sec_04_no_file_or_name_of_the_vault_holds_the_number(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool, segments=2)
        vault.export(recording, 1, actor="a", purpose="p")
        vaults.sealed(vault, spool, 2)
        vault.erase(recording, reason="test", actor="test")
        files = everything_in(vault.folder)
    needles = [NUMBER.encode(), NUMBER[1:].encode(), NUMBER[3:].encode(), NUMBER.encode("utf-16-le")]
    planted = tmp_path / "vault" / "planted"
    planted.write_bytes(b"x" + needles[0] + b"y")
    assert needles[0] in everything_in(tmp_path / "vault"), "the search must find what is there"
    planted.unlink()
    for data in (files, everything_in(tmp_path / "vault")):
        assert not any(needle in data for needle in needles)


def test_sec_01_no_file_of_the_vault_holds_the_sound(tmp_path: Path, spool: Path) -> None:
    recording = vaults.recording_id()
    source = vaults.spooled(spool, recording)
    piece = source.read_bytes()[8_000:8_032]
    with vaults.opened(tmp_path) as vault:
        vault.note(vaults.decision(recording))
        vault.seal(source, vaults.facts(recording))
    assert piece not in everything_in(tmp_path)


# --- erasing


def wrapped_keys(data: bytes) -> list[bytes]:
    head = data[: data.index(b"\n---")]
    return [line for line in head.split(b"\n") if len(line) == 43]


def test_an_erased_recording_is_in_no_file_and_its_proof_remains(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool, segments=2)
        kept = vaults.sealed(vault, spool, 2)
        number = vault.sealed_number(recording)
        assert number is not None
        keys = [key for part in (1, 2) for key in wrapped_keys(vaults.whole(vault, recording, part))]
        keys += wrapped_keys(number)
        assert len(keys) == 6
        assert all(key in everything_in(vault.folder) for key in keys)
        receipt = vault.erase(recording, reason="request", actor="officer")
        assert receipt.complete
        assert [(step.step, step.ok) for step in receipt.steps] == [
            ("intent", True),
            ("header", True),
            ("payload", True),
            ("index", True),
            ("ledger", True),
            ("backups", True),
        ]
        assert "3 slots overwritten" in receipt.steps[1].seen
        assert "2 files removed" in receipt.steps[2].seen
        assert not any(key in everything_in(vault.folder) for key in keys)
        assert not list((tmp_path / "vault" / "objects").rglob(f"{recording}*"))
        assert vault.sealed_number(recording) is None
        row = vault.recording(recording)
        assert (row.state, row.subject, row.segments, row.expires_at) == ("erased", None, 0, None)
        assert vault.decision(row.decision).outcome == "granted"
        assert ACME.opens(vaults.whole(vault, kept)) == vaults.wav(seed=201)
        assert list(vault.verify()) == []
        with pytest.raises(Refused):
            vault.export(recording, 1, actor="a", purpose="p")


def test_rgt_08_a_copy_of_the_payload_does_not_open_after_its_header_is_destroyed(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    copy = vault.objects.path(recording, 1).read_bytes()
    vault.erase(recording, reason="test", actor="test")
    vault.objects.path(recording, 1).write_bytes(copy)  # a restored backup of the payloads
    with pytest.raises(Refused):
        vault.export(recording, 1, actor="a", purpose="p")
    assert [(f.where, f.detail) for f in vault.verify()] == [("payload", "there, though the recording was erased")]


def test_erasing_again_gives_the_same_receipt(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    first = vault.erase(recording, reason="request", actor="officer")
    assert vault.erase(recording, reason="another", actor="somebody") == first
    assert kinds(vault, recording).count("erased") == 1
    assert kinds(vault, recording).count("erasure_intended") == 1
    assert Receipt.from_json(first.as_json()) == first


@pytest.mark.parametrize("broken", [{}, {"steps": 5}, {"steps": [5]}, {"steps": [{}], "recording": "x"}])
def test_a_receipt_that_is_none_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="receipt"):
        Receipt.from_json(broken)


def test_what_was_granted_and_never_recorded_can_be_erased_with_its_number(vault: Vault) -> None:
    recording = vaults.recording_id()
    vault.keep_number(recording, "acme", NUMBER, ACME.recipients)
    vault.note(vaults.decision(recording))
    vault.note(Fact(Kind.NOT_STARTED, recording, "acme", {"reason": "no_file"}))
    assert [row.id for row in retention.due(vault, vaults.EXPIRED)] == [recording]
    assert vault.erase(recording, reason="retention", actor="sweep").complete
    assert vault.sealed_number(recording) is None
    assert retention.due(vault, vaults.EXPIRED) == []


@pytest.mark.parametrize("id_", ["0" * 32, "nonsense", "../../etc", ""])
def test_an_unknown_recording_is_not_found(vault: Vault, id_: str) -> None:
    for call in (
        lambda: vault.recording(id_),
        lambda: vault.erase(id_, reason="r", actor="a"),
        lambda: vault.export(id_, 1, actor="a", purpose="p"),
        lambda: vault.decision(id_),
    ):
        with pytest.raises(NotFound):
            call()


def test_an_unknown_segment_is_not_found_and_not_released(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    with pytest.raises(NotFound):
        vault.export(recording, 2, actor="a", purpose="p")
    assert "released" not in kinds(vault, recording)


def test_a_release_is_noted_with_who_and_why(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    export = vault.export(recording, 1, actor="officer", purpose="complaint 7")
    last = list(vault.ledger.entries(recording=recording))[-1]
    assert (last.kind, last.body) == (
        Kind.RELEASED,
        {
            "segment": 1,
            "actor": "officer",
            "purpose": "complaint 7",
            "header_sha256": hashlib.sha256(export.header).hexdigest(),
        },
    )


@pytest.mark.usefixtures("impatient")
def test_an_erasure_held_up_by_a_reader_is_not_called_done_and_is_finished_later(
    tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdprcall.vault.keys.CHECKPOINT_TRIES", 1)
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool)
        reader = sqlite3.connect(vault.folder / "keys.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM slot_512").fetchone()
        with pytest.raises(VaultError, match="held open"):
            vault.erase(recording, reason="request", actor="officer")
        with pytest.raises(VaultError, match="1 erasures could not be finished"):
            vault.finish_erasures()
        row = vault.recording(recording)
        assert (row.state, row.erasing) == ("sealed", True)
        with pytest.raises(Refused):
            vault.export(recording, 1, actor="a", purpose="p")
        reader.close()
        (receipt,) = vault.finish_erasures()
        assert (receipt.recording, receipt.reason, receipt.complete) == (recording, "request", True)
        assert vault.finish_erasures() == []
        assert list(vault.verify()) == []


def test_a_key_that_lies_elsewhere_in_the_file_makes_the_receipt_say_so(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool)
        header = vault.export(recording, 1, actor="a", purpose="p").header
    other = sqlite3.connect(tmp_path / "vault" / "keys.db", isolation_level=None)
    other.execute("CREATE TABLE stray (data BLOB)")
    other.execute("INSERT INTO stray VALUES (?)", (header,))
    other.close()
    with vaults.opened(tmp_path) as vault:
        receipt = vault.erase(recording, reason="request", actor="officer")
        assert not receipt.complete
        assert [step.step for step in receipt.steps if not step.ok] == ["header"]
        assert vault.erase(recording, reason="request", actor="officer") == receipt


# --- opening, locking, threads


def test_only_one_process_holds_the_vault_and_the_other_is_told_which(tmp_path: Path, vault: Vault) -> None:
    with pytest.raises(VaultError) as caught:
        vaults.opened(tmp_path)
    assert str(os.getpid()) in caught.value.message
    assert caught.value.hint
    vault.close()
    vaults.opened(tmp_path).close()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    script = f"import os; from tests import vaults; from pathlib import Path; vaults.opened(Path({str(tmp_path)!r})); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    vaults.opened(tmp_path).close()


def test_closing_twice_is_once_and_a_closed_vault_takes_nothing(tmp_path: Path) -> None:
    vault = vaults.opened(tmp_path)
    vault.close()
    vault.close()
    with pytest.raises(VaultError):
        vault.note(vaults.decision(vaults.recording_id()))


def test_sec_09_the_folder_is_for_nobody_else_even_if_it_was_before(tmp_path: Path, spool: Path) -> None:
    folder = tmp_path / "vault"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with vaults.opened(tmp_path) as vault:
        vaults.sealed(vault, spool)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert not {name: mode for name, mode in modes.items() if mode & 0o077}


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file is in the way")
    with pytest.raises(VaultError) as caught:
        vaults.opened(tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["ledger.db", "keys.db", "index.db"])
def test_a_vault_with_a_broken_file_does_not_open_and_lets_go_of_its_lock(tmp_path: Path, name: str) -> None:
    vaults.opened(tmp_path).close()
    whole = (tmp_path / "vault" / name).read_bytes()
    (tmp_path / "vault" / name).write_bytes(b"broken" * 1000)
    with pytest.raises(VaultError):
        vaults.opened(tmp_path)
    (tmp_path / "vault" / name).write_bytes(whole)
    vaults.opened(tmp_path).close()


def test_the_index_can_be_thrown_away_and_is_made_anew(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool, segments=2)
        erased = vaults.sealed(vault, spool, 2)
        vault.erase(erased, reason="test", actor="test")
        before = vault.recordings(), vault.decisions(), vault.segments(recording)
    for file in (tmp_path / "vault").glob("index.db*"):
        file.unlink()
    with vaults.opened(tmp_path) as vault:
        assert (vault.recordings(), vault.decisions(), vault.segments(recording)) == before
        assert list(vault.verify()) == []


def test_a_row_that_only_the_index_lost_is_an_error_and_not_an_unknown_recording(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool)
    db = sqlite3.connect(tmp_path / "vault" / "index.db", isolation_level=None)
    db.execute("DELETE FROM recording")
    db.close()
    with vaults.opened(tmp_path) as vault, pytest.raises(VaultError, match="the index has lost"):
        vault.recording(recording)


def test_bas_11_a_ledger_that_was_set_back_takes_nothing_more_and_is_named(tmp_path: Path, spool: Path) -> None:
    folder = tmp_path / "vault"
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool)
    backup = (folder / "ledger.db").read_bytes()
    with vaults.opened(tmp_path) as vault:
        vault.erase(recording, reason="request", actor="officer")
    for file in folder.glob("ledger.db*"):
        file.unlink()
    (folder / "ledger.db").write_bytes(backup)
    with vaults.opened(tmp_path) as vault:
        assert next((f.where, f.name) for f in vault.verify()) == ("ledger", "entries 3 to 4")
        assert not vault.ledger_is_whole()
        with pytest.raises(VaultError, match="restored"):
            vault.note(vaults.decision(vaults.recording_id(9)))


def test_a_damaged_ledger_is_not_whole_and_the_rest_is_looked_at_all_the_same(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        assert vault.ledger_is_whole()
        recording = vaults.sealed(vault, spool)
        vaults.sealed(vault, spool, 2)
    db = sqlite3.connect(tmp_path / "vault" / "ledger.db", isolation_level=None)
    db.execute("UPDATE entry SET leaf = 'gone' WHERE seq = 3")
    db.close()
    with vaults.opened(tmp_path) as vault:
        assert not vault.ledger_is_whole()
        vault.objects.remove(recording, 1)
        found = [(f.where, f.name) for f in vault.verify()]
        assert ("ledger", "entry 3") in found
        assert ("payload", f"{recording}.1") in found
        assert ("vault", "everything else") in found


def test_unfinished_recordings_are_those_nobody_knows_the_end_of(vault: Vault, spool: Path) -> None:
    vaults.sealed(vault, spool, 1)
    open_, withdrawn = vaults.recording_id(2), vaults.recording_id(3)
    for recording in (open_, withdrawn):
        vault.note(vaults.decision(recording))
    vault.note(Fact(Kind.WITHDRAWN, withdrawn, "acme", {"method": "key", "reason": "withdrawn"}))
    assert [row.id for row in vault.unfinished()] == [open_]
    assert [receipt.recording for receipt in vault.finish_erasures()] == [withdrawn]
    assert vault.recordings(Wanted(state="erased"))[0].id == withdrawn


def test_a_long_seal_holds_up_neither_a_decision_nor_a_number(tmp_path: Path, spool: Path) -> None:
    sealing, go_on = threading.Event(), threading.Event()

    def pause(step: str) -> None:
        if step == "header stored":
            sealing.set()
            assert go_on.wait(10)

    with vaults.opened(tmp_path, step=pause) as vault:
        recording = vaults.recording_id()
        vault.note(vaults.decision(recording))
        source = vaults.spooled(spool, recording)
        thread = threading.Thread(target=vault.seal, args=(source, vaults.facts(recording)))
        thread.start()
        assert sealing.wait(10)
        # The same recording and another: neither waits.
        vault.keep_number(recording, "acme", NUMBER, ACME.recipients)
        vault.keep_number(vaults.recording_id(2), "acme", NUMBER, ACME.recipients)
        assert vault.submit(vaults.decision(vaults.recording_id(2))).result(timeout=5).seq == 2
        assert vault.recording(recording).state == "recording"
        go_on.set()
        thread.join()
        assert vault.recording(recording).state == "sealed"


def test_an_erasure_waits_for_a_running_seal_of_the_same_recording(tmp_path: Path, spool: Path) -> None:
    sealing, go_on = threading.Event(), threading.Event()

    def pause(step: str) -> None:
        if step == "header stored":
            sealing.set()
            assert go_on.wait(10)

    with vaults.opened(tmp_path, step=pause) as vault:
        recording = vaults.recording_id()
        vault.note(vaults.decision(recording))
        source = vaults.spooled(spool, recording)
        threads = [threading.Thread(target=vault.seal, args=(source, vaults.facts(recording)))]
        threads[0].start()
        assert sealing.wait(10)
        threads.append(threading.Thread(target=vault.erase, args=(recording,), kwargs={"reason": "r", "actor": "a"}))
        threads[1].start()
        go_on.set()
        for thread in threads:
            thread.join()
        assert vault.recording(recording).state == "erased"
        assert list(vault.objects.names()) == []
        assert list(vault.verify()) == []


def test_many_threads_seal_erase_release_and_verify_at_once(vault: Vault, spool: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            recording = vaults.sealed(vault, spool, number, segments=2)
            vault.export(recording, 2, actor="a", purpose="p")
            if number % 2:
                vault.erase(recording, reason="r", actor="a")
        except GdprcallError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        found += list(vault.verify())
    for thread in threads:
        thread.join()
    assert failures == []
    assert found == []
    assert list(vault.verify()) == []
    assert len(vault.recordings(Wanted(state="erased"))) == 6
    assert len(vault.recordings(Wanted(state="sealed"))) == 6


async def test_a_decision_that_came_too_late_is_not_in_the_ledger(vault: Vault) -> None:
    recording = vaults.recording_id()
    with vault.ledger._store.lock:
        first = vault.submit(vaults.decision(vaults.recording_id(2)))
        while not first.running():
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.wrap_future(vault.submit(vaults.decision(recording)))
    first.result()
    vault.note(vaults.decision(vaults.recording_id(3)))
    assert kinds(vault, recording) == []


def test_ret_02_expiry_is_fixed_when_sealed(tmp_path: Path, spool: Path) -> None:
    clock = Clock()
    with vaults.opened(tmp_path, clock=clock) as vault:
        recording = vaults.sealed(vault, spool)
        assert retention.due(vault, DAY_ONE + 30 * DAY_MS - 1) == []
        assert [row.id for row in retention.due(vault, DAY_ONE + 30 * DAY_MS)] == [recording]


def test_rgt_08_one_search_finds_key_pseudonym_and_number_before_and_none_of_them_after(
    tmp_path: Path, spool: Path
) -> None:
    with vaults.opened(tmp_path) as vault:
        recording, folder = vaults.sealed(vault, spool, segments=2, subject=SUBJECT), vault.folder
        assert vault.recording(recording).subject == SUBJECT
        number = vault.sealed_number(recording) or b""
        slots = [vault.keys.get(recording, segment, Slot.HEADER) or b"" for segment in (1, 2)]
        lines = [line for slot in (*slots, number) for line in slot.split(b"\n")]
        wrapped = [
            line for line in lines if re.fullmatch(rb"[A-Za-z0-9+/]{43}", line)
        ]  # what is sealed may hold any line
        assert len(wrapped) == 2 * 3
        for needle in (*wrapped, SUBJECT.encode(), number):
            assert vaults.files_with(folder, needle)
        assert vault.erase(recording, reason="r", actor="a").complete
        assert vaults.files_with(folder, *wrapped, SUBJECT.encode(), number) == []
        decided = next(vault.ledger.entries(recording=recording))
        assert (decided.body or {})["outcome"] == "granted", "what proves the consent stays as it was noted"
        assert list(vault.verify()) == []
    assert vaults.files_with(folder, *wrapped, SUBJECT.encode(), number) == []


def test_the_index_made_anew_after_an_erasure_knows_no_caller_and_the_same_consent(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording, kept = (vaults.sealed(vault, spool, number, subject=SUBJECT) for number in (1, 2))
        vault.erase(recording, reason="r", actor="a")
        rows, decisions = vault.recordings(), vault.decisions()
    for file in (tmp_path / "vault").glob("index.db*"):
        file.unlink()
    with vaults.opened(tmp_path) as vault:
        assert (vault.recordings(), vault.decisions()) == (rows, decisions)
        assert {row.id: row.subject for row in vault.recordings()} == {recording: None, kept: SUBJECT}


@pytest.mark.usefixtures("impatient")
def test_a_ledger_that_is_held_open_holds_up_the_receipt_and_not_the_destruction(tmp_path: Path, spool: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool, subject=SUBJECT)
        with closing(sqlite3.connect(vault.folder / "ledger.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM entry").fetchone()
            with pytest.raises(VaultError, match=r"ledger\.db is held open"):
                vault.erase(recording, reason="r", actor="a")
            assert vault.sealed_number(recording) is None
            assert vault.objects.segments(recording) == []
        (receipt,) = vault.finish_erasures()
        assert receipt.complete
        assert vaults.files_with(vault.folder, SUBJECT.encode()) == []


@pytest.mark.usefixtures("impatient")
def test_an_index_that_is_held_open_holds_up_the_receipt_and_not_the_destruction(
    tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdprcall.vault.erasing.CHECKPOINT_TRIES", 1)
    with vaults.opened(tmp_path) as vault:
        recording = vaults.sealed(vault, spool)
        reader = sqlite3.connect(vault.folder / "index.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM recording").fetchone()
        with pytest.raises(VaultError, match=r"index\.db is held open"):
            vault.erase(recording, reason="request", actor="officer")
        assert list(vault.objects.names()) == []
        assert "erased" not in kinds(vault, recording)
        reader.close()
        assert vault.erase(recording, reason="request", actor="officer").complete


@pytest.mark.parametrize("body", [None, {"steps": "none"}])
def test_a_receipt_that_was_lost_or_damaged_is_an_error(
    vault: Vault, spool: Path, body: dict[str, object] | None
) -> None:
    recording = vaults.sealed(vault, spool)
    entry = vault.note(Fact(Kind.ERASED, recording, "acme", body or {}))
    if body is None:
        vault.ledger.forget([entry.seq])
    with pytest.raises(VaultError, match="receipt"):
        vault.erase(recording, reason="request", actor="officer")


def test_a_file_that_comes_back_while_it_is_removed_is_told(
    vault: Vault, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = vaults.spooled(spool, vaults.recording_id())
    monkeypatch.setattr("gdprcall.vault.sound.sync_folder", lambda _folder: source.write_bytes(b"again"))
    with pytest.raises(VaultError, match="still there"):
        vault.discard(source, vaults.recording_id(), 1, "acme", "empty")


def test_the_json_of_a_segment_has_its_times_in_words(vault: Vault, spool: Path) -> None:
    recording = vaults.sealed(vault, spool)
    values = vault.segments(recording)[0].as_json()
    assert (values["segment"], values["state"]) == (1, "sealed")
    assert values["expires_at"] == "2026-01-31T00:00:00.000Z"


def test_an_entry_that_vanishes_under_the_open_vault_stops_the_index(vault: Vault) -> None:
    first = vault.note(vaults.decision(vaults.recording_id(1)))
    db = sqlite3.connect(vault.folder / "ledger.db", isolation_level=None)
    db.execute("DELETE FROM entry WHERE seq = ?", (first.seq,))
    db.close()
    with pytest.raises(VaultError, match="shorter than it says"):
        vault.recordings()
