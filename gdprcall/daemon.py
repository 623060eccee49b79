"""The daemon: builds everything, serves calls, looks after the spool, and stops in order.

It owns the vault while it runs. It decides nothing about a call, and while any part of it is unfit nothing is recorded.
"""

import asyncio
import signal
import time
from collections.abc import Mapping
from functools import partial

from gdprcall import __version__, agents, config
from gdprcall.alertness import Alertness
from gdprcall.alertness import House as Known
from gdprcall.api import admit, serve_api
from gdprcall.asterisk import foreign
from gdprcall.asterisk.ami import Ami
from gdprcall.asterisk.ami_events import AmiEvent, MachineAnswered, PrivateCalled, WatchdogFired
from gdprcall.asterisk.spool import Spool, SpoolFile
from gdprcall.calls import Calls
from gdprcall.checkpoints import Checkpoints, tell
from gdprcall.config import Config
from gdprcall.errors import GdprcallError, PeerError
from gdprcall.follower import Follower, Ground
from gdprcall.fronts import Fronts
from gdprcall.guard import Guard
from gdprcall.intake import SWEEP_SECONDS, Intake
from gdprcall.log import get_logger
from gdprcall.operations import Context
from gdprcall.orphans import Attendant, Orphans
from gdprcall.policy.model import Controller, Policy
from gdprcall.reception import House, Reception
from gdprcall.reminders import Reminders
from gdprcall.rightsdesk import desks
from gdprcall.systemd import notify, watchdog_seconds
from gdprcall.terms import holding, note_terms
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import RecordingRow
from gdprcall.work import Work

DRAIN_SECONDS = 20.0


class _Stopped(Exception):
    """The daemon was told to stop, and has finished what could not wait."""


class Daemon:
    """One running daemon."""

    def __init__(self, settings: Config, vault: Vault) -> None:
        self._settings = settings
        self._vault = vault
        self._spool = Spool(settings.asterisk.spool)
        self._watching, self._stop = asyncio.Event(), asyncio.Event()
        self._reloading = asyncio.Lock()
        self._log = get_logger()
        self._started = time.monotonic()
        places, secret = settings.asterisk, settings.secret("ami-password").decode()
        self._ami = Ami(
            places.ami_host, places.ami_port, places.ami_user, secret, on_event=self._ami_event, on_up=self._ami_up
        )
        self._calls = Calls(self._ami, self._unattended_withdrawal, self._overheard, self._ami.is_behind)
        self._follower = Follower(vault, Ground(places.spool, settings.memory, settings.progressive), self._recipients)
        known = (self._spool.files, self._recipients, self, self._live_recordings, self._sole_controller)
        self._intake = Intake(
            Work(
                *(vault, *known),
                quarantine_days=settings.quarantine_days,
                unattended=self._unattended,
                follow=self._follower.follow,
                leave=self._follower.leave,
            )
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        self._note(Kind.DAEMON_STARTED, {"version": __version__})
        await asyncio.to_thread(note_terms, self._vault, self._settings)
        await self._finish_erasures()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._begin(tasks)
                await self._stop.wait()
                await self._drain()
                raise _Stopped  # cancels all tasks, those of calls that are recorded still among them
        except* _Stopped:
            pass
        self._note(Kind.DAEMON_STOPPED, {})
        self._log.info("stopped")

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        """Start every part; each lives until the daemon stops."""
        self._tasks = tasks
        attendant = Attendant(self._vault, self._intake, self._policy, self._spool.files)
        self._orphans = Orphans(self._calls, tasks, self._unattended_withdrawal, attendant)
        self._guard = Guard(partial(foreign.end, self._ami), self._vault.submit, tasks.create_task)
        served = (self._spool.folder, self._unfit, self._guard.watch, self._settings.reserve_bytes)
        house = House(self._vault, self._intake, self._calls, tasks, *served)
        self._reception = Reception(house)
        self._reception.terms = holding(self._settings)
        loop = self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.create_task(self._reload()))
        context = Context(
            self._vault, self._settings, self.live, alarm=tell, now=lambda: self._settings, calls=self._reception.view
        )
        self._fronts = Fronts(self._settings, desks(self._reception, context, tasks), self._ami.is_up, tasks)
        watched = (self._vault, lambda: self._settings)
        parts = [self._watch_spool(), self._intake.run(), self._look_after(), self._tell_systemd(), self._ami.run()]
        parts += [self._follower.run(), *self._fronts.parts(), serve_api(context, self._settings.socket)]
        parts += [Checkpoints(self._vault, self._settings).run(), Reminders(*watched).run()]
        for part in (*parts, Alertness(*watched, self._known).run()):
            tasks.create_task(part)

    async def _finish_erasures(self) -> None:
        try:
            for receipt in await asyncio.to_thread(self._vault.finish_erasures):
                self._log.warning("erasure_finished", recording=receipt.recording)
        except GdprcallError as error:
            # It is told, and tried again at the next start; the callers of today are served and asked all the same.
            self._log.error("erasure_unfinished", error=type(error).__name__, hint=error.hint)

    def live(self) -> Mapping[str, object]:
        """Return what only the running daemon knows, for ``status``."""
        unfit = self._unfit() or self._reception.short_of_space()
        return {
            "version": __version__,
            **self._fronts.live(),
            "ami": self._ami.linked,
            "spool_watched": self._watching.is_set(),
            "fit": not unfit,
            "unfit": unfit or None,
            "asking": self._reception.asking,
            "recording": len(self._calls) - self._reception.asking,
            "foreign_recordings": self._guard.found,
            "waiting_files": self._intake.waiting,
            "sealing_in_call": self._follower.count,
            "last_seal_ms": self._intake.last_seal_ms,
            "last_sweep_ms": self._intake.last_sweep_ms,
            "tasks": len(asyncio.all_tasks(self._loop)),
            "uptime_seconds": round(time.monotonic() - self._started),
        }

    async def withdrawn_mark(self, recording: str) -> bool:
        """Satisfy ``intake.Marks``."""
        return await self._ami.withdrawn_mark(recording)

    async def forget_mark(self, recording: str) -> None:
        """Satisfy ``intake.Marks``."""
        if await self._ami.withdrawn_mark(recording):
            await self._fronts.forget_mark(recording)

    def _unfit(self) -> str:
        """Return why nothing may be recorded now, or nothing."""
        if not self._ami.linked:
            return "ami_down"
        if not self._watching.is_set():
            return "spool_lost"
        if self._intake.ledger_damaged:
            return "ledger_damaged"
        if self._intake.waiting:
            return "spool_waiting"
        return "sealing_behind" if self._intake.behind else ""

    def _recipients(self, controller: str) -> tuple[str, ...]:
        terms = self._reception.terms
        known = (terms.policy if terms else self._settings.policy).controllers.get(controller)
        return known.recipients if known else ()

    def _policy(self) -> Policy | None:
        return self._reception.terms.policy if self._reception.terms else None

    def _unattended(self, row: RecordingRow) -> bool:
        # While a policy cannot be read, the one before says it.
        policy = self._policy() or self._settings.policy
        return agents.wants_agent(policy, row.line, row.basis) and not agents.noted(self._vault, row.id)

    def _sole_controller(self) -> Controller | None:
        return self._settings.policy.sole_controller()

    def _known(self) -> Known:
        return Known(self._live_recordings(), self._intake.ledger_damaged)

    def _live_recordings(self) -> frozenset[str] | None:
        return self._calls.recordings if self._ami.linked else None

    def _ami_event(self, event: AmiEvent) -> None:
        if isinstance(event, WatchdogFired):
            self._log.warning("watchdog", line=event.line)
        elif isinstance(event, MachineAnswered):
            self._log.info("machine_answered", line=event.line, reason="machine" if event.found else "no_amd")
        elif isinstance(event, PrivateCalled):
            self._tasks.create_task(self._reception.private(event.line, event.uniqueid, must=event.must))
        self._calls.handle(event)
        self._guard.handle(event)

    async def _ami_up(self) -> None:
        """Catch up with what happened while AMI was away: recordings that run, calls that ended, withdrawals."""
        followed = self._calls.begin_anew()
        up = await self._ami.live()
        for channel in up:
            if channel.recording and channel.recording not in self._calls.recordings:
                self._orphans.adopt(channel)
        self._calls.catch_up(followed, up)
        terms = self._reception.terms
        self._guard.catch_up(up, terms.policy.lines if terms else {})
        for recording in await self._ami.withdrawn_marks():
            self._unattended_withdrawal(recording)
        self._sweep_soon()

    def _unattended_withdrawal(self, recording: str) -> None:
        self._tasks.create_task(self._withdraw(recording))

    def _overheard(self, recording: str, segment: int) -> None:
        self._tasks.create_task(self._intake.overheard(recording, segment))

    async def _withdraw(self, recording: str) -> None:
        try:
            await self._intake.withdraw(recording, "key")
        except GdprcallError as error:
            self._log.error("withdrawal_failed", recording=recording, hint=error.hint)

    async def _watch_spool(self) -> None:
        while True:
            try:
                await self._spool.watch(self._file_created, self._intake.closed, self._sweep_soon, self._watching.set)
            except PeerError as error:
                if self._watching.is_set() or not self._stop.is_set():
                    self._log.error("spool_lost", hint=error.hint)
                self._watching.clear()
            await asyncio.sleep(2)

    def _file_created(self, file: SpoolFile) -> None:
        self._intake.created(file)
        self._calls.file_seen(file.recording, file.segment)

    def _sweep_soon(self) -> None:
        self._tasks.create_task(self._sweep())

    async def _look_after(self) -> None:
        """Look through the spool and for marks every minute: what events missed is found here."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if self._ami.linked:
                await self._sweep()

    async def _sweep(self) -> None:
        try:
            for recording in await self._ami.withdrawn_marks():
                await self._withdraw(recording)
            await self._intake.sweep()
            await self._ami.put_out_orphans()
        except GdprcallError as error:
            self._log.error("sweep_failed", error=type(error).__name__, hint=error.hint)

    async def _tell_systemd(self) -> None:
        """Say READY once everything is linked, and from then on that the loop turns."""
        told = ""
        while True:
            fit = self._unfit() or self._fronts.down
            if not told and not fit:
                self._log.info("started", version=__version__)
                notify("READY=1")
            unfit = fit or self._reception.short_of_space()
            status = "recording those who agree" if not unfit else f"recording nothing: {unfit}"
            if status != told and (told or not fit):
                notify(f"STATUS={status}")
                told = status
            notify("WATCHDOG=1")
            await asyncio.sleep(min(watchdog_seconds() or 1.0, 1.0) if told else 0.05)

    async def _reload(self) -> None:
        async with self._reloading:
            try:
                settings = config.load(self._settings.path)
                terms = holding(settings)
                await asyncio.to_thread(note_terms, self._vault, settings)
            except GdprcallError as error:
                # A policy that cannot be read permits nothing; the old one is not fallen back to.
                self._reception.terms = None
                self._log.error("reload_refused", hint=error.hint)
            else:
                self._settings = self._settings.renewed(settings)
                self._reception.terms = terms
                await asyncio.to_thread(admit, self._settings.socket, settings.access)
                self._log.info("reloaded")

    async def _drain(self) -> None:
        notify("STOPPING=1")
        self._log.info("stopping")
        self._reception.draining = True
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end and (self._reception.asking or not self._intake.idle):
            await asyncio.sleep(0.05)

    def _note(self, kind: Kind, body: Mapping[str, object]) -> None:
        self._vault.note(Fact(kind, None, None, body))
