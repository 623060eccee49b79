"""What is kept no longer than its purpose needs (Art. 5(1)(e)): finds what has expired, and erases it.

The deadline was fixed when the recording was sealed; a longer retention set later never applies to it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gdprcall.errors import GdprcallError
from gdprcall.vault.archive import Vault
from gdprcall.vault.rows import Receipt, RecordingRow


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of one expired recording: its receipt, or why it is still there."""

    recording: str
    receipt: Receipt | None
    error: str = ""


def due(vault: Vault, now: int) -> list[RecordingRow]:
    """Return the recordings that have expired by ``now`` (milliseconds), the longest overdue first."""
    return vault.due(now)


def sweep(
    vault: Vault, now: int, *, actor: str, progress: Callable[[int], None] = lambda _done: None
) -> Iterator[Swept]:
    """Erase everything that has expired; one that fails stays and is named, and the rest goes on."""
    done = 0
    failed: set[str] = set()
    while rows := [row for row in due(vault, now) if row.id not in failed]:
        for row in rows:
            try:
                swept = Swept(row.id, vault.erase(row.id, reason="retention", actor=actor))
            except GdprcallError as error:
                failed.add(row.id)
                swept = Swept(row.id, None, error.message)
            done += 1
            progress(done)
            yield swept
