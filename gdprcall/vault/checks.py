"""Looks whether the vault still is what its ledger says: every entry, every header, every payload, and nothing else.

It reads only, mends nothing, and names each thing that is wrong.
"""

from collections.abc import Callable, Iterator

from gdprcall.errors import VaultError
from gdprcall.vault.archive import Vault
from gdprcall.vault.binding import check_header
from gdprcall.vault.keys import Slot
from gdprcall.vault.proof import Finding
from gdprcall.vault.rows import SegmentRow

Progress = Callable[[int, int], None]


def verify(vault: Vault, progress: Progress = lambda _done, _all: None) -> Iterator[Finding]:
    """Yield every finding; ``progress`` is told how many of all segments were read."""
    damaged = False
    for finding in vault.ledger.verify():
        damaged = True
        yield finding
    if not damaged:
        vault.catch_up()
    segments = vault.index.segments()
    for number, segment in enumerate(segments, 1):
        yield from _segment(vault, segment)
        progress(number, len(segments))
    known = {(segment.recording, segment.segment) for segment in segments}
    for recording, part in vault.objects.names():
        if (recording, part) not in known:
            yield Finding("payload", f"{recording}.{part}", "is not in the index: nobody knows what it is")


def _segment(vault: Vault, segment: SegmentRow) -> Iterator[Finding]:
    name = f"{segment.recording}.{segment.segment}"
    row = vault.index.recording(segment.recording)
    header = vault.keys.get(segment.recording, segment.segment, Slot.HEADER)
    problem = "is missing" if header is None else check_header(header, segment, row.controller if row else "")
    if problem is not None:
        yield Finding("header", name, problem)
    try:
        sha256 = vault.objects.sha256(segment.recording, segment.segment)
    except VaultError:
        yield Finding("payload", name, "is missing or cannot be read")
        return
    if sha256 != segment.payload_sha256:
        yield Finding("payload", name, "was changed: it is not the one that was sealed")
