"""The ASCII armor: written as the public tool reads it, read strictly."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall import age
from gdprcall.age.armor import BEGIN, END, MAX_WHITESPACE

IDENTITY = age.X25519Identity(bytes(range(32)))


def armored(data: bytes, *, step: int = 1 << 20) -> bytes:
    out = io.BytesIO()
    writer = age.ArmorWriter(out)
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
    writer.finish()
    return out.getvalue()


@given(st.binary(max_size=500), st.integers(1, 100))
def test_what_was_armored_in_any_pieces_comes_out_again(data: bytes, step: int) -> None:
    text = armored(data, step=step)
    assert text == armored(data)
    assert all(len(line) <= 64 for line in text.splitlines())
    assert age.open_armor(io.BytesIO(text)).read() == data


@given(st.binary(min_size=1, max_size=200), st.integers(1, 9))
def test_armor_is_read_in_any_pieces(data: bytes, step: int) -> None:
    reader, parts = age.open_armor(io.BytesIO(armored(data))), []
    while part := reader.read(step):
        parts.append(part)
    assert b"".join(parts) == data


def test_a_file_is_opened_with_or_without_armor() -> None:
    out = io.BytesIO()
    age.encrypt(io.BytesIO(b"sound" * 50_000), [IDENTITY.recipient()], out)
    for file in (out.getvalue(), armored(out.getvalue()), b"\r\n \n" + armored(out.getvalue()) + b"\n\t\n"):
        plain = io.BytesIO()
        age.decrypt(io.BytesIO(file), [IDENTITY], plain)
        assert plain.getvalue() == b"sound" * 50_000


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" " * (MAX_WHITESPACE + 2) + BEGIN + b"\n" + END,
        b"\n" * (MAX_WHITESPACE + 2) + BEGIN + b"\n" + END,
        BEGIN + b"\n" + END + b"\n" * (MAX_WHITESPACE + 2),
        BEGIN + b"\nAAAA",
        BEGIN + b"\n" + b"A" * 1_000_000,
        BEGIN + b"\nAAAA\nAAAA\n" + END,
    ],
)
def test_what_is_no_armor_is_refused_and_never_read_without_bound(text: bytes) -> None:
    source = io.BytesIO(text)
    with pytest.raises(age.ArmorError):
        age.open_armor(source).read()
    assert source.tell() <= 10_000


def test_random_bytes_are_no_armor() -> None:
    for _ in range(50):
        with pytest.raises(age.ArmorError):
            age.open_armor(io.BytesIO(os.urandom(300))).read()
