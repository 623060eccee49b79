"""The X25519 recipient and identity of age v1 (C2SP age.md, "X25519 recipient stanza").

Identities never show their key, not even in a representation.
"""

from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gdprcall.age import bech32
from gdprcall.age.errors import BadIdentity, BadRecipient, HeaderError
from gdprcall.age.format import FILE_KEY_BYTES, Mix, Random, Stanza, decode_base64, derive, encode_base64

RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "age-secret-key-"
HYBRID_RECIPIENT_PREFIX = "age1pq"
KEY_BYTES = 32
LABEL = b"age-encryption.org/v1/X25519"
STANZA = "X25519"
FIELD_PRIME = 2**255 - 19


@dataclass(frozen=True, slots=True, repr=False)
class X25519Recipient:
    """A public key (32 bytes): whoever has it can seal, nobody can open with it."""

    key: bytes
    mix: ClassVar[Mix] = Mix.CLASSIC

    def __repr__(self) -> str:
        return f"X25519Recipient({self.encode()})"

    @classmethod
    def parse(cls, text: str) -> "X25519Recipient":
        """Return the recipient written ``age1…``; raises BadRecipient, also for a key that nobody can open with."""
        try:
            prefix, key = bech32.decode(text)
        except ValueError as error:
            raise BadRecipient(f"not an age recipient: {error}") from error
        if prefix == IDENTITY_PREFIX:
            raise BadRecipient(
                "this is an identity, the secret half; the recipient that belongs to it begins with age1"
            )
        if prefix == HYBRID_RECIPIENT_PREFIX:
            raise BadRecipient("this is a post-quantum recipient")
        if prefix != RECIPIENT_PREFIX or len(key) != KEY_BYTES or text != text.lower():
            raise BadRecipient("not an age X25519 recipient: it begins with age1 and is 62 lower-case characters long")
        # The salt holds the key as written, and an identity only knows the canonical spelling: nobody could open it.
        if int.from_bytes(key, "little") >= FIELD_PRIME or is_low_order(key):
            raise BadRecipient("the recipient is no key that anybody can open with")
        return cls(key)

    def encode(self) -> str:
        """Return the recipient as text."""
        return bech32.encode(RECIPIENT_PREFIX, self.key)

    def wrap(self, file_key: bytes, random: Random) -> Stanza:
        """Return the stanza that gives ``file_key`` to this recipient; takes 32 bytes of ``random``.

        Raises BadRecipient for a low-order key that was not parsed.
        """
        ephemeral = X25519PrivateKey.from_private_bytes(random(KEY_BYTES))
        share = ephemeral.public_key().public_bytes_raw()
        try:
            secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.key))
        except ValueError as error:
            raise BadRecipient("the recipient is a low-order point") from error
        key = derive(secret, salt=share + self.key, info=LABEL)
        # The key is used for this one message, so a constant nonce is safe.
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        return Stanza((STANZA, encode_base64(share)), body)


class X25519Identity:
    """A private key. It belongs to the controller and never on the PBX."""

    __slots__ = ("_key", "_public")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise BadIdentity("an X25519 identity has 32 bytes")
        self._key = X25519PrivateKey.from_private_bytes(key)
        self._public = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"X25519Identity({self.recipient().encode()})"

    @classmethod
    def generate(cls, random: Random) -> "X25519Identity":
        """Return a fresh identity from 32 bytes of ``random``."""
        return cls(random(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "X25519Identity":
        """Return the identity written ``AGE-SECRET-KEY-1…``; raises BadIdentity, which never repeats the text."""
        try:
            prefix, key = bech32.decode(text)
        except ValueError:
            # The cause is left out of the chain: it is raised where the secret is at hand.
            raise BadIdentity("not an age identity: mistyped or damaged") from None
        if prefix != IDENTITY_PREFIX or len(key) != KEY_BYTES or text != text.upper():
            raise BadIdentity(
                "not an age X25519 identity: it begins with AGE-SECRET-KEY-1 and is upper-case throughout"
            )
        return cls(key)

    def encode(self) -> str:
        """Return the identity as text: the secret itself."""
        return bech32.encode(IDENTITY_PREFIX, self._key.private_bytes_raw()).upper()

    def recipient(self) -> X25519Recipient:
        """Return the public half."""
        return X25519Recipient(self._public)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key in ``stanza``, or None if it is for someone else; raises HeaderError if malformed."""
        if stanza.type != STANZA:
            return None
        if len(stanza.args) != 2:
            raise HeaderError("an X25519 stanza has one argument")
        share = decode_base64(stanza.args[1])
        # The size is checked before decryption: a longer body could be made to fit several keys.
        if len(share) != KEY_BYTES or len(stanza.body) != FILE_KEY_BYTES + 16:
            raise HeaderError("an X25519 stanza of the wrong size")
        try:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError as error:
            raise HeaderError("an X25519 stanza with a low-order point") from error
        key = derive(secret, salt=share + self._public, info=LABEL)
        try:
            return ChaCha20Poly1305(key).decrypt(bytes(12), stanza.body, None)
        except InvalidTag:
            return None


def is_low_order(key: bytes) -> bool:
    """Return whether every secret shared with ``key`` is zero (RFC 7748, section 6.1); any private key shows it."""
    try:
        X25519PrivateKey.from_private_bytes(bytes(KEY_BYTES)).exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError:
        return True
    return False
