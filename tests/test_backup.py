"""A backup brings back what was there and nothing that was erased, and says until when copies of keys exist."""

import base64
import os
import re
import sqlite3
import subprocess
from io import BytesIO
from pathlib import Path

import pytest

from gdprcall import age
from gdprcall.errors import CheckFailed, GdprcallError, NotFound, Refused, VaultError
from gdprcall.handout import HandOut
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault import backup, keyfile, manifest, restore
from gdprcall.vault.archive import Vault
from gdprcall.vault.keys import Slot
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.lock import InUse, exclusive
from gdprcall.vault.placing import Placed
from gdprcall.vault.tombstones import Tombstones
from tests import vaults
from tests.vaults import ACME, DAY_ONE, NUMBER, Clock, Controller

BETA = Controller("beta", seed=2)
A, B = vaults.recording_id(1), vaults.recording_id(2)
ESCROW = {"acme": backup.escrow(ACME.recipients), "beta": backup.escrow(BETA.recipients)}
TOOL = Path(__file__).parent.parent / ".pbx" / "bin" / "age"


class Site:
    """A vault with two controllers' recordings, a folder for backups, and one that tombstones are dropped into."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.backups, self.drop = folder / "backups", folder / "drop"
        self.drop.mkdir(parents=True, exist_ok=True)

    def opened(self, name: str = "vault", drop: Path | None = None) -> Vault:
        tombstones = Tombstones(HandOut(drop or self.drop, ()).deliver, self.folder / name / "tombstones")
        return Vault.open(self.folder / name, clock=self.clock, tombstones=tombstones)

    def fill(self) -> None:
        with self.opened() as vault:
            vaults.sealed(vault, self.folder / "spool", 1, segments=2)
            vaults.sealed(vault, self.folder / "spool", 2, controller=BETA)

    def back_up(self, vault: Vault, key_days: int = 7) -> backup.Made:
        return backup.backup(vault, backup.Wanted(self.backups, ESCROW, key_days))

    def restore(self, *, checkpoints: tuple[Path, ...] = (), accept_loss: bool = False) -> restore.Restored:
        wanted = restore.Wanted(self.backups, (self.drop,), checkpoints, accept_loss)
        return restore.restore(wanted, self.folder / "new", clock=self.clock)

    def opened_keys(self, controller: Controller, which: int = 1) -> BytesIO:
        """Return the newest file of keys of a controller as its officer opens it."""
        path = max((self.backups / "keys").glob(f"{controller.name}.*.age"))
        return BytesIO(controller.opens(path.read_bytes(), which))

    def restore_keys(self, vault: Vault, *controllers: Controller) -> list[dict[str, object]]:
        return [restore.restore_keys(vault, self.opened_keys(one)) for one in controllers or (ACME, BETA)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.fill()
    return site


def wrapped_keys(header: bytes) -> list[bytes]:
    """Return what must be nowhere any more of an erased header: its wrapped keys and its MAC."""
    return [line for line in header.split(b"\n") if len(line) == 43 and b" " not in line] + [header.rstrip()[-43:]]


def files_that_hold(folder: Path, needles: list[bytes]) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def test_ret_05_what_was_backed_up_comes_back_whole_once_the_officers_open_its_keys(site: Site) -> None:
    with site.opened() as vault:
        made = site.back_up(vault)
        root, size = made.manifest.root, made.manifest.entries
    assert made.placed == {Placed.LINKED: 3}
    assert made.slots == {"acme": 3, "beta": 2}
    restored = site.restore()
    assert (restored.payloads, restored.missing, restored.damaged, restored.entries) == (3, (), (), size)
    with site.opened("new") as vault:
        with pytest.raises(CheckFailed, match="header is missing"):
            vault.export(A, 1, actor="test", purpose="test")
        done = site.restore_keys(vault)
        assert [(one["restored"], one["passed_over"]) for one in done] == [(3, 0), (2, 0)]
        assert ACME.opens(vaults.whole(vault, A, 2)) == vaults.wav(seed=102)
        assert BETA.opens(vaults.whole(vault, B)) == vaults.wav(seed=201)
        assert ACME.opens(vault.sealed_number(A) or b"") == NUMBER.encode()
        assert list(vault.verify()) == []
        kinds = [entry.kind for entry in vault.ledger.entries(after=size)]
        assert kinds[:1] + kinds[-4:-2] == [Kind.RESTORED, Kind.KEYS_RESTORED, Kind.KEYS_RESTORED]
    assert restore.tree_of(site.folder / "new" / "ledger.db", size).root().hex() == root


@pytest.mark.pbx
def test_ret_05_a_backup_of_yesterday_does_not_bring_back_what_was_erased_today(site: Site) -> None:
    identity = site.folder / "identity"
    identity.write_text("".join(one.encode() + "\n" for one in ACME.identities))
    with site.opened() as vault:
        site.back_up(vault)
        kept = (site.backups / "objects" / A[:2] / f"{A}.1").read_bytes()
        assert ACME.opens(vaults.whole(vault, A)) == vaults.wav(seed=101)
        needles = wrapped_keys(vault.keys.get(A, 1, Slot.HEADER) or b"")
        assert files_that_hold(site.folder / "vault", needles)
        site.clock.now += DAY_MS
        receipt = vault.erase(A, reason="request", actor="officer")
    assert {step.step: step.seen for step in receipt.steps}["backups"].endswith(
        f"until {rfc3339(DAY_ONE + 7 * DAY_MS)}"
    )
    assert receipt.complete
    assert site.restore().erased == 1
    with site.opened("new") as vault:
        assert vault.recording(A).state == "erased"
        assert site.restore_keys(vault)[0] == {"controller": "acme", "restored": 0, "passed_over": 3}
        assert vault.keys.names(Slot.HEADER) == [(B, 1)]
        assert vault.sealed_number(A) is None
        assert list(vault.verify()) == []
        slots = [held.data for held in vault.keys.held()]
    assert files_that_hold(site.folder / "new", needles) == []
    assert not (site.folder / "new" / "objects" / A[:2] / f"{A}.1").exists()
    for slot in slots:
        (site.folder / "try.age").write_bytes(slot + kept)
        done = subprocess.run([TOOL, "-d", "-i", identity, site.folder / "try.age"], capture_output=True, check=False)
        assert done.returncode != 0


def test_ret_05_what_is_held_although_it_was_withdrawn_comes_back_with_its_keys(site: Site) -> None:
    with site.opened() as vault:
        vault.note(Fact(Kind.HELD, A, "acme", {"matter": "C-17", "review_at": site.clock.now + DAY_MS}))
        vault.note(Fact(Kind.WITHDRAWN, A, "acme", {"method": "key", "reason": "withdrawn"}))
        site.back_up(vault)
    site.restore()
    with site.opened("new") as vault:
        assert site.restore_keys(vault)[0] == {"controller": "acme", "restored": 3, "passed_over": 0}
        export = vault.export(A, 1, actor="officer", purpose="claims")
        assert ACME.opens(export.header + export.payload.read_bytes()) == vaults.wav(seed=101)


@pytest.mark.parametrize("kind", [Kind.HELD, Kind.RESTRICTED])
def test_ret_05_a_tombstone_is_carried_out_on_what_was_still_kept_when_the_backup_was_made(
    site: Site, kind: Kind
) -> None:
    name = {"matter": "C-17", "ground": "c", "review_at": site.clock.now + DAY_MS}
    lifted = Kind.HOLD_LIFTED if kind is Kind.HELD else Kind.RESTRICTION_LIFTED
    with site.opened() as vault:
        vault.note(Fact(kind, A, "acme", name))
        site.back_up(vault)
        vault.note(Fact(lifted, A, "acme", name))
        vault.erase(A, reason="request", actor="officer")
    assert site.restore().erased == 1
    with site.opened("new") as vault:
        assert vault.recording(A).state == "erased"


def test_what_is_there_already_is_not_copied_again_and_what_was_erased_leaves_the_backup(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
        vaults.sealed(vault, site.folder / "spool", 3)
        vault.erase(A, reason="request", actor="officer")
        made = site.back_up(vault)
        assert made.placed == {Placed.PRESENT: 1, Placed.LINKED: 1}
        assert made.erased == 2
    assert not list((site.backups / "objects").rglob(f"{A}*"))
    assert len([path for path in site.backups.iterdir() if manifest.is_stamp(path.name)]) == 1


def test_where_no_link_can_be_made_the_bytes_are_copied(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_source: object, _target: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with site.opened() as vault:
        assert site.back_up(vault).placed == {Placed.COPIED: 3}
        copy = site.backups / "objects" / A[:2] / f"{A}.1"
        assert copy.read_bytes() == vault.objects.path(A, 1).read_bytes()
        assert copy.stat().st_mode & 0o077 == 0


def test_a_payload_that_was_lost_from_the_vault_stays_in_the_backup(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
        vault.objects.remove(A, 1)
        assert site.back_up(vault).erased == 0
    assert site.restore().missing == ()


def test_a_payload_in_the_backup_of_another_size_is_replaced(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
        copy = site.backups / "objects" / A[:2] / f"{A}.1"
        copy.unlink()
        copy.write_bytes(b"cut")
        assert site.back_up(vault).placed == {Placed.PRESENT: 2, Placed.LINKED: 1}


def test_sec_01_nothing_in_a_backup_is_for_others_and_no_key_lies_in_it_unsealed(site: Site) -> None:
    with site.opened() as vault:
        needles = [held.data[-32:] for held in vault.keys.held()]
        assert files_that_hold(site.folder / "vault", needles)
        site.back_up(vault)
    for path in site.backups.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert files_that_hold(site.backups, needles) == []
    assert files_that_hold(site.backups, [base64.b64encode(needle)[:40] for needle in needles]) == []


def test_each_controllers_keys_are_sealed_to_its_own_escrow_recipient_alone(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    (path,) = (site.backups / "keys").glob("acme.*")
    for identity in (ACME.identities[0], BETA.identities[0], BETA.identities[1]):
        with pytest.raises(age.NoMatch):
            age.decrypt(BytesIO(path.read_bytes()), [identity], BytesIO())
    head, slots = keyfile.read(site.opened_keys(ACME))
    assert (head.controller, head.expires_at) == ("acme", DAY_ONE + 7 * DAY_MS)
    assert {held.recording for held in slots} == {A}
    assert backup.escrow(("one",)) == ("one",)


def test_ret_05_expired_keys_are_removed_by_the_next_backup_which_says_so(site: Site) -> None:
    with site.opened() as vault:
        first = site.back_up(vault, key_days=1)
        site.clock.now += DAY_MS // 2
        second = site.back_up(vault, key_days=1)
        assert {file.stamp for file in second.manifest.keys} == {first.manifest.stamp, second.manifest.stamp}
        site.clock.now += DAY_MS // 2
        third = site.back_up(vault, key_days=1)
    assert sorted(third.expired) == sorted(file.name for file in first.manifest.keys)
    left = {path.name for path in (site.backups / "keys").iterdir()}
    assert left == {file.name for file in (*second.manifest.keys[:2], *third.manifest.keys[:2])}
    assert manifest.read(site.backups) == third.manifest


def test_the_receipt_tells_until_when_keys_of_its_own_controller_may_exist(site: Site) -> None:
    seen = []
    with site.opened() as vault:
        vaults.sealed(vault, site.folder / "spool", 3)
        seen.append(vault.erase(vaults.recording_id(3), reason="x", actor="y").steps[-1].seen)
        backup.backup(vault, backup.Wanted(site.backups, {"beta": ESCROW["beta"]}, 2))
        seen.append(vault.erase(A, reason="x", actor="y").steps[-1].seen)
        seen.append(vault.erase(B, reason="x", actor="y").steps[-1].seen)
        vaults.sealed(vault, site.folder / "spool", 4, controller=BETA)
        site.clock.now += 3 * DAY_MS
        seen.append(vault.erase(vaults.recording_id(4), reason="x", actor="y").steps[-1].seen)
    ends = rfc3339(DAY_ONE + 2 * DAY_MS)
    never = "no backup of keys was ever made"
    assert seen == [
        *(never, never, f"backups of keys made before this may exist until {ends}"),
        f"backups of keys have expired since {ends}",
    ]


def test_keys_of_a_controller_that_is_not_configured_are_left_out_and_said(site: Site) -> None:
    with site.opened() as vault:
        made = backup.backup(vault, backup.Wanted(site.backups, {"acme": ESCROW["acme"]}, 7))
    assert made.left_out == {"beta"}
    assert made.as_json()["keys_left_out"] == ["beta"]


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(site: Site) -> None:
    with site.opened() as vault:
        size = vault.ledger.size()
        made = backup.plan(vault, backup.Wanted(site.backups, ESCROW, 7))
        assert made.placed == {Placed.COPIED: 3}
        assert vault.ledger.size() == size
    assert not site.backups.exists()


@pytest.mark.parametrize("place", ["vault/backups", ".", "others", "file", "open"])
def test_a_folder_that_is_no_place_for_a_backup_is_refused(site: Site, place: str) -> None:
    (site.folder / "others").mkdir(mode=0o700)
    (site.folder / "others" / "theirs").touch()
    (site.folder / "file").touch()
    (site.folder / "open").mkdir()
    (site.folder / "open").chmod(0o755)
    with site.opened() as vault, pytest.raises(Refused):
        backup.backup(vault, backup.Wanted(site.folder / place, ESCROW, 7))
    assert [path.name for path in (site.folder / "others").iterdir()] == ["theirs"]


def test_two_backups_at_once_do_not_meet_in_one_folder(site: Site) -> None:
    held = exclusive(site.backups)
    with site.opened() as vault, pytest.raises(InUse):
        site.back_up(vault)
    os.close(held)


def test_a_disk_that_is_full_at_any_write_leaves_the_former_backup(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = os.fsync, 0

    def sometimes_full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with site.opened() as vault:
        known = site.back_up(vault).manifest
        failed = 0
        monkeypatch.setattr(os, "fsync", sometimes_full)
        while manifest.read(site.backups) == known:
            left = failed
            with pytest.raises(VaultError):
                site.back_up(vault)
            failed += 1
        left = 1000
        site.back_up(vault)
    assert failed > 8
    assert site.restore().missing == ()


def test_the_index_that_is_copied_is_never_ahead_of_the_ledger_that_is(site: Site) -> None:
    with site.opened() as vault:
        stores = vault.stores
        object.__setattr__(stores, "step", lambda _name: vault.note(Fact(Kind.DAEMON_STARTED, None, None, {})))
        made = site.back_up(vault)
        assert vault.ledger.size() > made.manifest.entries
    db = sqlite3.connect(site.backups / made.manifest.stamp / "index.db")
    ((applied,),) = db.execute("SELECT seq FROM applied").fetchall()
    db.close()
    assert applied <= made.manifest.entries


def test_an_erasure_does_not_wait_for_a_copy_that_is_being_made(site: Site) -> None:
    with site.opened() as vault:
        reader = sqlite3.connect(f"{(site.folder / 'vault' / 'index.db').as_uri()}?mode=ro", uri=True)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM recording").fetchall()
        interrupted = []

        class Reader:
            def interrupt(self) -> None:
                interrupted.append(True)
                reader.rollback()

        vault.index._store._reader = Reader()  # type: ignore[assignment]
        assert vault.erase(A, reason="request", actor="officer").complete
        reader.close()
    assert interrupted


def test_a_copy_that_was_interrupted_begins_anew_and_then_has_the_file_for_itself(site: Site) -> None:
    with site.opened() as vault:
        store, tries = vault.index._store, 0
        whole = store._copied

        def interrupted(target: Path) -> bool:
            nonlocal tries
            tries += 1
            return tries > 3 and whole(target)

        store._copied = interrupted  # type: ignore[method-assign]
        vault.index.snapshot(site.folder / "copy.db")
        assert tries == 3
    db = sqlite3.connect(site.folder / "copy.db")
    assert db.execute("SELECT count(*) FROM recording").fetchone() == (2,)
    db.close()


def shown(folder: Path, size: int, root: bytes) -> Path:
    path = folder / f"checkpoint-{size}"
    path.write_text(f"pbx.example/gdprcall\n{size}\n{base64.b64encode(root).decode()}\n\n— pbx.example/gdprcall AAAA\n")
    return path


def test_ret_05_a_ledger_that_is_older_than_a_checkpoint_is_refused_unless_the_loss_is_accepted(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
        vault.erase(A, reason="request", actor="officer")
        newest = shown(site.folder, vault.ledger.size(), vault.ledger.root())
        size = vault.ledger.size()
    with pytest.raises(Refused, match="older than the checkpoint"):
        site.restore(checkpoints=(newest,))
    assert not (site.folder / "new" / "ledger.db").exists()
    restored = site.restore(checkpoints=(newest,), accept_loss=True)
    assert restored.lost_entries == size - restored.entries
    with site.opened("new") as vault:
        told = [entry.body for entry in vault.ledger.entries() if entry.kind is Kind.RESTORED]
        assert told[0] is not None
        assert told[0]["lost_entries"] == restored.lost_entries


def test_ret_05_a_checkpoint_of_another_ledger_is_noticed_and_one_of_this_passes(site: Site) -> None:
    with site.opened() as vault:
        root, size = vault.ledger.root(), vault.ledger.size()
        site.back_up(vault)
    with pytest.raises(CheckFailed, match="not of the ledger"):
        site.restore(checkpoints=(shown(site.folder, size, bytes(32)),))
    assert site.restore(checkpoints=(shown(site.folder, size, root),)).lost_entries == 0


@pytest.mark.parametrize(
    "text", [b"", b"a\nb\nc\n", b"o\n1\nAAAA\n", b"\xff\xff\n1\n", b"o\n-1\n" + b"A" * 43 + b"=\n"]
)
def test_what_is_no_checkpoint_is_refused(site: Site, text: bytes) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    (site.folder / "bad").write_bytes(text)
    with pytest.raises(CheckFailed, match="no checkpoint"):
        site.restore(checkpoints=(site.folder / "bad",))


@pytest.mark.parametrize("longer", [False, True])
def test_ret_05_a_vault_that_is_there_is_never_replaced(site: Site, longer: bool) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    with site.opened("new") as vault:
        for _ in range(40 if longer else 1):
            vault.note(Fact(Kind.DAEMON_STARTED, None, None, {}))
    with pytest.raises(Refused, match="longer" if longer else "holds a vault"):
        site.restore()
    with site.opened("new") as vault:
        assert vault.ledger.size() == (40 if longer else 1)


@pytest.mark.parametrize("what", ["index.db", "ledger.db", "backup.json"])
def test_ret_05_a_backup_that_is_not_as_it_was_made_is_not_restored(site: Site, what: str) -> None:
    with site.opened() as vault:
        made = site.back_up(vault).manifest
    path = site.backups / made.stamp / what if what != "backup.json" else site.backups / what
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises((CheckFailed, NotFound, VaultError)):
        site.restore()
    assert not (site.folder / "new" / "ledger.db").exists()


def test_payloads_that_are_missing_or_damaged_in_the_backup_are_named(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    (site.backups / "objects" / A[:2] / f"{A}.1").unlink()
    other = site.backups / "objects" / A[:2] / f"{A}.2"
    data = other.read_bytes()
    other.unlink()
    other.write_bytes(bytes(len(data)))
    restored = site.restore()
    assert (restored.missing, restored.damaged, restored.payloads) == ((f"{A}.1",), (f"{A}.2",), 2)


def test_ret_05_expired_keys_are_not_put_back(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    site.restore()
    site.clock.now += 7 * DAY_MS
    with site.opened("new") as vault:
        with pytest.raises(Refused, match="has expired"):
            site.restore_keys(vault)
        assert vault.keys.names(Slot.HEADER) == []


def test_keys_are_put_back_once_and_never_over_others(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
        header = vault.keys.get(A, 1, Slot.HEADER)
        assert site.restore_keys(vault)[0] == {"controller": "acme", "restored": 0, "passed_over": 3}
        assert vault.keys.get(A, 1, Slot.HEADER) == header


def test_keys_of_another_controller_or_recording_are_passed_over(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    site.restore()
    lines = site.opened_keys(BETA).read().replace(b'"controller":"beta"', b'"controller":"acme"')
    moved = site.opened_keys(ACME).read().replace(A.encode(), B.encode())
    with site.opened("new") as vault:
        for data in (lines, moved):
            assert restore.restore_keys(vault, BytesIO(data))["restored"] == 0
        assert vault.keys.names(Slot.HEADER) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"slots":3}\n', b""),
        (b'{"slots":3}', b'{"slots":4}'),
        (b"keys-backup-v1", b"keys-backup-v2"),
        (b'"kind":"header"', b'"kind":"letter"'),
        (b'"data":"', b'"data":"%'),
        (b"{", b"age-encryption.org/v1\n{"),
    ],
)
def test_half_a_file_of_keys_is_noticed(site: Site, old: bytes, new: bytes) -> None:
    with site.opened() as vault:
        site.back_up(vault)
        data = site.opened_keys(ACME).read()
        assert old in data
        with pytest.raises(CheckFailed):
            restore.restore_keys(vault, BytesIO(data.replace(old, new, 1)))


def test_ret_05_a_tombstone_leaves_the_host_before_the_header_is_destroyed(site: Site) -> None:
    seen = []
    drop = Tombstones(HandOut(site.drop, ()).deliver)

    def step(name: str) -> None:
        seen.append((name, (site.drop / f"{A}.tombstone").exists()))

    with Vault.open(site.folder / "vault", clock=site.clock, tombstones=drop, step=step) as vault:
        receipt = vault.erase(A, reason="request 17", actor="officer")
    assert seen[:3] == [("erasure intended", False), ("tombstone handed out", True), ("header overwritten", True)]
    assert [step.step for step in receipt.steps] == [
        *("intent", "tombstone", "header", "payload", "index", "ledger", "backups")
    ]
    text = (site.drop / f"{A}.tombstone").read_text()
    assert re.fullmatch(rf'{{"recording": "{A}", "controller": "acme", "erased_at": "[^"]+"}}\n', text)


def test_a_tombstone_that_cannot_leave_keeps_no_erasure_back_is_told_and_leaves_later(site: Site) -> None:
    told: list[GdprcallError] = []
    gone = site.folder / "gone"
    waiting = site.folder / "vault" / "tombstones"
    with Vault.open(
        site.folder / "vault", clock=site.clock, tombstones=Tombstones(HandOut(gone, ()).deliver, waiting, told.append)
    ) as vault:
        receipt = vault.erase(A, reason="request", actor="officer")
        assert not receipt.complete
        assert vault.recording(A).state == "erased"
        assert vault.keys.names(Slot.HEADER) == [(B, 1)]
    assert [A in error.message for error in told] == [False]
    gone.mkdir()
    with site.opened(drop=gone):
        pass
    assert [path.name for path in gone.iterdir()] == [f"{A}.tombstone"]
    assert list(waiting.iterdir()) == []


def test_ret_05_a_tombstone_that_cannot_be_read_stops_the_restore(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    for name, text in ((f"{A}.tombstone", "{}"), ("x.tombstone", "{}"), (f"{B}.tombstone", "")):
        (site.drop / name).write_text(text)
        with pytest.raises(VaultError, match="is no tombstone"):
            site.restore()
        (site.drop / name).unlink()
    site.drop.rmdir()
    with pytest.raises(VaultError, match="no folder of tombstones"):
        site.restore()


def test_a_folder_without_a_backup_is_not_found(site: Site) -> None:
    with pytest.raises(NotFound):
        site.restore()


def test_prompts_that_were_played_come_back_too(site: Site) -> None:
    prompts = site.folder / "vault" / "prompts"
    prompts.mkdir()
    (prompts / f"{'cd' * 32}.wav").write_bytes(b"sound")
    with site.opened() as vault:
        site.back_up(vault)
    site.restore()
    assert (site.folder / "new" / "prompts" / f"{'cd' * 32}.wav").read_bytes() == b"sound"


def test_a_controller_without_a_usable_recipient_is_told(site: Site) -> None:
    with site.opened() as vault, pytest.raises(GdprcallError, match="cannot be sealed"):
        backup.backup(vault, backup.Wanted(site.backups, {"acme": ("age1nothing",)}, 7))


def test_a_payload_that_is_erased_while_it_is_copied_is_passed_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def erased_meanwhile(source: Path, target: Path) -> None:
        if source.name == f"{A}.1":
            source.unlink()
        real(source, target)

    with site.opened() as vault:
        monkeypatch.setattr(os, "link", erased_meanwhile)
        assert site.back_up(vault).placed == {Placed.LINKED: 2, Placed.MISSING: 1}
    assert site.restore().missing == (f"{A}.1",)


def test_a_manifest_of_another_version_is_not_guessed_at(site: Site) -> None:
    with site.opened() as vault:
        site.back_up(vault)
    path = site.backups / manifest.NAME
    path.write_text(path.read_text().replace("backup-v1", "backup-v2"))
    with pytest.raises(CheckFailed, match="cannot be understood"):
        site.restore()


def test_a_tombstone_that_waits_is_tried_with_the_next_erasure(site: Site) -> None:
    told: list[GdprcallError] = []
    drop, waiting = site.folder / "gone", site.folder / "vault" / "tombstones"
    tombstones = Tombstones(HandOut(drop, ()).deliver, waiting, told.append)
    with Vault.open(site.folder / "vault", clock=site.clock, tombstones=tombstones) as vault:
        assert not vault.erase(A, reason="request", actor="officer").complete
        tombstones.retry()
        assert len(told) == 2
        drop.mkdir()
        assert vault.erase(B, reason="request", actor="officer").complete
    assert {path.name for path in drop.iterdir()} == {f"{A}.tombstone", f"{B}.tombstone"}
    assert list(waiting.iterdir()) == []
