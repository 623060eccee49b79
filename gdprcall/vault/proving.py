"""Proofs of the ledger for people who trust neither us nor this host, and the check of checkpoints against it.

It signs nothing and hands nothing out. What a proof file holds is told in ARCHITECTURE.md, to be verified without us.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gdprcall.errors import CheckFailed, NotFound
from gdprcall.vault.checkpoint import Checkpoint, checked
from gdprcall.vault.entry import Entry
from gdprcall.vault.ledger import Ledger
from gdprcall.vault.merkle import Tree, begins, consistency_ranges, includes, inclusion_ranges, leaf_hash, roots
from gdprcall.vault.note import BadKey, BadNote, Verifier
from gdprcall.vault.proof import Finding, span

INCLUSION = "gdprcall/inclusion-v1"
CONSISTENCY = "gdprcall/consistency-v1"
DAMAGED = "run: gdprcall audit verify"


@dataclass(frozen=True, slots=True)
class Claim:
    """A signed checkpoint, and by what name it is told from others."""

    name: str
    note: str
    checkpoint: Checkpoint


def claimed(notes: Iterable[tuple[str, str]], verifiers: Sequence[Verifier]) -> tuple[list[Claim], list[Finding]]:
    """Return the notes, given with a name each, whose signature is that of a known key, and what is wrong with others."""
    claims, findings = [], []
    for name, note in notes:
        try:
            claims.append(Claim(name, note, checked(note, verifiers)))
        except BadNote as error:
            findings.append(Finding("checkpoint", name, str(error)))
    return sorted(claims, key=lambda claim: claim.checkpoint.size), findings


def compare(claims: Sequence[Claim], hashes: Iterable[bytes]) -> Iterator[Finding]:
    """Yield where the entries, given by their hashes, first stop being what the claims, in order of size, say."""
    tree, sound, left = Tree(), 0, list(claims)
    values = iter(hashes)
    while left:
        claim = left.pop(0)
        size = claim.checkpoint.size
        while tree.size < size:
            value = next(values, None)
            if value is None:
                yield Finding(
                    "ledger", span(tree.size + 1, size), f"cut off: the checkpoint {claim.name} knows of them"
                )
                return
            tree.append(value)
        if tree.root() != claim.checkpoint.root:
            place = span(sound + 1, size) if size else "the empty ledger"
            yield Finding("ledger", place, f"not as the checkpoint {claim.name} says")
            return
        sound = size


def key_names(ledger: Ledger) -> list[Verifier]:
    """Return the public keys that the ledger's own entries name."""
    found = []
    for entry in ledger.key_entries():
        try:
            found.append(Verifier.parse(str((entry.body or {}).get("verifier"))))
        except BadKey:
            continue  # such an entry was changed, and is named by the check of the entries themselves
    return found


def consistency(ledger: Ledger, old: Checkpoint, note: str | None, new: Checkpoint) -> dict[str, object]:
    """Return the proof that the ledger of ``old`` begins that of ``new``, whose note is given; raises CheckFailed."""
    wanted = consistency_ranges(old.size, new.size)
    found = roots(_first(ledger.hashes(), new.size), wanted)
    path = [found[part] for part in wanted if part in found]
    if not begins(old.size, old.root, new.size, new.root, path):
        raise CheckFailed("the ledger does not go on from that checkpoint", DAMAGED)
    return {
        "format": CONSISTENCY,
        "old_size": old.size,
        "old_root": _base64(old.root),
        "new_size": new.size,
        "new_root": _base64(new.root),
        "path": [_base64(part) for part in path],
        "checkpoint": note,
    }


def entries_of(ledger: Ledger, id_: str) -> list[Entry]:
    """Return the entries of a recording, or of a decision without one; raises NotFound."""
    entries = list(ledger.entries(recording=id_))
    if not entries:
        entries = [entry for entry in ledger.entries() if (entry.body or {}).get("decision") == id_]
    if not entries:
        raise NotFound(f"the ledger knows no recording and no decision {id_}", "see: gdprcall recordings list")
    return entries


def inclusion(
    ledger: Ledger, entries: Sequence[Entry], checkpoint: Checkpoint, note: str, verifier: str, *, bodies: bool
) -> dict[str, object]:
    """Return the proof that entries are in the ledger of a checkpoint; raises CheckFailed when they are not."""
    size = checkpoint.size
    paths = {entry.seq: inclusion_ranges(entry.seq - 1, size) for entry in entries}
    found = roots(_first(ledger.hashes(), size), {part for path in paths.values() for part in path})
    proven = []
    for entry in entries:
        path = [found[part] for part in paths[entry.seq] if part in found]
        text, salt, body = ledger.row(entry.seq)
        if not includes(leaf_hash(text.encode()), entry.seq - 1, size, path, checkpoint.root):
            raise CheckFailed(f"entry {entry.seq} is not what the checkpoint says", DAMAGED)
        proof: dict[str, object] = {"index": entry.seq - 1, "leaf": text, "path": [_base64(part) for part in path]}
        if bodies and salt is not None:
            proof |= {"salt": salt.hex(), "body": body}
        proven.append(proof)
    return {"format": INCLUSION, "checkpoint": note, "verifier": verifier, "entries": proven}


def _first(hashes: Iterable[bytes], count: int) -> Iterator[bytes]:
    return (value for _, value in zip(range(count), hashes, strict=False))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
