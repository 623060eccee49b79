"""Looks through a whole vault in slices, so that it can be followed, stopped, taken up again, and keeps nobody waiting.

It reads everything and mends nothing. What it knows between two slices lies in a small file beside the vault's own, with
no caller in it, and is gone when it is done.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from gdprcall.errors import NotFound, VaultError
from gdprcall.vault import checks
from gdprcall.vault.index_schema import TABLES
from gdprcall.vault.ledger import Entry
from gdprcall.vault.proof import Finding
from gdprcall.vault.reprojection import Reprojection
from gdprcall.vault.stores import SEALS, Stores

STAGES = ("ledger", "segments", "projection", "index", "strangers")
SHARDS = 256
AT_ONCE = 20
"""How many segments are looked at before the time is."""
MOST_FINDINGS = 10_000
"""More are counted, and no longer named: somebody who has so many restores a backup."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked through: the share of payloads that are read (1 is all), and whose; None is everybody's."""

    share: float = 1.0
    controller: str | None = None


@dataclass(slots=True)
class State:
    """How far a verification is: its ``stage``, and how much of how much of that is done."""

    share: float
    controller: str | None
    seed: str
    stage: str = "ledger"
    done: int = 0
    of: int = 0
    after: list[object] = field(default_factory=list)
    payloads_read: int = 0
    payloads_seen: int = 0
    more: int = 0
    findings: list[dict[str, object]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to look at."""
        return self.stage == "finished"

    @property
    def percent(self) -> int:
        """How much of all is done, each stage for as much as the others."""
        if self.finished:
            return 100
        return (100 * STAGES.index(self.stage) + 100 * min(self.done, self.of) // max(self.of, 1)) // len(STAGES)

    def as_json(self) -> dict[str, object]:
        """Return it for print; findings only when all are known."""
        names = ("stage", "percent", "share", "controller", "payloads_read", "payloads_seen")
        told: dict[str, object] = {name: getattr(self, name) for name in names}
        return told | ({"findings": self.findings, "more_findings": self.more} if self.finished else {})


class Verification:
    """One verification of a vault's stores; ``folder`` is the vault's, ``name`` that of the files it keeps there."""

    def __init__(self, stores: Stores, folder: Path, name: str = "verify") -> None:
        self._stores = stores
        self._folder = folder
        self._path, self._copy = folder / f"{name}.json", folder / f"{name}.db"
        looks = (self._ledger, self._segments, self._projection, self._index, self._strangers)
        self._stages: dict[str, Callable[[State], bool]] = dict(zip(STAGES, looks, strict=True))

    def begin(self, wanted: Wanted) -> None:
        """Begin anew, and forget one that was stopped."""
        self._clear()
        self._save(State(wanted.share, wanted.controller, self._stores.random(16).hex()))

    def go_on(self, seconds: float) -> State:
        """Look on for about so long; raises NotFound when none was begun, VaultError when that cannot be read."""
        state, end = self._saved(), time.monotonic() + seconds
        while not state.finished:
            try:
                through = self._stages[state.stage](state)
            except VaultError as error:
                self._tell(state, [Finding("vault", "everything else", f"not checked: {error.message}")])
                state.stage = "finished"
                break
            if through:
                state.stage, state.after = [*STAGES, "finished"][STAGES.index(state.stage) + 1], []
                state.done = state.of = 0
            if time.monotonic() >= end:
                break
        if state.finished:
            self._clear()
        else:
            self._save(state)
        return state

    def _ledger(self, state: State) -> bool:
        findings = [*self._stores.ledger.verify(), *checks.place(self._stores.index, self._stores.ledger)]
        self._tell(state, findings)
        if not findings:
            self._stores.catch_up()
        return True

    def _segments(self, state: State) -> bool:
        """Look at the segments that the next page of the ledger tells of."""
        size, after = self._stores.ledger.size(), int(str(state.after[0])) if state.after else 0
        looked = 0
        for entry in self._stores.ledger.entries(after=after):
            if state.controller in {None, entry.controller}:
                looked += self._follow(state, entry)
            state.after, state.done, state.of = [entry.seq], entry.seq, size
            if looked == AT_ONCE:
                return False
        return True

    def _follow(self, state: State, entry: Entry) -> bool:
        """Look at what an entry tells of; whether that is a segment."""
        sealed = entry.kind in SEALS and entry.body is not None
        read = sealed and self._chosen(state, f"{entry.recording}.{(entry.body or {}).get('segment')}")
        self._tell(state, checks.follow(self._stores, entry, read=read))
        state.payloads_seen += sealed
        state.payloads_read += read
        return sealed

    def _chosen(self, state: State, name: str) -> bool:
        """Whether a payload is one of the sample: by its name and the seed, so that going on chooses as it had begun."""
        draw = hashlib.sha256(f"{state.seed}{name}".encode()).digest()[:8]
        return int.from_bytes(draw, "big") < state.share * 2**64

    def _projection(self, state: State) -> bool:
        with closing(self._reprojection()) as anew:
            state.done, state.of = anew.build()
        return state.done >= state.of

    def _index(self, state: State) -> bool:
        table, *after = state.after or [TABLES[0]]
        with closing(self._reprojection()) as anew:
            found, until = anew.compare(str(table), tuple(after))
        self._tell(state, found)
        if until is not None:
            state.after = [table, *until]
            return False
        place = TABLES.index(str(table)) + 1
        state.done, state.of, state.after = place, len(TABLES), list(TABLES[place : place + 1])
        return place == len(TABLES)

    def _strangers(self, state: State) -> bool:
        shard = int(str(state.after[0])) if state.after else 0
        self._tell(state, checks.unknown(self._stores, f"{shard:02x}"))
        state.after, state.done, state.of = [shard + 1], shard + 1, SHARDS
        if shard + 1 == SHARDS:
            self._tell(state, checks.misplaced(self._stores))
        return shard + 1 == SHARDS

    def _reprojection(self) -> Reprojection:
        return Reprojection(self._copy, self._stores.index, self._stores.ledger)

    def _tell(self, state: State, findings: Iterator[Finding] | list[Finding]) -> None:
        for finding in findings:
            if len(state.findings) < MOST_FINDINGS:
                state.findings.append(finding.as_json())
            else:
                state.more += 1

    def _saved(self) -> State:
        try:
            values = json.loads(self._path.read_text())
            return State(**{one.name: values[one.name] for one in fields(State)})
        except FileNotFoundError as error:
            raise NotFound("no verification was stopped", "begin one: gdprcall vault verify") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VaultError("how far the verification was cannot be read", "begin anew, without --resume") from error

    def _save(self, state: State) -> None:
        partial = self._path.with_suffix(".part")
        try:
            partial.touch(mode=0o600)
            partial.write_text(json.dumps(asdict(state)))
            partial.replace(self._path)
        except OSError as error:
            hint = "check free space, and the owner and modes of the vault folder"
            raise VaultError(f"the verification cannot be noted: {error.strerror}", hint) from error

    def _clear(self) -> None:
        copy = self._copy.name
        for name in (self._path.name, copy, f"{copy}-wal", f"{copy}-shm"):
            (self._folder / name).unlink(missing_ok=True)
