"""The textual header of an age v1 file: stanzas, strict base64, and the MAC over them (C2SP age.md, "Header").

It knows no recipient type and no payload, and refuses whatever the specification does not write itself.
"""

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gdprcall.age.errors import HeaderError, MacError

VERSION_LINE = b"age-encryption.org/v1\n"
FILE_KEY_BYTES = 16
MAX_HEADER_BYTES = 1 << 20
"""Room for hundreds of recipients; a longer header is refused before it is parsed."""

Random = Callable[[int], bytes]
"""Gives so many fresh random bytes: ``os.urandom``, or something repeatable in a test."""

_COLUMNS = 64
_ARGUMENT = re.compile(r"[\x21-\x7e]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")
_MAC_LINE = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")


class Mix(Enum):
    """What may stand beside a recipient in one header: its like, or nothing."""

    CLASSIC = "classic"
    POST_QUANTUM = "post-quantum"
    ALONE = "passphrase"


@dataclass(frozen=True, slots=True)
class Stanza:
    """One recipient stanza: its type and arguments (one at least, visible ASCII), and a body of bytes."""

    args: tuple[str, ...]
    body: bytes

    @property
    def type(self) -> str:
        """The first argument."""
        return self.args[0]

    def encode(self) -> bytes:
        """Return the stanza as it stands in a header; raises HeaderError for arguments that a header cannot hold."""
        if not self.args or not all(_ARGUMENT.fullmatch(arg) for arg in self.args):
            raise HeaderError("a stanza argument is empty or holds other than visible ASCII")
        text = encode_base64(self.body)
        # The last line is always shorter than 64 columns, even if that makes it empty.
        lines = [text[start : start + _COLUMNS] for start in range(0, len(text) + 1, _COLUMNS)]
        return "\n".join([f"-> {' '.join(self.args)}", *lines, ""]).encode("ascii")


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header: its stanzas and its MAC (32 bytes)."""

    stanzas: tuple[Stanza, ...]
    mac: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Header":
        """Return the header that ``data`` is, exactly; raises HeaderError."""
        if not data.startswith(VERSION_LINE):
            raise HeaderError("this is no age v1 file")
        lines = _Lines(data[len(VERSION_LINE) :])
        stanzas = []
        while not lines.at_end():
            stanzas.append(lines.stanza())
        if not stanzas:
            raise HeaderError("a header without a stanza")
        return cls(tuple(stanzas), lines.mac())

    def authenticated(self) -> bytes:
        """Return the part of the header that the MAC covers: up to and with ``---``."""
        return VERSION_LINE + b"".join(stanza.encode() for stanza in self.stanzas) + b"---"

    def encode(self) -> bytes:
        """Return the header as it stands in a file; a parsed header gives back its own bytes."""
        return self.authenticated() + b" " + encode_base64(self.mac).encode("ascii") + b"\n"

    def verify(self, file_key: bytes) -> None:
        """Raise MacError unless the header was made by someone who had ``file_key``."""
        if not hmac.compare_digest(self.mac, header_mac(file_key, self.authenticated())):
            raise MacError("the header was changed after it was made")


def header_mac(file_key: bytes, authenticated: bytes) -> bytes:
    """Return the HMAC-SHA-256 (32 bytes) of a header under the key that age derives from the 16 byte file key."""
    if len(file_key) != FILE_KEY_BYTES:
        raise ValueError("a file key has 16 bytes")
    return hmac.digest(derive(file_key, salt=b"", info=b"header"), authenticated, "sha256")


def derive(key: bytes, *, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA-256."""
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


def encode_base64(data: bytes) -> str:
    """Return standard base64 without padding."""
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes of canonical unpadded base64; raises HeaderError for any other spelling."""
    if not _BASE64.fullmatch(text) or len(text) % 4 == 1:
        raise HeaderError("base64 with a character or a length that it cannot have")
    data = base64.b64decode(text + "=" * (-len(text) % 4))
    # Python ignores bits that do not fit; the specification does not.
    if encode_base64(data) != text:
        raise HeaderError("base64 that is not canonical")
    return data


def read_header(source: BinaryIO, limit: int = MAX_HEADER_BYTES) -> bytes:
    """Return the bytes of the header, ``limit`` at most, and leave ``source`` at the payload; raises HeaderError.

    The header is found, not judged: Header.parse does that. ``source`` is best buffered, since it is read by lines.
    """
    # A file that is no age file may be one endless line: only as much is read as the version line is long.
    lines = [source.readline(min(limit, len(VERSION_LINE)))]
    if lines[0] != VERSION_LINE:
        raise HeaderError("this is no age v1 file")
    size = len(lines[0])
    while not lines[-1].startswith(b"---"):
        line = source.readline(limit - size + 1)
        size += len(line)
        if size > limit:
            raise HeaderError(f"the header is longer than {limit} bytes")
        if not line.endswith(b"\n"):
            raise HeaderError("the header does not end")
        lines.append(line)
    return b"".join(lines)


class _Lines:
    """The lines of a header after the version line."""

    def __init__(self, data: bytes) -> None:
        if not data.endswith(b"\n"):
            raise HeaderError("the header does not end with a line")
        self._lines = data[:-1].split(b"\n")
        self._next = 0

    def at_end(self) -> bool:
        if self._next >= len(self._lines):
            raise HeaderError("the header has no MAC")
        return self._lines[self._next].startswith(b"---")

    def stanza(self) -> Stanza:
        first = self._take()
        words = first.split(" ")
        if words[0] != "->" or len(words) < 2 or not all(_ARGUMENT.fullmatch(word) for word in words[1:]):
            raise HeaderError("a stanza does not begin as one")
        body = bytearray()
        while True:
            line = self._take()
            if len(line) > _COLUMNS:
                raise HeaderError("a line of a stanza is too long")
            body += decode_base64(line)
            if len(line) < _COLUMNS:
                return Stanza(tuple(words[1:]), bytes(body))

    def mac(self) -> bytes:
        line = self._lines[self._next] + b"\n"
        found = _MAC_LINE.fullmatch(line)
        if found is None or self._next != len(self._lines) - 1:
            raise HeaderError("the MAC line is malformed")
        return decode_base64(found[1].decode("ascii"))

    def _take(self) -> str:
        if self._next >= len(self._lines):
            raise HeaderError("a stanza does not end")
        line = self._lines[self._next]
        self._next += 1
        try:
            return line.decode("ascii")
        except UnicodeDecodeError as error:
            raise HeaderError("the header holds other than ASCII") from error
