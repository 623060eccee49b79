"""The age v1 file format: header, recipients, payload and armor, apart or together.

Every function takes streams or bytes, never a path; randomness is an argument. It knows nothing of calls.
"""

import io
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Protocol

from gdprcall.age.armor import ArmorWriter, is_armored, open_armor
from gdprcall.age.errors import (
    AgeError,
    ArmorError,
    BadIdentity,
    BadRecipient,
    HeaderError,
    MacError,
    NoMatch,
    PayloadError,
)
from gdprcall.age.format import FILE_KEY_BYTES, MAX_HEADER_BYTES, Header, Mix, Random, Stanza, header_mac, read_header
from gdprcall.age.hybrid import IDENTITY_PREFIX as HYBRID_IDENTITY_PREFIX
from gdprcall.age.hybrid import RECIPIENT_PREFIX as HYBRID_RECIPIENT_PREFIX
from gdprcall.age.hybrid import HybridIdentity, HybridRecipient
from gdprcall.age.scrypt import STANZA as PASSPHRASE_STANZA
from gdprcall.age.scrypt import ScryptIdentity, ScryptRecipient
from gdprcall.age.stream import (
    CHUNK_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    ChunkSealer,
    PayloadWriter,
    Sink,
    chunk_place,
    chunks_of,
    decrypt_payload,
    encrypt_payload,
    salvage_payload,
)
from gdprcall.age.x25519 import X25519Identity, X25519Recipient

__all__ = [
    "CHUNK_BYTES",
    "FILE_KEY_BYTES",
    "MAX_HEADER_BYTES",
    "NONCE_BYTES",
    "TAG_BYTES",
    "AgeError",
    "ArmorError",
    "ArmorWriter",
    "BadIdentity",
    "BadRecipient",
    "ChunkSealer",
    "Header",
    "HeaderError",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "MacError",
    "Mix",
    "NoMatch",
    "PayloadError",
    "PayloadWriter",
    "Random",
    "Recipient",
    "ScryptIdentity",
    "ScryptRecipient",
    "Stanza",
    "X25519Identity",
    "X25519Recipient",
    "check_mix",
    "chunk_place",
    "chunks_of",
    "decrypt",
    "decrypt_payload",
    "encrypt",
    "encrypt_payload",
    "make_header",
    "open_armor",
    "open_header",
    "parse_identities",
    "parse_identity",
    "parse_recipient",
    "read_header",
    "salvage_payload",
    "unarmored",
]


class Recipient(Protocol):
    """Whoever a file key can be wrapped for."""

    @property
    def mix(self) -> Mix:
        """What may stand beside it."""

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

    ``file_key`` is 16 fresh random bytes. Raises BadRecipient, also for recipients that must not be mixed, HeaderError
    for an extra stanza that cannot be written, and ValueError without a recipient: nobody could ever open the file.
    """
    if not recipients:
        raise ValueError("a header needs at least one recipient")
    check_mix(recipients, extra)
    stanzas = (*(recipient.wrap(file_key, random) for recipient in recipients), *extra)
    header = Header(stanzas, b"")
    return Header(stanzas, header_mac(file_key, header.authenticated())).encode()


def check_mix(recipients: Sequence[Recipient], extra: Sequence[Stanza] = ()) -> None:
    """Raise BadRecipient for recipients that must not stand in one header.

    A header is as strong as its weakest recipient, so a classic one would undo what a post-quantum one promises.
    """
    mixes = {recipient.mix for recipient in recipients}
    if len(mixes) > 1:
        raise BadRecipient(f"{' and '.join(sorted(mix.value for mix in mixes))} recipients are not mixed")
    if Mix.ALONE in mixes and len(recipients) + len(extra) > 1:
        raise BadRecipient("a passphrase stands alone in a header")


def open_header(data: bytes, identities: Sequence[Identity]) -> tuple[bytes, Header]:
    """Return the file key and the parsed header; raises NoMatch, HeaderError or MacError."""
    header = Header.parse(data)
    if len(header.stanzas) > 1 and any(stanza.type == PASSPHRASE_STANZA for stanza in header.stanzas):
        raise HeaderError("a passphrase does not stand alone in the header")
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
    """Write the plaintext of a whole age file, armored or not, to ``sink``; use it only after this returned.

    Raises AgeError.
    """
    source = unarmored(source)
    file_key, header = open_header(read_header(source), identities)
    decrypt_payload(file_key, source, sink)
    return header


def unarmored(source: BinaryIO) -> BinaryIO:
    """Return a reader of the age file that ``source`` is, without its armor if it has one."""
    buffered: io.BufferedReader[Any] = source if isinstance(source, io.BufferedReader) else io.BufferedReader(source)
    return open_armor(buffered) if is_armored(buffered) else buffered


@lru_cache(maxsize=256)  # the same few again and again, and a public key is no secret
def parse_recipient(text: str) -> X25519Recipient | HybridRecipient:
    """Return the recipient written ``age1…`` or ``age1pq1…``; raises BadRecipient."""
    return (HybridRecipient if text.startswith(f"{HYBRID_RECIPIENT_PREFIX}1") else X25519Recipient).parse(text)


def parse_identity(text: str) -> X25519Identity | HybridIdentity:
    """Return the identity written ``AGE-SECRET-KEY-1…`` or ``AGE-SECRET-KEY-PQ-1…``; raises BadIdentity."""
    return (HybridIdentity if text.lower().startswith(f"{HYBRID_IDENTITY_PREFIX}1") else X25519Identity).parse(text)


def parse_identities(text: str) -> list[X25519Identity | HybridIdentity]:
    """Return the identities of an identity file: one a line, ``#`` for comments.

    Raises BadIdentity with the number of the line, never with what stands in it.
    """
    identities = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        try:
            identities.append(parse_identity(line))
        except BadIdentity as error:
            raise BadIdentity(f"line {number}: {error}") from None
    if not identities:
        raise BadIdentity("the file holds no identity")
    return identities
