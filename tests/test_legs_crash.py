"""The plug is pulled between any two durable writes of sealing a segment of two files: nothing is lost, twice, or left."""

import shutil
from pathlib import Path

import pytest

from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Kind
from gdprcall.vault.sound import Legs
from tests import test_vault_crash as crash
from tests import vaults
from tests.deaths import Mortal
from tests.test_legs import stereo
from tests.test_vault_crash import RECORDING, Whole, Work
from tests.vaults import ACME, wav

CALLER, OTHERS = wav(1.0, 31), wav(0.75, 32)
"""The others' file is the shorter one, as a killed Asterisk may leave it."""


def legs(spool: Path) -> Legs:
    return Legs(spool / f"{RECORDING}.1.r.wav", spool / f"{RECORDING}.1.t.wav")


def put(spool: Path, caller: bytes = CALLER) -> None:
    legs(spool).caller.write_bytes(caller)
    legs(spool).others.write_bytes(OTHERS)


def grant(vault: Vault, spool: Path) -> None:
    vault.keep_number(RECORDING, "acme", vaults.NUMBER, ACME.recipients)
    vault.note(vaults.decision(RECORDING))
    put(spool)


def grant_without_sense(vault: Vault, spool: Path) -> None:
    grant(vault, spool)
    put(spool, b"no sound at all" * 10)


def seal(vault: Vault, spool: Path) -> None:
    vault.seal(legs(spool), vaults.facts(RECORDING))


def quarantine(vault: Vault, spool: Path) -> None:
    vault.quarantine(legs(spool), vaults.facts(RECORDING), "no_wav")


def discard(vault: Vault, spool: Path) -> None:
    vault.discard(legs(spool), RECORDING, 1, "acme", "withdrawn")


def put_back(vault: Vault, spool: Path) -> None:
    grant(vault, spool)
    seal(vault, spool)
    put(spool)


def is_once(folder: Path, work: Work, kind: Kind, plaintext: bytes) -> None:
    """Finish what intake would finish, and see that there is exactly one sealed copy and no plaintext."""
    spool = folder / "spool"
    with crash.opened(folder) as vault:
        vault.finish_erasures()
        if list(spool.iterdir()):
            work(vault, spool)
        assert list(spool.iterdir()) == []
        assert ACME.opens(vaults.whole(vault, RECORDING)) == plaintext
        assert list(vault.objects.names()) == vault.keys.names(Slot.HEADER) == [(RECORDING, 1)]
        assert [entry.kind for entry in vault.ledger.entries(recording=RECORDING)].count(kind) == 1
        assert list(vault.verify()) == []


def is_sealed_once(folder: Path) -> None:
    is_once(folder, seal, Kind.SEALED, stereo(CALLER[44:], OTHERS[44:]))


def is_quarantined_once(folder: Path) -> None:
    is_once(folder, quarantine, Kind.QUARANTINED, b"no sound at all" * 10 + OTHERS)


def is_discarded_once(folder: Path) -> None:
    spool = folder / "spool"
    with crash.opened(folder) as vault:
        if list(spool.iterdir()):
            discard(vault, spool)
        assert list(spool.iterdir()) == []
        assert [str(e.kind) for e in vault.ledger.entries(recording=RECORDING)] == ["decision", "discarded"]
        assert list(vault.verify()) == []


CASES: dict[str, tuple[Work, Work, Whole]] = {
    "sealing": (grant, seal, is_sealed_once),
    "sealing what is sealed": (put_back, seal, is_sealed_once),
    "quarantine": (grant_without_sense, quarantine, is_quarantined_once),
    "discarding": (grant, discard, is_discarded_once),
}


@pytest.mark.parametrize("case", CASES)
def test_ret_03_whatever_step_of_two_files_it_is_stopped_at_the_next_start_makes_it_whole(
    tmp_path: Path, case: str
) -> None:
    prepare, work, whole = CASES[case]
    steps = crash.names_of_steps(tmp_path / "model", prepare, work)
    assert steps[-1] == "a leg removed"
    for at in range(len(steps)):
        folder = tmp_path / str(at)
        crash.pull(folder, prepare, work, at)
        whole(folder)


@pytest.mark.parametrize("case", CASES)
def test_ret_03_the_same_when_the_process_is_killed_outright_before_any_write_of_two_files(
    tmp_path: Path, mortal: Mortal, case: str
) -> None:
    prepare, work, whole = CASES[case]
    crash.prepared(tmp_path / "model", prepare)
    writes = mortal.writes(crash.doomed, crash.copied(tmp_path, "end"), work)
    assert writes > 3
    whole(tmp_path / "end")
    for at in range(writes):
        folder = crash.copied(tmp_path, str(at))
        mortal.dies(crash.doomed, folder, work, at=at)
        whole(folder)
        shutil.rmtree(folder)
