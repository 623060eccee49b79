"""What becomes of a payload that can never be finished, because the key of its running call was lost: it is put away.

It opens nothing and drops nothing that was sealed: the controller's identity still opens each chunk of it.
"""

import hashlib

from gdprcall import age
from gdprcall.times import DAY_MS
from gdprcall.vault.growth import SOUND_BYTES_PER_SECOND
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.objects import Stored
from gdprcall.vault.rows import SegmentFacts
from gdprcall.vault.stores import Stores

REASON = "incomplete"
REST = 500_000
"""The rest of segment n is sealed as segment n + REST, a number that no dialplan reaches."""


def is_incomplete(entry: Entry) -> bool:
    """Whether an entry tells of a payload that was never finished."""
    return entry.kind is Kind.QUARANTINED and (entry.body or {}).get("reason") == REASON


def put_away(stores: Stores, facts: SegmentFacts) -> Entry | None:
    """Quarantine a payload that was left growing, as far as it is; None when not one chunk of it was there.

    May be repeated after a crash. Raises VaultError.
    """
    entry = stores.sealed(facts.recording, facts.segment)
    if stores.objects.grows(facts.recording, facts.segment):
        stored = stores.objects.grown(facts.recording, facts.segment)
        header = stores.keys.get(facts.recording, facts.segment, Slot.HEADER)
        chunks = (stored.size - age.chunk_place(1)) // (age.chunk_place(1) - age.chunk_place(0))
        if entry is None and (chunks < 1 or header is None):
            stores.objects.remove(facts.recording, facts.segment)
            stores.keys.destroy(facts.recording, facts.segment)
            return None
        if entry is None and header is not None:
            body = _body(facts, stored, header, chunks)
            entry = stores.ledger.append(Fact(Kind.QUARANTINED, facts.recording, facts.controller, body))
            stores.step("put away noted")
        stores.objects.settle(facts.recording, facts.segment)
        stores.step("put away")
    stores.catch_up()
    return entry


def _body(facts: SegmentFacts, stored: Stored, header: bytes, chunks: int) -> dict[str, object]:
    return {
        "reason": REASON,
        "segment": facts.segment,
        "payload_sha256": stored.sha256,
        "payload_bytes": stored.size,
        "header_sha256": hashlib.sha256(header).hexdigest(),
        "recipients": [fingerprint(recipient) for recipient in facts.recipients],
        "seconds": round(chunks * age.CHUNK_BYTES / SOUND_BYTES_PER_SECOND, 3),
        "started_at": facts.started_at,
        "closed_at": facts.closed_at,
        "expires_at": facts.closed_at + facts.retention_days * DAY_MS,
    }
