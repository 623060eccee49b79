"""The daemon's reminders: it tells the log when a person's request must soon be answered, and when expired recordings do not go.

It says how many of which controller, and nothing of who asks or for what. No call waits for it.
"""

import asyncio
from collections.abc import Callable

from gdprcall.config import Config
from gdprcall.errors import GdprcallError
from gdprcall.log import get_logger
from gdprcall.register.registrar import remind_days
from gdprcall.rights import requests, retention
from gdprcall.rights.stores import LATE_MS
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault

LOOK_SECONDS = 60.0
DUE, OVERDUE = "due", "overdue"
Pressing = dict[tuple[str, str], frozenset[str]]
"""The requests that press: due or overdue, and whose."""


class Reminders:
    """What was told last, and when; ``settings`` gives the configuration as of now."""

    def __init__(self, vault: Vault, settings: Callable[[], Config]) -> None:
        self._vault = vault
        self._settings = settings
        self._told: Pressing = {}
        self._told_at = 0

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await asyncio.to_thread(self.look, self._vault.stores.clock())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: int) -> None:
        """Tell what presses at ``now`` (milliseconds): at once what is new, and all of it once a day."""
        daily = now - self._told_at >= DAY_MS
        try:
            found = self._pressing(now)
            late, reviews = self._kept_too_long(now) if daily else (0, 0)
        except GdprcallError as error:
            get_logger().error("reminders_failed", error=type(error).__name__, hint=error.hint)
            return
        if late:
            get_logger().error("retention_overdue", count=late)
        if reviews:
            get_logger().error("hold_overdue", count=reviews)
        for (how, controller), ids in sorted(found.items()):
            if daily or not ids <= self._told.get((how, controller), frozenset()):
                _tell(how, controller, len(ids))
        self._told, self._told_at = found, now if daily else self._told_at

    def _kept_too_long(self, now: int) -> tuple[int, int]:
        """Return how many recordings should be gone for two days (RET-03), and how many holds should be reviewed (RGT-11)."""
        late = retention.due(self._vault, now - LATE_MS)
        kept = self._vault.index.keeps()
        return len(late), sum(one.review_at is not None and one.review_at <= now for one in kept)

    def _pressing(self, now: int) -> Pressing:
        settings, found = self._settings(), dict[tuple[str, str], set[str]]()
        self._vault.catch_up()
        for row in self._vault.index.requests.all():
            one = requests.standing(row, now)
            if one.presses(remind_days(settings, row.controller)):
                how = OVERDUE if one.overdue else DUE
                found.setdefault((how, row.controller), set()).add(row.id)
        return {key: frozenset(ids) for key, ids in found.items()}


def _tell(how: str, controller: str, count: int) -> None:
    if how == OVERDUE:
        get_logger().error("request_overdue", controller=controller, count=count)
    else:
        get_logger().warning("request_due", controller=controller, count=count)
