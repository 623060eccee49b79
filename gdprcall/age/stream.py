"""The payload of an age v1 file: 64 KiB chunks of ChaCha20-Poly1305, each numbered, the last one marked (STREAM).

Memory is bounded by some chunks, whatever the size. A (key, number, last) triple is used once, or again for the very same bytes: nothing here
ever gives out two different chunks of one number.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gdprcall.age.errors import HeaderError, PayloadError
from gdprcall.age.format import FILE_KEY_BYTES, derive

NONCE_BYTES = 16
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
TOGETHER = 16
"""How many chunks are handed to the thread that writes: at each hand-over one of the two waits for the other."""


class Sink(Protocol):
    """Where bytes go: a file, a hash in front of a file, a socket."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""


class PayloadWriter:
    """Encrypts what is written to it; ``finish`` must be called once, or the payload is no payload.

    After ``finish``, or once the sink has failed, it refuses everything with ValueError: no number is used again.
    """

    def __init__(self, file_key: bytes, nonce: bytes, sink: Sink) -> None:
        if len(nonce) != NONCE_BYTES:
            raise ValueError("the nonce of a payload has 16 bytes")
        self._cipher = _cipher(file_key, nonce)
        self._sink = sink
        self._plain = memoryview(bytearray(CHUNK_BYTES))
        self._filled = 0
        self._sealed = memoryview(bytearray(CHUNK_BYTES + TAG_BYTES))
        self._number = 0
        self._open = True
        sink.write(nonce)
        self.written = NONCE_BYTES

    def write(self, data: bytes) -> None:
        """Take ``data``; a full chunk leaves only when it is known that another follows it."""
        if not self._open:
            raise ValueError("this payload is finished, or its sink has failed")
        rest = memoryview(data)
        while rest:
            if self._filled == CHUNK_BYTES:
                self._chunk(last=False)
            taken = min(len(rest), CHUNK_BYTES - self._filled)
            self._plain[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]

    def finish(self) -> None:
        """Write the last chunk, which is empty only when nothing was written."""
        if not self._open:
            raise ValueError("this payload is finished, or its sink has failed")
        self._chunk(last=True)

    def _chunk(self, *, last: bool) -> None:
        # Closed until the chunk is out: whatever fails here, this number never meets other bytes.
        self._open = False
        out = self._sealed[: self._filled + TAG_BYTES]
        self._cipher.encrypt_into(_nonce(self._number, last=last), self._plain[: self._filled], None, out)
        self._sink.write(bytes(out))
        self.written += len(out)
        self._number += 1
        self._filled = 0
        self._open = not last


class ChunkSealer:
    """Encrypts a payload chunk by chunk while it still grows: from ``following`` on in order, chunk 0 at any time.

    A number is given out once, and again only for the very same bytes: two different chunks under one number would
    open both of them. Everything else is refused with ValueError, and nothing is given out.
    """

    def __init__(self, file_key: bytes, nonce: bytes, following: int = 1) -> None:
        if len(nonce) != NONCE_BYTES:
            raise ValueError("the nonce of a payload has 16 bytes")
        if following < 1:
            raise ValueError("chunk 0 is not one of those that follow")
        self._cipher = _cipher(file_key, nonce)
        self._following = following
        self._finished = False
        # What was given out last and first; no other number is given out again, for whatever bytes.
        self._given: dict[int, tuple[bool, bytes]] = {}

    @property
    def following(self) -> int:
        """The number of the chunk that is to be encrypted next."""
        return self._following

    def seal(self, number: int, plain: bytes | memoryview, *, last: bool) -> bytes:
        """Return a chunk encrypted; a full one that is not ``last`` must be known to be followed by another."""
        if not 0 < len(plain) <= CHUNK_BYTES or (len(plain) < CHUNK_BYTES and not last) or (last and not number):
            raise ValueError("a chunk is full, and the last one, which is not chunk 0, may be shorter")
        known = self._given.get(number)
        new = number == self._following and not self._finished
        if known is None and not new and number != 0:
            raise ValueError("this chunk was encrypted before, or it is not its turn")
        sealed = self._cipher.encrypt(_nonce(number, last=last), plain, None)
        if known is not None and known != (last, sealed[-TAG_BYTES:]):
            raise ValueError("another chunk was encrypted under this number")
        if known is None:
            self._given = {kept: tag for kept, tag in self._given.items() if kept == 0 or number == 0}
            self._given[number] = (last, sealed[-TAG_BYTES:])
        if new:
            self._following, self._finished = number + 1, last
        return sealed

    def opens(self, number: int, sealed: bytes) -> bool:
        """Whether ``sealed`` is a chunk of this payload that others follow."""
        return _is_genuine(self._cipher, sealed, number)


def chunk_place(number: int) -> int:
    """Return where in a payload a chunk begins."""
    return NONCE_BYTES + number * (CHUNK_BYTES + TAG_BYTES)


def chunks_of(plain: int) -> int:
    """Return of how many chunks the payload of so many bytes consists (C2SP age.md, "Payload")."""
    return max(1, -(-plain // CHUNK_BYTES))


def encrypt_payload(file_key: bytes, source: BinaryIO, sink: Sink, *, nonce: bytes) -> int:
    """Write the payload of ``source`` to ``sink`` and return its size in bytes; ``nonce`` is 16 fresh random bytes.

    Once the nonce is written ``sink`` is called in order from a second thread, while this one encrypts what follows.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError("the nonce of a payload has 16 bytes")
    sealed = _sealed(_cipher(file_key, nonce), source)
    sink.write(nonce)
    written = NONCE_BYTES
    with ThreadPoolExecutor(1, "age") as thread:
        writing: Future[int] | None = None
        while chunks := list(islice(sealed, TOGETHER)):
            if writing is not None:
                written += writing.result()
            writing = thread.submit(_put, sink, chunks)
        return written + (writing.result() if writing is not None else 0)


def decrypt_payload(file_key: bytes, source: BinaryIO, sink: Sink) -> int:
    """Write the plaintext of a payload to ``sink`` chunk by chunk and return its size in bytes.

    Use the output only after this returned: what was written before a PayloadError is genuine, but not the whole.
    Raises PayloadError, and HeaderError where the file ends before its payload begins.
    """
    nonce = _read(source, NONCE_BYTES)
    if len(nonce) != NONCE_BYTES:
        # The nonce ends the header in the specification's own counting of faults.
        raise HeaderError("the file ends before its payload")
    cipher = _cipher(file_key, nonce)
    total = number = 0
    chunk = _read(source, CHUNK_BYTES + TAG_BYTES)
    while True:
        following = _read(source, CHUNK_BYTES + TAG_BYTES)
        plain = _open(cipher, chunk, number, last=not following)
        sink.write(plain)
        total += len(plain)
        if not following:
            return total
        chunk, number = following, number + 1


def salvage_payload(file_key: bytes, source: BinaryIO, sink: Sink) -> int:
    """Write what is genuine of a payload that was never finished: every chunk but its first and its last; return its size.

    Chunks that are missing or damaged are left out. Raises HeaderError where the file ends before its payload begins.
    """
    nonce = _read(source, NONCE_BYTES)
    if len(nonce) != NONCE_BYTES:
        raise HeaderError("the file ends before its payload")
    cipher = _cipher(file_key, nonce)
    total = number = 0
    while chunk := _read(source, CHUNK_BYTES + TAG_BYTES):
        try:
            plain = cipher.decrypt(_nonce(number, last=False), chunk, None)
        except InvalidTag:
            plain = b""
        sink.write(plain)
        total += len(plain)
        number += 1
    return total


def _sealed(cipher: ChaCha20Poly1305, source: BinaryIO) -> Iterator[bytes]:
    """Yield every chunk once; one leaves only when it is known whether another follows it."""
    number, chunk = 0, _read(source, CHUNK_BYTES)
    while True:
        following = _read(source, CHUNK_BYTES)
        yield cipher.encrypt(_nonce(number, last=not following), chunk, None)
        if not following:
            return
        number, chunk = number + 1, following


def _put(sink: Sink, chunks: Sequence[bytes]) -> int:
    for chunk in chunks:
        sink.write(chunk)
    return sum(map(len, chunks))


def _open(cipher: ChaCha20Poly1305, chunk: bytes, number: int, *, last: bool) -> bytes:
    if len(chunk) < TAG_BYTES:
        raise PayloadError("the payload is truncated")
    try:
        plain = cipher.decrypt(_nonce(number, last=last), chunk, None)
    except InvalidTag as error:
        if last and _is_genuine(cipher, chunk, number):
            raise PayloadError("the payload is truncated: it ends after a chunk that is not its last") from error
        raise PayloadError(f"chunk {number} of the payload is damaged, misplaced or not the last one") from error
    if not plain and number > 0:
        raise PayloadError("the last chunk is empty, which only an empty payload's may be")
    return plain


def _is_genuine(cipher: ChaCha20Poly1305, chunk: bytes, number: int) -> bool:
    """Return whether ``chunk`` was sealed at this place as one that others follow; only to name the fault."""
    try:
        cipher.decrypt(_nonce(number, last=False), chunk, None)
    except InvalidTag:
        return False
    return True


def _cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    if len(file_key) != FILE_KEY_BYTES:
        raise ValueError("a file key has 16 bytes")
    return ChaCha20Poly1305(derive(file_key, salt=nonce, info=b"payload"))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _read(source: BinaryIO, size: int) -> bytes:
    """Read exactly ``size`` bytes, or all that is left: a pipe may give less at a time."""
    parts = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
