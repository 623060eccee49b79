"""A whole gdprcall beside a private Asterisk: configuration, secrets, identity, prompts, and the daemon as a process."""

import atexit
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType

from gdprcall.vault.note import Signer
from tests.pbx import forked
from tests.pbx.asterisk import Asterisk
from tests.pbx.prepare import PBX

CONFIG = """\
[asterisk]
ari_url = "{ari_url}"
ami_port = {ami_port}
fronts = [{fronts}]
agi_listen = "127.0.0.1:{agi_port}"
spool = "{spool}"
sounds = "{sounds}"
configuration = "{etc}"

[vault]
folder = "{folder}/vault"
socket = "{folder}/api.sock"

[sealing]
memory = "{memory}"

[secrets]
folder = "{folder}/secrets"

[controllers.acme]
name = "Acme"
contact = "privacy@acme.example"
country = "SE"
notice_url = "acme.example"
recipients = ["{recipient}"]

[lines.support]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en", "sv", "de"]
more = ""
timeout_seconds = {timeout}

[lines.once]
controller = "acme"
purpose = "quality"
basis = "consent"
languages = ["en"]
more = ""
attempts = 1
timeout_seconds = {timeout}

[lines.staff]
controller = "acme"
purpose = "training"
basis = "consent"
languages = ["en"]
more = ""
timeout_seconds = {timeout}
"""
READY_SECONDS = 20

_BUILT: dict[tuple[int, int, str, str], Path] = {}
"""What was built of prompts in this process, by what decides how they sound."""


class Installation:
    """One installation in one folder; a context manager that starts the daemon and stops it.

    ``lines`` are added to its configuration; a further controller in them has ``RECIPIENT`` for its recipient.
    """

    def __init__(
        self,
        folder: Path,
        asterisk: Asterisk,
        *,
        timeout: int = 2,
        speed: int = 400,
        identity: Path | None = None,
        fronts: Sequence[str] = ("ari",),
        environment: Mapping[str, str] | None = None,
        lines: str = "",
    ) -> None:
        self.folder = folder.resolve()
        self.asterisk = asterisk
        self.config = self.folder / "gdprcall.toml"
        # Beside the installation, as on another machine: the daemon starts nowhere near an identity.
        self.officer = self.folder.with_name(f"{self.folder.name}-officer")
        self.identity = identity or self.officer / "acme.identity"
        self.log_path = self.folder / "gdprcall.log"
        # In memory, and of this installation alone: beside the spool.
        self.memory = asterisk.spool.parent / f"keys-{secrets.token_hex(4)}"
        self._timeout = timeout
        self._speed = speed
        self._fronts = fronts
        self._environment = environment or {}
        self._lines = lines
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write everything that an administrator would."""
        for folder in (self.folder / "secrets", self.officer):
            folder.mkdir(parents=True, exist_ok=True)
        self._secret("ari-password", self.asterisk.ari_password)
        self._secret("ami-password", self.asterisk.ami_password)
        self._secret("pseudonym-key-acme", secrets.token_hex(32))
        self._secret("log-signing-key", Signer("pbx.example/gdprcall", secrets.token_bytes(32)).encode())
        recipient = self._new_identity(self.identity)
        self.config.write_text(
            CONFIG.format(
                ari_url=self.asterisk.ari_url,
                ami_port=self.asterisk.ami_port,
                fronts=", ".join(f'"{front}"' for front in self._fronts),
                agi_port=self.asterisk.agi_port,
                spool=self.asterisk.spool,
                sounds=self.asterisk.sounds,
                etc=self.asterisk.folder / "etc",
                folder=self.folder,
                memory=self.memory,
                recipient=recipient,
                timeout=self._timeout,
            )
            + self._with_recipients(self._lines)
        )
        self._prompts()

    def __enter__(self) -> "Installation":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, ready: bool = True, by: Sequence[str] = ()) -> None:
        """Start the daemon, by another program if ``by`` names one, and wait until it records those who agree."""
        before = len(self.log("started"))
        with self.log_path.open("ab") as out:
            self._process = subprocess.Popen(
                [*by, *self._command(), "serve", "--log", "json"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=self.environment(), cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while ready and len(self.log("started")) == before:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon did not start: {self.log_path.read_text()[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> int | None:
        """Stop the daemon in order and return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the daemon without warning."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send the daemon a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self._process is not None
        return self._process.pid

    def ended(self, seconds: float) -> int:
        """Wait for the daemon to end by itself and return its exit status."""
        assert self._process is not None
        status = self._process.wait(seconds)
        self._process = None
        return status

    def _end(self, how: signal.Signals) -> int | None:
        if self._process is None:
            return None
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        try:
            status = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._process = None
        return status

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line."""
        done = forked.run(["--config", str(self.config), *arguments], self.environment())
        if check and done.returncode:
            raise RuntimeError(f"gdprcall {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin one command of the command line, and do not wait for it."""
        return subprocess.Popen(
            [*self._command(), *arguments], env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def replace(self, old: str, new: str) -> None:
        """Change the configuration."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def kinds(self) -> list[str]:
        """Return the kinds of the ledger's entries, read from its file: not what the daemon says of it."""
        with closing(sqlite3.connect(f"file:{self.folder}/vault/ledger.db?mode=ro", uri=True)) as database:
            leaves = [json.loads(leaf) for (leaf,) in database.execute("SELECT leaf FROM entry ORDER BY seq")]
        return [str(leaf["kind"]) for leaf in leaves]

    def wait_until(self, true: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it never held\n{self.log_path.read_text()[-3000:]}")
            time.sleep(0.01)

    def json(self, *arguments: str) -> list[dict[str, object]]:
        """Run one command with --json and return what it printed."""
        return list(json.loads(self.cli(*arguments, "--json").stdout))

    def log(self, event: str | None = None) -> list[Mapping[str, object]]:
        """Return the lines of the daemon's log, or those of one event."""
        if not self.log_path.exists():
            return []
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if event in {None, line["event"]}]

    def wait_for(self, event: str, count: int = 1, seconds: float = 20) -> list[Mapping[str, object]]:
        """Wait until the log has an event so many times, and return those lines."""
        deadline = time.monotonic() + seconds
        while len(found := self.log(event)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{event}: {len(found)} of {count}\n{self.log_path.read_text()[-3000:]}")
            time.sleep(0.02)
        return found

    def sealed(self) -> list[float]:
        """Return the seconds of every segment that was sealed, in the order of the log."""
        return [float(str(line["seconds"])) for line in self.log("sealed")]

    def wait_until_quiet(self, seconds: float = 20) -> None:
        """Wait until no sound file is left in the spool."""
        deadline = time.monotonic() + seconds
        while list(self.asterisk.spool.glob("*.wav")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the spool is not empty\n{self.log_path.read_text()[-3000:]}")
            time.sleep(0.02)

    def opened(self, recording: str, segment: int = 1, identity: Path | None = None) -> Path:
        """Export a segment, open it with the public age tool, and return the WAV."""
        sealed = self.officer / f"{recording}.{segment}.age"
        self.cli("recordings", "export", recording, "--segment", str(segment), "-o", str(sealed), "--force")
        wav = sealed.with_suffix(".wav")
        subprocess.run([PBX / "bin" / "age", "-d", "-i", identity or self.identity, "-o", wav, sealed], check=True)
        return wav

    def clear(self) -> None:
        """Remove everything."""
        for folder in (self.folder, self.officer):
            shutil.rmtree(folder, ignore_errors=True)

    def identity_of(self, controller: str) -> Path:
        """Return where the identity of a further controller lies."""
        return self.officer / f"{controller}.identity"

    def _with_recipients(self, lines: str) -> str:
        """Give each further controller of ``lines`` an identity and a pseudonym key, and return them with its recipient."""
        for name in re.findall(r"^\[controllers\.(\w+)\]", lines, re.MULTILINE):
            self._secret(f"pseudonym-key-{name}", secrets.token_hex(32))
            lines = lines.replace("RECIPIENT", self._new_identity(self.identity_of(name)), 1)
        return lines

    def _new_identity(self, identity: Path) -> str:
        """Make an officer's identity with the public tool, and return its recipient."""
        identity.unlink(missing_ok=True)
        subprocess.run([PBX / "bin" / "age-keygen", "-o", identity], capture_output=True, check=True)
        made = subprocess.run([PBX / "bin" / "age-keygen", "-y", identity], capture_output=True, check=True)
        return made.stdout.decode().strip()

    def _prompts(self) -> None:
        """Build the prompts, or lay those down again that were built before for the same lines: to speak takes seconds."""
        program = self.environment()["PATH"].partition(os.pathsep)[0]
        said = (self._speed, self._timeout, program, self._lines)
        kept = _BUILT.get(said)
        places = {"vault": self.folder / "vault", "sounds": self.asterisk.sounds}
        if kept is None:
            self.cli("prompts", "build", "--speed", str(self._speed))
            kept = _BUILT[said] = Path(tempfile.mkdtemp(prefix="gdprcall-prompts-"))
            atexit.register(shutil.rmtree, kept, ignore_errors=True)
            for name, place in places.items():
                shutil.copytree(place, kept / name)
        else:
            for name, place in places.items():
                shutil.copytree(kept / name, place, dirs_exist_ok=True)

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "gdprcall", "--config", str(self.config)]

    def environment(self) -> dict[str, str]:
        """Return the environment in which its commands run."""
        environment = {name: value for name, value in os.environ.items() if name != "GDPRCALL_CONFIG"}
        return (
            environment
            | self._environment
            | {"PATH": f"{PBX / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "error"}
        )

    def _secret(self, name: str, value: str) -> None:
        path = self.folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(value + "\n")
