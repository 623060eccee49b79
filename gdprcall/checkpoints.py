"""The daemon's checkpoints: one an hour, and one within a minute after something was erased, until each has left the host.

It signs nothing itself, and no call waits for it.
"""

import asyncio
import time

from gdprcall import auditing
from gdprcall.config import Config
from gdprcall.errors import GdprcallError
from gdprcall.log import get_logger
from gdprcall.vault.archive import Vault

HOUR_SECONDS = 3600.0
RETRY_SECONDS = 300.0
LOOK_SECONDS = 60.0


class Checkpoints:
    """What was signed last, and when that is to be done again."""

    def __init__(self, vault: Vault, settings: Config) -> None:
        self._vault = vault
        self._settings = settings
        self._next = 0.0
        self._failed = False

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await asyncio.to_thread(self.look, time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: float) -> None:
        """Make a checkpoint if one is due at ``now`` (monotonic seconds); what fails is logged and tried again."""
        try:
            if not self._due(now):
                return
            made = auditing.make(self._vault, self._settings)
        except GdprcallError as error:
            self._failed, self._next = True, now + RETRY_SECONDS
            tell(error)
        else:
            self._failed, self._next = False, now + HOUR_SECONDS
            get_logger().info("checkpoint_made", count=made.checkpoint.size)

    def _due(self, now: float) -> bool:
        """Whether the ledger has grown since the last checkpoint, or that one waits to leave, and it is time."""
        ledger = self._vault.ledger
        last = next(iter(ledger.signed(1)), None)
        size = last.size if last else 0
        waits = last is not None and not last.handed and bool(auditing.hand_out(self._settings))
        erased = ledger.last_erased > size and not self._failed
        return (ledger.size() > size or waits) and (now >= self._next or erased)


def tell(error: GdprcallError) -> None:
    """Log that a checkpoint was not made or did not leave the host."""
    get_logger().error("checkpoint_failed", error=type(error).__name__, hint=error.hint)
