"""Takes what must survive this host out of it: into a folder that somebody fetches from, to a command that sends, or both.

What is handed out is in place, whole and durable, or an error says that it is not.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import GdprcallError
from gdprcall.vault.objects import sync_folder

COMMAND_SECONDS = 15.0
"""How long a command may take to send what it was given; less than systemd waits for the daemon to stop."""
READABLE = 0o644


class NotHandedOut(GdprcallError):
    """Something did not leave this host."""


@dataclass(frozen=True, slots=True)
class HandOut:
    """Where to: a folder, a command that takes the content on its standard input, both, or nothing."""

    folder: Path | None
    command: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is anywhere to hand out to."""
        return self.folder is not None or bool(self.command)

    def deliver(self, name: str, content: bytes) -> list[str]:
        """Hand content out under a file name, and return to which places; raises NotHandedOut after trying all."""
        failed: list[NotHandedOut] = []
        places = []
        for place, to in ((self.folder and str(self.folder), self._drop), (" ".join(self.command[:1]), self._send)):
            if not place:
                continue
            try:
                to(name, content)
            except NotHandedOut as error:
                failed.append(error)
            else:
                places.append(place)
        if failed:
            raise NotHandedOut("; ".join(error.message for error in failed), failed[0].hint)
        return places

    def _drop(self, name: str, content: bytes) -> None:
        assert self.folder is not None
        partial = self.folder / f".{name}.partial"
        try:
            with partial.open("wb") as file:
                os.fchmod(file.fileno(), READABLE)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self.folder / name)
            sync_folder(self.folder)
        except OSError as error:
            hint = "make the folder, writable for the user gdprcall; under systemd name it in ReadWritePaths="
            raise NotHandedOut(f"{self.folder} cannot be written to: {error.strerror}", hint) from error

    def _send(self, name: str, content: bytes) -> None:
        program = self.command[0]
        # Nothing of our own environment, which may name secrets; what it prints may repeat what it was given.
        environment = {"PATH": os.defpath, "GDPRCALL_NAME": name}
        try:
            done = subprocess.run(
                self.command, input=content, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
                cwd="/", timeout=COMMAND_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise NotHandedOut(f"{program} took longer than {COMMAND_SECONDS:.0f} s", "run it by hand") from error
        except OSError as error:
            raise NotHandedOut(f"{program} cannot be run: {error.strerror}", "is it there, and executable?") from error
        if done.returncode:
            raise NotHandedOut(f"{program} ended with status {done.returncode}", "run it by hand")
