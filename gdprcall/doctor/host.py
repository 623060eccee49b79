"""This host beside the telephone: its name, its clock, and whether the daemon serves and holds the vault.

It reads what the kernel tells; it sets nothing.
"""

import asyncio
import ctypes
import os
import socket
import time
from pathlib import Path

from gdprcall.config import Config
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding

RESOLVE_SECONDS = 1.0
LOCKS = Path("/proc/locks")
NOT_SYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
TIMEX_BYTES = 512  # more than any struct timex


async def examine(config: Config) -> list[Finding]:
    """Return what was found about the host."""
    return [await name_resolution(), clock(kernel_clock()), *daemon(config)]


async def name_resolution() -> Finding:
    """Asterisk looks up its host's own name during calls; a slow answer delays every call."""
    mend = "add this host's name to /etc/hosts"
    begun = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(2 * RESOLVE_SECONDS):
            await loop.getaddrinfo(socket.gethostname(), None)
    except (OSError, TimeoutError):
        return Finding("name", FAIL, "this host's own name does not resolve", mend)
    return judged_name(time.monotonic() - begun)


def judged_name(seconds: float) -> Finding:
    """Return what a look-up of that many seconds means."""
    slow = seconds >= RESOLVE_SECONDS
    mend = "add this host's name to /etc/hosts" if slow else ""
    return Finding("name", FAIL if slow else OK, f"this host's own name resolves in {seconds:.2f} s", mend)


def kernel_clock() -> int:
    """Return the kernel's state of the clock (adjtimex(2)), -1 if it does not tell."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (OSError, AttributeError):
        return -1


def clock(state: int) -> Finding:
    """Return what the kernel's state means: evidence and deadlines are only as good as the clock."""
    mend = "run systemd-timesyncd or chrony"
    if state == NOT_SYNCHRONISED:
        return Finding("clock", WARN, "no time service keeps the clock of this host", mend)
    if state < 0:
        return Finding("clock", WARN, "it is not known whether the clock is kept right", mend)
    return Finding("clock", OK, "a time service keeps the clock")


def daemon(config: Config) -> list[Finding]:
    """Return whether the daemon answers, and whether anybody else holds its vault."""
    held = holder(config.vault / "lock", LOCKS.read_text())
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(config.socket))
    except PermissionError:
        mend = "run the doctor as root or as the daemon's user"
        return [Finding("daemon", WARN, "its socket may not be used by us", mend)]
    except OSError:
        found = [Finding("daemon", WARN, "the daemon does not run: nothing is recorded", "systemctl start gdprcall")]
        if held:
            text = f"process {held} holds the vault and does not answer"
            found.append(Finding("vault lock", FAIL, text, "wait for it, or end it and start the daemon"))
        return found
    return [Finding("daemon", OK, "the daemon answers")]


def holder(lock: Path, locks: str) -> int:
    """Return the number of the process that has locked a file, after the text of /proc/locks; 0 if there is none."""
    try:
        status = lock.stat()
    except OSError:
        return 0
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in locks.splitlines():
        _, kind, _, _, pid, place, *_ = line.replace("-> ", "").split()
        if kind == "FLOCK" and place == wanted:
            return int(pid)
    return 0
