"""What sealing costs while a call goes on: a ten-minute sound is written as MixMonitor writes it, only faster.

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
folder, memory, faster = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
growth.SOUND_BYTES_PER_SECOND = round(growth.SOUND_BYTES_PER_SECOND * faster)
growth.SLACK_SECONDS /= faster
growth.UNSURE_SECONDS /= faster
following.FIRST_SECONDS /= faster
synced, fsync = [], os.fsync
def timed(descriptor):
    begun = time.perf_counter()
    fsync(descriptor)
    synced.append(time.perf_counter() - begun)
async def follow(vault, path):
    follower = Follower(vault, Ground(path.parent, memory), lambda _id: ACME.recipients)
    task = asyncio.ensure_future(follower.run())
    file = SpoolFile(path, recording_id(), 1)
    begun = time.process_time()
    follower.follow(file)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    grown = time.process_time() - begun
    follower.leave(file)
    task.cancel()
    os.fsync = timed
    facts = vaults.facts(recording_id(), closed_at=round(time.time() * 1000))
    at, cpu = time.perf_counter(), time.process_time()
    entry = vault.seal(path, facts)
    took, sealed = time.perf_counter() - at, time.process_time() - cpu
    print(json.dumps([grown + sealed, took, max(synced), entry.body["plaintext_peak"]]), flush=True)
with Vault.open(folder / "vault", memory=memory) as vault:
    vault.note(vaults.decision(recording_id()))
    asyncio.run(follow(vault, Path(sys.argv[4])))
"""


@dataclass(frozen=True, slots=True)
class Grown:
    """Largest plaintext in KiB, CPU in ms, and the ms from the end of the call until all was durable, less one fsync."""

    peak_kib: float
    cpu_ms: float
    end_ms: float


def growing(folder: Path, memory: Path) -> Grown:
    """Write ten minutes of sound, and return what it cost to seal it meanwhile; ``memory`` is empty and in memory."""
    recorder = MixMonitor(memory / f"{recording_id()}.1.wav", wav(SECONDS)[44:])
    with _followed(folder, memory, recorder.path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        peak, begun, buffers = 0, time.monotonic(), 0
        writing = True
        while writing:
            writing = recorder.write()
            buffers += 1
            peak = max(peak, plaintext(recorder.path))
            time.sleep(max(0.0, begun + buffers * BUFFER / 16_000 / FASTER - time.monotonic()))
        recorder.close()
        process.stdin.write("closed\n")
        process.stdin.flush()
        cpu, took, fsync, _ = json.loads(process.stdout.readline())
    return Grown(peak / 1024, cpu * 1000, (took - fsync) * 1000)


@contextmanager
def _followed(folder: Path, memory: Path, path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", APART, str(folder), str(memory / "keys"), str(FASTER), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
