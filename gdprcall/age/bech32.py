"""Bech32 (BIP 173) as age uses it: no limit on length, one case throughout.

It knows no keys: bytes in, text out, and back.
"""

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
MAX_LENGTH = 8192
"""Longer text is refused unread; the longest key of age takes some 2,000 characters."""


def encode(prefix: str, data: bytes) -> str:
    """Return ``data`` as lower-case Bech32 with a lower-case ``prefix``."""
    values = _regroup(data, 8, 5, pad=True)
    sums = _polymod([*_expand(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    checksum = [sums >> 5 * (5 - place) & 31 for place in range(6)]
    return prefix + "1" + "".join(CHARSET[value] for value in [*values, *checksum])


def decode(text: str) -> tuple[str, bytes]:
    """Return the lower-case prefix and the data of ``text``; raises ValueError without repeating the text."""
    if len(text) > MAX_LENGTH:
        raise ValueError("too long")
    # Not ASCII is refused before the case is changed: the Kelvin sign, for one, becomes a plain "k".
    if not text.isascii() or text not in {text.lower(), text.upper()}:
        raise ValueError("mixed case, or a character that Bech32 does not have")
    text = text.lower()
    prefix, separator, rest = text.rpartition("1")
    if not separator or not prefix or len(rest) < 6:
        raise ValueError("no prefix or too short")
    if any(not 33 <= ord(char) <= 126 for char in prefix) or any(char not in CHARSET for char in rest):
        raise ValueError("a character that Bech32 does not have")
    values = [CHARSET.index(char) for char in rest]
    if _polymod([*_expand(prefix), *values]) != 1:
        raise ValueError("the checksum does not match: mistyped?")
    return prefix, bytes(_regroup(values[:-6], 5, 8, pad=False))


def _expand(prefix: str) -> list[int]:
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(GENERATOR):
            if top >> place & 1:
                checksum ^= generator
    return checksum


def _regroup(data: bytes | list[int], width: int, into: int, *, pad: bool) -> list[int]:
    store = bits = 0
    groups: list[int] = []
    for value in data:
        store = (store << width | value) & 0xFFF
        bits += width
        while bits >= into:
            bits -= into
            groups.append(store >> bits & (1 << into) - 1)
    rest = store & (1 << bits) - 1
    if pad and bits:
        groups.append(rest << into - bits)
    elif not pad and (bits >= width or rest):
        raise ValueError("padding that is not zero")
    return groups
