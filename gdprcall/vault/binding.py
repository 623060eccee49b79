"""What ties a sealed header to its recording: a stanza that the header's MAC covers and other readers ignore.

It can tell a header that belongs elsewhere without any identity; that it was not forged only an identity can tell.
"""

import hashlib

from gdprcall import age
from gdprcall.vault.rows import SegmentRow

BINDING = "gdprcall/recording-v1"
NUMBER = "number"


def binding_stanza(recording: str, controller: str, part: str) -> age.Stanza:
    """Return the stanza that ties a header to its recording; the header's MAC covers it, other readers ignore it."""
    return age.Stanza((BINDING, recording, f"ctl={controller}", f"part={part}"), b"")


def bound_to(header: age.Header) -> tuple[str, ...] | None:
    """Return the arguments of a header's binding stanza after its name; None if it has not exactly one."""
    found = [stanza.args[1:] for stanza in header.stanzas if stanza.type == BINDING]
    return found[0] if len(found) == 1 else None


def check_header(header: bytes, segment: SegmentRow, controller: str) -> str | None:
    """Return what is wrong with a stored header, or None: it must be the sealed one and bound to its recording."""
    try:
        bound = bound_to(age.Header.parse(header))
    except age.HeaderError:
        return "its header is damaged"
    if bound != binding_stanza(segment.recording, controller, str(segment.segment)).args[1:]:
        return "its header belongs to another recording"
    if hashlib.sha256(header).hexdigest() != segment.header_sha256:
        return "its header is not the one that was sealed"
    return None
