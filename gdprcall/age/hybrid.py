"""The post-quantum recipient and identity of age v1 (C2SP age.md, "mlkem768x25519"): ML-KEM-768 and X25519 together.

Whoever breaks one of the two still opens nothing. Identities never show their key, not even in a representation.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from gdprcall.age import bech32
from gdprcall.age.errors import BadIdentity, BadRecipient, HeaderError
from gdprcall.age.format import FILE_KEY_BYTES, Mix, Random, Stanza, decode_base64, encode_base64
from gdprcall.age.x25519 import is_low_order

RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "age-secret-key-pq-"
STANZA = "mlkem768x25519"
INFO = b"age-encryption.org/mlkem768x25519"
SEED_BYTES = 32
MLKEM_KEY_BYTES = 1184
MLKEM_SHARE_BYTES = 1088
KEY_BYTES = MLKEM_KEY_BYTES + 32
SHARE_BYTES = MLKEM_SHARE_BYTES + 32

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True, repr=False)
class HybridRecipient:
    """A public key of 1,216 bytes: ML-KEM-768, then X25519."""

    key: bytes
    mix: ClassVar[Mix] = Mix.POST_QUANTUM

    def __repr__(self) -> str:
        return f"HybridRecipient({self.encode()})"

    @classmethod
    def parse(cls, text: str) -> "HybridRecipient":
        """Return the recipient written ``age1pq1…``; raises BadRecipient, also for a key that nobody can open with."""
        try:
            prefix, key = bech32.decode(text)
        except ValueError as error:
            raise BadRecipient(f"not an age recipient: {error}") from error
        if prefix != RECIPIENT_PREFIX or len(key) != KEY_BYTES or text != text.lower():
            raise BadRecipient("not a post-quantum age recipient: it begins with age1pq1 and is lower-case throughout")
        recipient = cls(key)
        recipient._public()
        return recipient

    def encode(self) -> str:
        """Return the recipient as text of 1,959 characters."""
        return bech32.encode(RECIPIENT_PREFIX, self.key)

    def wrap(self, file_key: bytes, random: Random) -> Stanza:  # HPKE takes its randomness itself
        """Return the stanza that gives ``file_key`` to this recipient; raises BadRecipient."""
        sealed = _SUITE.encrypt(file_key, self._public(), info=INFO)
        return Stanza((STANZA, encode_base64(sealed[:SHARE_BYTES])), sealed[SHARE_BYTES:])

    def _public(self) -> MLKEM768X25519PublicKey:
        x25519 = self.key[MLKEM_KEY_BYTES:]
        if is_low_order(x25519):
            raise BadRecipient("the recipient is no key that anybody can open with")
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(self.key[:MLKEM_KEY_BYTES])
        except ValueError as error:
            raise BadRecipient("the recipient holds no ML-KEM-768 key") from error
        return MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(x25519))


class HybridIdentity:
    """A private key, grown from a seed of 32 bytes. It belongs to the controller and never on the PBX."""

    __slots__ = ("_key", "_recipient", "_seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise BadIdentity("a post-quantum identity has 32 bytes")
        grown = hashlib.shake_256(seed).digest(96)
        mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(grown[:64]), X25519PrivateKey.from_private_bytes(grown[64:])
        self._seed = seed
        self._key = MLKEM768X25519PrivateKey(mlkem, x25519)
        self._recipient = HybridRecipient(
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def __repr__(self) -> str:
        return f"HybridIdentity({self._recipient.encode()})"

    @classmethod
    def generate(cls, random: Random) -> "HybridIdentity":
        """Return a fresh identity from 32 bytes of ``random``."""
        return cls(random(SEED_BYTES))

    @classmethod
    def parse(cls, text: str) -> "HybridIdentity":
        """Return the identity written ``AGE-SECRET-KEY-PQ-1…``; raises BadIdentity, which never repeats the text."""
        try:
            prefix, seed = bech32.decode(text)
        except ValueError:
            # The cause is left out of the chain: it is raised where the secret is at hand.
            raise BadIdentity("not an age identity: mistyped or damaged") from None
        if prefix != IDENTITY_PREFIX or len(seed) != SEED_BYTES or text != text.upper():
            raise BadIdentity(
                "not a post-quantum age identity: it begins with AGE-SECRET-KEY-PQ-1 and is upper-case throughout"
            )
        return cls(seed)

    def encode(self) -> str:
        """Return the identity as text: the secret itself."""
        return bech32.encode(IDENTITY_PREFIX, self._seed).upper()

    def recipient(self) -> HybridRecipient:
        """Return the public half."""
        return self._recipient

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key in ``stanza``, or None if it is for someone else; raises HeaderError if malformed."""
        if stanza.type != STANZA:
            return None
        if len(stanza.args) != 2:
            raise HeaderError("an mlkem768x25519 stanza has one argument")
        share = decode_base64(stanza.args[1])
        # The size is checked before decryption: a longer body could be made to fit several keys.
        if len(share) != SHARE_BYTES or len(stanza.body) != FILE_KEY_BYTES + 16:
            raise HeaderError("an mlkem768x25519 stanza of the wrong size")
        if is_low_order(share[MLKEM_SHARE_BYTES:]):
            raise HeaderError("an mlkem768x25519 stanza with a low-order point")
        try:
            return _SUITE.decrypt(share + stanza.body, self._key, info=INFO)
        except InvalidTag:
            return None
