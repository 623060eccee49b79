"""The age format against the public test vectors of C2SP/CCTV."""

import hashlib
import io
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gdprcall import age
from gdprcall.age.format import derive
from gdprcall.age.stream import CHUNK_BYTES

FOLDER = Path(__file__).parent / "vectors" / "age"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.suffix == "" and not path.name.startswith("."))
PACKAGE = Path(__file__).parents[1] / ".pbx/root/usr/share/gocode/src/c2sp.org/CCTV/age/testdata"
COUNTS = {
    "armor": 33, "empty": 1, "header": 1, "hmac": 8, "hybrid": 18, "scrypt": 25, "stanza": 14, "stream": 28, "version": 1,
    "x25519": 14,
}  # fmt: skip
HELD_BACK = {
    "armor_garbage_encoded",
    "stream_no_final_full",
    "stream_no_final_two_chunks_full",
    "stream_trailing_garbage_long",
    "stream_trailing_garbage_short",
    "stream_two_final_chunks",
    "stream_two_final_chunks_full",
    "stream_two_final_chunks_second",
}
EXPECTED = {
    "armor failure": age.ArmorError,
    "header failure": age.HeaderError,
    "HMAC failure": age.MacError,
    "no match": age.NoMatch,
    "payload failure": age.PayloadError,
}


@dataclass(frozen=True)
class Vector:
    fields: dict[str, str]
    identities: list[age.Identity]
    file: bytes


def load(name: str) -> Vector:
    head, _, body = (FOLDER / name).read_bytes().partition(b"\n\n")
    pairs = [line.split(": ", 1) for line in head.decode().splitlines()]
    fields = dict(pairs)
    if fields.get("compressed") == "zlib":
        body = zlib.decompress(body)
    identities: list[age.Identity] = [age.parse_identity(value) for key, value in pairs if key == "identity"]
    identities += [age.ScryptIdentity(value) for key, value in pairs if key == "passphrase"]
    return Vector(fields, identities, body)


def opened(vector: Vector) -> BinaryIO:
    """Return the file of a vector, out of its armor if it has one."""
    source = io.BytesIO(vector.file)
    return age.open_armor(source) if vector.fields.get("armored") else source


def test_all_143_vectors_are_here() -> None:
    assert Counter(name.split("_")[0] for name in NAMES) == COUNTS
    assert len(NAMES) == 143


@pytest.mark.pbx
def test_the_vectors_are_those_of_the_package() -> None:
    published = {path.name: path.read_bytes() for path in PACKAGE.iterdir()}
    assert {name: (FOLDER / name).read_bytes() for name in NAMES} == published


@pytest.mark.parametrize("name", NAMES)
def test_each_vector_opens_or_fails_as_it_says(name: str) -> None:
    vector, out = load(name), io.BytesIO()
    expected = vector.fields["expect"]
    if expected == "success":
        age.decrypt(opened(vector), vector.identities, out)
        assert hashlib.sha256(out.getvalue()).hexdigest() == vector.fields["payload"]
        return
    with pytest.raises(EXPECTED[expected]) as caught:
        age.decrypt(opened(vector), vector.identities, out)
    assert isinstance(caught.value, age.MacError) == (expected == "HMAC failure")


@pytest.mark.parametrize("name", [name for name in NAMES if load(name).fields["expect"] == "success"])
def test_each_good_vector_is_written_again_byte_for_byte(name: str) -> None:
    vector = load(name)
    source = opened(vector)
    head = age.read_header(source)
    file_key, header = age.open_header(head, vector.identities)
    assert file_key.hex() == vector.fields["file key"]
    assert header.encode() == head
    payload = source.read()
    plain, again = io.BytesIO(), io.BytesIO()
    age.decrypt_payload(file_key, io.BytesIO(payload), plain)
    age.encrypt_payload(file_key, io.BytesIO(plain.getvalue()), again, nonce=payload[: age.NONCE_BYTES])
    assert again.getvalue() == payload


@pytest.mark.parametrize("name", [name for name in NAMES if load(name).fields["expect"] == "payload failure"])
def test_a_damaged_payload_releases_what_the_vector_says_but_for_a_chunk_that_may_be_the_last(name: str) -> None:
    """A full chunk is held back until it is known whether another follows it.

    Tools that try both meanings at once release one chunk more before they fail: with it, the hash is the vector's.
    """
    vector, out = load(name), io.BytesIO()
    source = opened(vector)
    file_key, _ = age.open_header(age.read_header(source), vector.identities)
    assert file_key.hex() == vector.fields["file key"]
    payload = source.read()
    with pytest.raises(age.PayloadError):
        age.decrypt_payload(file_key, io.BytesIO(payload), out)
    released = out.getvalue()
    if name in HELD_BACK:
        assert hashlib.sha256(released).hexdigest() != vector.fields["payload"]
        released += held_back(file_key, payload, len(released) // CHUNK_BYTES)
    assert hashlib.sha256(released).hexdigest() == vector.fields["payload"]


def held_back(file_key: bytes, payload: bytes, number: int) -> bytes:
    """Return chunk ``number``, whether it says that it is the last one or not; a short one must be the last."""
    cipher = ChaCha20Poly1305(derive(file_key, salt=payload[:16], info=b"payload"))
    start, full = 16 + number * (CHUNK_BYTES + 16), CHUNK_BYTES + 16
    for last in (b"\x00", b"\x01"):
        with suppress(InvalidTag):
            return cipher.decrypt(number.to_bytes(11, "big") + last, payload[start : start + full], None)
    raise AssertionError("the chunk is not genuine")
