"""How an installation stands at this moment: links, spool, vault and disk, or what one controller has in it.

It changes nothing, and what cannot be looked at is said to be so.
"""

import shutil
from collections.abc import Mapping
from contextlib import suppress

from gdprcall.config import Config
from gdprcall.rights import retention
from gdprcall.times import rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.rows import Wanted

Json = dict[str, object]


def of_house(vault: Vault, config: Config, live: Mapping[str, object] | None, now: int) -> Json:
    """Return how all of it stands; ``live`` is what the daemon tells of itself, None without one."""
    told = dict(live or {})
    for name in ("last_seal_ms", "last_sweep_ms"):
        told[name.removesuffix("_ms")] = _told(told.pop(name, None))
    return {
        "daemon": live is not None,
        **told,
        "spool": _spool(config, now),
        "recordings": vault.count("sealed"),
        "quarantined": vault.count("quarantined"),
        "quarantine_ends": _told(vault.index.first_end("quarantined")),
        "expired": len(retention.due(vault, now)),
        "ledger_entries": vault.ledger.size(),
        "vault_free_bytes": shutil.disk_usage(vault.folder).free,
        "reserve_bytes": config.reserve_bytes,
    }


def of_controller(vault: Vault, controller: str, now: int) -> Json:
    """Return what one controller has in the vault, and nothing of the house."""
    sealed = vault.recordings(Wanted(controller, state="sealed", limit=-1))
    return {"recordings": len(sealed), "expired": len(retention.due(vault, now, controller))}


def _spool(config: Config, now: int) -> Json:
    folder = config.asterisk.spool
    ages = []
    try:
        for path in folder.glob("*.wav"):
            with suppress(FileNotFoundError):  # sealed meanwhile
                ages.append(now / 1000 - path.stat().st_mtime)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return {"error": error.strerror}
    return {"files": len(ages), "oldest_seconds": max(0, round(max(ages, default=0))), "free_bytes": free}


def _told(time: object) -> str | None:
    return rfc3339(time) if isinstance(time, int) else None
