"""Goes round: plays a plan, waits until nothing moves, checks every invariant over all that was ever seen, and again.

One vault lives through all rounds. The first violation ends the run and leaves everything where it is.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from pprint import pformat
from typing import TypeVar

from tests.pbx.asterisk import Asterisk
from tests.pbx.soak import act, disk
from tests.pbx.soak.act import Happened, Quick, Stage
from tests.pbx.soak.check import NOTED_SECONDS, Seen, Violation, violations
from tests.pbx.soak.disk import Disk, Part
from tests.pbx.soak.plan import Round, plan
from tests.pbx.soak.tap import Tap
from tests.pbx.soak.witness import Life, Witness

HEAL_SECONDS = 10.0
"""By then a restarted daemon has finished what the kill left."""
SAMPLE = 8
"""How many recordings of earlier rounds are opened again after each round."""


T = TypeVar("T")


class BrokenError(AssertionError):
    """An invariant is broken; the text says which, in which round of which seed, and how to see it again."""


class Soak:
    """One run: its seed, its stage, and what was seen in all rounds so far."""

    def __init__(self, seed: int, stage: Stage, witness: Witness, tap: Tap) -> None:
        self.seed = seed
        self.figures: Counter[str] = Counter()
        self._stage = stage
        self._witness = witness
        self._tap = tap
        self._disk = Disk()
        self._lives: dict[str, Life] = {}
        self._headers: dict[Part, bytes] = {}
        self._all = Happened()
        self._first = 0
        self._number = 0

    def play(self, number: int) -> None:
        """Play one round and check it; raises BrokenError."""
        self._first = self._first or number
        self._number = number
        round_ = plan(self.seed, number)
        sealed = sorted(recording for recording, _ in self._disk.headers)
        try:
            happened = act.play(self._stage, round_, sealed)
            self._remember(happened)
            found, seen = self._settled(happened)
        except (TimeoutError, RuntimeError) as error:
            raise BrokenError(self._told(round_, [Violation("I4", "program", str(error))], Happened())) from error
        if found:
            raise BrokenError(self._told(round_, found, happened))
        self._count(happened, seen)
        self._witness.forget()

    def _remember(self, happened: Happened) -> None:
        self._all.wounds += happened.wounds
        self._all.calls += happened.calls
        self._all.erasing |= happened.erasing
        self._all.told_erased |= happened.told_erased

    def _settled(self, happened: Happened) -> tuple[list[Violation], Seen]:
        """Return what is broken when nothing moves any more, or when it had time enough to heal."""
        deadline = time.monotonic() + HEAL_SECONDS
        while True:
            begun = time.monotonic()
            self._lives |= {life.name: life for life in self._witness.lives()}
            now = self._read()
            if now.spool and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            seen = self._seen(now, happened)
            found = violations(now, seen)
            # On a busy host a look takes longer than the time to heal: one that began before that is over judges nobody.
            if not found or begun > deadline:
                break
            time.sleep(0.3)
        self._headers |= now.headers
        self._disk = now
        return found, seen

    def _read(self) -> Disk:
        return disk.read(self._stage.installation.vault, self._stage.asterisk.spool)

    def _seen(self, now: Disk, happened: Happened) -> Seen:
        with ThreadPoolExecutor(4) as pool:
            verified = pool.submit(self._verified)
            exported = pool.submit(self._exported, now)
            parts = self._worth_opening(now)
            opened = dict(zip(parts, pool.map(partial(self._opened, now), parts), strict=True))
        return Seen(
            now=time.time(),
            lives=tuple(self._lives.values()),
            withdrawn=self._tap.withdrawn(),
            wounds=tuple(self._all.wounds),
            calls=tuple(self._all.calls),
            present=tuple(happened.calls),
            answered=happened.answered,
            opened=opened,
            erasing=frozenset(self._all.erasing),
            told_erased=frozenset(self._all.told_erased),
            exported=exported.result(),
            before=self._disk.entries,
            old_headers=self._headers,
            raw_keys=disk.raw_keys(self._stage.installation.vault),
            verified=verified.result(),
            late=self._witness.late,
            tracebacks=tuple(happened.tracebacks),
        )

    def _worth_opening(self, now: Disk) -> list[Part]:
        """Return the segments that are new, and some of the earlier ones, erased ones among them."""
        new = [part for part in now.headers if part not in self._headers]
        return new + self._some(sorted(self._headers), SAMPLE)

    def _opened(self, now: Disk, part: Part) -> bytes | None:
        # An erased one is tried with the header it had: somebody may have kept a copy.
        header = now.headers.get(part) or self._headers.get(part, b"")
        return disk.opened(self._stage.installation.vault, header, part, self._stage.installation.identity)

    def _exported(self, now: Disk) -> dict[str, int]:
        """Return how an export of an erased recording ends."""
        erased = sorted({str(entry.recording) for entry in now.entries if entry.kind == "erased"})
        target = str(self._stage.installation.officer)
        cli = partial(self._stage.installation.cli, "recordings", "export", check=False)
        return {recording: cli(recording, "-o", target, "--force").returncode for recording in self._some(erased, 1)}

    def _verified(self) -> int:
        return self._stage.installation.cli("audit", "verify", check=False).returncode

    def _some(self, of: list[T], count: int) -> list[T]:
        return random.Random(f"{self.seed}/{self._number}").sample(of, min(count, len(of)))

    def finish(self) -> None:
        """Check once more, when every open end has had its time, and open everything that is left; raises BrokenError."""
        last = max((entry.time for entry in self._disk.entries), default=0) / 1000
        time.sleep(max(0.0, last + NOTED_SECONDS - time.time()))
        self._headers, known = {}, self._headers
        found, _ = self._settled(Happened())
        self._headers |= known
        if found:
            raise BrokenError(self._told(None, found, Happened()))

    def _count(self, happened: Happened, seen: Seen) -> None:
        self.figures["rounds"] += 1
        self.figures["calls"] += len(happened.calls)
        for wound in happened.wounds:
            self.figures[f"{wound.target} {'killed' if wound.hard else 'ended'}"] += 1
        known = len(seen.before)
        for entry in self._disk.entries[known:]:
            granted = entry.kind == "decision" and (entry.body or {}).get("outcome") == "granted"
            self.figures["granted" if granted else entry.kind] += 1
            self.figures["sealed while they grew"] += _grew(entry)
        gone = {entry.recording for entry in self._disk.entries if entry.kind == "erased"}
        self.figures["withdrawals lost with both programs"] = len(seen.withdrawn.keys() - gone)
        for path in happened.logs[1:]:
            self.figures["erasures finished at start"] += path.read_text().count('"erasure_finished"')

    def _told(self, round_: Round | None, found: list[Violation], happened: Happened) -> str:
        folder = self._stage.installation.folder
        act.keep(self._stage, folder)
        shown = [f"  {one.invariant} {one.subject}: {one.seen}" for one in found]
        lines = [f"round {self._number} of seed {self.seed} breaks an invariant:", *shown]
        lines += [f"plan: {pformat(round_)}", f"struck: {pformat(happened.wounds)}", f"logs: {happened.logs}"]
        return "\n".join([*lines, f"remains: {folder}", f"repeat: {command(self.seed, self._first, self._number)}"])


def _grew(entry: disk.Entry) -> bool:
    """Whether a segment had less plaintext at its end than sound: some of it was sealed before."""
    body = entry.body or {}
    peak = body.get("plaintext_peak", body.get("payload_bytes"))
    return entry.kind == "sealed" and int(str(peak)) < int(str(body["payload_bytes"])) - 1000


def command(seed: int, first: int, last: int) -> str:
    """Return the command that plays the same rounds again."""
    return f"make soak SEED={seed} ROUNDS={last - first + 1}{f' FIRST={first}' if first > 1 else ''}"


@contextmanager
def staged(folder: Path, seed: int) -> Iterator[Soak]:
    """Hold a stage that is ready for the first round, in an empty folder; what is in it stays."""
    with Asterisk(folder / "pbx", dialplan=act.ASKED_BY_AGI) as asterisk:
        installation = Quick(folder / "app", asterisk, timeout=1, fronts=("ari", "agi"))
        installation.prepare()
        stage = Stage(asterisk, installation)
        decided = partial(disk.decided, installation.vault)
        with Witness(asterisk.spool, decided) as witness, Tap(asterisk.ami_port, asterisk.ami_password) as tap:
            stage.start_daemon()
            try:
                stage.wait_until_serving()
                yield Soak(seed, stage, witness, tap)
            finally:
                installation.stop()


def run(folder: Path, seed: int, rounds: int, *, first: int = 1) -> Counter[str]:
    """Play and check so many rounds in ``folder``, telling how far it is, and return the figures; raises BrokenError."""
    print(f"seed {seed}: {rounds} rounds; the same again: {command(seed, first, first + rounds - 1)}", flush=True)
    with staged(folder, seed) as soak:
        begun = time.monotonic()
        for number in range(first, first + rounds):
            soak.play(number)
            took = time.monotonic() - begun
            if sys.stdout.isatty() or number % 10 == 0:
                end = "\r" if sys.stdout.isatty() else "\n"
                figures = soak.figures
                print(
                    f"round {number}: {took:.0f} s, {figures['sealed']} sealed, {figures['erased']} erased",
                    end=end,
                    flush=True,
                )
        soak.finish()
        return soak.figures
