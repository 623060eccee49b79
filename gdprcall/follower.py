"""Looks after the sound files that still grow, in one thread: each is looked at when its next chunk can be full.

It seals nothing that no decision explains, and whatever goes wrong with a file, its sound stays where it is until the
end of its call.
"""

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import GdprcallError, NotFound
from gdprcall.log import get_logger
from gdprcall.vault.archive import Vault
from gdprcall.vault.growing import Recipients
from gdprcall.vault.growth import SLACK_SECONDS
from gdprcall.vault.punching import in_memory, punches
from gdprcall.work import Found

TOGETHER_SECONDS = SLACK_SECONDS - 0.1
"""Files whose turn comes so soon after another's are looked at with it, for their chunks are full already: waking up costs
more than looking."""
FIRST_SECONDS = 2.0
"""How long a new file is left alone: Asterisk needs eight seconds for what a chunk and its follower hold. One that is
full sooner was put there whole, is closed by then, and costs less in one go."""
AGAIN_SECONDS = 5.0
"""How long a file is left alone whose chunk could not be sealed: the disk may be full."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What sealing while a call goes on stands on: the spool, where keys are kept, and whether it is wanted at all."""

    spool: Path
    memory: Path
    wanted: bool = True

    def unfit(self) -> str:
        """Return why files are sealed at the end of their calls instead, or nothing."""
        if not self.wanted:
            return "switched_off"
        if not in_memory(self.memory):
            return "no_memory"
        return "" if punches(self.spool) else "no_punching"


class Follower:
    """The growing files, and when each is looked at next."""

    def __init__(self, vault: Vault, ground: Ground, recipients: Recipients) -> None:
        self._vault = vault
        self._ground = ground
        self._recipients = recipients
        self._due: dict[str, tuple[float, Found]] = {}
        self._failing: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Lock()  # held while there is nothing new: waiting for it costs half of a Condition
        self._wake.acquire()
        self._stopped = False
        self._fit = False
        self._log = get_logger()

    @property
    def count(self) -> int:
        """How many files are being sealed while they grow."""
        return len(self._vault.growing)

    def follow(self, file: Found) -> None:
        """Look after a file that Asterisk writes; two of one segment are sealed as a whole at their end."""
        if file.legs is not None:
            return
        with self._lock:
            if file.path.name in self._due:
                return
            self._due[file.path.name] = (time.monotonic() + FIRST_SECONDS, file)
        self._rouse()

    def leave(self, file: Found) -> None:
        """Look after a file no longer: it was closed."""
        with self._lock:
            self._due.pop(file.path.name, None)
            self._failing.discard(file.path.name)

    async def run(self) -> None:
        """Look after files until cancelled."""
        try:
            await asyncio.to_thread(self._work)
        finally:
            self._stopped = True
            self._rouse()

    def _rouse(self) -> None:
        with self._lock:
            if self._wake.locked():
                self._wake.release()

    def _work(self) -> None:
        while True:
            for file in self._wait():
                self._look(file)
            if self._stopped:
                return

    def _wait(self) -> list[Found]:
        """Return the files whose turn it is, once it is some file's turn; none when this is to end."""
        while not self._stopped:
            with self._lock:
                now = time.monotonic()
                soonest = min((due for due, _ in self._due.values()), default=None)
                if soonest is not None and soonest <= now:
                    return [file for due, file in self._due.values() if due <= now + TOGETHER_SECONDS]
            self._wake.acquire(timeout=-1 if soonest is None else soonest - now)
        return []

    def _look(self, file: Found) -> None:
        pause: float | None
        try:
            pause = self._advance(file)
            self._failing.discard(file.path.name)
        except NotFound:
            pause = None
        except (GdprcallError, OSError) as error:
            pause = AGAIN_SECONDS
            self._tell(file, type(error).__name__, getattr(error, "hint", "") or "see: gdprcall doctor")
        except Exception:  # noqa: BLE001 # whatever it was: one file must not take the others down
            pause = None
            self._log.error("internal_error", recording=file.recording, segment=file.segment, exc_info=True)
        with self._lock:
            if file.path.name in self._due:
                if pause is None:
                    del self._due[file.path.name]
                else:
                    self._due[file.path.name] = (time.monotonic() + pause, file)

    def _advance(self, file: Found) -> float | None:
        if not self._fit:
            # Looked at with the first file, for until then the spool may not be mounted.
            reason = self._ground.unfit()
            if reason:
                if reason != "switched_off" and "" not in self._failing:
                    self._failing.add("")
                    self._log.warning("progressive_off", reason=reason, hint="see: gdprcall doctor")
                return None
            self._fit = True
        return self._vault.advance(file.path, file.recording, file.segment, self._recipients)

    def _tell(self, file: Found, error: str, hint: str) -> None:
        if file.path.name not in self._failing:
            self._failing.add(file.path.name)
            self._log.warning("chunk_failed", recording=file.recording, segment=file.segment, error=error, hint=hint)
