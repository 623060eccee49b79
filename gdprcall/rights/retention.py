"""What is kept no longer than its purpose needs (Art. 5(1)(e)): finds what has expired, and erases it.

The deadline was fixed when the recording was sealed; a longer retention set later never applies to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gdprcall.errors import GdprcallError
from gdprcall.rights import erasure, keeping
from gdprcall.vault import forgetting
from gdprcall.vault.archive import Vault
from gdprcall.vault.erasing import Outcome
from gdprcall.vault.forgetting import Due
from gdprcall.vault.rows import Receipt, RecordingRow

ALL = -1
Lines = Mapping[tuple[str, str], int]
"""For how many days each line of each controller keeps its recordings now."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of one expired recording: its receipt, and what went wrong, if anything did.

    A receipt with an error is one whose steps were not all verified.
    """

    recording: str
    receipt: Receipt | None
    error: str = ""


def due(vault: Vault, now: int, controller: str | None = None, lines: Lines | None = None) -> list[RecordingRow]:
    """Return all recordings that have expired by ``now`` (milliseconds), the longest overdue first.

    Those of one controller, or of all. Where a line of ``lines`` keeps recordings for fewer days than one was sealed for, its days
    count: shortening reaches backwards, though not before the end of a law's minimum, and lengthening never does (Art. 13(3), RET-02).
    """
    vault.catch_up()
    found = {row.id: row for row in vault.index.due(now, ALL)}
    for (owner, line), days in (lines or {}).items():
        shorter = vault.index.shortened(now, owner, line, days)
        found |= {row.id: row for row in shorter if (keeping.law_until(vault, row) or 0) <= now}
    return [row for row in found.values() if controller in {None, row.controller}]


def sweep(
    vault: Vault,
    now: int,
    *,
    actor: str,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    controller: str | None = None,
    lines: Lines | None = None,
) -> Iterator[Swept]:
    """Erase everything that is due, see ``due``; one that fails stays and is named, and the rest goes on.

    ``progress`` is told how many of how many were tried.
    """
    ids = [row.id for row in due(vault, now, controller, lines)]
    for recording, outcome in erasure.erase_all(vault, ids, reason="retention", actor=actor, progress=progress):
        yield _swept(recording, outcome)


def proofs_due(vault: Vault, now: int, controller: str | None = None) -> list[Due]:
    """Return the decisions whose time as proof is over by ``now`` (milliseconds), the longest overdue first.

    What was agreed to is proven for as long as the recording is there and the controller's ``proof_days`` beyond it
    (Art. 7(1)); what was not, for its ``refusal_days`` (Art. 5(1)(c)). Both were fixed with the decision.
    """
    return [one for one in forgetting.due(vault.stores, now) if controller in {None, one.row.controller}]


def forget_proofs(vault: Vault, wanted: Sequence[Due], *, actor: str) -> Iterator[Due]:
    """Forget decisions, and yield each that is gone, after finishing what a crash left; raises VaultError."""
    forgetting.finish(vault.stores)
    yield from forgetting.forget(vault.stores, wanted, actor=actor)


def _swept(recording: str, outcome: Outcome) -> Swept:
    if isinstance(outcome, GdprcallError):
        return Swept(recording, None, outcome.message)
    return Swept(recording, outcome, "" if outcome.complete else "not every step was verified")
