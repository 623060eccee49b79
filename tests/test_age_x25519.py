"""X25519 recipients and identities: texts, secrets, stanzas."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.age import BadIdentity, BadRecipient, HeaderError, Stanza, X25519Identity, X25519Recipient, bech32
from gdprcall.age.format import encode_base64

KEY = bytes(range(100, 132))
IDENTITY = X25519Identity(KEY)
RECIPIENT = IDENTITY.recipient()
FILE_KEY = bytes(range(16))
# Points of small order: every secret shared with one of them is zero (RFC 7748, section 6.1).
LOW_ORDER = [
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
]


def fixed(data: bytes):  # type: ignore[no-untyped-def]
    def random(size: int) -> bytes:
        assert size == len(data)
        return data

    return random


@given(st.binary(min_size=32, max_size=32))
def test_keys_are_read_as_they_were_written(key: bytes) -> None:
    identity = X25519Identity(key)
    assert X25519Identity.parse(identity.encode()).encode() == identity.encode()
    assert X25519Recipient.parse(identity.recipient().encode()) == identity.recipient()
    assert identity.encode().startswith("AGE-SECRET-KEY-1")
    assert identity.recipient().encode().startswith("age1")
    assert len(identity.recipient().encode()) == 62


def test_a_stanza_is_a_pure_function_of_its_randomness() -> None:
    stanza = RECIPIENT.wrap(FILE_KEY, fixed(bytes(range(32))))
    assert stanza == RECIPIENT.wrap(FILE_KEY, fixed(bytes(range(32))))
    assert stanza != RECIPIENT.wrap(FILE_KEY, fixed(bytes(range(1, 33))))
    assert stanza.args[0] == "X25519"
    assert len(stanza.body) == 32
    assert IDENTITY.unwrap(stanza) == FILE_KEY


def test_a_stanza_for_someone_else_gives_nothing() -> None:
    other = X25519Identity(bytes(range(1, 33)))
    assert IDENTITY.unwrap(other.recipient().wrap(FILE_KEY, fixed(KEY))) is None
    assert IDENTITY.unwrap(Stanza(("scrypt", "x", "18"), bytes(32))) is None
    assert IDENTITY.unwrap(Stanza(("x25519",), b"")) is None


@pytest.mark.parametrize("share", LOW_ORDER)
def test_a_share_of_small_order_is_refused(share: bytes) -> None:
    with pytest.raises(HeaderError, match="low-order"):
        IDENTITY.unwrap(Stanza(("X25519", encode_base64(share)), bytes(32)))


GOOD = RECIPIENT.wrap(FILE_KEY, fixed(KEY))
MALFORMED = {
    "no share": Stanza(("X25519",), GOOD.body),
    "one argument too many": Stanza((*GOOD.args, "x"), GOOD.body),
    "a short share": Stanza(("X25519", "AAAA"), GOOD.body),
    "a share of another spelling": Stanza(("X25519", GOOD.args[1] + "="), GOOD.body),
    "a short body": Stanza(GOOD.args, GOOD.body[:-1]),
    "a long body": Stanza(GOOD.args, GOOD.body + b"x"),
}


@pytest.mark.parametrize("stanza", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_stanza_of_our_type_is_refused_for(stanza: Stanza) -> None:
    with pytest.raises(HeaderError):
        IDENTITY.unwrap(stanza)


@pytest.mark.parametrize("key", LOW_ORDER)
def test_a_recipient_of_small_order_is_refused_before_anything_is_sealed_to_it(key: bytes) -> None:
    with pytest.raises(BadRecipient, match="anybody can open"):
        X25519Recipient.parse(bech32.encode("age", key))
    with pytest.raises(BadRecipient, match="low-order"):
        X25519Recipient(key).wrap(FILE_KEY, fixed(KEY))


@pytest.mark.parametrize("key", [RECIPIENT.key[:31] + bytes([RECIPIENT.key[31] | 0x80]), b"\xff" * 31 + b"\x7f"])
def test_a_second_spelling_of_a_key_is_refused_because_its_identity_could_not_open_the_file(key: bytes) -> None:
    stanza = X25519Recipient(key).wrap(FILE_KEY, fixed(KEY))
    assert IDENTITY.unwrap(stanza) is None
    with pytest.raises(BadRecipient, match="anybody can open"):
        X25519Recipient.parse(bech32.encode("age", key))


NO_RECIPIENTS = {
    "nothing": ("", "not an age recipient"),
    "no data": ("age1", "not an age recipient"),
    "another checksum": (RECIPIENT.encode()[:-1] + "0", "checksum|not an age recipient"),
    "upper case": (RECIPIENT.encode().upper(), "62 lower-case"),
    "another prefix": (bech32.encode("agf", RECIPIENT.key), "begins with age1"),
    "a short key": (bech32.encode("age", RECIPIENT.key[:31]), "62 lower-case"),
    "an identity": (IDENTITY.encode(), "secret half"),
    "post-quantum": (bech32.encode("age1pq", bytes(1216)), "post-quantum"),
    "too long": ("age1" + "q" * 9000, "too long"),
}


@pytest.mark.parametrize(("text", "told"), NO_RECIPIENTS.values(), ids=NO_RECIPIENTS)
def test_it_is_said_why_this_is_no_recipient(text: str, told: str) -> None:
    with pytest.raises(BadRecipient, match=told) as caught:
        X25519Recipient.parse(text)
    assert not text or text not in str(caught.value)


NO_IDENTITIES = {
    "nothing": "",
    "lower case": IDENTITY.encode().lower(),
    "another checksum": IDENTITY.encode()[:-1] + ("Q" if IDENTITY.encode()[-1] != "Q" else "P"),
    "a recipient": RECIPIENT.encode(),
    "post-quantum": bech32.encode("age-secret-key-pq-", KEY).upper(),
    "a short key": bech32.encode("age-secret-key-", KEY[:31]).upper(),
}


@pytest.mark.parametrize("text", NO_IDENTITIES.values(), ids=NO_IDENTITIES)
def test_what_is_no_identity_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(BadIdentity) as caught:
        X25519Identity.parse(text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "mistyped" in str(caught.value) or "AGE-SECRET-KEY-1" in str(caught.value)
    assert text[16:] == "" or text[16:] not in str(caught.value)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_an_identity_of_another_size_is_not_made(size: int) -> None:
    with pytest.raises(BadIdentity):
        X25519Identity.generate(lambda _: bytes(size))


def test_an_identity_shows_only_its_public_half_and_cannot_be_pickled() -> None:
    for shown in (repr(IDENTITY), str(IDENTITY), f"{IDENTITY}", repr([IDENTITY])):
        assert RECIPIENT.encode() in shown
        assert IDENTITY.encode()[16:] not in shown.upper()
        assert KEY.hex() not in shown
    assert not hasattr(IDENTITY, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(IDENTITY)


def test_a_recipient_is_a_value() -> None:
    again = X25519Recipient.parse(RECIPIENT.encode())
    assert {again, RECIPIENT} == {RECIPIENT}
    assert repr(again) == f"X25519Recipient({RECIPIENT.encode()})"
