"""Many calls at a steady rate: one SIPp that calls and one that answers for the agents, and what SIPp counted.

Digits go by SIP INFO: SIPp overloads itself with RTP digits long before a PBX does.
"""

import contextlib
import csv
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.pbx import scenario
from tests.pbx.asterisk import free_port
from tests.pbx.bench.world import World, media_address
from tests.pbx.prepare import PBX
from tests.pbx.scenario import Hangup, Stay, Wait

REFUSING = 10
"""Of so many callers one refuses."""
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is called, how often a second, how many times, and how long those who agreed then talk."""

    extension: str
    rate: float
    calls: int
    talk_seconds: float = 2.0
    heard_seconds: float = 1.0
    voice: str = "caller"
    """Whose speech the callers send."""
    withdraws: bool = False
    """Whether they withdraw at the end of the talk, and then stay another second."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What SIPp counted: calls placed, calls that went as planned, and the rate it reached while it placed them."""

    placed: int
    good: int
    rate: float
    at_once: int


class Agents:
    """Answers any number of calls at once until the callers hang up, and says nothing unless it is given a voice."""

    def __init__(self, world: World, voice: str | None = None) -> None:
        text = scenario.answering([Stay(600)], voice, 0)
        options = ["-p", str(world.asterisk.agent_port), *_sound_ports(3)]
        self._sipp = Sipp(world.asterisk.folder / "load", text, options)

    def __enter__(self) -> "Agents":
        self._sipp.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sipp.stop()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._sipp.pid


class Callers:
    """Callers who hear the mandatory part, press 1 (every tenth 2), talk, and hang up."""

    def __init__(self, world: World, traffic: Traffic, place: int = 2) -> None:
        """Prepare them; those who send sound at the same time as others need an address, ``place``, of their own."""
        self.traffic = traffic
        folder = world.asterisk.folder / "load"
        steps: list[scenario.Step] = [Wait(traffic.heard_seconds), scenario.Press("[field1]", together=True)]
        later = [scenario.Press("*9"), Wait(1.0)] if traffic.withdraws else []
        text = _pressing(traffic, [*steps, Wait(traffic.talk_seconds), *later, Hangup()])
        folder.mkdir(exist_ok=True)
        numbers = folder / f"{os.getpid()}-callers-{next(_names)}.csv"
        rows = (f"+4670{place:07d};{2 if place % REFUSING == REFUSING - 1 else 1}" for place in range(10_000))
        numbers.write_text("SEQUENTIAL\n" + "\n".join(rows) + "\n")
        options = ["-inf", str(numbers), "-r", f"{traffic.rate:.3f}", "-m", str(traffic.calls), "-l", "5000"]
        options += ["-p", str(free_port(socket.SOCK_DGRAM)), *_sound_ports(place)]
        self._sipp = Sipp(folder, text, [*options, f"127.0.0.1:{world.asterisk.sip_port}"])

    def __enter__(self) -> "Callers":
        self._sipp.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sipp.stop()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._sipp.pid

    @property
    def ended(self) -> bool:
        """Whether all its calls have ended."""
        return self._sipp.ended

    def wait(self, seconds: float) -> Counted:
        """Wait until all calls have ended and return what was counted; raises TimeoutExpired."""
        self._sipp.wait(seconds)
        return self._sipp.counted()

    def problem(self) -> str:
        """Return what SIPp said, for diagnosis."""
        return self._sipp.problem()


class Sipp:
    """One SIPp process that keeps statistics instead of messages."""

    def __init__(self, folder: Path, text: str, options: list[str]) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._name, self._options = folder, f"{os.getpid()}-{next(_names)}", options
        self._scenario = scenario.write(folder, self._name, text)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        command = [str(PBX / "bin" / "sipp"), "-sf", str(self._scenario), "-i", "127.0.0.1", "-nostdin"]
        command += ["-trace_err", "-error_file", str(self._file("errors")), "-recv_timeout", "40000"]
        command += ["-trace_stat", "-stf", str(self._file("csv")), "-fd", "1", *self._options]
        with self._file("log").open("wb") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=self._folder
            )

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        assert self._process is not None
        return self._process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end; raises TimeoutExpired."""
        assert self._process is not None
        self._process.wait(seconds)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def counted(self) -> Counted:
        """Return what it counted, from its own statistics."""
        with self._file("csv").open() as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = rows[-1]
        placed = int(last["TotalCallCreated"])
        # The rate while calls were still being placed: from the first to the last row in which there were new ones.
        busy = [row for row in rows if int(row["CallRate(P)"].split(".")[0] or 0) or int(row["OutgoingCall(P)"])]
        rate = float(busy[len(busy) // 2]["CallRate(P)"]) if busy else 0.0
        at_once = max(int(row["CurrentCall"]) for row in rows)
        return Counted(placed, int(last["SuccessfulCall(C)"]), rate, at_once)

    def problem(self) -> str:
        """Return what it said of errors, or else the end of its screen."""
        said = [self._file(kind).read_text(errors="replace") for kind in ("errors", "log") if self._file(kind).exists()]
        return next((text[-2000:] for text in said if text), "")

    def _file(self, kind: str) -> Path:
        return self._folder / f"{self._name}.{kind}"


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Return whether ``done()`` came true in time; looked at ten times a second."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _pressing(traffic: Traffic, steps: list[scenario.Step]) -> str:
    # Press() writes one INFO per character; here the first key is a field of the caller's row.
    first = next(step for step in steps if isinstance(step, scenario.Press))
    marked = [scenario.Press("1", together=True) if step is first else step for step in steps]
    text = scenario.caller("[field0]", traffic.extension, marked, traffic.voice)
    return text.replace("Signal=1\n", "Signal=[field1]\n")


def _sound_ports(place: int) -> list[str]:
    return ["-mi", media_address(place), "-min_rtp_port", "10000", "-max_rtp_port", "60000"]
