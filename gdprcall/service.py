"""Runs the daemon as a service: takes the configuration and the vault, and turns whatever ends it into one error.

It serves no call itself.
"""

import asyncio
import time
from pathlib import Path

from gdprcall import config
from gdprcall.daemon import Daemon
from gdprcall.errors import GdprcallError
from gdprcall.log import get_logger
from gdprcall.vault.archive import InUse, Vault

LOCK_SECONDS = 8.0
"""How long the vault may be in use by somebody else at the start; systemd gives up after five quick failures."""


def serve(path: Path) -> None:
    """Serve until told to stop; raises GdprcallError when it cannot start or go on."""
    settings = config.load(path)
    config.refuse_identities(settings)
    vault = _opened(settings.vault)
    try:
        asyncio.run(Daemon(settings, vault).run())
    except* GdprcallError as group:
        error = _first(group)
        get_logger().error("fatal", error=type(error).__name__, hint=error.hint)
        raise error from None
    finally:
        vault.close()


def _opened(folder: Path) -> Vault:
    """Return the vault; a command that uses it just now, such as the daily sweep, is waited for."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return Vault.open(folder)
        except InUse:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _first(group: BaseExceptionGroup[GdprcallError]) -> GdprcallError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, GdprcallError)
    return error
