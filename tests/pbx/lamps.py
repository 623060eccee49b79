"""What an agent's telephone would be told of its lamp: every change of the hint that it watches, with its time.

It asks Asterisk by a manager of its own, and knows nothing of the daemon.
"""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from tests.pbx.asterisk import Asterisk

SECRET = "watch-lamps"
USER = f"\n[lamps]\nsecret = {SECRET}\nread = call,reporting\nwrite = call,reporting\n"


@dataclass
class Lamps:
    """Watches from entering to leaving; ``write_user`` must have been called before Asterisk starts."""

    asterisk: Asterisk
    changes: list[tuple[float, str, str]] = field(default_factory=list)

    @staticmethod
    def write_user(asterisk: Asterisk) -> None:
        """Let Asterisk know the manager that watches."""
        path = asterisk.folder / "etc" / "manager.conf"
        path.write_text(path.read_text() + USER)

    def __enter__(self) -> "Lamps":
        self._socket = socket.create_connection(("127.0.0.1", self.asterisk.ami_port), 5)
        self._socket.settimeout(None)
        self._socket.sendall(f"Action: Login\r\nUsername: lamps\r\nSecret: {SECRET}\r\n\r\n".encode())
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with self._socket.makefile("r", encoding="utf-8", errors="replace", newline="\r\n") as lines:
            for line in lines:
                name, _, value = line.rstrip("\r\n").partition(": ")
                fields[name] = value
                if not name:
                    if fields.get("Event") == "ExtensionStatus" and "gdprcall-" in fields["Hint"]:
                        self.changes.append((time.time(), fields["Hint"].split("gdprcall-")[1], fields["StatusText"]))
                    fields = {}

    def of(self, telephone: str) -> list[str]:
        """Return the states that the lamp of a telephone has had, one after the other."""
        states = [state for _, device, state in self.changes if device == telephone]
        return [state for place, state in enumerate(states) if place == 0 or states[place - 1] != state]

    def when(self, telephone: str, state: str, after: str = "") -> float:
        """Return when a lamp first had a state, or first ``after`` another, in seconds since 1970."""
        since = self.when(telephone, after) if after else 0
        return next(at for at, device, now in self.changes if (device, now) == (telephone, state) and at >= since)

    def hint(self, telephone: str) -> str:
        """Return what the hint of a telephone's lamp shows now."""
        for line in self.asterisk.rx(f"core show hint rec{telephone}").splitlines():
            if line.strip().startswith(f"rec{telephone}@"):  # Asterisk 16 cuts what comes after it
                return line.split("State:")[1].split()[0]
        return ""
