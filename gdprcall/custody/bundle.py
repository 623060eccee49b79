"""The two files by which headers travel to where an identity is and back: JSON lines, without a payload, bounded.

It decides nothing. The way back bears a MAC under a key that only an identity opens, so that nobody between can change it.
"""

import base64
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import CheckFailed
from gdprcall.times import parse_rfc3339
from gdprcall.vault.slots import Slot

OUT, BACK = "gdprcall/rewrap-v1", "gdprcall/rewrapped-v1"
LONGEST_HEAD, LONGEST_LINE = 1 << 18, 8192
MOST_HEADERS = 10_000_000
KEY_BYTES = 32
AGAIN = "export it again, and carry it whole"

Line = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Head:
    """What the first line says: which bundle, whose, until when it counts (milliseconds), and for whom headers become.

    ``keys`` are age files of the key of the MAC, one for each recipient that ever was; on the way back there are none.
    """

    bundle: str
    controller: str
    expires_at: int
    to: tuple[str, ...]
    keys: tuple[bytes, ...] = ()


def sealed_key(key: bytes, recipient: str, random: age.Random) -> str:
    """Return the key of the MAC for one recipient, as the head holds it."""
    out = BytesIO()
    age.encrypt(BytesIO(key), [age.parse_recipient(recipient)], out, random=random)
    return base64.b64encode(out.getvalue()).decode()


def head(line: Line, form: str) -> Head:
    """Return the head that a line is; raises CheckFailed."""
    try:
        if line["format"] != form:
            raise ValueError
        to, keys = line["to"], line.get("keys", [])
        if not isinstance(to, list) or not isinstance(keys, list) or not to:
            raise ValueError
        sealed = tuple(base64.b64decode(str(key), validate=True) for key in keys)
        expires_at = parse_rfc3339(str(line["expires_at"]))
        return Head(str(line["bundle"]), str(line["controller"]), expires_at, tuple(map(str, to)), sealed)
    except (KeyError, ValueError) as error:
        what = "an export of headers" if form == OUT else "a bundle of new headers"
        raise CheckFailed(f"this is not {what}", "see: gdprcall keys rewrap --help") from error


def place(line: Line) -> tuple[str, int, Slot]:
    """Return which slot a line is about; raises CheckFailed."""
    try:
        recording, segment = str(line["recording"]), line["segment"]
        if len(recording) != 2 * 16 or type(segment) is not int or not 0 <= segment < 1 << 31:
            raise ValueError
        return recording, segment, Slot(str(line["slot"]))
    except (KeyError, ValueError) as error:
        raise CheckFailed("a line of the bundle is damaged", AGAIN) from error


def header(line: Line) -> bytes:
    """Return the header in a line; raises CheckFailed."""
    try:
        return base64.b64decode(str(line["header"]), validate=True)
    except (KeyError, ValueError) as error:
        raise CheckFailed("a line of the bundle is damaged", AGAIN) from error


def signed(line: Line, key: bytes) -> Line:
    """Return a line of the way back with its MAC."""
    return dict(line) | {"mac": _mac(line, key)}


def genuine(line: Line, key: bytes) -> bool:
    """Whether a line bears the MAC that who opened the key gave it."""
    given = line.get("mac")
    return isinstance(given, str) and hmac.compare_digest(given.encode(), _mac(line, key).encode())


def _mac(line: Line, key: bytes) -> str:
    plain = json.dumps({name: value for name, value in line.items() if name != "mac"}, sort_keys=True)
    return hmac.digest(key, f"{BACK}\n{plain}".encode(), "sha256").hex()


def encode(line: Line) -> bytes:
    """Return a line as it stands in the file."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def read(source: BinaryIO) -> tuple[Line, Iterator[Line]]:
    """Return the first line of a bundle and the others but its end; raises CheckFailed, also while they are read."""
    return _parsed(source.readline(LONGEST_HEAD + 1), LONGEST_HEAD), _lines(source)


def count(source: BinaryIO) -> int:
    """Return how many headers a bundle holds, looking at its end alone; raises CheckFailed unless it has one."""
    lines, last = -2, b""
    while line := source.readline(LONGEST_HEAD):
        lines, last = lines + 1, line
    if lines < 0 or _parsed(last, LONGEST_LINE).get("headers") != lines:
        raise CheckFailed("the bundle is not whole", AGAIN)
    return lines


def _lines(source: BinaryIO) -> Iterator[Line]:
    for count in range(MOST_HEADERS):
        line = _parsed(source.readline(LONGEST_LINE + 1), LONGEST_LINE)
        if "headers" in line:
            if line["headers"] != count:
                raise CheckFailed("the bundle is not whole", AGAIN)
            return
        yield line


def _parsed(data: bytes, longest: int) -> Line:
    try:
        value = json.loads(data) if len(data) <= longest else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CheckFailed("the bundle is not whole, or no bundle at all", AGAIN)
    return value
