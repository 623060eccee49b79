"""The plug is pulled between any two durable writes: the next start finishes or undoes, and nothing is lost or left."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gdprcall.errors import GdprcallError, VaultError
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Fact, Kind
from tests import vaults
from tests.vaults import ACME, NUMBER

Work = Callable[[Vault, Path], None]
SOUND = vaults.wav(seed=101)
RECORDING = vaults.recording_id()


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


def names_of_steps(folder: Path, prepare: Work, work: Work) -> list[str]:
    """Run ``work`` to its end and return the steps that it passed."""
    seen: list[str] = []
    with vaults.opened(folder, step=seen.append) as vault:
        prepare(vault, _spool(folder))
        seen.clear()
        work(vault, _spool(folder))
    return seen


def pull(folder: Path, prepare: Work, work: Work, at: int) -> None:
    """Run ``work`` until its step number ``at``, and stop it there."""
    left = -1

    def step(_name: str) -> None:
        nonlocal left
        if left == 0:
            raise PulledError
        left -= 1

    with vaults.opened(folder, step=step) as vault:
        prepare(vault, _spool(folder))
        left = at
        with pytest.raises(PulledError):
            work(vault, _spool(folder))


def kill(folder: Path, prepare: Work, work: Work, at: int) -> None:
    """The same with a process that dies at once: no file is closed, no log is moved."""
    script = (
        "import os\nfrom pathlib import Path\nfrom tests import test_vault_crash as t, vaults\n"
        f"folder, left = Path({str(folder)!r}), -1\n"
        "def step(name):\n"
        "    global left\n"
        "    if left == 0: os._exit(9)\n"
        "    left -= 1\n"
        "vault = vaults.opened(folder, step=step)\n"
        f"t.{prepare.__name__}(vault, t._spool(folder))\n"
        f"left = {at}\n"
        f"t.{work.__name__}(vault, t._spool(folder))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9


def _spool(folder: Path) -> Path:
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    return spool


def is_sealed_once(folder: Path) -> None:
    """Finish what intake would finish, and see that there is exactly one sealed copy and no plaintext."""
    with vaults.opened(folder) as vault:
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
    with vaults.opened(folder) as vault:
        vault.finish_erasures()
        row = vault.recording(RECORDING)
        assert (row.state, row.subject) == ("erased", None)
        assert list(vault.objects.names()) == []
        assert vault.keys.names(Slot.HEADER) == vault.keys.names(Slot.NUMBER) == []
        receipt = vault.erase(RECORDING, reason="again", actor="again")
        assert receipt.complete
        assert receipt.reason == "request"
        told = [str(entry.kind) for entry in vault.ledger.entries(recording=RECORDING)]
        assert (told.count("erasure_intended"), told.count("erased")) == (1, 1)
        assert list(vault.verify()) == []
        assert vault.finish_erasures() == []


def is_discarded_once(folder: Path) -> None:
    with vaults.opened(folder) as vault:
        source = _spool(folder) / f"{RECORDING}.1.wav"
        if source.exists():
            discard(vault, _spool(folder))
        assert not source.exists()
        assert [str(e.kind) for e in vault.ledger.entries(recording=RECORDING)] == ["decision", "discarded"]
        assert list(vault.verify()) == []


def is_quarantined_once(folder: Path) -> None:
    with vaults.opened(folder) as vault:
        source = _spool(folder) / f"{RECORDING}.1.wav"
        if source.exists():
            quarantine(vault, _spool(folder))
        assert not source.exists()
        assert vault.recording(RECORDING).state == "quarantined"
        assert ACME.opens(vaults.whole(vault, RECORDING)) == SOUND
        assert list(vault.verify()) == []


CASES: dict[str, tuple[Work, Work, Callable[[Path], None]]] = {
    "sealing": (grant, seal, is_sealed_once),
    "sealing what is sealed": (put_back, seal, is_sealed_once),
    "quarantine": (grant, quarantine, is_quarantined_once),
    "discarding": (grant, discard, is_discarded_once),
    "erasing": (grant_and_seal_two, erase, is_erased),
}


@pytest.mark.parametrize("case", CASES)
def test_ret_03_whatever_step_it_is_stopped_at_the_next_start_makes_it_whole(tmp_path: Path, case: str) -> None:
    prepare, work, whole = CASES[case]
    steps = names_of_steps(tmp_path / "model", prepare, work)
    assert steps
    for at in range(len(steps)):
        folder = tmp_path / str(at)
        folder.mkdir()
        pull(folder, prepare, work, at)
        whole(folder)


@pytest.mark.parametrize("case", ["sealing", "erasing"])
def test_ret_03_the_same_when_the_process_is_killed_outright(tmp_path: Path, case: str) -> None:
    prepare, work, whole = CASES[case]
    for at in range(len(names_of_steps(tmp_path / "model", prepare, work))):
        folder = tmp_path / str(at)
        folder.mkdir()
        kill(folder, prepare, work, at)
        whole(folder)


def test_the_steps_come_in_the_order_that_survives_a_crash(tmp_path: Path) -> None:
    assert names_of_steps(tmp_path / "seal", grant, seal) == ["header stored", "payload stored", "sealed", "indexed"]
    assert names_of_steps(tmp_path / "erase", grant_and_seal_two, erase) == [
        "erasure intended",
        "header overwritten",
        "payload removed",
        "payload removed",
        "index cleared",
        "callers forgotten",
        "erased",
    ]


def test_an_erasure_stopped_twice_is_finished_the_third_time(tmp_path: Path) -> None:
    pull(tmp_path, grant_and_seal_two, erase, 1)
    pull(tmp_path, lambda _vault, _spool: None, lambda vault, _spool: vault.finish_erasures() and None, 1)
    is_erased(tmp_path)


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
        assert [row.id for row in vault.due(vaults.EXPIRED)] == [RECORDING]
        assert vault.erase(RECORDING, reason="retention", actor="sweep").complete
        assert vault.keys.names(Slot.HEADER) == list(vault.objects.names()) == []
        assert list(vault.verify()) == []


@pytest.mark.parametrize("lost", ["ledger.db", "ledger.db and index.db"])
def test_ret_05_losing_the_ledger_destroys_no_recording(tmp_path: Path, lost: str) -> None:
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


def test_ret_05_an_older_ledger_and_index_destroy_no_recording(tmp_path: Path) -> None:
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


def test_sec_03_a_number_whose_call_was_never_granted_is_destroyed_at_the_next_start(tmp_path: Path) -> None:
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
