"""What sealing costs while calls go on: sounds of ten minutes are written as MixMonitor writes them, only faster.

The daemon's own parts follow it in a process of their own, which is what is measured; they wake up as often as they
would in ten minutes.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.recorders import BUFFER, MixMonitor, plaintext
from tests.vaults import recording_id, wav

SECONDS = 600
FASTER = 20
"""How much faster than speech: the writer sleeps a twentieth of the 2.05 s that Asterisk takes to fill a buffer."""
APART = """
import asyncio, json, os, sys, time
from pathlib import Path
from gdprcall import follower as following
from gdprcall.asterisk.spool import SpoolFile
from gdprcall.follower import Follower, Ground
from gdprcall.vault import growth
from gdprcall.vault.archive import Vault
from tests import vaults
from tests.vaults import ACME, recording_id
folder, memory, faster, calls = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[5])
growth.SOUND_BYTES_PER_SECOND = round(growth.SOUND_BYTES_PER_SECOND * faster)
growth.SLACK_SECONDS /= faster
growth.UNSURE_SECONDS /= faster
following.FIRST_SECONDS /= faster
following.TOGETHER_SECONDS /= faster
synced, fsync = [], os.fsync
def timed(descriptor):
    begun = time.perf_counter()
    fsync(descriptor)
    synced.append(time.perf_counter() - begun)
async def follow(vault, spool):
    follower = Follower(vault, Ground(spool, memory), lambda _id: ACME.recipients)
    task = asyncio.ensure_future(follower.run())
    files = [SpoolFile(spool / f"{recording_id(n)}.1.wav", recording_id(n), 1) for n in range(1, calls + 1)]
    begun = time.process_time()
    for file in files:
        follower.follow(file)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for file in files:
        follower.leave(file)
    task.cancel()
    os.fsync = timed
    took = []
    for file in files:
        synced.clear()
        facts = vaults.facts(file.recording, closed_at=round(time.time() * 1000))
        at = time.perf_counter()
        entry = vault.seal(file.path, facts)
        took.append(time.perf_counter() - at - max(synced))
        assert entry.body["plaintext_peak"]
    print(json.dumps([(time.process_time() - begun) / calls, took]), flush=True)
with Vault.open(folder / "vault", memory=memory) as vault:
    for n in range(1, calls + 1):
        vault.note(vaults.decision(recording_id(n)))
    asyncio.run(follow(vault, Path(sys.argv[4])))
"""


@dataclass(frozen=True, slots=True)
class Grown:
    """Of each call: largest plaintext in KiB, CPU in ms, and the ms from its end until all was durable, less one fsync."""

    peak_kib: float
    cpu_ms: float
    end_ms: list[float]


def growing(folder: Path, memory: Path, calls: int = 1) -> Grown:
    """Write ten minutes of sound for each of ``calls``, and return what it cost to seal them meanwhile.

    ``memory`` is empty and in memory.
    """
    sound = wav(SECONDS)[44:]
    recorders = [MixMonitor(memory / f"{recording_id(number)}.1.wav", sound) for number in range(1, calls + 1)]
    with _followed(folder, memory, calls) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        peak, begun, turns = 0, time.monotonic(), 0
        step = BUFFER / 16_000 / FASTER / calls
        going = list(recorders)
        while going:  # in turn, so that no two fill their buffers in the same moment
            recorder = going.pop(0)
            if recorder.write():
                going.append(recorder)
            turns += 1
            peak = max(peak, plaintext(recorder.path))
            time.sleep(max(0.0, begun + turns * step - time.monotonic()))
        for recorder in recorders:
            recorder.close()
        process.stdin.write("closed\n")
        process.stdin.flush()
        cpu, took = json.loads(process.stdout.readline())
    return Grown(peak / 1024, cpu * 1000, [one * 1000 for one in took])


@contextmanager
def _followed(folder: Path, memory: Path, calls: int) -> Iterator["subprocess.Popen[str]"]:
    arguments = [str(folder), str(memory / "keys"), str(FASTER), str(memory), str(calls)]
    command = [sys.executable, "-c", APART, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
