"""What a lost spool or a lost key left in the vault of calls that were being sealed: it is put away, and told.

It destroys nothing that was sealed under a decision that stands, but what it learns that somebody is heard in unasked.
"""

import asyncio

from gdprcall import told
from gdprcall.errors import NotFound
from gdprcall.log import get_logger
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.keeps import StillKept
from gdprcall.vault.rows import RecordingRow, SegmentFacts
from gdprcall.work import Work

UNACKNOWLEDGED = "unacknowledged"
"""The outcome of a call whose agent had acknowledged nothing: it is ours to destroy, and no wish of the caller's."""


async def put_away(work: Work, recording: str, segment: int) -> None:
    """Quarantine what was sealed of a call that is over and whose sound is gone; whoever calls holds its lock.

    What of it is in the spool is intake's, and what of it may still grow is nobody's. Raises GdprcallError.
    """
    live = work.live()
    if live is None or recording in live:
        return
    if any((file.recording, file.segment) == (recording, segment) for file in await asyncio.to_thread(work.files)):
        return
    try:
        row = await asyncio.to_thread(work.vault.recording, recording)
    except NotFound:
        return  # verify names it
    if row.state == "erased" or row.erasing or row.withdrawn:
        # Its erasure takes all of it, and is finished elsewhere.
        await asyncio.to_thread(work.vault.forget_keys, recording)
        return
    ended = await asyncio.to_thread(work.vault.grew_until, recording, segment)
    if ended is None:
        await asyncio.to_thread(work.vault.forget_keys, recording)
        return
    facts = SegmentFacts(
        recording, segment, row.controller, work.recipients(row.controller), row.started_at, ended, row.retention_days
    )
    if await asyncio.to_thread(work.vault.put_away, facts) is not None:
        told.incomplete(recording, segment)


def keep_from_sealing(work: Work, recording: str, segment: int) -> None:
    """Note that a segment must not be sealed; what is sealed of it goes with the whole recording, for it cannot go alone.

    Whoever calls holds its lock. Raises GdprcallError.
    """
    row = work.vault.recording(recording)
    work.vault.note(Fact(Kind.OVERHEARD, recording, row.controller, {"segment": segment}))
    if any(part.segment == segment for part in work.vault.segments(recording)):
        work.vault.erase(recording, reason="overheard", actor="daemon")


def destroy(work: Work, row: RecordingRow) -> None:
    """Destroy what is sealed of a recording that was taken back, unless a hold or a restriction keeps it; raises GdprcallError."""
    ours = row.outcome == UNACKNOWLEDGED
    try:
        work.vault.erase(row.id, reason=row.outcome if ours else "withdrawn", actor="daemon" if ours else "caller")
    except StillKept as error:  # that it was taken back is noted: nothing else is done with it
        get_logger().error("withdrawal_kept", recording=row.id, hint=error.hint)
    else:
        get_logger().info("unattended" if ours else "withdrawn", recording=row.id)
