"""Post-quantum recipients and identities: texts, secrets, stanzas, and what they are not mixed with."""

import io
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdprcall import age
from gdprcall.age import bech32
from gdprcall.age.hybrid import MLKEM_KEY_BYTES

IDENTITY = age.HybridIdentity(bytes(range(32)))
CLASSIC = age.X25519Identity(bytes(range(32)))
FILE_KEY = bytes(range(16))


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32))
def test_keys_are_read_as_they_were_written(seed: bytes) -> None:
    identity = age.HybridIdentity(seed)
    assert age.HybridIdentity.parse(identity.encode()).recipient() == identity.recipient()
    assert age.HybridRecipient.parse(identity.recipient().encode()) == identity.recipient()
    assert identity.encode().startswith("AGE-SECRET-KEY-PQ-1")
    assert identity.recipient().encode().startswith("age1pq1")
    assert len(identity.recipient().encode()) == 1959


def test_a_fresh_identity_takes_its_seed_from_the_given_randomness() -> None:
    assert age.HybridIdentity.generate(lambda size: bytes(range(size))).encode() == IDENTITY.encode()


def test_the_type_of_a_key_is_told_by_its_text() -> None:
    assert age.parse_recipient(IDENTITY.recipient().encode()) == IDENTITY.recipient()
    assert age.parse_recipient(CLASSIC.recipient().encode()) == CLASSIC.recipient()
    assert isinstance(age.parse_identity(IDENTITY.encode()), age.HybridIdentity)
    assert isinstance(age.parse_identity(CLASSIC.encode()), age.X25519Identity)
    both = age.parse_identities(f"# ours\n{IDENTITY.encode()}\n{CLASSIC.encode()}\n")
    assert [type(identity) for identity in both] == [age.HybridIdentity, age.X25519Identity]


def test_sec_05_an_identity_shows_no_secret_and_is_not_copied_by_pickle() -> None:
    secret = IDENTITY.encode()
    assert secret not in repr(IDENTITY)
    assert secret.lower() not in repr(IDENTITY)
    with pytest.raises(TypeError):
        pickle.dumps(IDENTITY)


def test_a_file_for_two_post_quantum_recipients_opens_with_either() -> None:
    other = age.HybridIdentity(bytes(32))
    out = io.BytesIO()
    age.encrypt(io.BytesIO(b"sound"), [IDENTITY.recipient(), other.recipient()], out)
    for identity in (IDENTITY, other):
        plain = io.BytesIO()
        age.decrypt(io.BytesIO(out.getvalue()), [identity], plain)
        assert plain.getvalue() == b"sound"
    with pytest.raises(age.NoMatch):
        age.decrypt(io.BytesIO(out.getvalue()), [CLASSIC], io.BytesIO())


def test_a_classic_recipient_beside_a_post_quantum_one_is_refused() -> None:
    with pytest.raises(age.BadRecipient, match="not mixed"):
        age.make_header(FILE_KEY, [IDENTITY.recipient(), CLASSIC.recipient()])


@pytest.mark.parametrize(
    "text",
    [
        bech32.encode("age1pq", bytes(1216)),
        bech32.encode("age1pq", IDENTITY.recipient().key[:-1]),
        bech32.encode("age1pq", b"\xff" * MLKEM_KEY_BYTES + CLASSIC.recipient().key),
        IDENTITY.recipient().encode().upper(),
        IDENTITY.recipient().encode()[:-1] + "q",
    ],
)
def test_what_nobody_could_open_with_is_no_recipient(text: str) -> None:
    with pytest.raises(age.BadRecipient):
        age.HybridRecipient.parse(text)


@pytest.mark.parametrize(
    "text", [IDENTITY.encode().lower(), IDENTITY.encode()[:-1], bech32.encode("age-secret-key-pq-", bytes(31)).upper()]
)
def test_what_is_no_identity_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(age.BadIdentity) as caught:
        age.parse_identity(text)
    assert text not in str(caught.value)


def test_a_seed_of_another_size_is_refused() -> None:
    with pytest.raises(age.BadIdentity):
        age.HybridIdentity(bytes(31))
