"""How a decision is forgotten when its time as proof is over: noted in the ledger, out of the index, then its body erased.

The leaf stays, and with it the tree; who reads it learns when somebody was asked, and nothing of what came of it. Killed
anywhere, the next sweep finishes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gdprcall.errors import VaultError
from gdprcall.vault.ledger import PAGE, Fact, Kind
from gdprcall.vault.proofs import Proof
from gdprcall.vault.rows import DecisionRow
from gdprcall.vault.stores import Stores

BATCH = 200
"""How many decisions one entry of the ledger tells of at most."""


@dataclass(frozen=True, slots=True)
class Due:
    """A decision whose time as proof is over."""

    row: DecisionRow
    proof: Proof


def catch_up(stores: Stores) -> None:
    """Bring the proofs to where the index is; raises VaultError."""
    stores.catch_up()
    proofs, end = stores.index.proofs, stores.index.applied()
    while proofs.applied() < end:
        page = list(islice(stores.ledger.entries(after=proofs.applied()), PAGE))
        if not page:
            raise VaultError("the ledger is shorter than it says", "run: gdprcall audit verify")
        proofs.apply([entry for entry in page if entry.seq <= end])


def due(stores: Stores, now: int) -> list[Due]:
    """Return the decisions that need no longer be proven, the longest overdue first."""
    catch_up(stores)
    found = [(stores.index.decision(proof.decision), proof) for proof in stores.index.proofs.due(now)]
    return [Due(row, proof) for row, proof in found if row is not None and _is_over(stores, row)]


def finish(stores: Stores) -> int:
    """Erase what was said to be forgotten and is still there; return how many entries a crash had left."""
    catch_up(stores)
    left = stores.index.proofs.unfinished()
    if left:
        _erase(stores, left)
    return len(left)


def forget(stores: Stores, wanted: Sequence[Due], *, actor: str) -> Iterator[Due]:
    """Forget decisions, and yield each once it is gone; raises VaultError."""
    for controller in sorted({one.row.controller for one in wanted}):
        theirs = [one for one in wanted if one.row.controller == controller]
        for begin in range(0, len(theirs), BATCH):
            part = theirs[begin : begin + BATCH]
            stores.ledger.append(_fact(part, controller, actor))
            stores.step("proofs to be forgotten noted")
            catch_up(stores)
            if not stores.index.truncate_log():
                raise VaultError("index.db is held open, so its log could not be cut", "close what reads it")
            stores.step("proofs out of the index")
            _erase(stores, [seq for one in part for seq in one.proof.entries])
            yield from part


def _fact(part: Sequence[Due], controller: str, actor: str) -> Fact:
    body = {
        "decisions": [one.row.id for one in part],
        "recordings": [one.proof.recording for one in part if one.proof.recording],
        "reason": "retention",
        "actor": actor,
    }
    return Fact(Kind.FORGOTTEN, None, controller, body)


def _erase(stores: Stores, entries: Sequence[int]) -> None:
    stores.ledger.forget(entries)
    stores.step("proofs forgotten")
    stores.index.proofs.finished(entries)


def _is_over(stores: Stores, row: DecisionRow) -> bool:
    """Whether nothing is there any more that the decision is the proof of."""
    recording = stores.index.recording(row.recording) if row.recording else None
    return recording is None or recording.state == "erased"
