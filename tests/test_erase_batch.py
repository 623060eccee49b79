"""Many recordings destroyed together: each with its receipt, none kept back by another, whole after any crash."""

import re
from pathlib import Path

import pytest

from gdprcall.errors import GdprcallError, NotFound, VaultError
from gdprcall.vault.keys import Keys, Slot
from gdprcall.vault.rows import Receipt
from tests import vaults
from tests.vaults import ACME, recording_id

NUMBER = "+46701234567"
MANY = 40


class PulledError(Exception):
    """The plug was pulled."""


def everywhere(folder: Path, needles: set[bytes]) -> set[bytes]:
    """Return which needles lie in any file under a folder, whatever it is."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {needle for needle in needles if any(needle in content for content in contents)}


def filled(folder: Path, count: int = MANY) -> None:
    with vaults.opened(folder) as vault:
        for number in range(1, count + 1):
            vault.keep_number(recording_id(number), "acme", NUMBER, ACME.recipients)
            vaults.sealed(vault, folder / "spool", number)


def secrets(keys: Keys, recording: str) -> set[bytes]:
    """Return what must be nowhere after an erasure: the wrapped keys, and the sealed number itself."""
    header, number = keys.get(recording, 1, Slot.HEADER), keys.get(recording, 0, Slot.NUMBER)
    assert header
    assert number
    wrapped = re.findall(rb"(?m)^[A-Za-z0-9+/]{43}$", header + b"\n" + number)
    assert len(wrapped) >= 2
    return {*wrapped, number[-32:]}


def test_rgt_08_of_what_was_erased_no_key_and_no_number_is_in_any_file_and_of_the_rest_all_are(
    tmp_path: Path,
) -> None:
    filled(tmp_path)
    ids = [recording_id(number) for number in range(1, MANY + 1)]
    gone, kept = ids[::2], ids[1::2]
    with vaults.opened(tmp_path) as vault:
        old = {id_: secrets(vault.keys, id_) for id_ in ids}
    for id_ in ids:
        assert everywhere(tmp_path / "vault", old[id_]) == old[id_]
    with vaults.opened(tmp_path) as vault:
        outcomes = vault.erase_all(gone, reason="request", actor="test")
    assert list(outcomes) == gone
    assert all(isinstance(one, Receipt) and one.complete for one in outcomes.values())
    for id_ in gone:
        assert everywhere(tmp_path / "vault", old[id_]) == set()
    for id_ in kept:
        assert everywhere(tmp_path / "vault", old[id_]) == old[id_]
    with vaults.opened(tmp_path) as vault:
        assert list(vault.verify()) == []
        assert {row.subject for row in vault.recordings() if row.id in gone} == {None}
        assert all(ACME.opens(vaults.whole(vault, id_)) for id_ in kept)


def test_one_that_cannot_be_erased_is_named_and_keeps_no_other_back(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    first, second, third = (recording_id(number) for number in (1, 2, 3))
    unknown = recording_id(9)
    with vaults.opened(tmp_path) as vault:
        stuck = vault.objects.path(second, 1)
        stuck.unlink()
        stuck.mkdir()  # what cannot be unlinked
        outcomes = vault.erase_all([first, second, third, unknown], reason="request", actor="test")
        assert isinstance(outcomes[unknown], NotFound)
        failed = outcomes[second]
        assert isinstance(failed, VaultError)
        assert "payload" in failed.message
        assert [vault.recording(id_).state for id_ in (first, third)] == ["erased", "erased"]
        assert vault.recording(second).erasing
        assert vault.keys.get(second, 1, Slot.HEADER) is None
        stuck.rmdir()
        (receipt,) = vault.finish_erasures()
        assert (receipt.recording, receipt.complete, receipt.reason) == (second, True, "request")
        assert list(vault.verify()) == []


def test_a_reader_that_keeps_the_keys_open_fails_all_and_a_repeat_erases_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, 3)
    ids = [recording_id(number) for number in (1, 2, 3)]
    with vaults.opened(tmp_path) as vault:
        truncate = vault.keys._store.truncate_log
        monkeypatch.setattr(vault.keys._store, "truncate_log", lambda: False)
        outcomes = vault.erase_all(ids, reason="request", actor="test")
        assert all(isinstance(one, GdprcallError) and "held open" in one.message for one in outcomes.values())
        monkeypatch.setattr(vault.keys._store, "truncate_log", truncate)
        outcomes = vault.erase_all(ids, reason="request", actor="test")
        assert all(isinstance(one, Receipt) and one.complete for one in outcomes.values())


@pytest.mark.parametrize("at", range(10))
def test_ret_03_a_batch_stopped_at_any_step_is_finished_at_the_next_start(tmp_path: Path, at: int) -> None:
    filled(tmp_path, 3)
    ids = [recording_id(number) for number in (1, 2, 3)]
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == at:
            raise PulledError

    with vaults.opened(tmp_path, step=step) as vault:
        try:
            vault.erase_all(ids, reason="request", actor="test")
        except PulledError:
            assert len(steps) == at
        else:
            assert steps == [
                "erasure intended",
                "header overwritten",
                *["payload removed"] * 3,
                "index cleared",
                "callers forgotten",
                "erased",
            ]
    with vaults.opened(tmp_path) as vault:
        vault.finish_erasures()
        assert {row.state for row in vault.recordings()} == {"erased"}
        receipts = vault.erase_all(ids, reason="again", actor="again").values()
        assert {one.reason for one in receipts if isinstance(one, Receipt) and one.complete} == {"request"}
        assert list(vault.objects.names()) == []
        assert vault.keys.names(Slot.HEADER) == vault.keys.names(Slot.NUMBER) == []
        assert list(vault.verify()) == []
