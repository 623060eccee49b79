"""The age v1 file format: header, X25519 and payload, apart or together.

Every function takes streams or bytes, never a path; randomness is an argument. It knows nothing of calls.
"""

import os
from collections.abc import Sequence
from typing import BinaryIO, Protocol

from gdprcall.age.errors import (
    AgeError,
    BadIdentity,
    BadRecipient,
    HeaderError,
    MacError,
    NoMatch,
    PayloadError,
)
from gdprcall.age.format import FILE_KEY_BYTES, MAX_HEADER_BYTES, Header, Random, Stanza, header_mac, read_header
from gdprcall.age.stream import NONCE_BYTES, PayloadWriter, Sink, decrypt_payload, encrypt_payload
from gdprcall.age.x25519 import X25519Identity, X25519Recipient

__all__ = [
    "FILE_KEY_BYTES",
    "MAX_HEADER_BYTES",
    "NONCE_BYTES",
    "AgeError",
    "BadIdentity",
    "BadRecipient",
    "Header",
    "HeaderError",
    "Identity",
    "MacError",
    "NoMatch",
    "PayloadError",
    "PayloadWriter",
    "Random",
    "Recipient",
    "Stanza",
    "X25519Identity",
    "X25519Recipient",
    "decrypt",
    "decrypt_payload",
    "encrypt",
    "encrypt_payload",
    "make_header",
    "open_header",
    "parse_identities",
    "read_header",
]


class Recipient(Protocol):
    """Whoever a file key can be wrapped for."""

    def wrap(self, file_key: bytes, random: Random) -> Stanza:
        """Return the stanza that gives the file key to this recipient; raises BadRecipient."""


class Identity(Protocol):
    """Whoever may be able to unwrap a file key."""

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key, or None if the stanza is for someone else; raises HeaderError if it is malformed."""


def make_header(
    file_key: bytes,
    recipients: Sequence[Recipient],
    extra: Sequence[Stanza] = (),
    *,
    random: Random = os.urandom,
) -> bytes:
    """Return a header that gives ``file_key`` to every recipient; ``extra`` stanzas are covered by its MAC.

    ``file_key`` is 16 fresh random bytes. Raises BadRecipient, HeaderError for an extra stanza that cannot be written,
    and ValueError without a recipient: nobody could ever open the file.
    """
    if not recipients:
        raise ValueError("a header needs at least one recipient")
    stanzas = (*(recipient.wrap(file_key, random) for recipient in recipients), *extra)
    header = Header(stanzas, b"")
    return Header(stanzas, header_mac(file_key, header.authenticated())).encode()


def open_header(data: bytes, identities: Sequence[Identity]) -> tuple[bytes, Header]:
    """Return the file key and the parsed header; raises NoMatch, HeaderError or MacError."""
    header = Header.parse(data)
    for identity in identities:
        for stanza in header.stanzas:
            file_key = identity.unwrap(stanza)
            if file_key is not None:
                header.verify(file_key)
                return file_key, header
    raise NoMatch("none of the identities opens this file")


def encrypt(
    source: BinaryIO,
    recipients: Sequence[Recipient],
    sink: Sink,
    extra: Sequence[Stanza] = (),
    *,
    random: Random = os.urandom,
) -> int:
    """Write ``source`` as a whole age file to ``sink`` and return its size in bytes; raises as ``make_header``."""
    file_key = random(FILE_KEY_BYTES)
    header = make_header(file_key, recipients, extra, random=random)
    sink.write(header)
    return len(header) + encrypt_payload(file_key, source, sink, nonce=random(NONCE_BYTES))


def decrypt(source: BinaryIO, identities: Sequence[Identity], sink: Sink) -> Header:
    """Write the plaintext of a whole age file to ``sink``; use it only after this returned; raises AgeError."""
    file_key, header = open_header(read_header(source), identities)
    decrypt_payload(file_key, source, sink)
    return header


def parse_identities(text: str) -> list[X25519Identity]:
    """Return the identities of an identity file: one a line, ``#`` for comments.

    Raises BadIdentity with the number of the line, never with what stands in it.
    """
    identities = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        try:
            identities.append(X25519Identity.parse(line))
        except BadIdentity as error:
            raise BadIdentity(f"line {number}: {error}") from None
    if not identities:
        raise BadIdentity("the file holds no identity")
    return identities
