"""Passphrases: alone in their header, and no stranger chooses what they cost us."""

import io

import pytest

from gdprcall import age
from gdprcall.age.format import encode_base64

IDENTITY = age.X25519Identity(bytes(range(32)))
FILE_KEY = bytes(range(16))


def sealed(passphrase: str) -> bytes:
    out = io.BytesIO()
    age.encrypt(io.BytesIO(b"sound"), [age.ScryptRecipient(passphrase, work_factor=5)], out)
    return out.getvalue()


def test_what_a_passphrase_sealed_it_opens_and_another_does_not() -> None:
    plain = io.BytesIO()
    age.decrypt(io.BytesIO(sealed("correct horse")), [age.ScryptIdentity("correct horse")], plain)
    assert plain.getvalue() == b"sound"
    with pytest.raises(age.NoMatch):
        age.decrypt(io.BytesIO(sealed("correct horse")), [age.ScryptIdentity("battery staple")], io.BytesIO())


@pytest.mark.parametrize("others", [[IDENTITY.recipient()], [age.ScryptRecipient("b", 5)]])
def test_a_passphrase_stands_alone_in_a_header(others: list[age.Recipient]) -> None:
    with pytest.raises(age.BadRecipient):
        age.make_header(FILE_KEY, [age.ScryptRecipient("a", 5), *others])


def test_a_passphrase_has_no_stanza_of_anybody_else_beside_it() -> None:
    with pytest.raises(age.BadRecipient):
        age.make_header(FILE_KEY, [age.ScryptRecipient("a", 5)], [age.Stanza(("gdprcall/x",), b"")])


def test_a_work_factor_above_the_cap_is_refused_uncomputed() -> None:
    stanza = age.Stanza(("scrypt", encode_base64(bytes(16)), "21"), bytes(32))
    with pytest.raises(age.HeaderError, match="21"):
        age.ScryptIdentity("a").unwrap(stanza)


def test_a_passphrase_is_not_shown() -> None:
    assert "secret" not in repr(age.ScryptIdentity("secret")) + repr(age.ScryptRecipient("secret"))
