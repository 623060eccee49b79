"""Tells systemd how the daemon is: ready, stopping, alive. Does nothing where there is no systemd."""

import os
import socket


def notify(*lines: str) -> None:
    """Send state lines such as ``READY=1`` or ``STATUS=…`` to the supervisor (sd_notify(3)); a lost one is no error."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An abstract socket is written with @ and begins with a zero byte.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto("\n".join(lines).encode(), target)
        except OSError:
            return


def watchdog_seconds() -> float | None:
    """Return how often the supervisor wants to hear that we live: half of what it allows; None if it does not ask."""
    given = os.environ.get("WATCHDOG_USEC", "")
    return int(given) / 2_000_000 if given.isdecimal() and int(given) > 0 else None
