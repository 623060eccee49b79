"""The measurements with calls: each function places a load and returns what was seen of it.

In a round of the baseline the daemon is not running: what it would cost Asterisk to tell it of calls is not there.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.pbx.bench import meters
from tests.pbx.bench.load import REFUSING, Agents, Callers, Counted, Traffic, wait_until
from tests.pbx.bench.observer import Observer
from tests.pbx.bench.probe import Probes
from tests.pbx.bench.world import BASELINE, World

DRAIN_SECONDS = 60
SHORT_SECONDS = 0.5
"""How much shorter than its talk a recording may be: bridging takes a moment."""
STEP_SECONDS = 6.0
STEP = 1.08


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU milliseconds a call, and what part of the machine SIPp took."""

    asterisk: float
    daemon: float
    sipp_share: float

    @property
    def both(self) -> float:
        """Asterisk and daemon together."""
        return self.asterisk + self.daemon


@dataclass(frozen=True, slots=True)
class Times:
    """What one round of timing saw, in milliseconds."""

    key: list[float]
    sound: list[float]
    disk: list[float]


@contextlib.contextmanager
def serving(world: World, extension: str) -> Iterator[None]:
    """Let the daemon run for everything but the baseline."""
    if extension == BASELINE:
        yield
    else:
        with world.installation:
            yield


def cpu(world: World, agents: Agents, traffic: Traffic) -> Cpu:
    """Place a load with nobody else watching and return what it cost."""
    pids = [world.asterisk.pid, agents.pid] + ([] if traffic.extension == BASELINE else [world.installation.pid])
    before = [meters.cpu_seconds(pid) for pid in pids]
    _, all_ = meters.machine_seconds()
    with Callers(world, traffic) as callers:
        time.sleep(traffic.calls / traffic.rate)
        calling = meters.cpu_seconds(callers.pid)
        counted = callers.wait(DRAIN_SECONDS)
        check(counted, callers)
    settle(world, traffic)
    spent = [meters.cpu_seconds(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    machine = meters.machine_seconds()[1] - all_
    each = [1000 * seconds / counted.placed for seconds in spent]
    return Cpu(each[0], each[2] if len(each) > 2 else 0.0, (calling + spent[1]) / machine)


def times(world: World, traffic: Traffic) -> Times:
    """Place a load with an observer on AMI, telephones that listen to the wire, and a writer on the vault's disk."""
    with Observer(world) as observer, meters.Disk(world.installation.folder) as disk:
        with Callers(world, traffic) as callers:
            with Probes(world, traffic) as probes:
                time.sleep(traffic.calls / traffic.rate)
            check(callers.wait(DRAIN_SECONDS), callers)
        settle(world, traffic)
    if probes.failed:
        raise RuntimeError(f"{probes.failed} of the measuring calls failed")
    return Times(observer.latencies_ms, probes.sound_ms, disk.took_ms)


def withdrawals(world: World, traffic: Traffic) -> list[float]:
    """Place a load of callers who withdraw; return the milliseconds from each last digit to the end of its MixMonitor."""
    with Observer(world) as observer:
        with Callers(world, traffic) as callers:
            check(callers.wait(traffic.calls / traffic.rate + DRAIN_SECONDS), callers)
        settle(world, traffic)
    began = len(observer.latencies_ms)
    if not began or len(observer.stops_ms) != began:
        raise RuntimeError(f"{len(observer.stops_ms)} of {began} recordings ended at the key")
    return observer.stops_ms


def check(counted: Counted, callers: Callers) -> None:
    """Raise RuntimeError when not every call went as planned."""
    if counted.good != counted.placed:
        raise RuntimeError(f"{counted.placed - counted.good} calls failed\n{callers.problem()}")


def settle(world: World, traffic: Traffic) -> None:
    """Wait until what was recorded is away: sealed, or removed by us where nobody seals."""
    wait_until(lambda: world.asterisk.channels() == 0, DRAIN_SECONDS)
    if traffic.extension == BASELINE:
        shutil.rmtree(world.plain_spool)
        world.plain_spool.mkdir()
    else:
        world.installation.wait_until_quiet(DRAIN_SECONDS)


def bears(world: World, traffic: Traffic) -> bool:
    """Whether every call of a load is placed in time, asked, and recorded whole if its caller agreed, and no other."""
    known = 0 if traffic.extension == BASELINE else len(world.installation.sealed())
    with Callers(world, traffic) as callers:
        counted = callers.wait(traffic.calls / traffic.rate + DRAIN_SECONDS)
    in_time = counted.rate >= 0.97 * traffic.rate
    wait_until(lambda: world.asterisk.channels() == 0, DRAIN_SECONDS)
    if traffic.extension == BASELINE:
        seconds = [(path.stat().st_size - 44) / 16000 for path in world.plain_spool.glob("*.wav")]
    else:
        world.installation.wait_until_quiet(DRAIN_SECONDS)
        seconds = world.installation.sealed()[known:]
    settle(world, traffic)
    agreed = counted.placed - counted.placed // REFUSING
    whole = sum(one >= traffic.talk_seconds - SHORT_SECONDS for one in seconds)
    return in_time and counted.good == counted.placed == traffic.calls and len(seconds) == whole == agreed


def highest(
    world: World, extension: str, start: float, talk_seconds: float, step_seconds: float = STEP_SECONDS
) -> float:
    """Return the highest rate that is borne for a step, in steps of 8 %, from one near ``start``; a rate fails when it fails twice."""

    def holds(rate: float) -> bool:
        traffic = Traffic(extension, rate, round(rate * step_seconds), talk_seconds)
        return bears(world, traffic) or bears(world, traffic)

    rate = start
    if holds(rate):
        while holds(rate * STEP):
            rate *= STEP
        return rate
    while rate > 5 and not holds(rate := rate / STEP):
        pass
    return rate
