"""The payload: round trips, every damage refused, no number used twice, memory bounded."""

import io
import random
import tracemalloc
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from gdprcall.age.errors import HeaderError, PayloadError
from gdprcall.age.format import derive
from gdprcall.age.stream import (
    CHUNK_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    TOGETHER,
    ChunkSealer,
    PayloadWriter,
    chunk_place,
    decrypt_payload,
    encrypt_payload,
    salvage_payload,
)

FILE_KEY, NONCE = bytes(range(16)), bytes(range(16, 32))
SEALED_BYTES = CHUNK_BYTES + 16
SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]
PATTERN = bytes(index * index % 251 for index in range(262_144))


def sealed(plain: bytes, nonce: bytes = NONCE) -> bytes:
    out = io.BytesIO()
    assert encrypt_payload(FILE_KEY, io.BytesIO(plain), out, nonce=nonce) == len(out.getvalue())
    return out.getvalue()


def opened(payload: bytes, file_key: bytes = FILE_KEY) -> bytes:
    out = io.BytesIO()
    assert decrypt_payload(file_key, io.BytesIO(payload), out) == len(out.getvalue())
    return out.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_to_the_same_bytes(size: int) -> None:
    payload = sealed(PATTERN[:size])
    assert opened(payload) == PATTERN[:size]
    assert len(payload) == 16 + size + 16 * max(1, -(-size // CHUNK_BYTES))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 140_000), max_size=6))
def test_in_which_pieces_it_is_written_makes_no_difference(pieces: list[int]) -> None:
    plain = (PATTERN * 4)[: sum(pieces)]
    out, start = io.BytesIO(), 0
    writer = PayloadWriter(FILE_KEY, NONCE, out)
    for piece in pieces:
        writer.write(plain[start : start + piece])
        start += piece
    writer.finish()
    assert out.getvalue() == sealed(plain)
    assert writer.written == len(out.getvalue())


def test_the_bytes_are_those_of_the_specification() -> None:
    """Each chunk is sealed again here by the words of C2SP age.md, "Payload", with nothing of the module but HKDF."""
    plain = PATTERN[: 2 * CHUNK_BYTES + 5]
    cipher = ChaCha20Poly1305(derive(FILE_KEY, salt=NONCE, info=b"payload"))
    chunks = [plain[:CHUNK_BYTES], plain[CHUNK_BYTES : 2 * CHUNK_BYTES], plain[2 * CHUNK_BYTES :]]
    nonces = [bytes(10) + b"\x00\x00", bytes(10) + b"\x01\x00", bytes(10) + b"\x02\x01"]
    expected = NONCE + b"".join(cipher.encrypt(nonce, chunk, None) for nonce, chunk in zip(nonces, chunks, strict=True))
    assert sealed(plain) == expected


@settings(max_examples=150)
@given(st.sampled_from([0, 1, 65_536, 65_537]), st.data())
def test_any_flipped_bit_is_refused(size: int, draw: st.DataObject) -> None:
    payload = bytearray(sealed(PATTERN[:size]))
    place = draw.draw(st.one_of(st.integers(0, len(payload) - 1), st.just(len(payload) - 1)))
    payload[place] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(PayloadError):
        opened(bytes(payload))


PAYLOAD = sealed(PATTERN[:200_000])
CHUNKS = [PAYLOAD[start : start + SEALED_BYTES] for start in range(16, len(PAYLOAD), SEALED_BYTES)]
DAMAGED = {
    "one byte is missing": PAYLOAD[:-1],
    "one byte is added": PAYLOAD + b"x",
    "the last chunk is missing": PAYLOAD[: 16 + 3 * SEALED_BYTES],
    "the end of a chunk is missing": PAYLOAD[: 16 + SEALED_BYTES - 1],
    "a chunk is missing in the middle": NONCE + CHUNKS[0] + CHUNKS[2] + CHUNKS[3],
    "the first chunk is missing": NONCE + b"".join(CHUNKS[1:]),
    "two chunks are exchanged": NONCE + CHUNKS[1] + CHUNKS[0] + CHUNKS[2] + CHUNKS[3],
    "a chunk is there twice": NONCE + CHUNKS[0] + CHUNKS[0] + b"".join(CHUNKS[1:]),
    "the last chunk is there twice": PAYLOAD + CHUNKS[3],
    "a chunk of another payload took the place": NONCE
    + sealed(PATTERN[:200_000], bytes(16))[16 : 16 + SEALED_BYTES]
    + b"".join(CHUNKS[1:]),
    "another nonce": bytes(16) + PAYLOAD[16:],
    "nothing follows the nonce": NONCE,
    "less than a tag follows the nonce": NONCE + b"x" * 15,
}


@pytest.mark.parametrize("payload", DAMAGED.values(), ids=DAMAGED)
def test_a_payload_is_refused_when(payload: bytes) -> None:
    out = io.BytesIO()
    with pytest.raises(PayloadError):
        decrypt_payload(FILE_KEY, io.BytesIO(payload), out)
    released = out.getvalue()
    assert PATTERN.startswith(released)
    assert len(released) % CHUNK_BYTES == 0


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_payload_cut_between_chunks_is_called_truncated_and_one_damaged_is_not(chunks: int) -> None:
    cut = PAYLOAD[: 16 + chunks * SEALED_BYTES]
    with pytest.raises(PayloadError, match="truncated"):
        opened(cut)
    with pytest.raises(PayloadError, match=f"chunk {chunks - 1} of the payload is damaged"):
        opened(cut[:-1] + bytes([cut[-1] ^ 1]))


def test_an_empty_last_chunk_is_refused_after_a_full_one() -> None:
    cipher = ChaCha20Poly1305(derive(FILE_KEY, salt=NONCE, info=b"payload"))
    empty = cipher.encrypt(bytes(10) + b"\x01\x01", b"", None)
    with pytest.raises(PayloadError, match="empty"):
        opened(NONCE + CHUNKS[0] + empty)


def test_the_wrong_file_key_opens_nothing() -> None:
    with pytest.raises(PayloadError):
        opened(PAYLOAD, bytes(16))


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_file_that_ends_within_the_nonce_is_refused(size: int) -> None:
    with pytest.raises(HeaderError):
        opened(NONCE[:size])


def test_sizes_of_key_and_nonce_are_checked() -> None:
    with pytest.raises(ValueError, match="nonce of a payload has 16 bytes"):
        PayloadWriter(FILE_KEY, bytes(12), io.BytesIO())
    with pytest.raises(ValueError, match="file key has 16 bytes"):
        PayloadWriter(bytes(32), NONCE, io.BytesIO())
    with pytest.raises(ValueError, match="file key has 16 bytes"):
        opened(PAYLOAD, bytes(32))


USES: list[Callable[[PayloadWriter], None]] = [lambda writer: writer.write(b"more"), PayloadWriter.finish]


@pytest.mark.parametrize("use", USES, ids=["write", "finish"])
def test_a_finished_payload_takes_nothing_more(use: Callable[[PayloadWriter], None]) -> None:
    out = io.BytesIO()
    writer = PayloadWriter(FILE_KEY, NONCE, out)
    writer.write(b"sound")
    writer.finish()
    with pytest.raises(ValueError, match="finished"):
        use(writer)
    assert opened(out.getvalue()) == b"sound"


class FullDisk(io.BytesIO):
    """Takes the nonce and so many chunks, then fails once, as a disk that is freed again."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.left = chunks + 1

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # only bytes are written here
        self.left -= 1
        if self.left == -1:
            super().write(data[:100])
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("chunks", [0, 1])
@pytest.mark.parametrize("use", USES, ids=["write", "finish"])
def test_after_a_full_disk_no_number_meets_other_bytes(chunks: int, use: Callable[[PayloadWriter], None]) -> None:
    out = FullDisk(chunks)
    writer = PayloadWriter(FILE_KEY, NONCE, out)
    writer.write(PATTERN[: chunks * CHUNK_BYTES + 7])
    with pytest.raises(OSError, match="No space"):
        writer.finish()
    before = out.getvalue()
    with pytest.raises(ValueError, match="sink has failed"):
        use(writer)
    assert out.getvalue() == before


class Zeros(io.BytesIO):
    """So many zero bytes, made as they are read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size

    def read(self, size: int | None = -1, /) -> bytes:
        given = min(self.left, size or 0)
        self.left -= given
        return bytes(given)


@pytest.mark.parametrize("chunks", [0, 1, 2 * TOGETHER, 3 * TOGETHER + 1])
def test_a_full_disk_ends_the_encryption_of_a_stream_soon(chunks: int) -> None:
    source, out = Zeros(64 << 20), FullDisk(chunks)
    with pytest.raises(OSError, match="No space"):
        encrypt_payload(FILE_KEY, source, out, nonce=NONCE)
    assert len(out.getvalue()) == NONCE_BYTES + chunks * (CHUNK_BYTES + TAG_BYTES) + 100
    assert (64 << 20) - source.left <= (chunks + 3 * TOGETHER) * CHUNK_BYTES


@pytest.mark.parametrize("number", [1, TOGETHER, 3 * TOGETHER])
def test_a_source_that_fails_ends_it_and_what_was_read_before_is_written(number: int) -> None:
    class Torn(Zeros):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.left <= (64 << 20) - number * CHUNK_BYTES:
                raise OSError(5, "Input/output error")
            return super().read(size)

    out = io.BytesIO()
    with pytest.raises(OSError, match="Input/output"):
        encrypt_payload(FILE_KEY, Torn(64 << 20), out, nonce=NONCE)
    written = (len(out.getvalue()) - NONCE_BYTES) / (CHUNK_BYTES + TAG_BYTES)
    assert written == (number - 1) // TOGETHER * TOGETHER


def test_a_nonce_of_another_length_is_refused_before_anything_is_written() -> None:
    out = io.BytesIO()
    with pytest.raises(ValueError, match="16 bytes"):
        encrypt_payload(FILE_KEY, io.BytesIO(b"x"), out, nonce=NONCE[1:])
    assert out.getvalue() == b""


@pytest.mark.parametrize(
    "size", [k * CHUNK_BYTES + more for k in (0, 1, TOGETHER, 2 * TOGETHER) for more in (-1, 0, 1)][1:]
)
def test_whatever_is_written_together_the_payload_is_that_of_one_writer(size: int) -> None:
    plain = random.Random(size).randbytes(size)
    out, one = io.BytesIO(), io.BytesIO()
    assert encrypt_payload(FILE_KEY, io.BytesIO(plain), out, nonce=NONCE) == len(out.getvalue())
    writer = PayloadWriter(FILE_KEY, NONCE, one)
    writer.write(plain)
    writer.finish()
    assert out.getvalue() == one.getvalue()


class Slow(io.BytesIO):
    """Gives 1,000 bytes at most at a time, as a pipe may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(1000, size) if size and size > 0 else 1000)


def test_a_source_that_gives_little_at_a_time_makes_no_difference() -> None:
    out, back = io.BytesIO(), io.BytesIO()
    encrypt_payload(FILE_KEY, Slow(PATTERN[:200_000]), out, nonce=NONCE)
    assert out.getvalue() == PAYLOAD
    decrypt_payload(FILE_KEY, Slow(PAYLOAD), back)
    assert back.getvalue() == PATTERN[:200_000]


class Nowhere:
    """Forgets what it is given."""

    def write(self, _: bytes, /) -> None: ...


@pytest.mark.parametrize(("piece", "chunks"), [("stream", 2 * TOGETHER + 8), ("one write", 8)])
def test_memory_is_bounded_by_chunks_however_long_the_sound(piece: str, chunks: int) -> None:
    whole = bytes(32 << 20)
    tracemalloc.start()
    try:
        if piece == "stream":
            encrypt_payload(FILE_KEY, Zeros(32 << 20), Nowhere(), nonce=NONCE)
        else:
            writer = PayloadWriter(FILE_KEY, NONCE, Nowhere())
            writer.write(whole)
            writer.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < chunks * CHUNK_BYTES


def chunk(number: int) -> bytes:
    return PATTERN[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]


@pytest.mark.parametrize("size", [131_072, 200_000, 262_144])
def test_chunks_that_are_sealed_one_at_a_time_with_the_first_one_last_are_the_same_payload(size: int) -> None:
    sealer, out = ChunkSealer(FILE_KEY, NONCE), io.BytesIO(NONCE)
    count = -(-size // CHUNK_BYTES)
    for number in [*range(1, count), 0]:
        out.seek(chunk_place(number))
        out.write(sealer.seal(number, PATTERN[:size][number * CHUNK_BYTES :][:CHUNK_BYTES], last=number == count - 1))
    assert out.getvalue() == sealed(PATTERN[:size])


def test_a_second_different_chunk_0_is_refused_and_nothing_of_it_is_given_out() -> None:
    sealer = ChunkSealer(FILE_KEY, NONCE)
    first = sealer.seal(0, chunk(0), last=False)
    with pytest.raises(ValueError, match="another chunk was encrypted under this number"):
        sealer.seal(0, chunk(1), last=False)
    assert sealer.seal(0, chunk(0), last=False) == first
    sealer.seal(1, chunk(1), last=False)
    with pytest.raises(ValueError, match="another chunk"):
        sealer.seal(0, bytes(CHUNK_BYTES), last=False)


def test_the_latest_chunk_may_be_sealed_again_with_the_same_bytes_and_flag_alone() -> None:
    sealer = ChunkSealer(FILE_KEY, NONCE)
    first = sealer.seal(1, chunk(1), last=False)
    assert sealer.seal(1, chunk(1), last=False) == first
    for plain, last in ((chunk(2), False), (chunk(1), True), (chunk(1)[:-1], True)):
        with pytest.raises(ValueError, match="another chunk"):
            sealer.seal(1, plain, last=last)
    assert sealer.following == 2


@pytest.mark.parametrize("number", [1, 2, 4, 5, 900])
def test_a_chunk_out_of_turn_is_refused_whatever_its_bytes(number: int) -> None:
    sealer = ChunkSealer(FILE_KEY, NONCE, following=2)
    sealer.seal(2, chunk(2), last=False)
    sealer.seal(3, chunk(3), last=False)
    sealer.seal(0, chunk(0), last=False)
    if number == 4:
        sealer.seal(4, b"end", last=True)
        number = 5
    with pytest.raises(ValueError, match="encrypted before, or it is not its turn"):
        sealer.seal(number, chunk(0), last=False)


@pytest.mark.parametrize(
    ("number", "plain", "last"),
    [(1, b"", True), (1, b"short", False), (1, bytes(CHUNK_BYTES + 1), False), (0, b"x", True)],
)
def test_no_chunk_is_empty_or_too_long_and_only_the_last_one_is_short(number: int, plain: bytes, last: bool) -> None:
    with pytest.raises(ValueError, match="a chunk is full"):
        ChunkSealer(FILE_KEY, NONCE).seal(number, plain, last=last)


def test_a_sealer_wants_a_nonce_and_does_not_begin_with_chunk_0() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ChunkSealer(FILE_KEY, NONCE[:-1])
    with pytest.raises(ValueError, match="chunk 0"):
        ChunkSealer(FILE_KEY, NONCE, following=0)


def test_a_sealer_knows_its_own_chunks() -> None:
    payload, sealer = sealed(PATTERN), ChunkSealer(FILE_KEY, NONCE, following=3)
    two = payload[chunk_place(2) : chunk_place(3)]
    assert sealer.opens(2, two)
    assert not sealer.opens(1, two)
    assert not ChunkSealer(bytes(16), NONCE).opens(2, two)


def test_of_a_payload_that_was_never_finished_every_whole_chunk_but_the_first_is_salvaged() -> None:
    payload = bytearray(sealed(PATTERN))
    payload[chunk_place(0) : chunk_place(1)] = bytes(SEALED_BYTES)
    out = io.BytesIO()
    assert salvage_payload(FILE_KEY, io.BytesIO(payload[: chunk_place(3) + 500]), out) == 2 * CHUNK_BYTES
    assert out.getvalue() == chunk(1) + chunk(2)
    with pytest.raises(HeaderError):
        salvage_payload(FILE_KEY, io.BytesIO(b"short"), out)
