"""The textual header: one spelling, limits on what is read, and the MAC."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.age import format as age_format
from gdprcall.age.errors import HeaderError, MacError
from gdprcall.age.format import Header, Stanza, decode_base64, encode_base64, header_mac, read_header

V1 = b"age-encryption.org/v1\n"
MAC = b"--- " + b"A" * 43 + b"\n"
ARGUMENTS = st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1), min_size=1, max_size=4)
STANZAS = st.builds(lambda args, body: Stanza(tuple(args), body), ARGUMENTS, st.binary(max_size=200))


@given(st.lists(STANZAS, min_size=1, max_size=5), st.binary(min_size=32, max_size=32))
def test_a_header_is_read_as_it_was_written(stanzas: list[Stanza], mac: bytes) -> None:
    header = Header(tuple(stanzas), mac)
    assert Header.parse(header.encode()) == header
    assert read_header(io.BytesIO(header.encode() + b"payload")) == header.encode()


@given(st.binary(max_size=300))
def test_whatever_is_accepted_has_only_this_spelling(data: bytes) -> None:
    """Any bytes after the version line are refused with a HeaderError, or written again as they stood."""
    try:
        header = Header.parse(V1 + data)
    except HeaderError:
        return
    assert header.encode() == V1 + data


@given(st.lists(STANZAS, min_size=1, max_size=2), st.data())
def test_a_header_with_one_other_byte_is_refused_or_another_header(stanzas: list[Stanza], draw: st.DataObject) -> None:
    header = Header(tuple(stanzas), bytes(32))
    data = bytearray(header.encode())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        found = Header.parse(bytes(data))
    except HeaderError:
        return
    assert found != header
    assert found.encode() == bytes(data)


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 95, 96, 97])
def test_the_last_line_of_a_body_is_always_short(size: int) -> None:
    lines = Stanza(("x",), bytes(size)).encode().split(b"\n")
    assert lines[-1] == b""
    assert all(len(line) == 64 for line in lines[1:-2])
    assert len(lines[-2]) < 64
    assert len(lines) == 3 + size // 48


@pytest.mark.parametrize("args", [(), ("",), ("a b",), ("a\n",), ("é",), ("x", "")])
def test_a_stanza_that_a_header_cannot_hold_is_not_written(args: tuple[str, ...]) -> None:
    with pytest.raises(HeaderError):
        Stanza(args, b"").encode()


REFUSED = {
    "nothing": b"",
    "another version": b"age-encryption.org/v2\n-> x\n\n" + MAC,
    "no stanza": V1 + MAC,
    "no MAC": V1 + b"-> x\n\n",
    "no end of line": V1 + b"-> x\n\n" + MAC[:-1],
    "more after the MAC": V1 + b"-> x\n\n" + MAC + b"\n",
    "a MAC that is too short": V1 + b"-> x\n\n--- AAAA\n",
    "a MAC of another spelling": V1 + b"-> x\n\n--- " + b"A" * 42 + b"B\n",
    "a stanza that does not end": V1 + b"-> x\n" + b"A" * 64 + b"\n",
    "a body line too long": V1 + b"-> x\n" + b"A" * 65 + b"\n" + MAC,
    "an argument that is missing": V1 + b"->\n\n" + MAC,
    "two blanks": V1 + b"-> x  y\n\n" + MAC,
    "other than ASCII": V1 + b"-> \xc3\xa9\n\n" + MAC,
    "a carriage return": V1 + b"-> x\r\n\n" + MAC,
    "padding": V1 + b"-> x\nQQ==\n" + MAC,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_header_is_refused_for(data: bytes) -> None:
    with pytest.raises(HeaderError):
        Header.parse(data)


@given(st.binary(max_size=100))
def test_base64_is_read_as_it_was_written(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@pytest.mark.parametrize("text", ["A", "AAAAA", "AB", "QQ==", "Q-", "Q_", " QQ", "QQ\n", "Q\nQ", "é"])
def test_base64_of_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        decode_base64(text)


def test_the_mac_covers_the_arguments_and_the_order_of_the_stanzas() -> None:
    key = bytes(range(16))
    one, two = Stanza(("one",), b"1"), Stanza(("two",), b"2")
    mac = header_mac(key, Header((one, two), b"").authenticated())
    Header((one, two), mac).verify(key)
    for changed in [(two, one), (one,), (one, two, two), (Stanza(("one", "more"), b"1"), two)]:
        with pytest.raises(MacError):
            Header(changed, mac).verify(key)
    with pytest.raises(MacError):
        Header((one, two), mac).verify(bytes(16))


def test_a_file_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        header_mac(bytes(32), b"")


class Counting(io.BytesIO):
    """Counts what was read of it."""

    taken = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.taken += len(line)
        return line


def test_a_header_is_read_to_its_limit_and_not_beyond() -> None:
    whole = Header((Stanza(("x",), bytes(100)),), bytes(32)).encode()
    source = Counting(whole + b"payload")
    assert read_header(source, len(whole)) == whole
    assert source.read() == b"payload"
    source = Counting(whole + b"payload")
    with pytest.raises(HeaderError, match="longer than"):
        read_header(source, len(whole) - 1)
    assert source.taken <= len(whole)


def test_of_a_file_that_is_no_age_file_hardly_anything_is_read() -> None:
    source = Counting(b"x" * 1_000_000)
    with pytest.raises(HeaderError, match="no age v1 file"):
        read_header(source)
    assert source.taken == len(V1)


@pytest.mark.parametrize("endless", [b"-> x\n" * 400_000, b"-> " + b"x" * 2_000_000], ids=["lines", "line"])
def test_an_endless_header_is_given_up_at_the_limit(endless: bytes) -> None:
    source = Counting(V1 + endless)
    with pytest.raises(HeaderError, match="longer than"):
        read_header(source)
    assert source.taken <= age_format.MAX_HEADER_BYTES + 1


@pytest.mark.parametrize("data", [V1, V1 + b"-> x\n", V1 + b"-> x\n\n--- AAAA"])
def test_a_header_that_ends_in_the_middle_is_refused(data: bytes) -> None:
    with pytest.raises(HeaderError, match="does not end"):
        read_header(io.BytesIO(data))
