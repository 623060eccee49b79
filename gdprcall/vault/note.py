"""Signed notes (c2sp.org/signed-note) with Ed25519: a text, an empty line, and a line for each signature.

It knows nothing of what a text says. A text whose signature was not checked is never given out.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
KEY_BYTES = 32
ID_BYTES = 4
LARGEST_NOTE = 65_536
MOST_SIGNATURES = 100
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_LINE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


class BadKey(ValueError):
    """No key of a signed note; the text says why, never what it was."""


class BadNote(ValueError):
    """No note that any of the known keys has signed."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name, such as ``pbx.example.com/gdprcall``."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Return the key of ``<name>+<id in hex>+<base64 of 0x01 and the public key>``; raises BadKey."""
        name, id_, key = _parsed(text.split("+", 2))
        verifier = cls(name, key)
        if verifier.id.hex() != id_:
            raise BadKey("its number does not belong to its name and key")
        return verifier

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:ID_BYTES]

    def encode(self) -> str:
        """Return the key as text, to be given to whoever checks signatures."""
        return f"{self.name}+{self.id.hex()}+{_base64(ED25519 + self.key)}"

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether ``signature`` is this key's under ``text``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadKey("a name has no blanks and no +; use one such as pbx.example.com/gdprcall")

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Return the key of ``PRIVATE+KEY+<name>+<id in hex>+<base64 of 0x01 and the seed>``; raises BadKey."""
        private, key, *rest = [*text.split("+", 4), "", ""]
        if (private, key) != ("PRIVATE", "KEY"):
            raise BadKey("it does not begin with PRIVATE+KEY+")
        name, id_, seed = _parsed(rest[:3])
        signer = cls(name, seed)
        if signer.verifier().id.hex() != id_:
            raise BadKey("its number does not belong to its name and key")
        return signer

    def encode(self) -> str:
        """Return the key as one line of text, to be kept secret."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier().id.hex()}+{_base64(ED25519 + self.seed)}"

    def verifier(self) -> Verifier:
        """Return the public key."""
        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the note of a text, which ends with a newline."""
        assert text.endswith("\n")
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{text}\n\u2014 {self.name} {_base64(self.verifier().id + signature)}\n"


def opened(note: str, verifiers: Iterable[Verifier]) -> tuple[str, Verifier]:
    """Return the text of a note and the first known key that signed it.

    Raises BadNote when none did, or when the signature of a known one is wrong; those of unknown keys are passed over.
    """
    if len(note) > LARGEST_NOTE or re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise BadNote("no signed note")
    text, gap, lines = note.rpartition("\n\n")
    matches = [_LINE.fullmatch(line) for line in lines.removesuffix("\n").split("\n")]
    if not gap or not text or not lines.endswith("\n") or len(matches) > MOST_SIGNATURES:
        raise BadNote("no signed note")
    known, found = {(verifier.name, verifier.id): verifier for verifier in verifiers}, list[Verifier]()
    for match in matches:
        if match is None:
            raise BadNote("no signed note: one of its lines is no signature")
        id_, signature = _signature(match[2])
        verifier = known.get((match[1], id_))
        if verifier is not None and not verifier.signed(f"{text}\n", signature):
            raise BadNote("changed after it was signed")
        found += [verifier] if verifier else []
    if not found:
        raise BadNote("not signed by a key that is known here")
    return f"{text}\n", found[0]


def _signature(encoded: str) -> tuple[bytes, bytes]:
    try:
        value = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise BadNote("no signed note: one of its lines is no signature") from error
    return value[:ID_BYTES], value[ID_BYTES:]


def _parsed(parts: list[str]) -> tuple[str, str, bytes]:
    """Return name, number and bytes of a key; raises BadKey."""
    name, id_, encoded = [*parts, "", "", ""][:3]
    try:
        value = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey("it is no base64") from error
    canonical = hmac.compare_digest(_base64(value).encode(), encoded.encode())
    if not _NAME.fullmatch(name) or value[:1] != ED25519 or len(value) != 1 + KEY_BYTES or not canonical:
        raise BadKey("it is no Ed25519 key with a name")
    return name, id_, value[1:]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
