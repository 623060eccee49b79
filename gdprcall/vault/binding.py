"""What ties a sealed header to its recording: a stanza that the header's MAC covers and other readers ignore.

It can tell a header that belongs elsewhere without any identity; that it was not forged only an identity can tell.
"""

import hashlib
from collections.abc import Mapping, Sequence
from io import BytesIO

from gdprcall import age
from gdprcall.errors import VaultError
from gdprcall.vault.ledger import Entry

BINDING = "gdprcall/recording-v1"
NUMBER = "number"
REPLACED = "one from before it was rewrapped"


def binding_stanza(recording: str, controller: str, part: str) -> age.Stanza:
    """Return the stanza that ties a header to its recording; the header's MAC covers it, other readers ignore it."""
    return age.Stanza((BINDING, recording, f"ctl={controller}", f"part={part}"), b"")


def bound_to(header: age.Header) -> tuple[str, ...] | None:
    """Return the arguments of a header's binding stanza after its name; None if it has not exactly one."""
    found = [stanza.args[1:] for stanza in header.stanzas if stanza.type == BINDING]
    return found[0] if len(found) == 1 else None


def check_header(header: bytes | None, sealed: Entry) -> str | None:
    """Return what is wrong with a stored header, or None: it must be the sealed one and bound to its recording.

    ``sealed`` is the ledger's entry of the segment: its word counts, not the index's.
    """
    body = sealed.body or {}
    if header is None:
        return "missing"
    try:
        bound = bound_to(age.Header.parse(header))
    except age.HeaderError:
        return "damaged"
    if bound != (sealed.recording, f"ctl={sealed.controller}", f"part={body.get('segment')}"):
        return "of another recording"
    return check_word(header, body)


def check_word(header: bytes, word: Mapping[str, object]) -> str | None:
    """Return what is wrong with a header, or None: it must be the one that the ledger speaks of last."""
    found, former = hashlib.sha256(header).hexdigest(), word.get("former")
    if found == word.get("header_sha256"):
        return None
    return REPLACED if isinstance(former, list) and found in former else "not the one that was sealed"


def check_number(number: bytes, recording: str, controller: str, word: Mapping[str, object]) -> str | None:
    """Return what is wrong with a sealed number, or None; ``word`` is the ledger's, which is silent until a rewrap."""
    try:
        header = header_of(number)
        bound = bound_to(age.Header.parse(header))
    except age.HeaderError:
        return "damaged"
    if bound != (recording, f"ctl={controller}", f"part={NUMBER}"):
        return "of another recording"
    return check_word(header, word) if word else None


def header_of(data: bytes) -> bytes:
    """Return the header with which the content of a slot begins; raises HeaderError."""
    return age.read_header(BytesIO(data))


def bound_header(file_key: bytes, recipients: Sequence[str], stanza: age.Stanza, random: age.Random) -> bytes:
    """Return a header for all ``recipients`` (``age1…``) with its binding; raises VaultError when one is no use."""
    try:
        parsed = [age.parse_recipient(recipient) for recipient in recipients]
        if not parsed:
            raise VaultError("the controller has no recipient, so nothing is sealed", "add one to its configuration")
        return age.make_header(file_key, parsed, (stanza,), random=random)
    except age.AgeError as error:
        raise VaultError(f"a header cannot be made: {error}", "mend the controller's id and recipients") from error
