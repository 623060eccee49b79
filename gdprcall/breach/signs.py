"""Reads from the ledger what is out of the ordinary: many releases, refused ones, failed proofs of keys, failed backups, recorders of others.

It keeps the last hour in mind and its place in the ledger in a file, so that neither a restart nor a busy hour hides anything;
and what it saw until it was told that a breach was opened for it, so that no full disk hides it either.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from gdprcall.breach.suspecting import Sign, Trigger
from gdprcall.config import Config
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry, Kind
from gdprcall.vault.placing import told, write_whole

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
FAILED_AN_HOUR = 3
"""How many wrong answers to a question for a key are more than mistakes."""
PLACE = "watched"
KINDS = frozenset({Kind.RELEASED, Kind.RELEASE_DENIED, Kind.ANSWER_FAILED, Kind.BACKUP_FAILED, Kind.FOREIGN_RECORDING})
Found = tuple[Sign, str | None]
"""A sign, and whose it is, None for that of the whole house."""


class Signs:
    """What the ledger showed in the last hour, and what no breach was opened for yet."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._path = vault.folder / PLACE
        self._place = self._kept()
        self._hour: deque[Entry] = deque()
        self._passed = 0
        self._unopened: dict[tuple[Trigger, str | None], Sign] = {}
        self._backed_up: Entry | None = None
        self._sought = 0

    def look(self, config: Config, now: int) -> list[Found]:
        """Return what is out of the ordinary at ``now`` (milliseconds), and what was so and is not ``opened`` yet.

        A sign stays one for as long as it is in the last hour. Raises VaultError.
        """
        size = self._vault.ledger.size()
        fresh = list(self._vault.ledger.entries(after=self._place, kinds=KINDS))
        self._place = max(size, *(one.seq for one in fresh[-1:]), self._place)
        for one in fresh:
            self._pass(config, one.time)
            self._hour.append(one)
        self._pass(config, now)
        self._take(self._hourly(config))
        self._take(self._single(fresh))
        self._take(self._lost(config, now))
        return [(sign, controller) for (_, controller), sign in self._unopened.items()]

    def opened(self, sign: Sign, controller: str | None) -> None:
        """Forget a sign for which a breach stands in the register now."""
        self._unopened.pop((sign.trigger, controller), None)

    def keep(self) -> None:
        """Remember the place from which the next daemon looks: that of the hour's first entry; raises VaultError.

        While a breach is still to be opened for anything seen, the place before that stays.
        """
        first = self._hour[0].seq - 1 if self._hour else self._place
        if not self._unopened and first != self._kept():
            with told("the place in the ledger up to which breaches were looked for cannot be kept"):
                write_whole(self._path, str(first).encode())

    def _pass(self, config: Config, to: int) -> None:
        """Let the hour that ends at ``to`` be the last one; what it showed until then is taken, once a minute."""
        if self._hour and to >= self._passed + MINUTE_MS:
            self._take(self._hourly(config))
            self._passed = to
        while self._hour and self._hour[0].time <= to - HOUR_MS:
            self._hour.popleft()

    def _take(self, found: Iterator[Found]) -> None:
        for sign, controller in found:
            before = self._unopened.get((sign.trigger, controller), sign)
            both = tuple(sorted({*before.recordings, *sign.recordings}))
            last = max(before.evidence, sign.evidence)
            self._unopened[sign.trigger, controller] = replace(sign, evidence=last, recordings=both)

    def _hourly(self, config: Config) -> Iterator[Found]:
        yield from self._releases(config)
        yield from self._answers()

    def _releases(self, config: Config) -> Iterator[Found]:
        released = [one for one in self._hour if one.kind is Kind.RELEASED and not (one.body or {}).get("package")]
        yield from _busy(
            released, config.releases_an_hour, Trigger.MASS_EXPORT, "more than {limit} recordings left in an hour"
        )
        denied = [one for one in self._hour if one.kind is Kind.RELEASE_DENIED]
        yield from _busy(
            denied, config.breach.denied_an_hour - 1, Trigger.ODD_ACCESS, "{count} releases were refused in an hour"
        )

    def _answers(self) -> Iterator[Found]:
        failed = [one for one in self._hour if one.kind is Kind.ANSWER_FAILED]
        for controller, count in Counter(one.controller for one in failed).items():
            if count >= FAILED_AN_HOUR:
                last = max(one.seq for one in failed if one.controller == controller)
                seen = f"{count} wrong answers to the question whether a key can open anything came in an hour"
                yield Sign(Trigger.FAILED_ANSWERS, seen, last), controller

    def _single(self, fresh: Sequence[Entry]) -> Iterator[Found]:
        """Yield the signs that one entry is by itself."""
        for one in fresh:
            if one.kind is Kind.FOREIGN_RECORDING and (one.body or {}).get("state") == "found":
                seen = "something that is not ours recorded a call of this controller, whatever its caller answered"
                yield Sign(Trigger.UNLAWFUL_RECORDING, seen, one.seq), one.controller
            elif one.kind is Kind.BACKUP_FAILED:
                yield Sign(Trigger.BACKUP_FAILED, "a backup failed; the log says why", one.seq), None

    def _lost(self, config: Config, now: int) -> Iterator[Found]:
        last = self._last_backup()
        if last is not None and now - last.time > config.breach.backup_days * DAY_MS:
            seen = f"the last backup is older than {config.breach.backup_days} days"
            yield Sign(Trigger.BACKUP_LOST, seen, last.seq), None

    def _last_backup(self) -> Entry | None:
        """Return the last note of a backup; what was looked through once is not looked through again."""
        for entry in self._vault.ledger.entries(after=self._sought, kinds={Kind.BACKED_UP}):
            self._backed_up = entry
        self._sought = self._vault.ledger.size()
        return self._backed_up

    def _kept(self) -> int:
        with suppress(OSError, ValueError):
            return min(int(self._path.read_text()), self._vault.ledger.size())
        return 0


def _busy(entries: Sequence[Entry], limit: int, trigger: Trigger, said: str) -> Iterator[Found]:
    """Yield a sign for each controller whose recordings somebody touched more often than ``limit`` allows all together."""
    by_actor = Counter(str((one.body or {}).get("actor")) for one in entries)
    for actor, count in by_actor.items():
        if count <= limit:
            continue
        theirs = [one for one in entries if str((one.body or {}).get("actor")) == actor]
        for controller in {one.controller for one in theirs}:
            own = [one for one in theirs if one.controller == controller]
            ids = tuple(sorted({one.recording for one in own if one.recording is not None}))
            yield Sign(trigger, said.format(limit=limit, count=count), own[-1].seq, ids), controller
