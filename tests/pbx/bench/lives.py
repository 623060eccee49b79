"""How long finished plaintext lies in the spool under load, what a long file does there, and what sealing one costs."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdprcall.vault.archive import Vault
from tests import vaults
from tests.pbx.bench.load import Callers, Traffic, wait_until
from tests.pbx.bench.meters import median
from tests.pbx.bench.rounds import DRAIN_SECONDS, check, settle
from tests.pbx.bench.world import World
from tests.pbx.watch import Witness

LONG_SECONDS = 600
SEGMENT = 2


@dataclass(frozen=True, slots=True)
class Lives:
    """Seconds between the end of a file and its removal: of every call's file, and of the long ones."""

    calls: list[float]
    long: list[float]


def lives(world: World, traffic: Traffic, long_files: int) -> Lives:
    """Place a load, and in its midst move ten-minute files into the spool, each as the second segment of a live call."""
    sound = vaults.wav(LONG_SECONDS)
    with Witness(world.asterisk.spool) as witness:
        with Callers(world, traffic) as callers:
            until = time.monotonic() + traffic.calls / traffic.rate
            moved = []
            for place in range(long_files):
                # Once the calls that are up no longer grow in number, and spread over the rest of the load.
                full = traffic.talk_seconds + traffic.heard_seconds
                left = until - time.monotonic()
                time.sleep(full if place == 0 else max(0.0, left / (long_files - place)))
                moved.append(_move_in(world.asterisk.spool, sound))
            check(callers.wait(traffic.calls / traffic.rate + DRAIN_SECONDS), callers)
        settle(world, traffic)
        wait_until(lambda: all(witness.lives[name].removed for name in moved), DRAIN_SECONDS)
    found = {name: life.plaintext_seconds for name, life in witness.lives.items() if life.closed}
    return Lives([life for name, life in found.items() if name.endswith(".1.wav")], [found[name] for name in moved])


def _move_in(spool: Path, sound: bytes) -> str:
    """Write a sound aside and move it into place whole; its call agreed, so it is sealed like any other."""
    partial = spool / f"{os.getpid()}.partial"
    partial.write_bytes(sound)
    known = {path.name for path in spool.glob(f"*.{SEGMENT}.wav")}
    recording = max(_born(spool))[1].split(".")[0]
    name = f"{recording}.{SEGMENT}.wav"
    assert name not in known
    partial.rename(spool / name)
    return name


def _born(spool: Path) -> Iterator[tuple[int, str]]:
    """Yield when each first segment last changed, and its name; those that are sealed in this moment are passed over."""
    for path in spool.glob("*.1.wav"):
        with suppress(FileNotFoundError):
            yield path.stat().st_ctime_ns, path.name


def sealing(folder: Path, spool: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds of durable seals of a ten-minute WAV, and of writing and syncing the same bytes, in turns."""
    data = vaults.wav(LONG_SECONDS)
    sealed, written = [], []
    with Vault.open(folder / "vault") as vault:
        for place in range(rounds + 1):
            recording = vaults.recording_id(place)
            vault.note(vaults.decision(recording))
            source = vaults.spooled(spool, recording, data=data)
            begun = time.perf_counter()
            vault.seal(source, vaults.facts(recording))
            sealed.append(time.perf_counter() - begun)
            written.append(_write(folder / "plain", data))
    return sealed[1:], written[1:]


def ratios(sealed: list[float], written: list[float]) -> list[float]:
    """Return each seal against the typical write: a single write's luck with the disk does not count."""
    return [one / median(written) for one in sealed]


def _write(path: Path, data: bytes) -> float:
    begun = time.perf_counter()
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    took = time.perf_counter() - begun
    path.unlink()
    return took
