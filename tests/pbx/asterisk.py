"""A real Asterisk of its own: configuration, ports, spool and database in one folder, started and stopped at will.

It uses the dialplan and the samples of the project as they are shipped; only passwords, ports and paths are its own.
It is Asterisk 22, or the release that $GDPRCALL_TEST_ASTERISK names and that prepare.py has built: 16.
"""

import contextlib
import functools
import itertools
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.pbx.prepare import PBX, ROOT
from tests.pbx.tones import tone, write_wav
from tests.pbx.world import EXTENSIONS, MODULES, PJSIP, without_stasis

BIN = PBX / "bin"
OTHER = os.environ.get("GDPRCALL_TEST_ASTERISK", "")
PROGRAM = BIN / (f"asterisk-{OTHER}" if OTHER else "asterisk")
DIALPLAN = ROOT / "dialplan"
START_SECONDS = 30
FIRST_PORT, PORTS, WORKERS = 61_000, 900, 5
_ports = itertools.count(secrets.randbelow(PORTS))
IMPATIENT = {"RES_OPTIONS": "timeout:1 attempts:1"}
"""Asterisk looks up names of its own during calls; where no resolver answers, each would hold a call for long."""


class Asterisk:
    """One Asterisk in one folder; a context manager that leaves no process behind.

    ``dialplan`` is added to the end of extensions.conf; telephones call into [inbound]. Without ``stasis`` neither Stasis nor ARI is loaded, and
    calls are asked by FastAGI.
    """

    def __init__(
        self,
        folder: Path,
        *,
        agent_port: int = 0,
        silent_port: int = 0,
        third_port: int = 0,
        outside_port: int = 0,
        dialplan: str = "",
        stasis: bool = True,
    ) -> None:
        self.folder = folder.resolve()
        self.ari_port, self.ami_port, self.agi_port = free_port(), free_port(), free_port()
        self._stasis = stasis
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.agent_port = agent_port or free_port(socket.SOCK_DGRAM)
        self.silent_port = silent_port or free_port(socket.SOCK_DGRAM)
        self.third_port = third_port or free_port(socket.SOCK_DGRAM)
        self.outside_port = outside_port or free_port(socket.SOCK_DGRAM)
        self.ari_password, self.ami_password = secrets.token_hex(16), secrets.token_hex(16)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._memory = Path(tempfile.mkdtemp(prefix="gdprcall-", dir=_memory(self.folder)))
        self.spool = self._memory / "spool"
        self.spool.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._write(dialplan)

    @property
    def ari_url(self) -> str:
        """Where ARI listens."""
        return f"http://127.0.0.1:{self.ari_port}/ari"

    @property
    def sounds(self) -> Path:
        """The folder of sounds, with one folder per language."""
        return self.folder / "data" / "sounds"

    def __enter__(self) -> "Asterisk":
        try:
            self.start()
        except BaseException:
            # Python calls no __exit__ for a start that failed.
            self.kill()
            shutil.rmtree(self._memory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._memory, ignore_errors=True)

    def start(self) -> None:
        """Start and wait until calls can be made."""
        log = (self.folder / "log" / "console.log").open("ab")
        self._process = subprocess.Popen(
            [PROGRAM, "-C", self.folder / "etc" / "asterisk.conf", "-f", "-g"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
            env=os.environ | IMPATIENT,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while "fully booted" not in self.rx("core waitfullybooted"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Asterisk did not start: {self.log()[-2000:]}")
            time.sleep(0.05)

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it as a system does, with SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it without warning."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def rx(self, command: str) -> str:
        """Run a command of Asterisk's console and return what it printed."""
        done = subprocess.run(
            [PROGRAM, "-C", self.folder / "etc" / "asterisk.conf", "-rx", command],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        return done.stdout + done.stderr

    def db(self, family: str) -> dict[str, str]:
        """Return one family of the internal database."""
        found = re.findall(rf"^/{family}/(\S+)\s*: (.*?)\s*$", self.rx(f"database show {family}"), re.MULTILINE)
        return dict(found)

    def channels(self) -> int:
        """Return how many channels are up."""
        found = re.search(r"(\d+) active channel", self.rx("core show channels count"))
        return int(found[1]) if found else 0

    def log(self) -> str:
        """Return all that it logged."""
        return "".join(
            path.read_text(errors="replace") for path in sorted((self.folder / "log").glob("*")) if path.is_file()
        )

    def _write(self, dialplan: str) -> None:
        for name in ("etc", "db", "data", "log", "data/keys", "spool", "data/moh"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            _system("share/asterisk"),
            self.folder / "data",
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("sounds"),
        )
        (self.sounds / "en").mkdir(parents=True, exist_ok=True)
        beep = next(_system("share/asterisk").glob("sounds/en/beep.wav"), None)
        if beep:
            shutil.copy(beep, self.sounds / "en")
        # Keys that transfer do nothing where this announcement is missing.
        write_wav(self.sounds / "en" / "pbx-transfer.wav", tone(0, 0.1))
        ports = ("sip_port", "agent_port", "silent_port", "third_port", "outside_port", "agi_port")
        values = {name: getattr(self, name) for name in (*ports, "spool")}
        values["entry"] = "gdprcall" if self._stasis else "gdprcall-agi"
        files = {
            "asterisk.conf": self._directories(),
            "modules.conf": MODULES if self._stasis else without_stasis(),
            "pjsip.conf": PJSIP.format(**values),
            "extensions.conf": EXTENSIONS.format(dialplan=DIALPLAN, **values) + dialplan,
            "queues.conf": "[q1]\nmusicclass=default\nstrategy=ringall\ntimeout=30\nsetinterfacevar=yes\nmember=PJSIP/agent\n",
            "features.conf": f"#include {DIALPLAN}/features.conf\n[featuremap]\nblindxfer=##\natxfer=*2\n",
            "musiconhold.conf": f"[default]\nmode=files\ndirectory={self.folder}/data/moh\n",
            "rtp.conf": f"[general]\nrtpstart={(start := rtp_range())}\nrtpend={start + 998}\n",
            "res_parking.conf": "[default]\nparkext=700\nparkpos=701-720\ncontext=parked\n",
            "confbridge.conf": "[default_bridge]\ntype=bridge\n[default_user]\ntype=user\n",
            "amd.conf": "[general]\n",
            "cdr.conf": "[general]\nenable=no\n",
            "logger.conf": (DIALPLAN / "logger.conf").read_text(),
            "ari.conf": (DIALPLAN / "ari.conf").read_text().replace("CHANGE-ME", self.ari_password),
            "http.conf": (DIALPLAN / "http.conf").read_text().replace("8088", str(self.ari_port)),
            "manager.conf": _filters((DIALPLAN / "manager.conf").read_text())
            .replace("CHANGE-ME", self.ami_password)
            .replace("5038", str(self.ami_port)),
        }
        for name, text in files.items():
            (self.folder / "etc" / name).write_text(text)

    def _directories(self) -> str:
        modules = next(_system("lib").glob("**/app_dial.so")).parent
        places = {
            "astetcdir": "etc", "astvarlibdir": "data", "astdatadir": "data", "astdbdir": "db", "astkeydir": "data",
            "astspooldir": "spool", "astlogdir": "log", "astagidir": "data/agi-bin",
        }  # fmt: skip
        lines = [f"{name} => {self.folder / place}" for name, place in places.items()]
        # Not in the folder: the path of the control socket may have 107 bytes, and a test's folder can be longer.
        lines.append(f"astrundir => {self._memory}")
        return "\n".join(
            ["[directories]", f"astmoddir => {modules}", *lines, "[options]", "documentation_language = en_US", ""]
        )


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of the loopback that nobody has now, above those that the system gives out by itself.

    So whoever is told it may open it later: each process counts through ports of its own.
    """
    while True:
        port = FIRST_PORT + PORTS * (worker() % WORKERS) + next(_ports) % PORTS
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def rtp_range() -> int:
    """Return the even start of a range for sound, below the ports that the system gives out by itself."""
    return 12000 + 1000 * (worker() or os.getpid() % 10 + 8)


def worker() -> int:
    """Return the number of this worker of pytest-xdist from 1, or 0 when there are none."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")) + 1


def _memory(folder: Path) -> Path:
    shared = Path("/dev/shm")  # a tmpfs on every Debian
    return shared if os.access(shared, os.W_OK) else folder


@functools.cache
def version() -> tuple[int, int]:
    """Return the release of the Asterisk that is started, such as (22, 10)."""
    said = subprocess.run([PROGRAM, "-V"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


def _filters(manager: str) -> str:
    """Return the sample with the event filters that this Asterisk understands."""
    return manager.replace(";eventfilter = ", "eventfilter = ") if version() < (20, 11) else manager


def _system(part: str) -> Path:
    private = PBX / (f"root-{OTHER}" if OTHER else "root") / "usr" / part
    return private if "$root" in PROGRAM.read_text() else Path("/usr") / part
