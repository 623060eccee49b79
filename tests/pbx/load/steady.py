"""Places a load at one rate and looks at the daemon while it runs; afterwards it counts what is on the disk.

What the daemon says of itself counts only for its tasks: everything else is read from /proc, the ledger and the folders.
"""

import http.client
import json
import os
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from tests.pbx.bench import meters
from tests.pbx.bench.load import REFUSING, Callers, Traffic, wait_until
from tests.pbx.bench.rounds import DRAIN_SECONDS
from tests.pbx.bench.world import World
from tests.pbx.load.judge import Sample, Seen
from tests.pbx.speech import heard, read_wav, reference

RELAY = 3_000
"""So many calls are one SIPp's: it takes new ports for the sound of each and never one of them twice."""
FIRST_PLACE = 10
SPEECH = 3
"""Of so many recordings the sound is listened to."""


def run(
    world: World, traffic: Traffic, every: float, tell: Callable[[float, Sample], None] = lambda _at, _sample: None
) -> tuple[Seen, list[Sample]]:
    """Place a load beside a running daemon, of whose vault nothing else is in use, and return what came of it."""
    samples: list[Sample] = []
    begun = time.monotonic()
    with ExitStack() as running:
        relays: list[Callers] = []
        for place, calls in enumerate(relay_sizes(traffic.calls)):
            relays.append(running.enter_context(Callers(world, replace(traffic, calls=calls), FIRST_PLACE + place)))
            until = time.monotonic() + calls / traffic.rate
            while (left := until - time.monotonic()) > 0:
                if wait_until(lambda: relays[-1].ended, min(every, left)):
                    raise RuntimeError(f"the callers ended early\n{relays[-1].problem()}")
                samples.append(look(world))
                tell(time.monotonic() - begun, samples[-1])
        counted = [relay.wait(DRAIN_SECONDS + traffic.talk_seconds) for relay in relays]
    placed, good = sum(one.placed for one in counted), sum(one.good for one in counted)
    wait_until(lambda: world.asterisk.channels() == 0, DRAIN_SECONDS)
    world.installation.wait_until_quiet(DRAIN_SECONDS)
    outcomes, seconds_of = ledger(world.installation.folder / "vault" / "ledger.db")
    payloads = sum(path.is_file() for path in (world.installation.folder / "vault" / "objects").rglob("*"))
    seen = Seen(
        placed,
        good,
        agreed=sum(one.placed - one.placed // REFUSING for one in counted),
        granted=outcomes["granted"],
        refused=outcomes["refused"],
        sealed_seconds=seconds_of,
        payloads=payloads,
        left=len(list(world.asterisk.spool.iterdir())),
        talk_seconds=traffic.talk_seconds,
    )
    return seen, samples


def relay_sizes(calls: int) -> list[int]:
    """Return how many calls each SIPp places, one after the other."""
    return [min(RELAY, calls - begun) for begun in range(0, calls, RELAY)]


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
    """Return the recordings, of the last few, in which the caller's speech is not heard."""
    installation, lost = world.installation, []
    for row in installation.json("recordings", "list", "--limit", str(SPEECH)):
        sound = read_wav(installation.opened(str(row["id"])))
        if heard(sound, reference("caller")) < 1:
            lost.append(str(row["id"]))
    return lost


def _tasks(folder: Path) -> int:
    connection = http.client.HTTPConnection("localhost", timeout=10)
    with closing(connection), closing(socket.socket(socket.AF_UNIX)) as connection.sock:
        connection.sock.connect(str(folder / "api.sock"))
        connection.request("POST", "/v1/status", "{}", {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    if "tasks" not in answer:
        raise RuntimeError(f"the daemon does not tell its status: {answer}")
    return int(answer["tasks"])
