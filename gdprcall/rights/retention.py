"""What is kept no longer than its purpose needs (Art. 5(1)(e)): finds what has expired, and erases it.

The deadline was fixed when the recording was sealed; a longer retention set later never applies to it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gdprcall.errors import GdprcallError
from gdprcall.rights import erasure
from gdprcall.vault.archive import Vault
from gdprcall.vault.erasing import Outcome
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


def due(vault: Vault, now: int) -> list[RecordingRow]:
    """Return all recordings that have expired by ``now`` (milliseconds), the longest overdue first."""
    vault.catch_up()
    return vault.index.due(now, ALL)


def sweep(
    vault: Vault, now: int, *, actor: str, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Iterator[Swept]:
    """Erase everything that has expired; one that fails stays and is named, and the rest goes on.

    ``progress`` is told how many of how many were tried.
    """
    ids = [row.id for row in due(vault, now)]
    for recording, outcome in erasure.erase_all(vault, ids, reason="retention", actor=actor, progress=progress):
        yield _swept(recording, outcome)


def _swept(recording: str, outcome: Outcome) -> Swept:
    if isinstance(outcome, GdprcallError):
        return Swept(recording, None, outcome.message)
    return Swept(recording, outcome, "" if outcome.complete else "not every step was verified")
