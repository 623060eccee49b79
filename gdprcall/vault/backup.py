"""A backup of a vault in a folder: index, ledger and payloads, and apart from them each controller's keys, sealed.

It never holds a key that this host could open, never takes what was erased, and leaves the former backup whole until
the new one counts. What is copied is never newer than what it refers to: index, then ledger, then keys, then payloads.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from gdprcall.errors import NotFound, Refused
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault import manifest
from gdprcall.vault.archive import Vault
from gdprcall.vault.copies import tree_of
from gdprcall.vault.kept import POLICIES, PROMPTS
from gdprcall.vault.keyfile import KeyFile, Opened, controller_of
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.lock import OTHERS, exclusive
from gdprcall.vault.manifest import KeysFile, Manifest
from gdprcall.vault.objects import TEMPORARY, sync_folder
from gdprcall.vault.placing import Placed, folder_for, place, private, sha256, sync_tree, told

Progress = Callable[[int, int], None]
OBJECTS, KEYS = "objects", "keys"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where to, for whom each controller's keys are sealed, and for how many days these files may exist."""

    folder: Path
    escrow: Mapping[str, tuple[str, ...]]
    key_days: int


@dataclass(slots=True)
class Made:
    """What a backup did, or would do; the counts of payloads are by what became of each."""

    manifest: Manifest
    placed: Counter[Placed] = field(default_factory=Counter)
    slots: dict[str, int] = field(default_factory=dict)
    erased: int = 0
    expired: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        kept = self.manifest
        keys = [
            {"file": f"{KEYS}/{f.name}", "controller": f.controller, "expires_at": rfc3339(f.expires_at)}
            | ({"slots": self.slots[f.controller]} if f.controller in self.slots and f.stamp == kept.stamp else {})
            for f in kept.keys
        ]
        return {
            "folder": kept.stamp,
            "made_at": rfc3339(kept.made_at),
            "ledger_entries": kept.entries,
            "ledger_root": kept.root,
            "payloads": {kind.value: self.placed[kind] for kind in Placed},
            "payloads_removed": self.erased,
            "keys": keys,
            "expired_keys_removed": self.expired,
            "keys_left_out": sorted(self.left_out),
        }


def escrow(recipients: tuple[str, ...]) -> tuple[str, ...]:
    """Return for whom the keys of a controller are sealed: all but the first, operational one, or the only one."""
    return recipients[1:] or recipients


def plan(vault: Vault, wanted: Wanted) -> Made:
    """Return what a backup would do, writing nothing; raises Refused for a folder that is no place for one."""
    _refuse_places(vault, wanted.folder)
    now = vault.stores.clock()
    keys = tuple(KeysFile(id_, manifest.stamp(now), now + wanted.key_days * DAY_MS) for id_ in sorted(wanted.escrow))
    made = Made(Manifest(manifest.stamp(now), now, vault.ledger.size(), vault.ledger.root().hex(), {}, 0, keys))
    for recording, segment in vault.objects.names():
        there = wanted.folder / OBJECTS / vault.objects.path(recording, segment).relative_to(vault.objects.folder)
        made.placed[Placed.PRESENT if there.is_file() else Placed.COPIED] += 1
    made.expired = [file.name for file in _key_files(wanted.folder) if file.expires_at <= now]
    made.erased = sum(1 for _ in _erased(vault, wanted.folder))
    return made


def backup(vault: Vault, wanted: Wanted, progress: Progress = lambda _done, _all: None) -> Made:
    """Make a backup; raises Refused for a folder that is no place for one, and VaultError: the former one then stands.

    From the first step on the ledger says until when the files of keys exist. ``progress`` hears of the payloads.
    """
    _refuse_places(vault, wanted.folder)
    with told("the backup could not be written"), ExitStack() as closing:
        closing.callback(os.close, exclusive(wanted.folder))
        now = vault.stores.clock()
        name = _stamp(wanted.folder, now)
        keys = tuple(KeysFile(id_, name, now + wanted.key_days * DAY_MS) for id_ in sorted(wanted.escrow))
        _note_keys(vault, wanted, keys)
        with vault.stores.still:  # a header that was replaced between the two copies would fit neither
            made = Made(_snapshots(vault, wanted.folder, name, now))
            _keys(vault, wanted, keys, made)
        _payloads(vault, wanted.folder, made, progress)
        for part in (PROMPTS, POLICIES):
            _named_by_content(vault, wanted.folder, part)
        _commit(vault, wanted.folder, made, keys)
        _clean(vault, wanted.folder, made)
        body = {"entries": made.manifest.entries, "root": made.manifest.root, "payloads": made.manifest.payloads}
        vault.note(Fact(Kind.BACKED_UP, None, None, body))
        return made


def _refuse_places(vault: Vault, folder: Path) -> None:
    """Raise Refused for a folder that holds something else, that others can read, or that shares its life with the vault."""
    ours, there = vault.folder.resolve(), folder.resolve()
    if there.is_relative_to(ours) or ours.is_relative_to(there):
        raise Refused(f"{folder} and the vault lie in each other", "name a folder apart from the vault")
    if not folder.exists():
        return
    if not folder.is_dir() or folder.stat().st_mode & OTHERS:
        raise Refused(f"{folder} is no folder for its owner alone", f"chmod 700 {folder}")
    if any(folder.iterdir()) and not (folder / "lock").exists():
        raise Refused(f"{folder} holds something that is no backup", "name a folder that is new, empty or a backup")


def _stamp(folder: Path, now: int) -> str:
    while (folder / manifest.stamp(now)).exists():
        now += 1
    return manifest.stamp(now)


def _note_keys(vault: Vault, wanted: Wanted, keys: tuple[KeysFile, ...]) -> None:
    """Let the ledger know of the files first, so that no erasure from now on is silent about them."""
    for file in keys:
        to = [fingerprint(recipient) for recipient in wanted.escrow[file.controller]]
        body = {"file": file.name, "expires_at": file.expires_at, "recipients": to}
        vault.note(Fact(Kind.KEYS_BACKED_UP, None, file.controller, body))
        vault.stores.step("keys noted")
    vault.catch_up()


def _snapshots(vault: Vault, folder: Path, name: str, now: int) -> Manifest:
    place_ = folder / name
    place_.mkdir(mode=0o700)
    vault.stores.step("folder made")
    vault.index.snapshot(place_ / "index.db")
    vault.stores.step("index copied")
    vault.ledger.snapshot(place_ / "ledger.db")
    vault.stores.step("ledger copied")
    hashes = {file: sha256(place_ / file) for file in ("index.db", "ledger.db")}
    tree = tree_of(place_ / "ledger.db")
    sync_folder(place_)
    return Manifest(name, now, tree.size, tree.root().hex(), hashes, 0, ())


def _keys(vault: Vault, wanted: Wanted, keys: tuple[KeysFile, ...], made: Made) -> None:
    target = wanted.folder / KEYS
    target.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as open_:
        files: dict[str, KeyFile] = {}
        for file in keys:
            sink = open_.enter_context(_fresh(target / f"{file.name}{TEMPORARY}"))
            head = Opened(file.controller, file.expires_at)
            files[file.controller] = KeyFile(sink, wanted.escrow[file.controller], head, vault.stores.random)
        for held in vault.keys.held():
            controller = controller_of(held)
            if controller in files:
                files[controller].add(held)
            else:
                made.left_out.add(controller or "unknown")
        for one in files.values():
            one.finish()
    for file in keys:
        made.slots[file.controller] = files[file.controller].slots
        (target / f"{file.name}{TEMPORARY}").rename(target / file.name)
        vault.stores.step("keys in place")
    sync_folder(target)


@contextmanager
def _fresh(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for its owner alone; it is durable when the block ends."""
    path.unlink(missing_ok=True)
    with open(path, "xb", opener=private) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _payloads(vault: Vault, folder: Path, made: Made, progress: Progress) -> None:
    names = list(vault.objects.names())
    for done, (recording, segment) in enumerate(names, 1):
        source = vault.objects.path(recording, segment)
        target = folder / OBJECTS / source.relative_to(vault.objects.folder)
        folder_for(target)
        what = place(source, target)
        made.placed[what] += 1
        if what in {Placed.LINKED, Placed.COPIED}:
            vault.stores.step("payload in place")
        progress(done, len(names))
    if (folder / OBJECTS).is_dir():
        sync_tree(folder / OBJECTS)


def _named_by_content(vault: Vault, folder: Path, part: str) -> None:
    """Copy what was ever played, or the policies under which: decisions name both by their hash."""
    for source in sorted((vault.folder / part).glob("*")):
        if source.is_file() and source.suffix != TEMPORARY:
            target = folder / part / source.name
            folder_for(target)
            place(source, target, link=False)
    if (folder / part).is_dir():
        sync_folder(folder / part)


def _commit(vault: Vault, folder: Path, made: Made, keys: tuple[KeysFile, ...]) -> None:
    """Let the new backup count; it names every file of keys that may still exist."""
    now, kept = made.manifest.made_at, made.manifest
    valid = [file for file in _key_files(folder) if file.expires_at > now and file not in keys]
    count = sum(made.placed[kind] for kind in Placed if kind is not Placed.MISSING)
    made.manifest = Manifest(
        kept.stamp, now, kept.entries, kept.root, kept.sha256, count, (*keys, *sorted(valid, key=lambda f: f.name))
    )
    vault.stores.step("all in place")
    sync_folder(folder)
    made.manifest.write(folder)
    vault.stores.step("backup counts")


def _clean(vault: Vault, folder: Path, made: Made) -> None:
    """Remove what is expired, erased or of an earlier backup; what was lost from the vault by accident stays."""
    for file in _key_files(folder):
        if file.expires_at <= made.manifest.made_at:
            (folder / KEYS / file.name).unlink()
            made.expired.append(file.name)
            vault.stores.step("expired keys removed")
    for path in _erased(vault, folder):
        path.unlink()
        made.erased += 1
        vault.stores.step("erased payload removed")
    for path in sorted(folder.iterdir()):
        if path.is_dir() and manifest.is_stamp(path.name) and path.name != made.manifest.stamp:
            shutil.rmtree(path)
            vault.stores.step("former backup removed")
    for left in (
        left for part in (OBJECTS, PROMPTS, POLICIES, KEYS) for left in (folder / part).rglob(f"*{TEMPORARY}")
    ):
        left.unlink()
    sync_tree(folder)


def _erased(vault: Vault, folder: Path) -> Iterator[Path]:
    """Yield the payloads in a backup whose recordings are erased."""
    for path in sorted((folder / OBJECTS).glob("??/*")):
        try:
            erased = vault.recording(path.name.split(".")[0]).state == "erased"
        except NotFound:
            continue
        if erased:
            yield path


def _key_files(folder: Path) -> list[KeysFile]:
    names = sorted(path.name for path in (folder / KEYS).glob("*"))
    return [file for name in names if (file := KeysFile.of(name)) is not None]
