"""Places a load at one rate and looks at the daemon while it runs; afterwards it counts what is on the disk.

What the daemon says of itself counts only for its tasks: everything else is read from /proc, the ledger and the folders.
"""

import http.client
import json
import os
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from tests.pbx.bench import meters
from tests.pbx.bench.load import REFUSING, Callers, Traffic, wait_until
from tests.pbx.bench.rounds import DRAIN_SECONDS
from tests.pbx.bench.world import World
from tests.pbx.load.judge import Sample, Seen
from tests.pbx.speech import read_wav, whose

SPEECH = 3
"""Of so many recordings the sound is listened to."""


def run(
    world: World, traffic: Traffic, every: float, tell: Callable[[float, Sample], None] = lambda _at, _sample: None
) -> tuple[Seen, list[Sample]]:
    """Place a load beside a running daemon, of whose vault nothing else is in use, and return what came of it."""
    samples: list[Sample] = []
    with Callers(world, traffic) as callers:
        seconds = traffic.calls / traffic.rate
        for place in range(1, max(4, round(seconds / every)) + 1):
            wait_until(lambda: callers.ended, every)
            samples.append(look(world))
            tell(place * every, samples[-1])
        counted = callers.wait(DRAIN_SECONDS + traffic.talk_seconds)
    wait_until(lambda: world.asterisk.channels() == 0, DRAIN_SECONDS)
    world.installation.wait_until_quiet(DRAIN_SECONDS)
    outcomes, seconds_of = ledger(world.installation.folder / "vault" / "ledger.db")
    payloads = sum(path.is_file() for path in (world.installation.folder / "vault" / "objects").rglob("*"))
    seen = Seen(
        counted.placed,
        counted.good,
        agreed=counted.placed - counted.placed // REFUSING,
        granted=outcomes["granted"],
        refused=outcomes["refused"],
        sealed_seconds=seconds_of,
        payloads=payloads,
        left=len(list(world.asterisk.spool.iterdir())),
        talk_seconds=traffic.talk_seconds,
    )
    return seen, samples


def look(world: World) -> Sample:
    """Return how the daemon is now."""
    pid = world.installation.pid
    threads = len(os.listdir(f"/proc/{pid}/task"))
    return Sample(meters.resident_mb(pid), meters.descriptors(pid), threads, _tasks(world.installation.folder))


def ledger(path: Path) -> tuple[Counter[str], list[float]]:
    """Return how often each outcome was decided, and the seconds of every sealed segment, from the ledger's file."""
    outcomes: Counter[str] = Counter()
    seconds = []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for leaf, body in database.execute("SELECT leaf, body FROM entry JOIN body USING (seq) ORDER BY seq"):
            kind, told = json.loads(leaf)["kind"], json.loads(body)
            if kind == "decision":
                outcomes[told["outcome"]] += 1
            elif kind == "sealed":
                seconds.append(float(told["seconds"]))
    return outcomes, seconds


def unheard(world: World) -> Sequence[str]:
    """Return the recordings, of the first few, in which the caller's or the agent's speech is not heard."""
    installation, lost = world.installation, []
    for row in installation.json("recordings", "list", "--limit", str(SPEECH)):
        sound = read_wav(installation.opened(str(row["id"])))
        if min(whose(sound).values()) < 1:
            lost.append(str(row["id"]))
    return lost


def _tasks(folder: Path) -> int:
    connection = http.client.HTTPConnection("localhost", timeout=10)
    with closing(connection), closing(socket.socket(socket.AF_UNIX)) as connection.sock:
        connection.sock.connect(str(folder / "api.sock"))
        connection.request("POST", "/v1/status", "{}", {"Content-Type": "application/json"})
        return int(json.loads(connection.getresponse().read())["tasks"])
