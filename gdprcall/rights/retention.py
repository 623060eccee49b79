"""What is kept no longer than its purpose needs (Art. 5(1)(e)): finds what has expired, and erases it.

The deadline was fixed when the recording was sealed; a longer retention set later never applies to it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gdprcall.errors import GdprcallError
from gdprcall.rights import erasure
from gdprcall.vault import forgetting
from gdprcall.vault.archive import Vault
from gdprcall.vault.erasing import Outcome
from gdprcall.vault.forgetting import Due
from gdprcall.vault.rows import Receipt, RecordingRow

ALL = -1


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of one expired recording: its receipt, and what went wrong, if anything did.

    A receipt with an error is one whose steps were not all verified.
    """

    recording: str
    receipt: Receipt | None
    error: str = ""


def due(vault: Vault, now: int, controller: str | None = None) -> list[RecordingRow]:
    """Return all recordings that have expired by ``now`` (milliseconds), the longest overdue first.

    Those of one controller, or of all.
    """
    vault.catch_up()
    return [row for row in vault.index.due(now, ALL) if controller in {None, row.controller}]


def sweep(
    vault: Vault,
    now: int,
    *,
    actor: str,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    controller: str | None = None,
) -> Iterator[Swept]:
    """Erase everything that has expired; one that fails stays and is named, and the rest goes on.

    ``progress`` is told how many of how many were tried.
    """
    ids = [row.id for row in due(vault, now, controller)]
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
