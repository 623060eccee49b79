"""The payload of an age v1 file: 64 KiB chunks of ChaCha20-Poly1305, each numbered, the last one marked (STREAM).

Memory is bounded by one chunk. A (key, number, last) triple is used once; nothing here ever encrypts a chunk again.
"""

from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gdprcall.age.errors import HeaderError, PayloadError
from gdprcall.age.format import derive

NONCE_BYTES = 16
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16


class Sink(Protocol):
    """Where bytes go: a file, a hash in front of a file, a socket."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""


class PayloadWriter:
    """Encrypts what is written to it; ``finish`` must be called once, or the payload is no payload."""

    def __init__(self, file_key: bytes, nonce: bytes, sink: Sink) -> None:
        if len(nonce) != NONCE_BYTES:
            raise ValueError("the nonce of a payload has 16 bytes")
        self._cipher = _cipher(file_key, nonce)
        self._sink = sink
        self._pending = bytearray()
        self._sealed = bytearray(CHUNK_BYTES + TAG_BYTES)
        self._number = 0
        self.written = NONCE_BYTES
        sink.write(nonce)

    def write(self, data: bytes) -> None:
        """Take ``data``; a chunk leaves only when it is known that another follows it."""
        self._pending += data
        while len(self._pending) > CHUNK_BYTES:
            self._chunk(CHUNK_BYTES, last=False)

    def finish(self) -> None:
        """Write the last chunk."""
        self._chunk(len(self._pending), last=True)

    def _chunk(self, size: int, *, last: bool) -> None:
        with memoryview(self._pending) as pending, memoryview(self._sealed) as sealed:
            out = sealed[: size + TAG_BYTES]
            self._cipher.encrypt_into(_nonce(self._number, last=last), pending[:size], None, out)
            self._sink.write(bytes(out))
        del self._pending[:size]
        self._number += 1
        self.written += size + TAG_BYTES


def encrypt_payload(file_key: bytes, source: BinaryIO, sink: Sink, *, nonce: bytes) -> int:
    """Write the payload of ``source`` to ``sink`` and return its size in bytes; ``nonce`` is 16 fresh random bytes."""
    writer = PayloadWriter(file_key, nonce, sink)
    while data := source.read(CHUNK_BYTES):
        writer.write(data)
    writer.finish()
    return writer.written


def decrypt_payload(file_key: bytes, source: BinaryIO, sink: Sink) -> int:
    """Write the plaintext of a payload to ``sink`` chunk by chunk and return its size in bytes.

    Raises PayloadError. What was written before that is genuine but not whole: use it only after this returned.
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


def _open(cipher: ChaCha20Poly1305, chunk: bytes, number: int, *, last: bool) -> bytes:
    if len(chunk) < TAG_BYTES:
        raise PayloadError("the payload is truncated")
    try:
        plain = cipher.decrypt(_nonce(number, last=last), chunk, None)
    except InvalidTag as error:
        raise PayloadError(f"chunk {number} of the payload is damaged, misplaced or not the last one") from error
    if not plain and number > 0:
        raise PayloadError("the last chunk is empty, which only an empty payload's may be")
    return plain


def _cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
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
