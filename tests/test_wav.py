"""The WAV header: Asterisk's is read, a killed Asterisk's is mended, everything else is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.vault.wav import EmptyWav, NotAWav, channels_of, examine, header_of


def header(sound: int, rate: int = 8000, *, riff: int | None = None, channels: int = 1, bits: int = 16) -> bytes:
    total = sound + 36 if riff is None else riff
    align = channels * bits // 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", total, b"WAVE", b"fmt ", 16, 1, channels, rate, rate * align, align, bits, b"data", sound,
    )  # fmt: skip


def test_a_whole_file_is_taken_as_it_is() -> None:
    wav = examine(header(16_000), 16_044)
    assert (wav.header, wav.seconds, wav.repaired, wav.sound_bytes) == (header(16_000), 1.0, False, 16_000)


def test_wideband_has_its_own_rate() -> None:
    assert examine(header(32_000, 16_000), 32_044).seconds == 1.0


@pytest.mark.parametrize("said", [0, 2, 15_998, 0xFFFF_FFFF])
def test_wrong_sizes_are_mended_from_the_size_of_the_file(said: int) -> None:
    wav = examine(header(said, riff=0), 16_044)
    assert (wav.header, wav.repaired) == (header(16_000), True)


def test_half_a_frame_at_the_end_is_left_out() -> None:
    wav = examine(header(0, riff=0), 16_045)
    assert (wav.header, wav.sound_bytes, wav.repaired) == (header(16_000), 16_000, True)


def test_a_file_beyond_the_fields_is_still_sealed() -> None:
    wav = examine(header(0), 5_000_000_044)
    assert wav.sound_bytes == 5_000_000_000
    assert struct.unpack_from("<I", wav.header, 40) == (0xFFFF_FFFF,)


@pytest.mark.parametrize("size", [44, 45])
def test_a_header_alone_is_empty(size: int) -> None:
    with pytest.raises(EmptyWav):
        examine(header(0), size)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        header(100)[:43],
        b"x" * 44,
        header(100).replace(b"WAVE", b"WAVX"),
        header(100).replace(b"data", b"LIST"),
        header(100, channels=2),
        header(100, bits=8),
        header(100, rate=0),
    ],
)
def test_anything_else_is_refused_by_its_own_kind(head: bytes) -> None:
    with pytest.raises(NotAWav):
        examine(head, 144)


def test_a_header_of_ours_says_how_many_channels_there_are() -> None:
    assert header_of(400, channels=2, rate=16_000) == header(400, 16_000, channels=2)
    assert header_of(400) == header(400)
    for channels in (1, 2):
        assert channels_of(header_of(400, channels=channels)) == channels


@pytest.mark.parametrize(
    "head",
    [b"", header(4)[:43], b"x" * 44, header(4).replace(b"WAVE", b"WAVX"), header(4, bits=8), header(4, rate=0)],
)
def test_what_is_no_wav_has_no_channels(head: bytes) -> None:
    assert channels_of(head) == 0


@given(st.binary(min_size=44, max_size=44), st.integers(0, 1 << 40))
def test_no_header_makes_it_fail_in_another_way(head: bytes, size: int) -> None:
    try:
        wav = examine(head, size)
    except (NotAWav, EmptyWav):
        return
    assert len(wav.header) == 44
