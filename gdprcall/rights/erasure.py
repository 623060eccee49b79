"""Erasure of a recording on somebody's decision: what stands against it is weighed here.

How it is done, and in which order, is the vault's affair alone.
"""

from collections.abc import Callable, Iterator, Sequence

from gdprcall.errors import Refused
from gdprcall.rights import keeping, precedence
from gdprcall.rights.precedence import Request
from gdprcall.vault.archive import Vault
from gdprcall.vault.erasing import Outcome
from gdprcall.vault.rows import RecordingRow

RUNNING = "recording"
BATCH = 500
"""How many are destroyed at once: they share one search, and a call that is asked meanwhile waits for a few hundredths
of a second at most."""


def erase_all(
    vault: Vault,
    recordings: Sequence[str],
    *,
    reason: str,
    actor: str,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Iterator[tuple[str, Outcome]]:
    """Destroy recordings that were weighed, and yield each with its receipt, or with why it was not destroyed.

    ``progress`` is told how many of how many were tried.
    """
    for begin in range(0, len(recordings), BATCH):
        part = recordings[begin : begin + BATCH]
        yield from vault.erase_all(part, reason=reason, actor=actor).items()
        progress(begin + len(part), len(recordings))


def weigh(vault: Vault, recording: str, now: int) -> RecordingRow:
    """Return a recording that may be erased at ``now`` (milliseconds).

    Raises NotFound, and Refused while the call is still being recorded, or for what the law or a claim keeps (Art. 17(3), 18).
    """
    row = vault.recording(recording)
    if row.state == RUNNING:
        hint = "it can be erased when its call has ended; the caller withdraws at once by key"
        raise Refused(f"recording {recording} is still being recorded", hint)
    if row.state != "erased" and not row.erasing:
        verdict = keeping.weigh(vault, row, Request.ERASURE, now)
        if verdict.outcome is not precedence.Outcome.ERASE:
            raise Refused(f"recording {recording} is kept: {verdict.why}", keeping.HINT)
    return row
