"""Callers and agents as real SIP user agents, placed by SIPp: they speak, press keys and hang up as told.

They know no more of the PBX than a telephone does, and nothing of gdprcall.
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.pbx import scenario
from tests.pbx.asterisk import WORKERS, Asterisk, free_port, worker
from tests.pbx.prepare import PBX
from tests.pbx.scenario import Hangup, Press, Stay, Step, Wait

__all__ = ["Agent", "Caller", "Hangup", "Outcome", "Press", "Stay", "Step", "Wait"]

# Ports for sound: a part for each process, below those that the system gives out by itself and below Asterisk's.
# Thousands of calls may follow each other in one process: ports that were used long ago are used again.
FIRST_PORT, PORTS = 2_000, 2_000
_first = FIRST_PORT + PORTS * (worker() % WORKERS)
_ports = itertools.cycle(range(_first, _first + PORTS, 10))
_taking = threading.Lock()  # the calls of a test start from threads of their own
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call, told from its SIP messages; times are seconds since 1970."""

    status: int
    answered_at: float | None
    ended_at: float | None
    hung_up_itself: bool
    problem: str

    @property
    def ok(self) -> bool:
        """Whether all went as planned."""
        return self.status == 0


class Caller:
    """One call to one extension, with a plan of steps after it was answered; a number of "" is anonymous.

    A ``wide`` telephone speaks G.722 alone.
    """

    def __init__(
        self,
        asterisk: Asterisk,
        number: str,
        extension: str,
        steps: Sequence[Step],
        *,
        speaks: bool = True,
        voice: str = "caller",
        wide: bool = False,
    ) -> None:
        self.number = number
        self._telephone = Telephone(
            asterisk.folder / "calls",
            scenario.caller(number, extension, list(steps), voice if speaks and not wide else None, wide=wide),
            ["-m", "1", f"127.0.0.1:{asterisk.sip_port}"],
        )

    def start(self) -> "Caller":
        """Place the call."""
        self._telephone.start(ports=8)
        return self

    def __enter__(self) -> "Caller":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ended(self) -> bool:
        """Whether its call is over."""
        return self._telephone.ended()

    def wait(self, seconds: float = 180) -> int:
        """Wait for the end of the call; 0 if it went as planned; raises TimeoutExpired."""
        return self._telephone.wait(seconds)

    def result(self, seconds: float = 180) -> Outcome:
        """Wait for the end of the call and return what became of it; raises TimeoutExpired."""
        status = self.wait(seconds)
        messages = self._telephone.messages()
        answered = [at for at, sent, text in messages if not sent and text == "1 INVITE SIP/2.0 200 OK"]
        byes = [(at, sent) for at, sent, text in messages if " BYE BYE sip:" in text]
        return Outcome(
            status,
            answered[0] if answered else None,
            byes[0][0] if byes else None,
            bool(byes) and byes[0][1],
            "" if status == 0 else self.problem(),
        )

    def pressed(self) -> list[float]:
        """Return when it sent each key so far, in seconds since 1970."""
        return [at for at, sent, text in self._telephone.messages() if sent and " INFO INFO sip:" in text]

    def problem(self) -> str:
        """Return what SIPp said, for diagnosis."""
        return self._telephone.problem()

    def stop(self) -> None:
        """End it if it still runs."""
        self._telephone.stop()


class Agent:
    """Answers every call, does its steps and speaks until the caller hangs up; or rings for ever, on the silent port."""

    def __init__(
        self,
        asterisk: Asterisk,
        *,
        answers: bool = True,
        steps: Sequence[Step] = (),
        delay: float = 0,
        voice: str = "agent",
        ports: int = 390,
        port: int = 0,
    ) -> None:
        self._ports = ports
        port = port or (asterisk.agent_port if answers else asterisk.silent_port)
        # What the plan leaves open is ended by the caller.
        plan = [*steps] if any(isinstance(step, Hangup | Stay) for step in steps) else [*steps, Stay(600)]
        text = scenario.answering(plan, voice, delay) if answers else scenario.ringing()
        self._telephone = Telephone(asterisk.folder / "calls", text, ["-p", str(port)])

    def __enter__(self) -> "Agent":
        self._telephone.start(ports=self._ports)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._telephone.stop()

    def answered(self) -> int:
        """Return how many calls it has taken so far."""
        return self._count(True, " INVITE SIP/2.0 200 OK")

    def pressed(self) -> list[float]:
        """Return when it sent each key so far, in seconds since 1970."""
        return [at for at, sent, text in self._telephone.messages() if sent and " INFO INFO sip:" in text]

    def rang(self) -> int:
        """Return how often it has been called so far."""
        return self._count(True, " INVITE SIP/2.0 180 Ringing")

    def ended(self) -> list[tuple[float, bool]]:
        """Return when its calls ended, in seconds since 1970, and whether it was the one that hung up."""
        return [(at, sent) for at, sent, text in self._telephone.messages() if " BYE BYE sip:" in text]

    def problem(self) -> str:
        """Return what SIPp said, for diagnosis."""
        return self._telephone.problem()

    def _count(self, sent: bool, end: str) -> int:
        return sum(text.endswith(end) for _, was_sent, text in self._telephone.messages() if was_sent is sent)


class Telephone:
    """One SIPp with one scenario, in a process group of its own; no number is in the names of its files."""

    def __init__(self, folder: Path, text: str, options: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._name = f"{os.getpid()}-{next(_names)}"
        self._folder = folder
        self._options = options
        self._scenario = scenario.write(folder, self._name, text)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ports: int) -> None:
        """Start it, with so many ports for sound."""
        command = [str(PBX / "bin" / "sipp"), "-sf", str(self._scenario), "-i", "127.0.0.1", "-mi", "127.0.0.1"]
        command += ["-nostdin", "-trace_err", "-error_file", str(self._file("errors"))]
        command += ["-trace_shortmsg", "-shortmessage_file", str(self._file("messages"))]
        first = take_ports(ports)
        command += ["-min_rtp_port", str(first), "-max_rtp_port", str(first + ports)]
        command += ["-timeout", "600", "-recv_timeout", "120000", *self._options]
        if "-p" not in self._options:
            command += ["-p", str(free_port(socket.SOCK_DGRAM))]
        with self._file("log").open("wb") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=self._folder
            )

    def ended(self) -> bool:
        """Whether SIPp has ended."""
        return self._process is not None and self._process.poll() is not None

    def wait(self, seconds: float) -> int:
        """Return SIPp's exit status; raises TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def messages(self) -> list[tuple[float, bool, str]]:
        """Return its SIP messages so far: when, whether it sent them, CSeq and first line."""
        if not self._file("messages").exists():
            return []
        rows = [line.split("\t") for line in self._file("messages").read_text(errors="replace").splitlines()]
        return [
            (float(row[2]), row[3] == "S", f"{row[5].removeprefix('CSeq:').strip()} {row[6].strip()}")
            for row in rows
            if len(row) == 7
        ]

    def problem(self) -> str:
        """Return what SIPp said of errors, or else its last screen."""
        said = [self._file(kind).read_text(errors="replace") for kind in ("errors", "log") if self._file(kind).exists()]
        return next((text[-3000:] for text in said if text), "")

    def _file(self, kind: str) -> Path:
        return self._folder / f"{self._name}.{kind}"


def take_ports(count: int) -> int:
    """Return the first of ``count`` neighbouring ports for sound (and one more) that nobody has now."""
    with _taking:
        while True:
            taken = [next(_ports) for _ in range(count // 10 + 1)]
            if taken == sorted(taken) and all(_is_free(taken[0] + port) for port in range(count + 1)):
                return taken[0]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
