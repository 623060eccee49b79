"""Does what a plan says: places the calls, strikes the programs at their moments, and has them running again after it."""

import contextlib
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asyncinotify import Inotify, Mask

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Agent, Caller
from tests.pbx.installation import Installation
from tests.pbx.prepare import PBX
from tests.pbx.soak.check import Call, Wound
from tests.pbx.soak.plan import ROUND_SECONDS, Blow, How, Moment, Round, Target, Upon

SERVED_SECONDS = 20.0
"""By then a caller who stays is served, whatever was struck: see plan.LONGEST_STAY."""
BEHIND_SECONDS = 0.3
"""How far a telephone may be behind its plan."""
BACK_SECONDS = 30.0
WATCH_SECONDS = 4.5
"""How long a late blow waits for its change: a chunk of a long call comes every four seconds."""
SPEAK = '#!/bin/sh\nexec "{espeak}" "$@" -s 4000\n'


ASKED_BY_AGI = """
[inbound](+)
; agi-<line>[-must]: the same as without agi-, but asked by FastAGI.
exten => _agi-.,1,Set(DB(call/${CALLERID(num)})=${UNIQUEID})
 same => n,Gosub(gdprcall-agi,s,1(${CUT(EXTEN,-,2)},${IF($["${CUT(EXTEN,-,3)}"="must"]?must:may)}))
 same => n,Set(DB(result/${CALLERID(num)})=${GOSUB_RETVAL})
 same => n,GotoIf($["${GOSUB_RETVAL}"="route"]?route)
 same => n,Dial(PJSIP/agent,60,tTkK)
 same => n,Hangup()
 same => n(route),Playback(beep)
 same => n,Hangup()
"""


class Quick(Installation):
    """An installation whose prompts are spoken so fast that a question takes a second or two."""

    def prepare(self) -> None:
        """Write everything that an administrator would, with a hasty espeak-ng in front of the real one."""
        program = self.folder / "bin" / "espeak-ng"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(SPEAK.format(espeak=PBX / "bin" / "espeak-ng"))
        program.chmod(0o755)
        super().prepare()

    def environment(self) -> dict[str, str]:
        """Return the environment in which its commands run."""
        known = super().environment()
        return known | {"PATH": f"{self.folder / 'bin'}:{known['PATH']}"}

    @property
    def vault(self) -> Path:
        """The vault's folder."""
        return self.folder / "vault"

    def alive(self) -> bool:
        """Whether the daemon's process runs."""
        return self._process is not None and self._process.poll() is None


@dataclass
class Happened:
    """What a round did, besides what is on disk."""

    wounds: list[Wound] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    erasing: set[str] = field(default_factory=set)
    told_erased: set[str] = field(default_factory=set)
    tracebacks: list[str] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    answered: int | None = None


class Stage:
    """Where the rounds are played: one Asterisk, one installation, and a log of its own for each life of the daemon."""

    def __init__(self, asterisk: Asterisk, installation: Quick) -> None:
        self.asterisk = asterisk
        self.installation = installation
        self.logs: list[Path] = []

    def start_daemon(self) -> None:
        """Start the daemon without waiting for it."""
        path = self.installation.folder / "logs" / f"{len(self.logs):05d}.log"
        path.parent.mkdir(exist_ok=True)
        self.logs.append(path)
        self.installation.log_path = path
        self.installation.start(ready=False)

    def wait_until_serving(self) -> None:
        """Wait until daemon and Asterisk run and are linked; raises TimeoutError when they do not come back."""
        deadline = time.monotonic() + BACK_SECONDS
        while not (self.installation.alive() and _linked(self.logs[-1])):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the daemon does not come back: {self.logs[-1].read_text()[-3000:]}")
            if not self.installation.alive():
                # Refused while a command has the vault; systemd, too, would try again.
                time.sleep(0.2)
                self.start_daemon()
            time.sleep(0.03)


def play(stage: Stage, round_: Round, sealed: Sequence[str]) -> Happened:
    """Play one round; when it returns no call is up, and daemon and Asterisk serve again."""
    happened = Happened()
    first_log = len(stage.logs) - 1
    begun = time.monotonic()
    stage.asterisk.rx("database deltree result")
    stage.asterisk.rx("database deltree call")
    threads = [threading.Thread(target=_strike_all, args=(stage, round_, begun, happened.wounds), name="blows")]
    if round_.erasing and sealed:
        threads.append(threading.Thread(target=_erase, args=(stage, round_, sealed, begun, happened), name="erasing"))
    with Agent(stage.asterisk, ports=60) as agent:
        for thread in threads:
            thread.start()
        callers = [_caller(stage, round_, place, begun) for place in _by_time(round_)]
        try:
            _wait_for_the_hasty(callers, round_, begun)
            for thread in threads:
                thread.join()
            whole = not any(wound.target is Target.ASTERISK for wound in happened.wounds)
            results = _wait_for_the_patient(stage, round_) if whole else {}
            happened.answered = agent.answered() if whole else None
            if whole:
                # A telephone that is still pressing keys would not understand that the other side hangs up.
                _sleep_until(begun + max(plan.at + plan.busy_seconds for plan in round_.calls) + BEHIND_SECONDS)
            stage.asterisk.rx("channel request hangup all")
            uniqueids = stage.asterisk.db("call") if whole else {}
            statuses = {place: _ended(caller, whole) for place, caller in callers}
        finally:
            for _, caller in callers:
                caller.stop()
    while stage.asterisk.channels():
        time.sleep(0.02)
    stage.wait_until_serving()
    back = time.time()
    happened.wounds = [Wound(wound.target, wound.at, wound.back or back, wound.hard) for wound in happened.wounds]
    for place, caller in callers:
        name, plan = number(round_, place), round_.calls[place]
        pressed = tuple(caller.pressed())
        happened.calls.append(Call(plan, uniqueids.get(name, ""), results.get(name, ""), statuses[place], pressed))
    happened.logs = stage.logs[first_log:]
    happened.tracebacks += list(_tracebacks(happened.logs))
    return happened


def number(round_: Round, place: int) -> str:
    """Return the telephone number of a caller."""
    return f"+46701{(round_.number * 10 + place) % 1_000_000:06d}"


def _by_time(round_: Round) -> list[int]:
    return sorted(range(len(round_.calls)), key=lambda place: round_.calls[place].at)


def _caller(stage: Stage, round_: Round, place: int, begun: float) -> tuple[int, Caller]:
    plan = round_.calls[place]
    _sleep_until(begun + plan.at)
    return place, Caller(stage.asterisk, number(round_, place), plan.extension, plan.steps).start()


def _wait_for_the_hasty(callers: list[tuple[int, Caller]], round_: Round, begun: float) -> None:
    end = begun + round_.seconds + 3
    for place, caller in callers:
        if not round_.calls[place].patient:
            with contextlib.suppress(subprocess.TimeoutExpired):
                caller.wait(max(0.01, end - time.monotonic()))


def _wait_for_the_patient(stage: Stage, round_: Round) -> dict[str, str]:
    """Return what the dialplan wrote down, when every caller who stays was served, or has waited long enough."""
    wanted = {number(round_, place) for place, plan in enumerate(round_.calls) if plan.patient}
    deadline = time.monotonic() + SERVED_SECONDS
    while not wanted <= (results := stage.asterisk.db("result")).keys() and time.monotonic() < deadline:
        time.sleep(0.05)
    if wanted:
        time.sleep(0.1)  # the agent is called after the result was written down
    return results


def _ended(caller: Caller, whole: bool) -> int:
    try:
        return caller.wait(5 if whole else 0.01)
    except subprocess.TimeoutExpired:
        return -1


def _strike_all(stage: Stage, round_: Round, begun: float, wounds: list[Wound]) -> None:
    for blow in round_.blows:
        _wait_for_moment(stage, blow.moment, begun)
        wounds.append(_strike(stage, blow))


def _strike(stage: Stage, blow: Blow) -> Wound:
    at = time.time()
    match blow.target, blow.how:
        case Target.ASTERISK, How.TERM:
            stage.asterisk.stop()
        case Target.ASTERISK, _:
            stage.asterisk.kill()
        case Target.DAEMON, How.TERM:
            stage.installation.stop()
        case Target.DAEMON, How.FREEZE:
            stage.installation.send(signal.SIGSTOP)
            time.sleep(blow.frozen)
            stage.installation.send(signal.SIGKILL)
            stage.installation.kill()
        case _:
            stage.installation.send(signal.SIGKILL)
            stage.installation.kill()
    time.sleep(blow.pause)
    if blow.target is Target.ASTERISK:
        stage.asterisk.start()
        return Wound(blow.target, at, time.time(), blow.how is not How.TERM)
    stage.start_daemon()
    return Wound(blow.target, at, 0.0, blow.how is not How.TERM)


def _wait_for_moment(stage: Stage, moment: Moment, begun: float) -> None:
    _sleep_until(begun + moment.after)
    if moment.upon is not None:
        _wait_for_change(_places(stage, moment.upon), moment, begun + max(ROUND_SECONDS, moment.after + WATCH_SECONDS))
        time.sleep(moment.delay)


def _places(stage: Stage, upon: Upon) -> tuple[list[Path], str]:
    """Return the folders to watch, and what a changed name in them begins with."""
    vault = stage.installation.vault
    if upon is Upon.SPOOL:
        return [stage.asterisk.spool], ""
    if upon is Upon.OBJECTS:
        return [vault / "objects", *(path for path in (vault / "objects").iterdir() if path.is_dir())], ""
    return [vault], upon.value


def _wait_for_change(places: tuple[list[Path], str], moment: Moment, deadline: float) -> None:
    folders, start = places
    with Inotify(sync_timeout=0.05) as inotify:
        for folder in folders:
            inotify.add_watch(folder, Mask.CREATE | Mask.MODIFY | Mask.CLOSE_WRITE | Mask.DELETE)
        left = moment.count
        while time.monotonic() < deadline:
            for event in inotify:
                left -= str(event.name).startswith(start)
                if left <= 0:
                    return


def _erase(stage: Stage, round_: Round, sealed: Sequence[str], begun: float, happened: Happened) -> None:
    assert round_.erasing is not None
    first = int(round_.erasing.pick * len(sealed))
    wanted = sealed[first : first + round_.erasing.count]
    happened.erasing.update(wanted)
    _sleep_until(begun + round_.erasing.at)
    done = stage.installation.cli("recordings", "erase", *wanted, "--reason", "soak", "--yes", check=False)
    if done.returncode == 0:
        happened.told_erased.update(wanted)
    elif "error: " not in done.stderr or "Traceback" in done.stderr:
        happened.tracebacks.append(f"recordings erase: {done.stderr[-2000:]}")


def _linked(path: Path) -> bool:
    """Whether the last word of a daemon's log on each of its links is that it stands."""
    last = {"started": False, "ari": False, "ami": False}
    for line in path.read_text().splitlines() if path.exists() else []:
        said = str(json.loads(line).get("event")) if line.startswith("{") else ""
        if said == "started":
            last["started"] = True
        elif said.startswith(("ari_", "ami_")):
            last[said[:3]] = said.endswith("_up")
    return all(last.values())


def _tracebacks(logs: Sequence[Path]) -> Iterator[str]:
    for path in logs:
        text = path.read_text()
        if "Traceback" in text or "internal_error" in text:
            place = max(text.find("Traceback"), text.find("internal_error"))
            yield f"{path.name}: {text[max(0, place - 200) : place + 2000]}"


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def keep(stage: Stage, where: Path) -> None:
    """Copy what lies in memory beside the rest of the remains."""
    shutil.copytree(stage.asterisk.spool, where / "spool", dirs_exist_ok=True)
