"""The ASCII armor of an age file (C2SP age.md, "ASCII armor"): strict PEM with one label, read and written by lines.

It never looks at what is armored, and holds no more of it in memory than one line.
"""

import base64
import binascii
import io
import re
from typing import Any, BinaryIO

from gdprcall.age.errors import ArmorError
from gdprcall.age.stream import Sink

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
END = b"-----END AGE ENCRYPTED FILE-----"
MAX_WHITESPACE = 1024
"""How much white space may stand before and after the armor."""

_COLUMNS = 64
_LINE_BYTES = 48
_LONGEST_LINE = 256
_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


def is_armored(source: "io.BufferedReader[Any]") -> bool:
    """Return whether ``source`` continues as armor, without reading on; white space may come before it."""
    return source.peek(MAX_WHITESPACE + len(BEGIN)).lstrip().startswith(b"-----BEGIN")


def open_armor(source: BinaryIO) -> BinaryIO:
    """Return a reader of what is armored in ``source``; reading it raises ArmorError."""
    return io.BufferedReader(_Armored(source))


class ArmorWriter:
    """Armors what is written to it; ``finish`` must be called once, or the armor has no end."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = b""
        sink.write(BEGIN + b"\n")

    def write(self, data: bytes) -> None:
        """Take ``data``; what does not fill a line waits for more."""
        data = self._rest + data
        whole = len(data) - len(data) % _LINE_BYTES
        for start in range(0, whole, _LINE_BYTES):
            self._line(data[start : start + _LINE_BYTES])
        self._rest = data[whole:]

    def finish(self) -> None:
        """Write what waits, and the end."""
        if self._rest:
            self._line(self._rest)
        self._sink.write(END + b"\n")

    def _line(self, data: bytes) -> None:
        self._sink.write(base64.b64encode(data) + b"\n")


class _Armored(io.RawIOBase):
    """The bytes inside an armor; what lies outside it is looked at only for its being white space."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._rest = b""
        self._begun = False
        self._last = False
        self._ended = False
        self._source_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type] # io gives a writable buffer
        if not self._begun:
            self._begin()
        if not self._rest and not self._ended:
            self._rest = self._next()
        taken = self._rest[: len(view)]
        view[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def _begin(self) -> None:
        blank = 0
        while not (line := self._line()).strip():
            blank += len(line) + 1
            if blank > MAX_WHITESPACE or self._source_ended:
                raise ArmorError("there is no armor")
        if line != BEGIN:
            raise ArmorError("the armor does not begin with its line")
        self._begun = True

    def _next(self) -> bytes:
        line = self._line()
        if line == END:
            self._finish()
            return b""
        if self._last:
            raise ArmorError("a line follows the last one of the armor")
        if len(line) > _COLUMNS or len(line) % 4 or not _LINE.fullmatch(line):
            raise ArmorError("a line of the armor is no base64 of 64 columns")
        self._last = len(line) < _COLUMNS or line.endswith(b"=")
        return _decoded(line)

    def _finish(self) -> None:
        self._ended = True
        rest = self._source.read(MAX_WHITESPACE + 1)
        if len(rest) > MAX_WHITESPACE or rest.strip():
            raise ArmorError("something follows the armor")

    def _line(self) -> bytes:
        line = self._source.readline(_LONGEST_LINE)
        self._source_ended = not line
        if not line and self._begun:
            raise ArmorError("the armor does not end")
        if not line.endswith(b"\n") and len(line) == _LONGEST_LINE:
            raise ArmorError("a line of the armor is too long")
        return line.removesuffix(b"\n").removesuffix(b"\r")


def _decoded(line: bytes) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise ArmorError("a line of the armor is no base64") from error
    if base64.b64encode(data) != line:
        raise ArmorError("a line of the armor is base64 that is not canonical")
    return data
