"""The primitives below the vault against the public vectors of Wycheproof, through our own calls wherever there are any.

What a wrong library would get wrong quietly is in them: points of low order, tags that were bent, signatures that two
spellings have, public keys that are none.
"""

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gdprcall import age
from gdprcall.age.format import Stanza, derive, encode_base64
from gdprcall.age.hybrid import HybridRecipient
from gdprcall.age.x25519 import LABEL, X25519Identity, X25519Recipient
from gdprcall.vault.note import Verifier

pytestmark = pytest.mark.pbx

FOLDER = Path(__file__).parents[1] / ".pbx/root/usr/share/gocode/src/github.com/c2sp/wycheproof/testvectors_v1"
COUNTS = {
    "chacha20_poly1305": 325, "x25519": 518, "hkdf_sha256": 86, "hmac_sha256": 174, "ed25519": 150,
    "mlkem_768": 193, "mlkem_768_encaps": 265, "mlkem_768_keygen_seed": 100,
}  # fmt: skip
"""How many there were when this was written; later packages may hold more, never fewer."""

ZERO = bytes(32)
FILE_KEY = bytes(range(16))
X25519_KEY = X25519Identity(bytes(range(32))).recipient().key


@dataclass(frozen=True)
class Vector:
    """One vector: its number, what must come of it, its fields, and those of its group."""

    number: int
    valid: bool
    flags: tuple[str, ...]
    fields: dict[str, str]
    group: dict[str, object]

    def __getitem__(self, name: str) -> bytes:
        return bytes.fromhex(self.fields[name])


def vectors(name: str) -> Iterator[Vector]:
    for group in json.loads((FOLDER / f"{name}_test.json").read_text())["testGroups"]:
        for test in group["tests"]:
            yield Vector(test["tcId"], test["result"] != "invalid", tuple(test.get("flags", ())), test, group)


@pytest.mark.parametrize("name", COUNTS)
def test_the_vectors_are_here(name: str) -> None:
    assert len(list(vectors(name))) >= COUNTS[name]


def test_chacha20_poly1305_seals_as_the_vectors_say_and_opens_nothing_that_was_changed() -> None:
    for vector in vectors("chacha20_poly1305"):
        sealed, aad, nonce = vector["ct"] + vector["tag"], vector["aad"], vector["iv"]
        cipher, out = ChaCha20Poly1305(vector["key"]), bytearray(len(sealed))
        if "InvalidNonceSize" in vector.flags:
            with pytest.raises(ValueError, match=r"[Nn]once"):
                cipher.encrypt_into(nonce, vector["msg"], aad, out)
            with pytest.raises(ValueError, match=r"[Nn]once"):
                cipher.decrypt(nonce, sealed, aad)
        elif vector.valid:
            cipher.encrypt_into(nonce, vector["msg"], aad, out)
            assert bytes(out) == sealed, vector.number
            assert cipher.decrypt(nonce, sealed, aad) == vector["msg"], vector.number
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed, aad)


def stanza(vector: Vector, public: bytes) -> Stanza:
    """Return what somebody who agreed on the vector's secret would have wrapped."""
    key = derive(vector["shared"], salt=vector["public"] + public, info=LABEL)
    return Stanza(("X25519", encode_base64(vector["public"])), ChaCha20Poly1305(key).encrypt(bytes(12), FILE_KEY, None))


def test_x25519_agrees_on_the_secrets_of_the_vectors_and_on_none_that_everybody_knows() -> None:
    """As an identity that is sent the vector's point, and as one who seals for it."""
    refused = 0
    for vector in vectors("x25519"):
        identity, recipient = X25519Identity(vector["private"]), X25519Recipient(vector["public"])
        public = identity.recipient().key
        if vector["shared"] == ZERO:
            refused += 1
            with pytest.raises(age.HeaderError, match="low-order"):
                identity.unwrap(stanza(vector, public))
            with pytest.raises(age.BadRecipient, match="low-order"):
                recipient.wrap(FILE_KEY, lambda _size, key=vector["private"]: key)  # type: ignore[misc]
            continue
        assert identity.unwrap(stanza(vector, public)) == FILE_KEY, vector.number
        made = recipient.wrap(FILE_KEY, lambda _size, key=vector["private"]: key)  # type: ignore[misc]
        key = derive(vector["shared"], salt=public + vector["public"], info=LABEL)
        assert made.args == ("X25519", encode_base64(public)), vector.number
        assert ChaCha20Poly1305(key).decrypt(bytes(12), made.body, None) == FILE_KEY, vector.number
    assert refused == sum("ZeroSharedSecret" in vector.flags for vector in vectors("x25519")) > 0


def test_no_point_of_low_order_and_no_second_spelling_of_one_is_taken_as_a_recipient() -> None:
    for vector in vectors("x25519"):
        text = X25519Recipient(vector["public"]).encode()
        if vector["shared"] == ZERO or int.from_bytes(vector["public"], "little") >= 2**255 - 19:
            with pytest.raises(age.BadRecipient):
                X25519Recipient.parse(text)
        else:
            assert X25519Recipient.parse(text).key == vector["public"], vector.number


def test_hkdf_derives_the_keys_of_the_vectors() -> None:
    """We always derive 32 bytes; a shorter or longer output begins with the same ones."""
    for vector in vectors("hkdf_sha256"):
        key = derive(vector["ikm"], salt=vector["salt"], info=vector["info"])
        assert len(key) == 32
        if vector.valid:
            same = min(32, len(vector["okm"]))
            assert key[:same] == vector["okm"][:same] != b"", vector.number


def test_hmac_makes_the_tags_of_the_vectors_and_takes_no_bent_one() -> None:
    for vector in vectors("hmac_sha256"):
        made = hmac.digest(vector["key"], vector["msg"], "sha256")[: len(vector["tag"])]
        assert hmac.compare_digest(made, vector["tag"]) == vector.valid, vector.number


def test_ed25519_takes_the_signatures_that_the_vectors_take_and_no_other() -> None:
    ours = 0
    for vector in vectors("ed25519"):
        key = vector.group["publicKey"]
        assert isinstance(key, dict)
        public = bytes.fromhex(str(key["pk"]))
        try:
            text = vector["msg"].decode()
        except UnicodeDecodeError:
            # A note is text: what is none never comes to our own call.
            assert signed(public, vector["msg"], vector["sig"]) == vector.valid, vector.number
        else:
            ours += 1
            assert Verifier("wycheproof", public).signed(text, vector["sig"]) == vector.valid, vector.number
    assert ours >= 80


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_ml_kem_grows_the_keys_of_the_vectors_from_their_seeds() -> None:
    for vector in vectors("mlkem_768_keygen_seed"):
        public = MLKEM768PrivateKey.from_seed_bytes(vector["seed"]).public_key()
        assert public.public_bytes_raw() == vector["ek"], vector.number


def test_ml_kem_finds_the_secrets_of_the_vectors_and_refuses_what_is_no_ciphertext() -> None:
    for vector in vectors("mlkem_768"):
        if vector.valid:
            key = MLKEM768PrivateKey.from_seed_bytes(vector["seed"])
            assert key.public_key().public_bytes_raw() == vector["ek"], vector.number
            assert key.decapsulate(vector["c"]) == vector["K"], vector.number
        else:
            with pytest.raises(ValueError):  # of a seed or of a ciphertext, in OpenSSL's words
                MLKEM768PrivateKey.from_seed_bytes(vector["seed"]).decapsulate(vector["c"])


def test_no_ml_kem_key_that_is_none_is_taken_as_a_recipient() -> None:
    for vector in vectors("mlkem_768_encaps"):
        recipient = HybridRecipient(vector["ek"] + X25519_KEY)
        if vector.valid:
            assert HybridRecipient.parse(recipient.encode()) == recipient, vector.number
            assert len(recipient.wrap(FILE_KEY, lambda _size: b"").body) == 32
        else:
            with pytest.raises(age.BadRecipient):
                HybridRecipient.parse(recipient.encode())
            with pytest.raises(age.BadRecipient):
                recipient.wrap(FILE_KEY, lambda _size: b"")
