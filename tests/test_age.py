"""The age format: round trips, refusals, and agreement with the public age tool."""

import io
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdprcall import age
from gdprcall.age import bech32

IDENTITY = age.X25519Identity.generate(lambda n: bytes(range(n)))
OTHER = age.X25519Identity.generate(lambda n: bytes(range(1, n + 1)))
BINDING = age.Stanza(("gdprcall/recording-v1", "0" * 32, "ctl=acme", "part=1"), b"")
BIN = Path(__file__).parents[1] / ".pbx" / "bin"
SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]


def seal(plain: bytes, *identities: age.X25519Identity, extra: tuple[age.Stanza, ...] = ()) -> bytes:
    file_key, out = os.urandom(16), io.BytesIO()
    out.write(age.make_header(file_key, [identity.recipient() for identity in identities], extra))
    age.encrypt_payload(file_key, io.BytesIO(plain), out, nonce=os.urandom(16))
    return out.getvalue()


def unseal(file: bytes, *identities: age.X25519Identity) -> bytes:
    out = io.BytesIO()
    age.decrypt(io.BytesIO(file), identities, out)
    return out.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_to_the_same_bytes(size: int) -> None:
    plain = os.urandom(size)
    file = seal(plain, IDENTITY, OTHER, extra=(BINDING,))
    assert unseal(file, IDENTITY) == plain == unseal(file, OTHER)


def test_a_stranger_opens_nothing() -> None:
    with pytest.raises(age.NoMatch):
        unseal(seal(b"x", IDENTITY), OTHER)


@settings(max_examples=200)
@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    file = bytearray(seal(b"sound" * 40, IDENTITY, extra=(BINDING,)))
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(age.AgeError):
        unseal(bytes(file), IDENTITY)


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + b"x", lambda p: p[: 16 + 65_552]])
def test_a_truncated_or_extended_payload_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    source = io.BytesIO(seal(bytes(100_000), IDENTITY))
    head = age.read_header(source)
    with pytest.raises(age.PayloadError):
        unseal(head + change(source.read()), IDENTITY)


def test_the_payload_of_one_file_does_not_open_under_the_header_of_another() -> None:
    one, two = io.BytesIO(seal(b"one", IDENTITY)), io.BytesIO(seal(b"two", IDENTITY))
    head = age.read_header(one)
    age.read_header(two)
    with pytest.raises(age.PayloadError):
        unseal(head + two.read(), IDENTITY)


def test_the_binding_stanza_is_covered_by_the_mac() -> None:
    file = seal(b"x", IDENTITY, extra=(BINDING,)).replace(b"ctl=acme", b"ctl=evil")
    with pytest.raises(age.MacError):
        unseal(file, IDENTITY)


def test_encryption_is_a_pure_function_of_its_randomness() -> None:
    made = []
    for _ in range(2):
        out = io.BytesIO()
        age.encrypt(io.BytesIO(b"same"), [IDENTITY.recipient()], out, random=lambda n: b"\x07" * n)
        made.append(out.getvalue())
    assert made[0] == made[1]


def test_keys_are_written_and_read_as_text() -> None:
    assert age.X25519Identity.parse(IDENTITY.encode()).recipient().key == IDENTITY.recipient().key
    assert age.X25519Recipient.parse(IDENTITY.recipient().encode()).key == IDENTITY.recipient().key
    assert age.parse_identities(f"# mine\n\n{IDENTITY.encode()}\n")[0].encode() == IDENTITY.encode()


def test_an_identity_never_shows_its_key() -> None:
    assert IDENTITY.encode() not in repr(IDENTITY)
    with pytest.raises(age.BadIdentity) as caught:
        age.X25519Identity.parse(IDENTITY.encode()[:-1] + "X")
    assert IDENTITY.encode()[20:40] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    ["", "age1", "age1zzz", IDENTITY.encode(), IDENTITY.recipient().encode().upper(), "AGE1" + "q" * 10, "x" * 9000],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(age.BadRecipient):
        age.X25519Recipient.parse(text)


def test_a_low_order_recipient_is_refused() -> None:
    with pytest.raises(age.BadRecipient):
        age.make_header(bytes(16), [age.X25519Recipient(bytes(32))])


def test_an_identity_of_another_type_is_refused() -> None:
    with pytest.raises(age.BadIdentity):
        age.X25519Identity.parse(bech32.encode("age-secret-key-pq-", bytes(32)).upper())
    with pytest.raises(age.BadIdentity):
        age.parse_identities("# nothing\n")


def test_a_header_without_recipients_is_not_made() -> None:
    with pytest.raises(ValueError, match="recipient"):
        age.make_header(bytes(16), [])
    with pytest.raises(ValueError, match="nonce"):
        age.PayloadWriter(bytes(16), b"short", io.BytesIO())


def test_a_stanza_with_a_blank_in_an_argument_is_not_written() -> None:
    with pytest.raises(age.HeaderError):
        age.Stanza(("a b",), b"").encode()


@pytest.mark.parametrize("data", [b"", b"age-encryption.org/v2\n", b"age-encryption.org/v1\n" + b"-> x\n" * 400_000])
def test_an_endless_or_foreign_header_is_refused(data: bytes) -> None:
    with pytest.raises(age.HeaderError):
        age.read_header(io.BytesIO(data))


@pytest.mark.parametrize("text", ["a1qqqqqqqqq", "Age1q", "1qqqqqq", "age1b", "age1q\x7fqqqqqq", "ageqqqqqqqq"])
def test_text_that_is_no_bech32_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        bech32.decode(text)


@pytest.mark.pbx
@pytest.mark.parametrize("tool", ["age", "age-1.1"])
@pytest.mark.parametrize("size", SIZES)
def test_the_public_age_tool_and_we_open_each_others_files(tool: str, size: int, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(IDENTITY.encode() + "\n")
    plain = os.urandom(size)
    ours = subprocess.run(
        [BIN / tool, "-d", "-i", key], input=seal(plain, IDENTITY, extra=(BINDING,)), capture_output=True, check=True
    )
    assert ours.stdout == plain
    theirs = subprocess.run(
        [BIN / tool, "-r", IDENTITY.recipient().encode()], input=plain, capture_output=True, check=True
    )
    assert unseal(theirs.stdout, IDENTITY) == plain


@pytest.mark.pbx
def test_keys_made_by_the_public_tool_are_read(tmp_path: Path) -> None:
    made = subprocess.run([BIN / "age-keygen"], capture_output=True, text=True, check=True).stdout
    public = made.split("public key: ")[1].split()[0]
    assert age.parse_identities(made)[0].recipient().encode() == public
