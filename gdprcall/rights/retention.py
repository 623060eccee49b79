"""What is kept no longer than its purpose needs (Art. 5(1)(e)): finds what has expired, and erases it.

The deadline was fixed when the recording was sealed; a longer retention set later never applies to it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gdprcall.errors import GdprcallError
from gdprcall.vault.archive import Vault
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
    rows = due(vault, now)
    for done, row in enumerate(rows, 1):
        yield _swept(vault, row.id, actor)
        progress(done, len(rows))


def _swept(vault: Vault, recording: str, actor: str) -> Swept:
    try:
        receipt = vault.erase(recording, reason="retention", actor=actor)
    except GdprcallError as error:
        return Swept(recording, None, error.message)
    return Swept(recording, receipt, "" if receipt.complete else "not every step was verified")
