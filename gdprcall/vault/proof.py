"""What a ledger entry is made of, and how a reader finds out that one was changed, cut, added or moved.

It reads rows it is given and writes nothing; who can rewrite the whole file is only found by a root kept elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from gdprcall.vault.merkle import Tree, leaf_hash

MAX_CANDIDATES = 16
"""A changed entry leaves two possible trees until the next checkpoint tells which one was meant; this bounds them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, which one, and how."""

    where: str
    name: str
    detail: str

    def as_json(self) -> dict[str, object]:
        """Return the finding for print."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger as it lies in the file, with the checkpoint that was written right after it, if any."""

    seq: int
    recording: str | None
    leaf: str
    hash: bytes
    salt: bytes | None
    body: str | None
    erased: bool
    root: bytes | None


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def commitment(salt: bytes, body: str) -> str:
    """Return what a leaf holds of its body: nothing that can be guessed without the salt."""
    return hashlib.sha256(salt + body.encode()).hexdigest()


def examine(rows: Iterable[Row], size: int) -> Iterator[Finding]:
    """Yield what is wrong with the rows of a ledger whose last checkpoint counts ``size`` entries; rows in order."""
    last = sound = 0
    trees = [Tree()]
    for row in rows:
        if row.seq != last + 1:
            yield Finding("ledger", span(last + 1, row.seq - 1), "missing")
            trees = []
        last = row.seq
        yield from _look_at(row)
        trees = _grown(trees, row)
        if row.root is None or not trees:
            continue
        trees = [tree for tree in trees if tree.root() == row.root][:1]
        if trees:
            sound = row.seq
        else:
            yield Finding("ledger", span(sound + 1, row.seq), "not what leads to the checkpoint after them")
    if last < size:
        yield Finding("ledger", span(last + 1, size), "cut off: a checkpoint knows of them")
    elif last > size:
        yield Finding("ledger", span(size + 1, last), "added by someone else: no checkpoint knows of them")


def span(first: int, last: int) -> str:
    """Return how entries from one number to another are named."""
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def _grown(trees: list[Tree], row: Row) -> list[Tree]:
    # Where text and stored hash disagree, either may be the one that was changed.
    hashes = sorted({leaf_hash(row.leaf.encode()), row.hash})
    if len(hashes) == 1:
        for tree in trees:
            tree.append(hashes[0])
        return trees
    grown = [(tree.copy(), value) for tree in trees for value in hashes][:MAX_CANDIDATES]
    for tree, value in grown:
        tree.append(value)
    return [tree for tree, _ in grown]


def _look_at(row: Row) -> Iterator[Finding]:
    name = f"entry {row.seq}"
    if leaf_hash(row.leaf.encode()) != row.hash:
        yield Finding("ledger", name, "changed: its text does not match its hash")
        return
    try:
        fields = json.loads(row.leaf)
        number, commit, recording = fields["seq"], fields["commit"], fields["recording"]
    except (ValueError, KeyError, TypeError):
        yield Finding("ledger", name, "no entry any more")
        return
    if number != row.seq:
        yield Finding("ledger", name, f"replaced by entry {number}")
    if recording != row.recording:
        yield Finding("ledger", name, "filed under another recording")
    if row.body is None or row.salt is None:
        if not row.erased:
            yield Finding("ledger", name, "without its body, though that was never erased")
    elif commitment(row.salt, row.body) != commit:
        yield Finding("ledger", name, "changed in its body or salt")
