"""The care of the vault as it is asked for: backups as the configuration says, tombstones that leave the host, the look
through everything.

It copies and reads nothing itself.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from gdprcall import scope
from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError
from gdprcall.handout import HandOut
from gdprcall.vault import backup
from gdprcall.vault.archive import Vault
from gdprcall.vault.checks import Progress
from gdprcall.vault.tombstones import Tombstones
from gdprcall.vault.verifying import Verification
from gdprcall.vault.verifying import Wanted as Look

SLICE_SECONDS = 1.0
"""How long one request looks through the vault: calls go on between two, and who stops asking stops it."""


def tombstones(config: Config, failed: Callable[[GdprcallError], None]) -> Tombstones:
    """Return what lets tombstones leave the host; ``failed`` is told when one does not."""
    to = HandOut(config.tombstones, config.tombstone_command)
    return Tombstones(to.deliver if to else None, config.vault / "tombstones", failed)


def back_up(vault: Vault, config: Config, folder: Path, *, dry_run: bool, progress: backup.Progress) -> object:
    """Make a backup in a folder of this host, or tell what it would be; returns JSON. Raises as ``backup.backup``."""
    if not folder.is_absolute():
        raise ConfigError("the folder of a backup is not absolute", "for example /srv/backup/gdprcall")
    to = {one.id: backup.escrow(one.recipients) for one in config.policy.controllers.values()}
    wanted = backup.Wanted(folder, to, config.key_days)
    return (backup.plan(vault, wanted) if dry_run else backup.backup(vault, wanted, progress)).as_json()


def verify(
    vault: Vault, params: Mapping[str, object], *, whole: bool, progress: Progress, controller: str | None = None
) -> object:
    """Look through the vault, from the start with ``begin``; return how far it is, and in the end what was found.

    For a second, or with ``whole`` to the end; ``controller`` is the only one that is looked at and told of, by whom
    answers for no other. Raises ConfigError, NotFound when there is nothing to go on with.
    """
    look = Verification(vault.stores, vault.folder, f"verify-{controller}" if controller else "verify")
    if params.get("begin") is True:
        wanted = params.get("controller")
        if wanted is not None and not isinstance(wanted, str):
            raise ConfigError("the controller is no text", "give its id")
        look.begin(Look(share(params.get("sample"), vault.index.sealed_segments()), controller or wanted))
    state = look.go_on(SLICE_SECONDS)
    while whole and not state.finished:
        progress(state.percent, 100)
        state = look.go_on(SLICE_SECONDS)
    state.findings = scope.findings(vault, controller, state.findings)
    return state.as_json()


def share(sample: object, segments: int) -> float:
    """Return which share of so many payloads a sample is: ``5%``, or a number of them; None is all.

    Raises ConfigError.
    """
    if sample is None:
        return 1.0
    found = re.fullmatch(r"(\d{1,9})|(\d{1,3}(?:\.\d{1,6})?)%", sample) if isinstance(sample, str) else None
    value = float(found[1] or found[2]) if found else 0.0
    if found is None or value <= 0 or (found[2] and value > 100):
        raise ConfigError("the sample is neither a number nor a share", "for example --sample 5% or --sample 500")
    return min(1.0, value / max(1, segments) if found[1] else value / 100)
