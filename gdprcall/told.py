"""What the log says of a segment that was sealed or put away: that it was, and what of it is not as it should be.

It looks at nothing but the ledger's entry.
"""

from gdprcall.log import get_logger
from gdprcall.vault.ledger import Entry

HINT = "a part of it is missing; open this one with: gdprcall recordings open --salvage"


def sealed(recording: str, segment: int, entry: Entry) -> None:
    """Tell that a segment is sealed, and what of it was not whole."""
    body = entry.body or {}
    get_logger().info(
        "sealed",
        recording=recording,
        segment=segment,
        controller=entry.controller,
        seconds=body.get("seconds"),
        ms=body.get("plaintext_ms"),
        peak_bytes=body.get("plaintext_peak"),
    )
    if "rest_of" in body:
        incomplete(recording, segment)
    if "silent" in body:
        get_logger().warning("leg_silent", recording=recording, segment=segment, reason=body["silent"])
    legs = body.get("legs")
    if isinstance(legs, list) and len(set(legs)) > 1:
        get_logger().warning("leg_short", recording=recording, segment=segment, missing=max(legs) - min(legs))


def incomplete(recording: str, segment: int) -> None:
    """Tell that a segment is not whole."""
    get_logger().error("quarantined", recording=recording, segment=segment, hint=HINT)
