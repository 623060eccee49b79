"""Bech32: the published strings of BIP 173, and every other spelling refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.age import bech32

# BIP 173, "Test vectors": valid strings, here those whose data are whole bytes.
VALID = {
    "A12UEL5L": ("a", b""),
    "a12uel5l": ("a", b""),
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs": (
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
        b"",
    ),
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw": (
        "abcdef",
        bytes.fromhex("00443214c74254b635cf84653a56d7c675be77df"),
    ),
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w": (
        "split",
        bytes.fromhex("c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"),
    ),
}
INVALID = {
    "\x201nwldj5": "a blank in the prefix (BIP 173)",
    "\x7f1axkwrx": "a control character in the prefix (BIP 173)",
    "pzry9x0s0muk": "no separator (BIP 173)",
    "1pzry9x0s0muk": "an empty prefix (BIP 173)",
    "x1b4n0q5v": "a character that is no data (BIP 173)",
    "li1dgmt3": "a checksum that is too short (BIP 173)",
    "de1lg7wt\xff": "a character beyond ASCII (BIP 173)",
    "A1G7SGD8": "a checksum of the upper-case prefix (BIP 173)",
    "10a06t8": "an empty prefix (BIP 173)",
    "1qzzfhee": "an empty prefix (BIP 173)",
    "A12uEL5L": "mixed case (BIP 173)",
    "": "nothing",
    "a12uel5m": "a wrong last character",
    "a" * 9000: "longer than any key",
}


@pytest.mark.parametrize(("text", "expected"), VALID.items())
def test_the_valid_strings_of_bip_173_are_read_and_written(text: str, expected: tuple[str, bytes]) -> None:
    assert bech32.decode(text) == expected
    assert bech32.encode(*expected) == text.lower()


@pytest.mark.parametrize("text", INVALID, ids=INVALID.values())
def test_every_other_spelling_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(too long|mixed case|no prefix|a character|the checksum)") as caught:
        bech32.decode(text)
    assert not text or text not in str(caught.value)


def test_a_letter_that_only_looks_like_k_is_refused() -> None:
    text = bech32.encode("age-secret-key-", bytes(range(32))).upper()
    assert "K" in text.removeprefix("AGE-SECRET-KEY-")
    with pytest.raises(ValueError, match="mixed case, or a character"):
        bech32.decode(text.replace("K", "\N{KELVIN SIGN}"))


@pytest.mark.parametrize("values", [[0], [0, 1], [31, 31, 31], [16] + [0] * 7 + [1]])
def test_padding_that_carries_bits_is_refused(values: list[int]) -> None:
    # A second spelling of the same bytes: the checksum is right, the bits that no byte needs are not zero.
    sums = bech32._polymod([*bech32._expand("age"), *values, *[0] * 6]) ^ 1
    checksum = [sums >> 5 * (5 - place) & 31 for place in range(6)]
    with pytest.raises(ValueError, match="padding"):
        bech32.decode("age1" + "".join(bech32.CHARSET[value] for value in [*values, *checksum]))


@given(st.binary(max_size=80))
def test_what_is_written_is_read(data: bytes) -> None:
    assert bech32.decode(bech32.encode("age", data)) == ("age", data)
    assert bech32.decode(bech32.encode("age", data).upper()) == ("age", data)


@given(st.binary(max_size=40), st.data())
def test_one_mistyped_character_is_always_noticed(data: bytes, draw: st.DataObject) -> None:
    text = bech32.encode("age", data)
    place = draw.draw(st.integers(4, len(text) - 1))
    other = draw.draw(st.sampled_from(bech32.CHARSET.replace(text[place], "")))
    with pytest.raises(ValueError, match="checksum"):
        bech32.decode(text[:place] + other + text[place + 1 :])
