"""Checkpoints (c2sp.org/tlog-checkpoint): what the ledger was at a moment, signed, in four lines that anyone can keep.

It stores nothing and hands nothing out.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gdprcall.vault.note import BadNote, Signer, Verifier, opened

ROOT_BYTES = 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How many entries there were, and the root of their Merkle tree; ``origin`` names the ledger."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint of a text; further lines mean nothing to us. Raises BadNote."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines) or not _SIZE.fullmatch(lines[1]):
            raise BadNote("no checkpoint")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadNote("no checkpoint") from error
        if len(root) != ROOT_BYTES:
            raise BadNote("no checkpoint")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed checkpoint as it is kept: the note, the public key it names, and whether it has left this host."""

    size: int
    note: str
    verifier: str
    handed: bool


def signed(size: int, root: bytes, signer: Signer) -> str:
    """Return the note of a checkpoint; the key's name is the ledger's."""
    return signer.sign(Checkpoint(signer.name, size, root).text())


def checked(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """Return the checkpoint of a note that one of the keys signed for its own ledger; raises BadNote."""
    text, verifier = opened(note, verifiers)
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != verifier.name:
        raise BadNote("the checkpoint of another ledger")
    return checkpoint


def root_of(note: str) -> bytes:
    """Return the root that a kept note names, unchecked, or nothing if it names none."""
    try:
        return Checkpoint.parse(note.partition("\n\n")[0] + "\n").root
    except BadNote:
        return b""
