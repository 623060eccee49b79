"""What the running daemon says of itself: whether it records those who agree, and what waits in quarantine.

It asks the daemon's own socket and opens no file of the vault; a daemon that does not run says nothing.
"""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from gdprcall.config import Config
from gdprcall.doctor.finding import FAIL, OK, WARN, Finding

SECONDS = 10.0
LARGEST_ANSWER = 64 * 1024
MENDS = {
    "no_space": "make room in the spool and in the vault: see vault space and spool space above",
    "spool_waiting": "files could not be sealed: the daemon's log says seal_failed, and why",
    "ledger_damaged": "gdprcall audit verify",
    "sealing_behind": "the vault's disk is slower than the calls: look for what else uses it",
}


def examine(config: Config) -> Iterator[Finding]:
    """Yield what the daemon says, if it answers."""
    said = status(config.socket)
    if said is None:
        return
    unfit = said.get("unfit")
    if unfit:
        mend = MENDS.get(str(unfit), "the daemon's log says since when, and why")
        yield Finding("recording", FAIL, f"nothing is recorded: {unfit}", mend)
    else:
        yield Finding("recording", OK, "those who agree are recorded")
    yield quarantine(said)


def quarantine(said: Mapping[str, object]) -> Finding:
    """Return how many files wait apart for a person to look at, and until when."""
    count = said.get("quarantined")
    if not count:
        return Finding("quarantine", OK, "nothing waits in it")
    text = f"{count} wait in it, the first until {said.get('quarantine_ends')}; they are destroyed then"
    mend = "gdprcall recordings list --state quarantined; export, and open where the identity is"
    return Finding("quarantine", WARN, text, mend)


def status(path: Path) -> Mapping[str, object] | None:
    """Return what the daemon answers on its socket, None if nothing or nonsense."""
    connection = http.client.HTTPConnection("localhost", timeout=SECONDS)
    with closing(connection), socket.socket(socket.AF_UNIX) as made:
        try:
            made.settimeout(SECONDS)
            made.connect(str(path))
            connection.sock = made
            connection.request("POST", "/v1/status", "{}", {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read(LARGEST_ANSWER)) if answer.status == http.client.OK else None
        except (OSError, ValueError, http.client.HTTPException):
            return None
    return said if isinstance(said, dict) else None
