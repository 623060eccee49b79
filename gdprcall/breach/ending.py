"""How what was said of a breach ends: the register need not be shown for ever (Art. 5(1)(e)).

What stays is that there was one, when, and who was told. Killed anywhere, the next sweep finishes.
"""

from gdprcall.breach.desk import Desk
from gdprcall.errors import VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault.breaches import WORDED, Breach
from gdprcall.vault.entry import Kind


def over(desk: Desk) -> list[Breach]:
    """Return the closed breaches whose time in the register is over: ``keep_days`` after their end."""
    desk.vault.catch_up()
    until = desk.clock() - desk.config.breach.keep_days * DAY_MS
    rows = desk.vault.index.breaches.all(desk.controller, closed=True)
    return [row for row in rows if row.closed_at is not None and row.forgotten_at is None and row.closed_at <= until]


def sweep(desk: Desk) -> list[str]:
    """Forget what was said of the breaches whose time is over, finish what a crash left, return their ids; raises VaultError."""
    gone = over(desk)
    for row in gone:
        seqs = [seq for seq, kind in desk.vault.index.breaches.entries(row.id) if kind in WORDED]
        desk.note(Kind.BREACH_FORGOTTEN, row, {"entries": seqs})
    left = [seq for row in _forgotten(desk) for seq in _named(desk, row) if desk.vault.ledger.row(seq)[2] is not None]
    if left and not desk.vault.index.truncate_log():
        raise VaultError("index.db is held open, so its log could not be cut", "close what reads it")
    if left:
        desk.vault.ledger.forget(left)
    return [row.id for row in gone]


def _forgotten(desk: Desk) -> list[Breach]:
    rows = desk.vault.index.breaches.all(desk.controller, closed=True)
    return [row for row in rows if row.forgotten_at is not None]


def _named(desk: Desk, row: Breach) -> list[int]:
    """Return the entries that the note of its end names."""
    found = [seq for seq, kind in desk.vault.index.breaches.entries(row.id) if kind is Kind.BREACH_FORGOTTEN]
    named = [(desk.vault.ledger.entry(seq).body or {}).get("entries") for seq in found]
    return [seq for one in named if isinstance(one, list) for seq in one if isinstance(seq, int)]
