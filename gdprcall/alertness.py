"""The daemon's watch over breaches: it opens suspicions, reminds of every clock that runs, and calls the command that wakes somebody.

It decides nothing and no call waits for it. What it tells holds no number and no name, and what it reminded of is noted.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gdprcall.breach.desk import Desk
from gdprcall.breach.signs import Signs
from gdprcall.breach.suspecting import ACTOR, Sign, Trigger, suspect
from gdprcall.config import Config
from gdprcall.errors import GdprcallError
from gdprcall.handout import HandOut
from gdprcall.log import get_logger
from gdprcall.rights.breaches import Duty, Standing, State
from gdprcall.rights.clocks import HOUR_MS
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Kind
from gdprcall.vault.placing import told

LOOK_SECONDS = 60.0
EXAMINE = "examine"
"""What is to be done with a suspicion."""
UNKNOWN_LIVE_MS = HOUR_MS
"""How old a finished sound file must be to be stale while nobody can say which calls are going on."""


@dataclass(frozen=True, slots=True)
class House:
    """What only the loop's thread may look at: which recordings go on (None: nobody knows), and whether the ledger is damaged."""

    live: frozenset[str] | None
    ledger_damaged: bool


class Alertness:
    """What was told last; ``settings`` gives the configuration as of now, ``house`` what the daemon knows."""

    def __init__(self, vault: Vault, settings: Callable[[], Config], house: Callable[[], House]) -> None:
        self._vault = vault
        self._settings = settings
        self._house = house
        self._signs = Signs(vault)
        self._told: set[tuple[str, str, int]] = set()
        self._failing: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await asyncio.to_thread(self.look, self._vault.stores.clock(), self._house())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: int, house: House) -> None:
        """Open what is suspected at ``now`` (milliseconds), and remind of what presses."""
        desk = Desk(self._vault, self._settings(), None, ACTOR, lambda: now)
        # Apart: a disk that keeps no suspicion still has a clock that runs.
        steps: list[Callable[[], None]] = [lambda: self._suspect(desk, now, house), lambda: self._remind_all(desk, now)]
        self._failing = frozenset(failure for step in steps if (failure := self._failure(step)))

    def _failure(self, step: Callable[[], None]) -> str:
        """Do a step and return why it failed, "" if it did not; told once, not every minute."""
        try:
            with told("the register of breaches cannot be watched"):
                step()
        except GdprcallError as error:
            if error.message not in self._failing:
                get_logger().error("breach_watch_failed", error=type(error).__name__, hint=error.hint)
            return error.message
        return ""

    def _suspect(self, desk: Desk, now: int, house: House) -> None:
        desk.vault.catch_up()
        for sign, controller in self._signs.look(desk.config, now):
            _open(desk, sign, None if controller is None else [controller])
            self._signs.opened(sign, controller)
        if stale := self._stale(desk, now, house):
            _open(desk, stale)
        if house.ledger_damaged:
            _open(desk, Sign(Trigger.LEDGER_BROKEN, "the ledger is not what was written into it"))
        self._signs.keep()

    def _stale(self, desk: Desk, now: int, house: House) -> Sign | None:
        """Return a sign where finished sound has lain in the clear for too long (SEC-02), None else."""
        oldest = UNKNOWN_LIVE_MS if house.live is None else desk.config.breach.stale_seconds * 1000
        names = []
        for path in sorted(desk.config.asterisk.spool.glob("*.wav")):
            with suppress(OSError):  # sealed meanwhile
                age = now - round(path.stat().st_mtime * 1000)
                if age > oldest and path.name.partition(".")[0] not in (house.live or ()):
                    names.append(path.name.partition(".")[0])
        if not names:
            return None
        seen = f"finished sound lay in the clear for longer than {oldest // 1000} s"
        return Sign(Trigger.STALE_PLAINTEXT, seen, recordings=tuple(names))

    def _remind_all(self, desk: Desk, now: int) -> None:
        for row in desk.vault.index.breaches.all():
            self._remind(desk, desk.standing(row), now)

    def _remind(self, desk: Desk, one: Standing, now: int) -> None:
        """Remind once of each mark that a clock of a breach has passed; noted is what also reached the command."""
        reminded = desk.vault.index.breaches.reminded(one.row.id)
        for name, hour, late in _marks(one, now):
            if (name, hour) in reminded:
                continue
            self._tell(one, name, hour, late)
            try:
                _send(desk.config, one, name, hour, now)
            except GdprcallError as error:
                if self._new(one.row.id, f"{name} hook", hour):
                    get_logger().error("breach_command_failed", breach=one.row.id, hint=error.hint)
                continue
            desk.note(Kind.BREACH_REMINDED, one.row, {"duty": name, "hour": hour})

    def _tell(self, one: Standing, name: str, hour: int, late: bool) -> None:
        if not self._new(one.row.id, name, hour):
            return
        id_, controller, left = one.row.id, one.row.controller, one.remains()
        if late:
            get_logger().error("breach_overdue", breach=id_, controller=controller, reason=name, remains=left)
        else:
            get_logger().warning("breach_due", breach=id_, controller=controller, reason=name, remains=left)

    def _new(self, breach: str, name: str, hour: int) -> bool:
        key = (breach, name, hour)
        new = key not in self._told
        self._told.add(key)
        return new


def _open(desk: Desk, sign: Sign, controllers: list[str] | None = None) -> None:
    for id_ in suspect(desk, sign, controllers):
        row = desk.found(id_)
        get_logger().error("breach_suspected", breach=id_, controller=row.controller, reason=row.trigger)


def _marks(one: Standing, now: int) -> list[tuple[str, int, bool]]:
    """Return what to remind of: whose turn it is, which hour has passed, and whether that is too late."""
    if one.state is State.SUSPECTED:
        hour = (now - one.row.opened_at) // DAY_MS * 24
        return [(EXAMINE, hour, False)]
    marked = [(duty, duty.mark(now)) for duty in one.open_duties]
    return [(str(duty.to), hour, duty.late(now)) for duty, hour in marked if hour is not None]


def _send(config: Config, one: Standing, name: str, hour: int, now: int) -> None:
    """Hand a reminder to the command; raises NotHandedOut."""
    duty: Duty | None = next((each for each in one.open_duties if each.to == name), None)
    told = {
        "breach": one.row.id,
        "controller": one.row.controller,
        "duty": name,
        "hour": hour,
        "deadline": None if duty is None or duty.due is None else rfc3339(duty.due),
        "overdue": duty is not None and duty.late(now),
        "remains": one.remains(),
    }
    HandOut(None, config.breach.command).deliver(f"breach-{one.row.id}-{name}-{hour}", json.dumps(told).encode())
