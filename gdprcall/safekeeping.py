"""What the configuration says of backups: whose keys go to whom and for how long, and how tombstones leave the host.

It copies nothing itself.
"""

from collections.abc import Callable
from pathlib import Path

from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError
from gdprcall.handout import HandOut
from gdprcall.vault import backup
from gdprcall.vault.archive import Vault
from gdprcall.vault.tombstones import Tombstones


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
