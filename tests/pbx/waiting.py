"""What tests of faults wait for: a caller's way on, a file in the spool, calls that are over.

Nothing here looks at the daemon.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.pbx.asterisk import Asterisk
from tests.pbx.callers import Caller, Hangup, Step, Wait

NUMBER = "+46701749901"
PROMPT_SECONDS, KEY_SECONDS = 8.3, 2.0
"""How long the prompts of these installations are, and how long they wait for a key."""
HEARD = Wait(PROMPT_SECONDS + 0.5)


def call(pbx: Asterisk, *steps: Step, to: str = "support", number: str = NUMBER) -> Caller:
    """Place a call that does ``steps``."""
    return Caller(pbx, number, to, list(steps)).start()


def returned(pbx: Asterisk, *, within: float, number: str = NUMBER) -> str:
    """Return what the dialplan was told of a call, which must be so within so many seconds from now."""
    deadline = time.monotonic() + within
    while number not in (found := pbx.db("result")):
        assert time.monotonic() < deadline, f"the caller still waits after {within} s"
        time.sleep(0.05)
    return found[number]


def wait_for_file(pbx: Asterisk, seconds: float = 20) -> None:
    """Wait until a recording has begun."""
    deadline = time.monotonic() + seconds
    while not list(pbx.spool.glob("*.wav")):
        assert time.monotonic() < deadline, "no recording began"
        time.sleep(0.02)


def refused_now(pbx: Asterisk) -> None:
    """Place a call and see that it is served at once and recorded nowhere."""
    pbx.rx("database deltree result")
    before = {path.name for path in pbx.spool.iterdir()}
    caller = call(pbx, Wait(1), Hangup())
    assert returned(pbx, within=3.5) == "unrecorded"
    assert caller.wait() == 0, caller.problem()
    assert {path.name for path in pbx.spool.iterdir()} <= before


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Keep everybody else from writing to an SQLite database, as a slow or broken disk would."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
