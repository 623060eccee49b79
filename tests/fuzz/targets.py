"""What is fuzzed: each parser with what must hold for every input, and the inputs to begin with.

A target takes bytes and returns; it may raise nothing. What a parser refuses, it refuses with its own error.
"""

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from gdprcall import age
from gdprcall.age import bech32
from gdprcall.age.format import read_header
from gdprcall.asterisk import agi
from gdprcall.custody import bundle, challenge, officer
from gdprcall.errors import CheckFailed, Refused
from gdprcall.vault import wav
from gdprcall.vault.binding import binding_stanza, bound_header
from gdprcall.vault.checkpoint import checked, signed
from gdprcall.vault.note import BadKey, BadNote, Signer, Verifier

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
KEPT = VECTORS / "fuzz"
"""Inputs that once broke something, each in the folder of its target."""

FILE_KEY, NONCE = bytes(range(16)), bytes(16)
SIGNER = Signer("pbx.example/gdprcall", bytes(range(32)))
IDENTITY = age.X25519Identity(bytes(range(32)))


def header(data: bytes) -> None:
    """What is accepted as a header is exactly what it is written as."""
    with suppress(age.HeaderError):
        assert age.Header.parse(data).encode() == data


def whole_file(data: bytes) -> None:
    """A whole file, armored or not, opens or is refused; the header that was read is its beginning."""
    source = age.unarmored(io.BytesIO(data))
    with suppress(age.AgeError):
        age.decrypt(source, [IDENTITY], io.BytesIO())
    with suppress(age.HeaderError):
        head = read_header(io.BytesIO(data))
        assert data.startswith(head)


def payload(data: bytes) -> None:
    """What opens as a payload is what its plaintext is sealed as."""
    out, again = io.BytesIO(), io.BytesIO()
    with suppress(age.PayloadError, age.HeaderError):
        age.decrypt_payload(FILE_KEY, io.BytesIO(data), out)
        age.encrypt_payload(FILE_KEY, io.BytesIO(out.getvalue()), again, nonce=data[:16])
        assert again.getvalue() == data


def text(data: bytes) -> None:
    """Bech32 that is accepted is written the same; recipients and identities are refused with their own errors."""
    given = data.decode("latin-1")
    with suppress(ValueError):
        prefix, value = bech32.decode(given)
        assert bech32.encode(prefix, value) == given.lower()
    with suppress(age.BadRecipient):
        assert age.parse_recipient(given).encode() == given
    with suppress(age.BadIdentity):
        assert age.parse_identity(given).encode() == given


def note(data: bytes) -> None:
    """Only what the key signed is a checkpoint, and it says what was signed; keys are refused with their own error."""
    given = data.decode("utf-8", "replace")
    with suppress(BadNote):
        checkpoint = checked(given, [SIGNER.verifier()])
        assert checkpoint.text() == given.partition("\n\n")[0] + "\n"
    with suppress(BadKey):
        assert Verifier.parse(given).encode() == given


def sound(data: bytes) -> None:
    """A repaired WAV header is accepted again, and needs no repair then."""
    with suppress(wav.NotAWav, wav.EmptyWav):
        found = wav.examine(data[: wav.HEADER_BYTES], len(data))
        whole = wav.HEADER_BYTES + found.sound_bytes
        assert not wav.examine(found.header, whole).repaired


def conversation(data: bytes) -> None:
    """AGI is understood the same however it is cut into pieces."""
    assert _said([data]) == _said([data[place : place + 1] for place in range(len(data))])


def _said(pieces: list[bytes]) -> list[object]:
    talk, said = agi.Conversation(), []
    try:
        for piece in pieces:
            said += talk.receive(piece)
    except agi.Malformed:
        return ["malformed"]
    return list(said)


def bundle_(data: bytes) -> None:
    """A bundle of headers is read to its end or refused, and an officer wraps nothing but what is bound as it says."""
    out = io.BytesIO()
    with suppress(CheckFailed, Refused):
        officer.convert(io.BytesIO(data), out, [IDENTITY], [IDENTITY.recipient().encode()])
    with suppress(CheckFailed):
        first, lines = bundle.read(io.BytesIO(data))
        bundle.head(first, bundle.BACK)
        assert all(bundle.place(line) and bundle.header(line) is not None for line in lines)


def answer(data: bytes) -> None:
    """What is accepted as an answer to a challenge is one line of it, and no longer."""
    with suppress(CheckFailed):
        assert challenge.parse(data.decode("latin-1")).text in data.decode("latin-1")


def _bundle() -> bytes:
    """Return a bundle with the header of one recording."""
    to = IDENTITY.recipient().encode()
    id_, key = "ab" * 16, bundle.sealed_key(bytes(32), to, bytes)
    header_ = bound_header(FILE_KEY, [to], binding_stanza(id_, "acme", "1"), bytes)
    head = {"format": bundle.OUT, "bundle": id_, "controller": "acme", "expires_at": "2026-01-01T00:00:00Z", "to": [to]}
    line = {"recording": id_, "segment": 1, "slot": "header", "header": base64.b64encode(header_).decode()}
    return b"".join(map(bundle.encode, (head | {"keys": [key]}, line, {"headers": 1})))


TARGETS: Mapping[str, Callable[[bytes], None]] = MappingProxyType(
    {one.__name__.strip("_"): one for one in (header, whole_file, payload, text, note, sound, conversation)}
    | {one.__name__.strip("_"): one for one in (bundle_, answer)}
)


def seeds(name: str) -> Iterator[bytes]:
    """Yield what a target begins with: files of the public age vectors, and one that is right of each other kind."""
    vectors = [path for path in sorted((VECTORS / "age").iterdir()) if path.suffix == ""]
    files = [path.read_bytes().partition(b"\n\n")[2] for path in vectors]
    out = io.BytesIO()
    age.encrypt_payload(FILE_KEY, io.BytesIO(b"sound" * 100), out, nonce=NONCE)
    recipient = IDENTITY.recipient().encode()
    begin: dict[str, list[bytes]] = {
        "header": [file.partition(b"\n---")[0] + b"\n---" + file.partition(b"\n---")[2][:45] for file in files],
        "whole_file": files,
        "payload": [out.getvalue(), bytes(32)],
        "text": [recipient.encode(), IDENTITY.encode().encode(), b"A12UEL5L"],
        "note": [signed(5, bytes(32), SIGNER).encode(), SIGNER.verifier().encode().encode()],
        "sound": [_WAV + bytes(100), _WAV],
        "conversation": [b"agi_request: agi://x\nagi_uniqueid: 1.1\n\n200 result=1 endpos=5\n520-x\n520 y\nHANGUP\n"],
        "bundle": [_bundle()],
        "answer": [f"gdprcall/proof-v1 enrol acme {'0' * 16} {'1' * 64}\n".encode()],
    }
    yield from begin[name]
    for path in sorted((KEPT / name).glob("*")):
        yield path.read_bytes()


_WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"
