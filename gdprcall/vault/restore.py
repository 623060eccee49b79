"""Brings a vault back from a backup, into an empty folder: put together apart, and in place in one moment or not at all.

Nothing that was erased comes back: the tombstones are carried out before anything of it counts. A ledger is never
restored backwards. Keys come after it, opened by the officer who holds them, and only those of what is still there.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gdprcall.errors import CheckFailed, Refused
from gdprcall.times import Clock, now_ms, rfc3339
from gdprcall.vault import keyfile, manifest, tombstones
from gdprcall.vault.archive import Vault
from gdprcall.vault.backup import OBJECTS, Progress
from gdprcall.vault.binding import check_header, check_number
from gdprcall.vault.copies import shown, tree_of
from gdprcall.vault.kept import POLICIES, PROMPTS
from gdprcall.vault.keyfile import controller_of
from gdprcall.vault.keys import Held, Slot
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.lock import STAGED, WHOLE, exclusive, settle
from gdprcall.vault.manifest import Manifest
from gdprcall.vault.objects import TEMPORARY, sync_folder
from gdprcall.vault.placing import Placed, folder_for, place, sha256, sync_tree, told
from gdprcall.vault.stores import Step

ACTOR = "restore"
REASON = "tombstone replayed after a restore"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is restored from where, and what it is held against; ``accept_loss`` lets an older ledger count."""

    source: Path
    tombstones: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    accept_loss: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, or would be: what is missing or damaged was so in the backup."""

    made_at: int
    entries: int
    payloads: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    erased: int
    lost_entries: int

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        return {
            "made_at": rfc3339(self.made_at),
            "ledger_entries": self.entries,
            "payloads": self.payloads,
            "missing": list(self.missing),
            "damaged": list(self.damaged),
            "erased_by_tombstones": self.erased,
            "lost_entries": self.lost_entries,
        }


def check(wanted: Wanted, folder: Path) -> tuple[Manifest, set[str], int]:
    """Return the backup, the ids of its tombstones, and how many entries the newest checkpoint has more than it.

    Raises Refused for a vault that is not empty and for a ledger that is older than a checkpoint, NotFound, CheckFailed
    for a backup that is not as it was made, and VaultError.
    """
    made = manifest.read(wanted.source)
    _refuse_full(folder, made)
    place_ = wanted.source / made.stamp
    for name, known in made.sha256.items():
        with told(f"{name} of the backup cannot be read"):
            if sha256(place_ / name) != known:
                raise CheckFailed(f"{name} of the backup is not as it was made", "take an older copy of the backup")
    lost = 0
    for path in wanted.checkpoints:
        known_to = shown(path)
        lost = max(lost, known_to.size - made.entries)
        if known_to.size <= made.entries and tree_of(place_ / "ledger.db", known_to.size).root() != known_to.root:
            raise CheckFailed("the backup is not of the ledger that the checkpoint is of", "keep both; find out why")
    if lost and not wanted.accept_loss:
        hint = "restore a newer backup; if there is none: --accept-loss, which the ledger then tells"
        raise Refused(f"the backup is older than the checkpoint: {lost} entries of the ledger would be lost", hint)
    return made, tombstones.read(wanted.tombstones), lost


def plan(wanted: Wanted, folder: Path) -> Restored:
    """Return what a restore would bring back, as far as it can be told without one; raises as ``check``."""
    made, erased, lost = check(wanted, folder)
    return Restored(made.made_at, made.entries, made.payloads, (), (), len(erased), lost)


def restore(
    wanted: Wanted,
    folder: Path,
    *,
    clock: Clock = now_ms,
    step: Step = lambda _name: None,
    progress: Progress = lambda _done, _all: None,
) -> Restored:
    """Restore a backup into an empty vault folder, and return what it was; raises as ``check``, and InUse.

    Until its last rename the folder is as empty as before; from there on whoever opens it next finishes the rest.
    ``progress`` hears of the payloads.
    """
    with told("the vault could not be restored"), ExitStack() as closing:
        closing.callback(os.close, exclusive(folder))
        settle(folder)
        made, erased, lost = check(wanted, folder)
        staged = folder / STAGED
        staged.mkdir(mode=0o700)
        step("begun")
        for name in made.sha256:
            place(wanted.source / made.stamp / name, staged / name, link=False)
            step(f"{name} copied")
        with Vault.open(staged, clock=clock, step=step) as vault:
            restored = _fill(vault, wanted, made, erased, lost, progress)
        (staged / "lock").unlink()
        for part in (PROMPTS, POLICIES):
            _named_by_content(wanted.source / part, staged / part, folder / part)
        _publish(folder, staged, step)
        return restored


def restore_keys(vault: Vault, source: BinaryIO) -> dict[str, object]:
    """Put back what an opened file of keys holds for recordings that are still there; returns what was done.

    Raises Refused for a file that has expired, and CheckFailed for one that is not whole: what was put back stays, and
    it can be done again.
    """
    head, slots = keyfile.read(source)
    if head.expires_at <= vault.stores.clock():
        hint = "receipts of erasures said that it no longer exists: destroy it"
        raise Refused(f"this backup of keys has expired since {rfc3339(head.expires_at)}", hint)
    put = passed = 0
    for held in slots:
        with vault.stores.holding(held.recording):
            if _wanted(vault, held, head.controller):
                vault.keys.put(held.recording, held.segment, held.kind, held.data)
                put += 1
                vault.stores.step("key put back")
            else:
                passed += 1
    vault.note(Fact(Kind.KEYS_RESTORED, None, head.controller, {"restored": put, "passed_over": passed}))
    return {"controller": head.controller, "restored": put, "passed_over": passed}


def _wanted(vault: Vault, held: Held, controller: str) -> bool:
    """Whether a slot belongs to a recording that is neither erased nor to be, is as it was sealed, and is not there."""
    if controller_of(held) != controller or vault.keys.get(held.recording, held.segment, held.kind) is not None:
        return False
    vault.catch_up()
    row = vault.index.recording(held.recording)
    if row is None or row.state == "erased" or row.erasing or row.controller != controller:
        return False
    if row.withdrawn and not (row.held or row.restricted):
        return False
    if held.kind is Slot.NUMBER:
        word = vault.stores.number(held.recording)
        return held.segment == 0 and check_number(held.data, held.recording, controller, word) is None
    entry = vault.stores.sealed(held.recording, held.segment)
    return entry is not None and check_header(held.data, entry) is None


def _refuse_full(folder: Path, made: Manifest) -> None:
    """Raise Refused unless the vault folder holds no ledger, key or payload: nothing there is ever replaced."""
    ledger = folder / "ledger.db"
    if ledger.exists() and (size := tree_of(ledger).size) > made.entries:
        text = f"the ledger in {folder} is longer ({size} entries) than that of the backup ({made.entries})"
        raise Refused(text, "a ledger is never restored backwards; move the vault away only if it is damaged")
    stores = [name for name in ("ledger.db", "keys.db", "index.db") if (folder / name).exists()]
    payloads = any(path.is_file() for path in (folder / OBJECTS).rglob("*"))
    if stores or payloads:
        raise Refused(f"{folder} holds a vault", "a backup is restored into an empty folder: move this one away")


def _fill(vault: Vault, wanted: Wanted, made: Manifest, erased: set[str], lost: int, progress: Progress) -> Restored:
    """Check the staged ledger, place the payloads, and carry out the tombstones."""
    if next(vault.ledger.verify(), None) is not None or not vault.ledger.trusted():
        raise CheckFailed("the ledger of the backup is damaged", "take an older copy of the backup")
    if (vault.ledger.size(), vault.ledger.root().hex()) != (made.entries, made.root):
        raise CheckFailed("the ledger of the backup is not the one that its manifest names", "take another copy")
    replayed = 0
    for recording in sorted(erased):
        row = vault.index.recording(recording)
        if row is not None and row.state != "erased":
            # What kept it when the backup was made was lifted before its tombstone was written.
            vault.erase(recording, reason=REASON, actor=ACTOR, regardless=True)
            replayed += 1
    vault.finish_erasures()
    missing, damaged = _payloads(vault, wanted.source, progress)
    body = {"backup_made_at": made.made_at, "entries": made.entries, "tombstones": len(erased), "erased": replayed}
    vault.note(Fact(Kind.RESTORED, None, None, body | {"lost_entries": lost}))
    vault.catch_up()
    placed = len(vault.index.segments()) - len(missing)
    return Restored(made.made_at, made.entries, placed, tuple(missing), tuple(damaged), replayed, lost)


def _payloads(vault: Vault, source: Path, progress: Progress) -> tuple[list[str], list[str]]:
    """Place the payload of each segment that is not erased; return the names of what is missing and of what is damaged."""
    missing, damaged = [], []
    rows = vault.index.segments()
    for done, row in enumerate(rows, 1):
        name, target = f"{row.recording}.{row.segment}", vault.objects.path(row.recording, row.segment)
        folder_for(target)
        if place(source / OBJECTS / target.relative_to(vault.objects.folder), target) is Placed.MISSING:
            missing.append(name)
        elif sha256(target) != row.payload_sha256:
            damaged.append(name)
        vault.stores.step("payload in place")
        progress(done, len(rows))
    sync_tree(vault.objects.folder)
    return missing, damaged


def _named_by_content(source: Path, staged: Path, folder: Path) -> None:
    """Bring back what was ever played, or the policies under which, unless the vault folder has such of its own."""
    if source.is_dir() and not folder.exists():
        for path in _files(source):
            folder_for(staged / path.name)
            place(path, staged / path.name, link=False)


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != TEMPORARY)


def _publish(folder: Path, staged: Path, step: Step) -> None:
    if (folder / OBJECTS).exists():
        shutil.rmtree(folder / OBJECTS)  # it was seen to hold no file
    sync_tree(staged)
    step("whole")
    staged.rename(folder / WHOLE)
    sync_folder(folder)
    step("in place")
    settle(folder)
