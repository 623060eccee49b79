"""The test of a restore (Art. 32(1)(c), (d)): a backup is put together apart, held against the ledger, and thrown away again.

It changes nothing of the vault but one entry of the ledger, which says when it was tested and what was found.
"""

import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from gdprcall.context import Context, Json, Operation
from gdprcall.errors import CheckFailed, ConfigError, GdprcallError
from gdprcall.parameters import Params, text
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault import manifest, restore
from gdprcall.vault.archive import Vault
from gdprcall.vault.copies import tree_of
from gdprcall.vault.entry import Entry, Fact, Kind
from gdprcall.vault.merkle import Tree
from gdprcall.vault.placing import told

DAYS = 366
"""How old the last test may be."""


def rehearse(context: Context, params: Params) -> Json:
    """Restore a backup into a folder that is removed again, and return what was found; raises ConfigError, NotFound, CheckFailed.

    Whatever is wrong is noted too: a backup that cannot be restored is none.
    """
    source = Path(text(params, "folder"))
    if not source.is_absolute():
        raise ConfigError("the folder of a backup is not absolute", "for example /srv/backup/gdprcall")
    begun, scratch = time.monotonic(), params.get("scratch")
    if scratch is not None and not isinstance(scratch, str):
        raise ConfigError("scratch is no folder", "give its path")
    tombstones = (context.config.tombstones,) if context.config.tombstones else ()
    try:
        with told("the backup cannot be put together to be tested"), TemporaryDirectory(dir=scratch) as apart:
            folder = Path(apart) / "vault"
            folder.mkdir(mode=0o700)
            wanted = restore.Wanted(source, tombstones, ())
            found = restore.restore(wanted, folder, clock=context.clock, progress=context.progress).as_json()
        _refuse_strange(context.vault, source)
    except GdprcallError as error:
        _note(context, {"problem": error.message})
        raise
    missing, damaged = found["missing"], found["damaged"]
    assert isinstance(missing, list)
    assert isinstance(damaged, list)
    made = {"made_at": found["made_at"], "ledger_entries": found["ledger_entries"], "payloads": found["payloads"]}
    made |= {"missing": len(missing), "damaged": len(damaged), "seconds": round(time.monotonic() - begun, 1)}
    entry = _note(context, made)
    return found | {"tested_at": rfc3339(entry.time), "seconds": made["seconds"]}


def last(vault: Vault) -> tuple[int | None, bool]:
    """Return when a restore was last tested and went well (milliseconds), and whether there is a backup to test at all."""
    at, backed_up = None, False
    for entry in vault.ledger.entries(kinds={Kind.RESTORE_TESTED, Kind.BACKED_UP}):
        body = entry.body or {}
        backed_up |= entry.kind is Kind.BACKED_UP
        if entry.kind is Kind.RESTORE_TESTED and not any(body.get(name) for name in ("problem", "missing", "damaged")):
            at = entry.time
    return at, backed_up


def row(vault: Vault, now: int) -> dict[str, object]:
    """Return the test of a restore as a line of ``retention check``: once a year (SEC-07)."""
    at, backed_up = last(vault)
    ok = not backed_up or (at is not None and now - at <= DAYS * DAY_MS)
    says = "" if ok else "no restore was tested for a year: gdprcall vault rehearse DIR"
    oldest = None if at is None else rfc3339(at)
    return {"store": "test of a restore", "period": "once a year", "oldest": oldest, "ok": ok, "says": says}


OPERATIONS: dict[str, Operation] = {"vault/rehearse": rehearse}
CHANGING = frozenset({"vault/rehearse"})


def _refuse_strange(vault: Vault, source: Path) -> None:
    """Raise CheckFailed for a backup of another ledger than this one."""
    made = manifest.read(source)
    theirs = tree_of(source / made.stamp / "ledger.db", made.entries)
    ours = Tree(islice(vault.ledger.hashes(), made.entries))
    if (ours.size, ours.root()) != (theirs.size, theirs.root()):
        raise CheckFailed("this is a backup of another ledger", "name the backup of this vault")


def _note(context: Context, seen: Mapping[str, object]) -> Entry:
    return context.vault.note(Fact(Kind.RESTORE_TESTED, None, None, {**seen, "actor": context.actor}))
