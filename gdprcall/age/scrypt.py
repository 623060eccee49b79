"""The passphrase recipient and identity of age v1 (C2SP age.md, "scrypt recipient stanza").

It never stands beside another recipient, and never computes a work factor that a stranger chose above its cap.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gdprcall.age.errors import HeaderError
from gdprcall.age.format import FILE_KEY_BYTES, Mix, Random, Stanza, decode_base64, encode_base64

STANZA = "scrypt"
LABEL = b"age-encryption.org/v1/scrypt"
SALT_BYTES = 16
WORK_FACTOR = 18
"""Of what is written: about a second and 256 MiB."""
MAX_WORK_FACTOR = 20
"""Of what is read: 1 GiB of memory; each step more doubles it."""

_WORK_FACTOR = re.compile(r"[1-9][0-9]?")


@dataclass(frozen=True, slots=True)
class ScryptRecipient:
    """A passphrase to seal with; ``work_factor`` is log2 of the cost."""

    passphrase: str = field(repr=False)
    work_factor: int = WORK_FACTOR
    mix: ClassVar[Mix] = Mix.ALONE

    def wrap(self, file_key: bytes, random: Random) -> Stanza:
        """Return the stanza that gives ``file_key`` to whoever knows the passphrase; takes 16 bytes of ``random``."""
        salt = random(SALT_BYTES)
        key = _key(self.passphrase, salt, self.work_factor)
        # The key is used for this one message, so a constant nonce is safe.
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        return Stanza((STANZA, encode_base64(salt), str(self.work_factor)), body)


@dataclass(frozen=True, slots=True)
class ScryptIdentity:
    """A passphrase to open with."""

    passphrase: str = field(repr=False)
    max_work_factor: int = MAX_WORK_FACTOR

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key in ``stanza``, or None if the passphrase is another; raises HeaderError if malformed."""
        if stanza.type != STANZA:
            return None
        if len(stanza.args) != 3:
            raise HeaderError("a scrypt stanza has two arguments")
        salt = decode_base64(stanza.args[1])
        # The size is checked before decryption: a longer body could be made to fit several passphrases.
        if len(salt) != SALT_BYTES or len(stanza.body) != FILE_KEY_BYTES + 16:
            raise HeaderError("a scrypt stanza of the wrong size")
        if not _WORK_FACTOR.fullmatch(stanza.args[2]):
            raise HeaderError("the work factor of a scrypt stanza is no number from 1 to 99")
        work_factor = int(stanza.args[2])
        if work_factor > self.max_work_factor:
            raise HeaderError(
                f"a work factor of {work_factor} is more than the {self.max_work_factor} that is computed"
            )
        try:
            return ChaCha20Poly1305(_key(self.passphrase, salt, work_factor)).decrypt(bytes(12), stanza.body, None)
        except InvalidTag:
            return None


def _key(passphrase: str, salt: bytes, work_factor: int) -> bytes:
    return Scrypt(salt=LABEL + salt, length=32, n=1 << work_factor, r=8, p=1).derive(passphrase.encode())
