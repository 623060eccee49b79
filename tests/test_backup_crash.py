"""The plug is pulled between any two writes of a backup or a restore: the old state stands, or the new one."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gdprcall.handout import HandOut
from gdprcall.vault import backup, manifest, restore
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot
from gdprcall.vault.tombstones import Tombstones
from tests import vaults
from tests.deaths import Begin, Mortal
from tests.test_backup import BETA, ESCROW, A, B, Site
from tests.vaults import ACME, DAY_ONE, Clock

Work = Callable[[Path, Callable[[str], None]], None]
C = vaults.recording_id(3)
LATER = DAY_ONE + 8 * vaults.DAY_MS
"""When the keys of the first backup have expired."""


class PulledError(Exception):
    """The plug was pulled."""


def fill(folder: Path) -> None:
    """Two recordings and a backup of them; then one is erased and another sealed."""
    site = Site(folder)
    site.fill()
    with site.opened() as vault:
        site.back_up(vault)
        vault.erase(A, reason="request", actor="officer")
        vaults.sealed(vault, folder / "spool", 3)


def back_up(folder: Path, step: Callable[[str], None]) -> None:
    with Vault.open(folder / "vault", clock=Clock(LATER), step=step) as vault:
        backup.backup(vault, backup.Wanted(folder / "backups", ESCROW, 7))


def bring_back(folder: Path, step: Callable[[str], None]) -> None:
    wanted = restore.Wanted(folder / "backups", (folder / "drop",))
    restore.restore(wanted, folder / "new", clock=Clock(), step=step)


def erase(folder: Path, step: Callable[[str], None]) -> None:
    tombstones = Tombstones(HandOut(folder / "drop", ()).deliver, folder / "vault" / "tombstones")
    with Vault.open(folder / "vault", clock=Clock(LATER), step=step, tombstones=tombstones) as vault:
        vault.erase(B, reason="request", actor="officer")


def put_keys_back(folder: Path, step: Callable[[str], None]) -> None:
    with Vault.open(folder / "new", clock=Clock(), step=step) as vault:
        Site(folder).restore_keys(vault, ACME, BETA)


WORKS: tuple[Work, ...] = (back_up, bring_back, erase, put_keys_back)


def names_of_steps(folder: Path, work: Work) -> list[str]:
    seen: list[str] = []
    work(folder, seen.append)
    return seen


def pull(folder: Path, work: Work, at: int) -> None:
    """Run ``work`` until its step number ``at``, and stop it there."""

    def step(_name: str) -> None:
        nonlocal at
        at -= 1
        if at < 0:
            raise PulledError

    with pytest.raises(PulledError):
        work(folder, step)


def doomed(folder: Path, work: Work, begin: Begin) -> None:
    """What a process does that is killed on its way."""
    begin()
    work(folder, lambda _name: None)


def brings_back(folder: Path) -> set[str]:
    """Restore with the tombstones there are, see that all of it is whole, and return the recordings that came."""
    bring_back(folder, lambda _name: None)
    site = Site(folder)
    with site.opened("new") as vault:
        site.restore_keys(vault, ACME, BETA)
        assert list(vault.verify()) == []
        came = {row.id: row.state for row in vault.recordings()}
        for id_, number, who in ((A, 1, ACME), (B, 2, BETA), (C, 3, ACME)):
            if came.get(id_) == "sealed":
                assert who.opens(vaults.whole(vault, id_)) == vaults.wav(seed=number * 100 + 1)
        assert came.pop(A) == "erased"
    shutil.rmtree(folder / "new")
    return set(came)


Cut = Callable[[Path, Work], list[Path]]
"""Gives the folders of sites that were each cut off at another place of a work."""


@pytest.fixture(params=["step", "write"])
def cut(request: pytest.FixtureRequest, mortal: Mortal) -> Cut:
    """Return what stops a work at each of its steps, and what kills its process before each of its writes."""
    return at_each_step if request.param == "step" else lambda folder, work: before_each_write(folder, work, mortal)


def at_each_step(folder: Path, work: Work) -> list[Path]:
    """Return the folders of sites that were stopped at each step of ``work``, the model of all of them apart."""
    model(folder, work)
    steps = names_of_steps(copy(folder / "model", folder / "whole"), work)
    assert len(steps) > 1
    sites = [copy(folder / "model", folder / f"at{at:03}") for at in range(len(steps))]
    for at, site in enumerate(sites):
        pull(site, work, at)
    return sites


def before_each_write(folder: Path, work: Work, mortal: Mortal) -> list[Path]:
    """Return the same of sites where the process was killed before each of its writes, and after the last."""
    model(folder, work)
    writes = mortal.writes(doomed, copy(folder / "model", folder / "whole"), work)
    sites = [copy(folder / "model", folder / f"at{at:03}") for at in range(writes)]
    for at, site in enumerate(sites):
        mortal.dies(doomed, site, work, at=at)
    return [*sites, folder / "whole"]


def model(folder: Path, work: Work) -> None:
    fill(folder / "model")
    if work is put_keys_back:
        bring_back(folder / "model", lambda _name: None)


def copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def test_ret_05_a_backup_that_is_cut_off_anywhere_leaves_the_former_one_or_the_new_one(
    tmp_path: Path, cut: Cut
) -> None:
    came = []
    for site in cut(tmp_path, back_up):
        new = manifest.read(site / "backups").made_at == LATER
        if not new:
            came.append(brings_back(site))
            assert came[-1] == {B}
        back_up(site, lambda _name: None)
        assert brings_back(site) == {B, C}
        left = [path.name for path in (site / "backups").rglob("*") if "partial" in path.name]
        assert left == []
        assert len(list((site / "backups").glob("2026*"))) == 1
        assert not (site / "backups" / "objects" / A[:2] / f"{A}.1").exists()
        keys = [manifest.KeysFile.of(path.name) for path in (site / "backups" / "keys").iterdir()]
        assert all(file is not None and file.expires_at > LATER for file in keys)
    assert came


def test_ret_05_a_restore_that_is_cut_off_anywhere_leaves_an_empty_folder_or_a_whole_vault(
    tmp_path: Path, cut: Cut
) -> None:
    empty = whole = 0
    for site in cut(tmp_path, bring_back):
        with Site(site).opened("new") as vault:
            came = {row.id: row.state for row in vault.recordings()}
            if came:
                Site(site).restore_keys(vault)
            assert list(vault.verify()) == []
        assert came in ({}, {A: "erased", B: "sealed"})
        assert not [path for path in (site / "new").iterdir() if path.name.startswith(".")]
        empty, whole = empty + (not came), whole + bool(came)
        if not came:
            shutil.rmtree(site / "new")
            assert brings_back(site) == {B}
    assert empty
    assert whole


def test_ret_05_an_erasure_that_is_cut_off_has_its_tombstone_out_before_anything_is_destroyed(tmp_path: Path) -> None:
    for site in at_each_step(tmp_path, erase)[1:]:
        assert (site / "drop" / f"{B}.tombstone").exists()


def test_ret_05_keys_whose_return_is_cut_off_anywhere_are_put_back_by_doing_it_again(tmp_path: Path, cut: Cut) -> None:
    for site in cut(tmp_path, put_keys_back):
        put_keys_back(site, lambda _name: None)
        with Site(site).opened("new") as vault:
            assert list(vault.verify()) == []
            assert {row.id: row.state for row in vault.recordings()} == {A: "erased", B: "sealed"}
            assert BETA.opens(vaults.whole(vault, B)) == vaults.wav(seed=201)
            assert vault.keys.names(Slot.HEADER) == [(B, 1)]


@pytest.mark.parametrize("seed", range(6))
def test_ret_05_any_order_of_work_with_backups_cut_off_at_random_never_brings_back_what_was_erased(
    tmp_path: Path, seed: int
) -> None:
    source, site, erased, clock = random.Random(seed), Site(tmp_path), set[str](), Clock()

    def step(_name: str) -> None:
        if source.random() < 0.1:
            raise PulledError

    for number in range(1, 13):
        with site.opened() as vault:
            known = vaults.sealed(vault, tmp_path / "spool", number)
            if source.random() < 0.5:
                victim = source.choice([row.id for row in vault.recordings() if row.state == "sealed"] or [known])
                vault.erase(victim, reason="test", actor="test")
                erased.add(victim)
        clock.now += 1000
        try:
            with Vault.open(tmp_path / "vault", clock=clock, step=step) as vault:
                backup.backup(vault, backup.Wanted(tmp_path / "backups", ESCROW, 7))
        except PulledError:
            pass
    if not (tmp_path / "backups" / manifest.NAME).exists():
        back_up(tmp_path, lambda _name: None)
    bring_back(tmp_path, lambda _name: None)
    with site.opened("new") as vault:
        site.restore_keys(vault, ACME)
        assert list(vault.verify()) == []
        rows = vault.recordings()
        assert rows
        assert {row.id for row in rows if row.state != "erased"} & erased == set()
        for row in rows:
            assert row.state == "erased" or ACME.opens(vaults.whole(vault, row.id))
