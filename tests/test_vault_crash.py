"""The plug is pulled between any two durable writes: the next start finishes or undoes, and nothing is lost or left."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gdprcall.errors import GdprcallError, VaultError
from gdprcall.handout import HandOut
from gdprcall.rights import retention
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.tombstones import Tombstones
from tests import vaults
from tests.deaths import Begin, Mortal
from tests.vaults import ACME, NUMBER

Work = Callable[[Vault, Path], None]
Whole = Callable[[Path], None]
SOUND = vaults.wav(seed=101)
RECORDING = vaults.recording_id()
MANY = [vaults.recording_id(number) for number in (11, 12, 13)]


class PulledError(Exception):
    """The plug was pulled."""


def grant(vault: Vault, spool: Path) -> None:
    vault.keep_number(RECORDING, "acme", NUMBER, ACME.recipients)
    vault.note(vaults.decision(RECORDING))
    vaults.spooled(spool, RECORDING, 1, SOUND)


def grant_and_seal(vault: Vault, spool: Path) -> None:
    grant(vault, spool)
    seal(vault, spool)


def grant_and_seal_two(vault: Vault, spool: Path) -> None:
    grant_and_seal(vault, spool)
    vault.seal(vaults.spooled(spool, RECORDING, 2), vaults.facts(RECORDING, 2))


def seal(vault: Vault, spool: Path) -> None:
    vault.seal(spool / f"{RECORDING}.1.wav", vaults.facts(RECORDING))


def quarantine(vault: Vault, spool: Path) -> None:
    vault.quarantine(spool / f"{RECORDING}.1.wav", vaults.facts(RECORDING), "foreign")


def put_back(vault: Vault, spool: Path) -> None:
    grant_and_seal(vault, spool)
    vaults.spooled(spool, RECORDING, 1, SOUND)


def discard(vault: Vault, spool: Path) -> None:
    vault.discard(spool / f"{RECORDING}.1.wav", RECORDING, 1, "acme", "withdrawn")


def erase(vault: Vault, _spool: Path) -> None:
    vault.erase(RECORDING, reason="request", actor="officer")


def seal_many(vault: Vault, spool: Path) -> None:
    for number in (11, 12, 13):
        vaults.sealed(vault, spool, number, subject=vaults.SUBJECT)


def erase_many(vault: Vault, _spool: Path) -> None:
    vault.erase_all(MANY, reason="request", actor="officer")


def seal_many_and_lose_the_drop(vault: Vault, spool: Path) -> None:
    seal_many(vault, spool)
    (spool.parent / "drop").rmdir()


def nothing(_vault: Vault, _spool: Path) -> None:
    pass


def note(vault: Vault, _spool: Path) -> None:
    """What comes before a recording: the sealed number, and then the decision with who called."""
    vault.keep_number(RECORDING, "acme", NUMBER, ACME.recipients)
    vault.submit(vaults.decision(RECORDING), vaults.caller(RECORDING)).result()


def drop_number(vault: Vault, _spool: Path) -> None:
    vault.drop_number(RECORDING)


def opened(folder: Path, step: Callable[[str], None] = lambda _name: None) -> Vault:
    """Open the vault of a test, whose tombstones leave into the folder ``drop``."""
    (folder / "vault").parent.mkdir(exist_ok=True)
    waiting = folder / "vault" / "tombstones"
    out = Tombstones(HandOut(folder / "drop", ()).deliver, waiting)
    return Vault.open(folder / "vault", clock=vaults.Clock(), step=step, tombstones=out)


def prepared(folder: Path, prepare: Work) -> None:
    (folder / "drop").mkdir(parents=True)
    with opened(folder) as vault:
        prepare(vault, _spool(folder))


def names_of_steps(folder: Path, prepare: Work, work: Work) -> list[str]:
    """Run ``work`` to its end and return the steps that it passed."""
    seen: list[str] = []
    prepared(folder, prepare)
    with opened(folder, step=seen.append) as vault:
        work(vault, _spool(folder))
    return seen


def pull(folder: Path, prepare: Work, work: Work, at: int) -> None:
    """Run ``work`` until its step number ``at``, and stop it there."""
    left = at

    def step(_name: str) -> None:
        nonlocal left
        if left == 0:
            raise PulledError
        left -= 1

    prepared(folder, prepare)
    with opened(folder, step=step) as vault, pytest.raises(PulledError):
        work(vault, _spool(folder))


def doomed(folder: Path, work: Work, begin: Begin) -> None:
    """What a process does that is killed on its way; opening the vault is part of it."""
    begin()
    vault = opened(folder)
    vault.finish_erasures()
    work(vault, _spool(folder))


def _spool(folder: Path) -> Path:
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    return spool


def is_sealed_once(folder: Path) -> None:
    """Finish what intake would finish, and see that there is exactly one sealed copy and no plaintext."""
    with opened(folder) as vault:
        vault.finish_erasures()
        source = _spool(folder) / f"{RECORDING}.1.wav"
        if source.exists():
            seal(vault, _spool(folder))
        assert not source.exists()
        assert vault.recording(RECORDING).state == "sealed"
        assert ACME.opens(vaults.whole(vault, RECORDING)) == SOUND
        assert list(vault.objects.names()) == [(RECORDING, 1)]
        assert vault.keys.names(Slot.HEADER) == [(RECORDING, 1)]
        assert len([e for e in vault.ledger.entries() if e.kind is Kind.SEALED]) == 1
        assert list(vault.verify()) == []


def is_erased(folder: Path) -> None:
    are_erased(folder, [RECORDING])


def are_all_erased(folder: Path) -> None:
    are_erased(folder, MANY)


def are_erased(folder: Path, recordings: list[str]) -> None:
    """Finish what was begun, or do it now if nothing was: all of it is gone, and told once, here and outside."""
    (folder / "drop").mkdir(exist_ok=True)
    with opened(folder) as vault:
        vault.finish_erasures()
        vault.erase_all(recordings, reason="request", actor="officer")
        assert list(vault.objects.names()) == []
        assert vault.keys.names(Slot.HEADER) == vault.keys.names(Slot.NUMBER) == []
        assert vaults.files_with(vault.folder, vaults.SUBJECT.encode()) == []
        for recording in recordings:
            row = vault.recording(recording)
            assert (row.state, row.subject) == ("erased", None)
            receipt = vault.erase(recording, reason="again", actor="again")
            assert receipt.reason == "request"
            assert receipt.complete or [one.step for one in receipt.steps if not one.ok] == ["tombstone"]
            told = [str(entry.kind) for entry in vault.ledger.entries(recording=recording)]
            assert (told.count("erasure_intended"), told.count("erased")) == (1, 1)
        assert list(vault.verify()) == []
        assert vault.finish_erasures() == []
    with opened(folder):  # what could not leave then leaves now
        pass
    assert {path.name for path in (folder / "drop").iterdir()} == {f"{one}.tombstone" for one in recordings}
    assert not list((folder / "vault").glob("tombstones/*"))


def is_discarded_once(folder: Path) -> None:
    with opened(folder) as vault:
        source = _spool(folder) / f"{RECORDING}.1.wav"
        if source.exists():
            discard(vault, _spool(folder))
        assert not source.exists()
        assert [str(e.kind) for e in vault.ledger.entries(recording=RECORDING)] == ["decision", "discarded"]
        assert list(vault.verify()) == []


def is_quarantined_once(folder: Path) -> None:
    with opened(folder) as vault:
        source = _spool(folder) / f"{RECORDING}.1.wav"
        if source.exists():
            quarantine(vault, _spool(folder))
        assert not source.exists()
        assert vault.recording(RECORDING).state == "quarantined"
        assert ACME.opens(vaults.whole(vault, RECORDING)) == SOUND
        assert list(vault.verify()) == []


def is_noted_or_unknown(folder: Path) -> None:
    """A number without its decision is no one's; a decision is whole, with who called."""
    with opened(folder) as vault:
        rows = vault.recordings()
        assert vault.keys.names(Slot.NUMBER) == [(row.id, 0) for row in rows]
        assert [(row.id, row.subject) for row in rows] in ([], [(RECORDING, vaults.SUBJECT)])
        number = vault.sealed_number(RECORDING)
        assert (number is None) == (rows == [])
        assert number is None or ACME.opens(number) == NUMBER.encode()
        assert list(vault.verify()) == []


def has_no_number(folder: Path) -> None:
    with opened(folder) as vault:
        vault.drop_number(RECORDING)
        assert vault.sealed_number(RECORDING) is None
        assert list(vault.verify()) == []


def is_swept(folder: Path) -> None:
    """What an earlier crash left is gone: a header without a payload, a number without a decision."""
    with opened(folder) as vault:
        assert vault.keys.names(Slot.HEADER) == []
        assert vault.keys.names(Slot.NUMBER) == [(RECORDING, 0)]
        assert list(vault.verify()) == []


def leave_things_behind(vault: Vault, _spool: Path) -> None:
    vault.keep_number(RECORDING, "acme", NUMBER, ACME.recipients)
    vault.note(vaults.decision(RECORDING))
    vault.keys.put(RECORDING, 1, Slot.HEADER, b"a header " * 20)
    vault.keep_number(MANY[0], "acme", NUMBER, ACME.recipients)


def seal_and_withdraw(vault: Vault, spool: Path) -> None:
    seal_many(vault, spool)
    for recording in MANY:
        vault.note(Fact(Kind.ERASURE_INTENDED, recording, "acme", {"reason": "request", "actor": "officer"}))


def decide_and_let_time_pass(vault: Vault, spool: Path) -> None:
    """Two refusals and a consent whose recording is gone: all of them long ago."""
    for number in (21, 22):
        body = dict(vaults.decision(vaults.recording_id(number)).body) | {"outcome": "refused"}
        vault.note(Fact(Kind.DECISION, None, "acme", body))
    grant_and_seal(vault, spool)
    erase(vault, spool)


def forget(vault: Vault, _spool: Path) -> None:
    wanted = retention.proofs_due(vault, vaults.EXPIRED * 2)
    assert len(list(retention.forget_proofs(vault, wanted, actor="test"))) == len(wanted)


def are_forgotten(folder: Path) -> None:
    with opened(folder) as vault:
        assert list(vault.verify()) == []
        forget(vault, _spool(folder))
        assert (vault.decisions(), vault.recordings(), vault.index.proofs.unfinished()) == ([], [], [])
        bodies = [entry.body for entry in vault.ledger.entries() if entry.kind is Kind.DECISION]
        assert bodies == [None, None, None]
        assert list(vault.verify()) == []
    assert vaults.files_with(folder / "vault", b'"uniqueid":"1767225600.1"') == []


CASES: dict[str, tuple[Work, Work, Whole]] = {
    "sealing": (grant, seal, is_sealed_once),
    "sealing what is sealed": (put_back, seal, is_sealed_once),
    "quarantine": (grant, quarantine, is_quarantined_once),
    "discarding": (grant, discard, is_discarded_once),
    "erasing": (grant_and_seal_two, erase, is_erased),
    "erasing many": (seal_many, erase_many, are_all_erased),
    "forgetting": (decide_and_let_time_pass, forget, are_forgotten),
    "erasing while no tombstone can leave": (seal_many_and_lose_the_drop, erase_many, are_all_erased),
}
SILENT: dict[str, tuple[Work, Work, Whole]] = {
    "noting": (nothing, note, is_noted_or_unknown),
    "dropping a number": (note, drop_number, has_no_number),
    "starting after a crash": (leave_things_behind, nothing, is_swept),
    "finishing erasures at a start": (seal_and_withdraw, nothing, are_all_erased),
}
"""What has no step with a name, but writes."""


@pytest.mark.parametrize("case", CASES)
def test_ret_03_whatever_step_it_is_stopped_at_the_next_start_makes_it_whole(tmp_path: Path, case: str) -> None:
    prepare, work, whole = CASES[case]
    steps = names_of_steps(tmp_path / "model", prepare, work)
    assert steps
    for at in range(len(steps)):
        folder = tmp_path / str(at)
        pull(folder, prepare, work, at)
        whole(folder)


@pytest.mark.parametrize("case", CASES | SILENT)
def test_ret_03_the_same_when_the_process_is_killed_outright_before_any_write(
    tmp_path: Path, mortal: Mortal, case: str
) -> None:
    prepare, work, whole = (CASES | SILENT)[case]
    prepared(tmp_path / "model", prepare)
    writes = mortal.writes(doomed, copied(tmp_path, "end"), work)
    assert writes > 3
    whole(tmp_path / "end")
    for at in range(writes):
        folder = copied(tmp_path, str(at))
        mortal.dies(doomed, folder, work, at=at)
        whole(folder)


def copied(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(folder / "model", folder / name))


def test_the_steps_come_in_the_order_that_survives_a_crash(tmp_path: Path) -> None:
    assert names_of_steps(tmp_path / "seal", grant, seal) == ["header stored", "payload stored", "sealed", "indexed"]
    assert names_of_steps(tmp_path / "erase", grant_and_seal_two, erase) == [
        "erasure intended",
        "tombstone handed out",
        "header overwritten",
        "payload removed",
        "payload removed",
        "index cleared",
        "callers forgotten",
        "erased",
    ]


def test_an_erasure_stopped_twice_is_finished_the_third_time(tmp_path: Path) -> None:
    pull(tmp_path, grant_and_seal_two, erase, 1)
    with opened(tmp_path, step=pulled_at("header overwritten")) as vault, pytest.raises(PulledError):
        vault.finish_erasures()
    is_erased(tmp_path)


def pulled_at(wanted: str) -> Callable[[str], None]:
    def step(name: str) -> None:
        if name == wanted:
            raise PulledError

    return step


def lose_the_spool(folder: Path) -> None:
    """The spool is in memory, and the host went down."""
    (_spool(folder) / f"{RECORDING}.1.wav").unlink()


def test_a_header_without_a_payload_is_destroyed_at_the_next_start(tmp_path: Path) -> None:
    pull(tmp_path, grant, seal, 0)
    lose_the_spool(tmp_path)
    with vaults.opened(tmp_path) as vault:
        assert vault.keys.names(Slot.HEADER) == []
        assert vault.keys.names(Slot.NUMBER) == [(RECORDING, 0)]
        assert [row.id for row in vault.unfinished()] == [RECORDING]
        assert list(vault.verify()) == []


def test_a_sealed_copy_that_the_ledger_never_heard_of_is_named_and_goes_with_its_recording(tmp_path: Path) -> None:
    pull(tmp_path, grant, seal, 1)
    lose_the_spool(tmp_path)
    with vaults.opened(tmp_path) as vault:
        name = f"{RECORDING}.1"
        assert {(f.where, f.name) for f in vault.verify()} == {("header", name), ("payload", name)}
        vault.note(Fact(Kind.NOT_STARTED, RECORDING, "acme", {"reason": "no_file"}))
        assert [row.id for row in retention.due(vault, vaults.EXPIRED)] == [RECORDING]
        assert vault.erase(RECORDING, reason="retention", actor="sweep").complete
        assert vault.keys.names(Slot.HEADER) == list(vault.objects.names()) == []
        assert list(vault.verify()) == []


@pytest.mark.parametrize("lost", ["ledger.db", "ledger.db and index.db"])
def test_losing_the_ledger_destroys_no_recording(tmp_path: Path, lost: str) -> None:
    with vaults.opened(tmp_path) as vault:
        grant_and_seal(vault, _spool(tmp_path))
    for name in lost.split(" and "):
        for file in (tmp_path / "vault").glob(f"{name}*"):
            file.unlink()
    with vaults.opened(tmp_path) as vault:
        assert vault.keys.names(Slot.HEADER) == [(RECORDING, 1)]
        assert vault.keys.names(Slot.NUMBER) == [(RECORDING, 0)]
        assert list(vault.objects.names()) == [(RECORDING, 1)]
        assert list(vault.verify())
        assert not vault.ledger_is_whole()
        with pytest.raises(VaultError, match="the ledger"):
            vault.note(vaults.decision(RECORDING))


def test_an_older_ledger_and_index_destroy_no_recording(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        vaults.sealed(vault, _spool(tmp_path), 2)
    backup = {name: (tmp_path / "vault" / name).read_bytes() for name in ("ledger.db", "index.db")}
    with vaults.opened(tmp_path) as vault:
        grant_and_seal(vault, _spool(tmp_path))
    for name, data in backup.items():
        (tmp_path / "vault" / name).write_bytes(data)
    with vaults.opened(tmp_path) as vault:
        assert (RECORDING, 1) in vault.keys.names(Slot.HEADER)
        assert (RECORDING, 0) in vault.keys.names(Slot.NUMBER)
        assert {f.name for f in vault.verify()} == {f"{RECORDING}.1"}


def test_con_13_a_number_whose_call_was_never_granted_is_destroyed_at_the_next_start(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        vault.keep_number(RECORDING, "acme", NUMBER, ACME.recipients)
        vault.keep_number(vaults.recording_id(2), "acme", NUMBER, ACME.recipients)
        vault.note(vaults.decision(vaults.recording_id(2)))
    with vaults.opened(tmp_path) as vault:
        assert vault.keys.names(Slot.NUMBER) == [(vaults.recording_id(2), 0)]


def test_nothing_is_swept_under_a_ledger_that_cannot_be_trusted(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        grant_and_seal(vault, _spool(tmp_path))
        vault.objects.remove(RECORDING, 1)
    db = sqlite3.connect(tmp_path / "vault" / "ledger.db", isolation_level=None)
    db.execute("DELETE FROM entry WHERE seq = 2")
    db.close()
    for file in (tmp_path / "vault").glob("index.db*"):
        file.unlink()
    with vaults.opened(tmp_path) as vault:
        assert vault.keys.names(Slot.HEADER) == [(RECORDING, 1)]
        assert ("ledger", "entry 2") in {(f.where, f.name) for f in vault.verify()}


def test_a_withdrawal_that_was_noted_is_carried_out_at_the_next_start(tmp_path: Path) -> None:
    with vaults.opened(tmp_path) as vault:
        grant_and_seal(vault, _spool(tmp_path))
        vault.note(Fact(Kind.WITHDRAWN, RECORDING, "acme", {"method": "key", "reason": "withdrawn"}))
    with vaults.opened(tmp_path) as vault:
        (receipt,) = vault.finish_erasures()
        assert (receipt.reason, receipt.actor, receipt.complete) == ("withdrawn", "gdprcall", True)
        assert list(vault.verify()) == []


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_work_with_the_plug_pulled_at_random_ends_whole(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    ids = [vaults.recording_id(number) for number in range(5)]
    erased: set[str] = set()
    for _ in range(12):
        chance = source.random() < 0.6

        def step(_name: str, chance: bool = chance) -> None:
            if chance and source.random() < 0.15:
                raise PulledError

        with vaults.opened(tmp_path, step=step) as vault:
            try:
                for _ in range(6):
                    _do_something(vault, _spool(tmp_path), source, ids, erased)
            except PulledError:
                pass
    with vaults.opened(tmp_path) as vault:
        vault.finish_erasures()
        for path in sorted(_spool(tmp_path).iterdir()):
            recording, segment, _ = path.name.split(".")
            if vault.recording(recording).state == "erased":
                vault.discard(path, recording, int(segment), "acme", "withdrawn")
            else:
                vault.seal(path, vaults.facts(recording, int(segment)))
        assert list(_spool(tmp_path).iterdir()) == []
        assert list(vault.verify()) == []
        for row in vault.recordings():
            assert row.state == "erased" or row.id not in erased
            for known in vault.segments(row.id):
                assert ACME.opens(vaults.whole(vault, row.id, known.segment)) == _sound(row.id, known.segment)


def _sound(recording: str, segment: int) -> bytes:
    return vaults.wav(0.2, seed=int(recording[:6], 16) + segment)


def _do_something(vault: Vault, spool: Path, source: random.Random, ids: list[str], erased: set[str]) -> None:
    recording, segment = source.choice(ids), source.randrange(1, 3)
    known = {row.id: row for row in vault.recordings()}
    if recording not in known:
        vault.keep_number(recording, "acme", NUMBER, ACME.recipients)
        vault.note(vaults.decision(recording))
    elif source.random() < 0.15:
        erased.add(recording)
        vault.erase(recording, reason="test", actor="test")
    elif known[recording].state != "erased" and vault.stores.sealed(recording, segment) is None:
        path = vaults.spooled(spool, recording, segment, _sound(recording, segment))
        try:
            vault.seal(path, vaults.facts(recording, segment))
        except GdprcallError:
            assert known[recording].erasing


def test_a_disk_that_fills_up_while_sealing_leaves_the_sound_and_no_half(tmp_path: Path) -> None:
    # A file size limit stands for the full disk: the kernel itself refuses to write on.
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom tests import test_vault_crash as t, vaults\n"
        "from gdprcall.errors import VaultError\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "vault = vaults.opened(folder)\n"
        "t.grant(vault, t._spool(folder))\n"
        "source = vaults.spooled(t._spool(folder), t.RECORDING, 1, vaults.wav(60))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))\n"
        "try:\n    t.seal(vault, t._spool(folder))\n"
        "except VaultError as error:\n"
        "    assert error.hint and source.exists() and list(vault.objects.names()) == []\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "    t.seal(vault, t._spool(folder))\n"
        "    assert not source.exists() and list(vault.verify()) == []\n"
        "    vault.close()\n    sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 7
    assert os.listdir(tmp_path / "spool") == []
