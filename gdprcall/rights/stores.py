"""Every place where something of a person is kept, with its period and its oldest item: whether retention works (RET-07).

It looks, and destroys nothing.
"""

from dataclasses import dataclass
from pathlib import Path

from gdprcall.rights import retention
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.archive import Vault

LATE_MS = 2 * DAY_MS
"""How long a sweep, or what it should have taken, may be late (RET-03)."""
LATE = "should be gone for two days"
SPOOL_MS = 3_600_000
"""How old a finished sound file may be: one that cannot be sealed waits, and is an alarm of its own."""


@dataclass(frozen=True, slots=True)
class Store:
    """One place: what ends what is in it, since when the oldest lies there or should be gone, and whether that is in order."""

    name: str
    period: str
    oldest: int | None
    ok: bool
    says: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it with an RFC 3339 time."""
        oldest = None if self.oldest is None else rfc3339(self.oldest)
        return {"store": self.name, "period": self.period, "oldest": oldest, "ok": self.ok, "says": self.says}


def examine(vault: Vault, now: int, controller: str | None, lines: retention.Lines) -> list[Store]:
    """Return the stores of the vault, those of one controller or of all."""
    late = retention.due(vault, now - LATE_MS, controller, lines)
    proofs = retention.proofs_due(vault, now - LATE_MS, controller)
    first = min((one.proof.until or 0 for one in proofs), default=None)

    def oldest(sql: str) -> int | None:
        return _oldest(vault, sql, controller)

    return [
        _store("recordings", "retention_days of the line", oldest(_EXPIRY), late and f"{len(late)} {LATE}"),
        _held(vault, now, controller),
        _store("proof of consent, refusals", "proof_days and refusal_days", first, proofs and f"{len(proofs)} {LATE}"),
        _store("backups of the keys", "their own short life", oldest(_BACKUP)),
        _store("access packages", "destroyed by hand once the person has his", oldest(_PACKAGE)),
        _store("marks of who is never recorded", "until taken back", oldest(_MARK)),
        _store("requests of persons", "proof_days after their end", oldest(_REQUEST)),
        _store("breaches", "keep_days after their end", oldest(_BREACH)),
        _store("ledger", "for ever; what is personal in it goes with what it tells of", None),
        _store("the log", "of journald; no personal data is in it", None),
        _sweeps(vault, now, controller),
    ]


def _store(name: str, period: str, oldest: int | None, wrong: object = "") -> Store:
    return Store(name, period, oldest, ok=not wrong, says=str(wrong or ""))


def _held(vault: Vault, now: int, controller: str | None) -> Store:
    reviews = [one.review_at for one in vault.index.keeps(controller=controller) if one.review_at is not None]
    wrong = "a review is overdue" if any(review <= now for review in reviews) else ""
    return _store("held or restricted", "until let go; a hold is reviewed", min(reviews, default=None), wrong)


def spool(folder: Path, now: int) -> Store:
    """Return the spool: finished sound that waits to be sealed."""
    period = "seconds"
    try:
        times = [round(path.stat().st_mtime * 1000) for path in folder.glob("*.wav")]
    except OSError as error:
        return Store("spool", period, None, ok=False, says=f"cannot be looked at: {error.strerror}")
    oldest = min(times, default=None)
    ok = oldest is None or now - oldest < SPOOL_MS
    return Store("spool", period, oldest, ok, "" if ok else "sound waits to be sealed for more than an hour")


def _sweeps(vault: Vault, now: int, controller: str | None) -> Store:
    last = vault.index.first(_SWEEP, controller, controller)  # one of the house is one of each controller
    since = last if last is not None else _oldest(vault, _FIRST, controller)
    ok = since is None or now - since <= LATE_MS
    return Store("sweep", "daily, by its timer", last, ok, "" if ok else "no sweep has gone well for two days")


def _oldest(vault: Vault, sql: str, controller: str | None) -> int | None:
    return vault.index.first(f"{sql} AND (? IS NULL OR controller = ?)", controller, controller)


_EXPIRY = "SELECT min(expires_at) FROM recording WHERE state NOT IN ('recording', 'erased')"
_BACKUP = "SELECT min(expires_at) FROM key_backup WHERE 1"
_PACKAGE = "SELECT min(begun_at) FROM access_package WHERE 1"
_MARK = "SELECT min(since) FROM never_record WHERE 1"
_REQUEST = "SELECT min(opened_at) FROM request WHERE forgotten_at IS NULL"
_BREACH = "SELECT min(opened_at) FROM breach WHERE forgotten_at IS NULL"
_FIRST = "SELECT min(decided_at) FROM decision WHERE 1"
_SWEEP = "SELECT max(at) FROM sweep WHERE failed = 0 AND (? IS NULL OR controller IN ('', ?))"
