"""Runs the daemon as a service: takes the configuration and the vault, and turns whatever ends it into one error.

It serves no call itself.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gdprcall import config, safekeeping
from gdprcall.daemon import Daemon
from gdprcall.errors import GdprcallError
from gdprcall.log import get_logger
from gdprcall.vault.archive import Vault
from gdprcall.vault.lock import InUse

LOCK_SECONDS = 8.0
"""How long the vault may be in use by somebody else at the start; systemd gives up after five quick failures."""

SWITCH_SECONDS = 0.001
"""How long a thread that seals may keep the interpreter from the thread that answers callers."""
THREADS = 10
"""More than seal side by side: a decision that must become durable never waits behind them for a thread."""


def serve(path: Path) -> None:
    """Serve until told to stop; raises GdprcallError when it cannot start or go on."""
    settings = config.load(path)
    config.refuse_identities(settings)
    vault = _opened(settings)
    sys.setswitchinterval(SWITCH_SECONDS)
    _settle_memory()
    try:
        asyncio.run(_run(Daemon(settings, vault)))
    except Exception as error:  # noqa: BLE001 # the daemon's end: told whole, then raised as one error
        raise _told(error) from None
    finally:
        vault.close()


def _settle_memory() -> None:
    """Take what was loaded at the start out of every later search for garbage: it stays, and nobody waits for the search.

    A search through everything stops all threads for tens of milliseconds, every few hundred calls.
    """
    gc.collect()
    gc.freeze()


async def _run(daemon: Daemon) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "gdprcall"))
    await daemon.run()


def _opened(settings: config.Config) -> Vault:
    """Return the vault; a command that uses it just now, such as the daily sweep, is waited for."""
    end = time.monotonic() + LOCK_SECONDS
    tombstones = safekeeping.tombstones(settings, _not_handed_out)
    while True:
        try:
            return Vault.open(settings.vault, tombstones=tombstones)
        except InUse:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _not_handed_out(error: GdprcallError) -> None:
    get_logger().error("tombstone_failed", error=type(error).__name__, hint=error.hint)


def _told(error: Exception) -> Exception:
    """Return the one error that ended the daemon, after every other that came with it was logged."""
    leaves = list(_leaves(error))
    ours = [leaf for leaf in leaves if isinstance(leaf, GdprcallError)]
    for leaf in leaves:
        if not isinstance(leaf, GdprcallError):
            get_logger().error("internal_error", exc_info=leaf)
    if not ours:
        return error
    get_logger().error("fatal", error=type(ours[0]).__name__, hint=ours[0].hint)
    return ours[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
