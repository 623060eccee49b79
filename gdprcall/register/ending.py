"""How what is personal of a request ends: its number when it is closed, and the rest when it need no longer be proven.

What stays in the register then is that somebody asked for something, when, and what came of it. Killed anywhere, the next
sweep finishes.
"""

from gdprcall.errors import VaultError
from gdprcall.register.registrar import Registrar, forget_contact
from gdprcall.times import DAY_MS
from gdprcall.vault.entry import Kind
from gdprcall.vault.proofs import PROOF_DAYS
from gdprcall.vault.requests import Request


def over(registrar: Registrar) -> list[Request]:
    """Return the closed requests that need no longer be proven: a controller's ``proof_days`` after their end."""
    registrar.vault.catch_up()
    now, found = registrar.clock(), []
    for row in registrar.vault.index.requests.all(registrar.controller, closed=True):
        known = registrar.config.policy.controllers.get(row.controller)
        days = known.proof_days if known else PROOF_DAYS
        if row.closed_at is not None and row.forgotten_at is None and row.closed_at + days * DAY_MS <= now:
            found.append(row)
    return found


def sweep(registrar: Registrar) -> list[str]:
    """Forget who asked in the requests whose time is over, finish what a crash left, and return their ids; raises VaultError."""
    gone = over(registrar)
    for row in gone:
        registrar.note(Kind.REQUEST_FORGOTTEN, row, {})
    vault = registrar.vault
    vault.catch_up()
    if gone and not vault.index.truncate_log():
        raise VaultError("index.db is held open, so its log could not be cut", "close what reads it")
    left: list[int] = []
    for row in vault.index.requests.all(registrar.controller, closed=True):
        if row.forgotten_at is not None:
            left += [seq for seq in vault.index.requests.personal(row.id) if vault.ledger.row(seq)[2] is not None]
        elif row.closed_at is not None:
            forget_contact(vault, row)
    if left:
        vault.ledger.forget(left)
    return [row.id for row in gone]
