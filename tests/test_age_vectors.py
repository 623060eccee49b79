"""The age format against the public test vectors of C2SP/CCTV."""

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdprcall import age

FOLDER = Path(__file__).parent / "vectors" / "age"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.name != "README.md")
EXPECTED = {
    "header failure": age.HeaderError,
    "HMAC failure": age.MacError,
    "no match": age.NoMatch,
    "payload failure": age.PayloadError,
}


@dataclass(frozen=True)
class Vector:
    fields: dict[str, str]
    identities: list[age.X25519Identity]
    file: bytes


def load(name: str) -> Vector:
    head, _, body = (FOLDER / name).read_bytes().partition(b"\n\n")
    pairs = [line.split(": ", 1) for line in head.decode().splitlines()]
    fields = dict(pairs)
    if fields.get("compressed") == "zlib":
        body = zlib.decompress(body)
    identities = [age.X25519Identity.parse(value) for key, value in pairs if key == "identity"]
    return Vector(fields, identities, body)


def test_all_groups_but_armor_hybrid_and_scrypt_are_here() -> None:
    assert len(NAMES) == 67
    assert {name.split("_")[0] for name in NAMES} == {
        "empty",
        "header",
        "hmac",
        "stanza",
        "stream",
        "version",
        "x25519",
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_vector_opens_or_fails_as_it_says(name: str) -> None:
    vector, out = load(name), io.BytesIO()
    expected = vector.fields["expect"]
    if expected == "success":
        age.decrypt(io.BytesIO(vector.file), vector.identities, out)
        assert hashlib.sha256(out.getvalue()).hexdigest() == vector.fields["payload"]
        return
    with pytest.raises(EXPECTED[expected]) as caught:
        age.decrypt(io.BytesIO(vector.file), vector.identities, out)
    assert isinstance(caught.value, age.MacError) == (expected == "HMAC failure")


@pytest.mark.parametrize("name", [name for name in NAMES if load(name).fields["expect"] == "success"])
def test_each_good_vector_is_written_again_byte_for_byte(name: str) -> None:
    vector = load(name)
    source = io.BytesIO(vector.file)
    head = age.read_header(source)
    file_key, header = age.open_header(head, vector.identities)
    assert file_key.hex() == vector.fields["file key"]
    assert header.encode() == head
    payload = source.read()
    plain, again = io.BytesIO(), io.BytesIO()
    age.decrypt_payload(file_key, io.BytesIO(payload), plain)
    age.encrypt_payload(file_key, io.BytesIO(plain.getvalue()), again, nonce=payload[: age.NONCE_BYTES])
    assert again.getvalue() == payload


@pytest.mark.parametrize("name", [n for n in NAMES if load(n).fields["expect"] == "payload failure"])
def test_a_damaged_payload_releases_only_genuine_bytes(name: str) -> None:
    vector, out = load(name), io.BytesIO()
    with pytest.raises(age.PayloadError):
        age.decrypt(io.BytesIO(vector.file), vector.identities, out)
    if "payload" in vector.fields and hashlib.sha256(out.getvalue()).hexdigest() != vector.fields["payload"]:
        # We hold a full chunk back until we know that it is not the last: stricter than the vector, never laxer.
        assert len(out.getvalue()) % (64 * 1024) == 0
