"""How a recording is destroyed: intent, header, payload, index, receipt, so that a crash anywhere can be finished.

The header goes first: from then on no copy of the payload anywhere opens again. It never says of a step that it was
done without having looked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gdprcall.errors import GdprcallError, VaultError
from gdprcall.times import rfc3339
from gdprcall.vault.entry import goes_with_recording
from gdprcall.vault.keeps import StillKept
from gdprcall.vault.keys import Shredded
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.objects import Cleared
from gdprcall.vault.rows import ErasureStep, Receipt, RecordingRow
from gdprcall.vault.stores import Stores

CHECKPOINT_TRIES = 3

Outcome = Receipt | GdprcallError
"""What became of one recording: the receipt, or why it was not destroyed, or not wholly."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Recordings on their way: what each was, and what was done of it; who has an outcome goes no further."""

    stores: Stores
    reason: str
    actor: str
    regardless: bool
    rows: dict[str, RecordingRow] = field(default_factory=dict)
    steps: dict[str, list[ErasureStep]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def going(self) -> list[RecordingRow]:
        """Return what is still to be destroyed."""
        return [row for id_, row in self.rows.items() if id_ not in self.outcomes]


def erase(
    stores: Stores, recordings: Sequence[str], *, reason: str, actor: str, regardless: bool = False
) -> dict[str, Outcome]:
    """Destroy recordings, or finish their interrupted erasure, or return the receipts they have; see ``Vault.erase_all``."""
    batch = _Batch(stores, reason, actor, regardless)
    for recording in recordings:
        _take(batch, recording)
    try:
        if batch.rows:
            _carry_out(batch)
    except GdprcallError as error:
        # A step that they share: what one of them needs, none of them has.
        batch.outcomes.update({row.id: error for row in batch.going()})
    return {recording: batch.outcomes[recording] for recording in recordings}


def _take(batch: _Batch, recording: str) -> None:
    try:
        row = batch.stores.recording(recording)
        if row.state == "erased":
            batch.outcomes[recording] = _receipt(batch.stores, recording)
        elif (row.held or row.restricted) and not (row.erasing or batch.regardless):
            why = "a legal hold, Art. 17(3)(e)" if row.held else "a restriction, Art. 18"
            batch.outcomes[recording] = StillKept(
                f"recording {recording} is kept by {why}", "see: gdprcall recordings kept"
            )
        else:
            batch.rows[recording] = row
    except GdprcallError as error:
        batch.outcomes[recording] = error


def _carry_out(batch: _Batch) -> None:
    stores = batch.stores
    _intend(batch)
    _hand_out(batch)
    shredded = stores.keys.destroy_all(row.id for row in batch.going())
    stores.step("header overwritten")
    cleared = stores.objects.clear([row.id for row in batch.going()], lambda: stores.step("payload removed"))
    for row in batch.going():
        batch.steps[row.id] += [_header_step(shredded[row.id]), _payload_step(cleared[row.id])]
        if fault := cleared[row.id].fault:
            batch.outcomes[row.id] = VaultError(f"a payload could not be removed: {fault}", "check the vault folder")
    _clear_index(batch)
    _forget_callers(batch)
    _give_receipts(batch)


def _intend(batch: _Batch) -> None:
    intent = {"reason": batch.reason, "actor": batch.actor}
    new = [row for row in batch.rows.values() if not row.erasing]
    _note(batch, {row.id: Fact(Kind.ERASURE_INTENDED, row.id, row.controller, intent) for row in new})
    if new:
        batch.stores.step("erasure intended")
    for row in batch.going():
        seen = "noted before this was interrupted" if row.erasing else "durable in the ledger"
        batch.steps[row.id] = [ErasureStep("intent", ok=True, seen=seen)]


def _note(batch: _Batch, facts: Mapping[str, Fact]) -> None:
    """Make facts durable, together; who has none goes no further."""
    waiting = {recording: batch.stores.ledger.submit(fact) for recording, fact in facts.items()}
    for recording, entry in waiting.items():
        try:
            entry.result()
        except VaultError as error:
            batch.outcomes[recording] = error


def _hand_out(batch: _Batch) -> None:
    """Let the tombstones leave this host before anything is destroyed; what keeps one here keeps no erasure back."""
    stores = batch.stores
    for row in batch.going() if stores.tombstones else ():
        out = stores.tombstones.hand_out(row.id, row.controller, stores.clock())
        stores.step("tombstone handed out")
        seen = "handed out of the host" if out else "could not be handed out"
        batch.steps[row.id].append(ErasureStep("tombstone", ok=out, seen=seen))


def _header_step(shredded: Shredded) -> ErasureStep:
    if not shredded.slots:
        return ErasureStep("header", ok=True, seen="no slot held anything, log cut")
    found = f"{shredded.residue} of the old keys still found" if shredded.residue else "none of the old keys found"
    return ErasureStep(
        "header", ok=not shredded.residue, seen=f"{shredded.slots} slots overwritten, log cut, {found} in keys.db"
    )


def _payload_step(cleared: Cleared) -> ErasureStep:
    seen = f"{cleared.removed} files removed, folder synchronised, {cleared.left} left"
    return ErasureStep("payload", ok=not cleared.left, seen=seen)


def _clear_index(batch: _Batch) -> None:
    stores = batch.stores
    stores.catch_up()
    if not any(stores.index.truncate_log() for _ in range(CHECKPOINT_TRIES)):
        raise VaultError("index.db is held open, so its log could not be cut", "close other programs that read it")
    for row in batch.going():
        known = stores.index.recording(row.id)
        ok = known is not None and known.subject is None
        seen = "pseudonym removed, log cut" if ok else "pseudonym still there"
        batch.steps[row.id].append(ErasureStep("index", ok=ok, seen=seen))
    stores.step("index cleared")


def _forget_callers(batch: _Batch) -> None:
    """Forget who called; that somebody agreed, when and to what, stays as it was noted."""
    ledger, going = batch.stores.ledger, batch.going()
    told = {
        row.id: [entry.seq for entry in ledger.entries(recording=row.id) if goes_with_recording(entry)] for row in going
    }
    # Also when there is nothing to forget: an erasure that was interrupted here had forgotten, and not cut the log.
    ledger.forget([seq for seqs in told.values() for seq in seqs])
    for row in going:
        left = [seq for seq in told[row.id] if ledger.row(seq)[2] is not None]
        seen = "pseudonym forgotten, log cut" if told[row.id] else "no pseudonym in it, log cut"
        batch.steps[row.id].append(ErasureStep("ledger", ok=not left, seen="pseudonym still there" if left else seen))
    batch.stores.step("callers forgotten")


def _backups(stores: Stores, controller: str) -> ErasureStep:
    """Say until when copies of headers outside the vault may exist: there they were not overwritten."""
    until = stores.index.keys_kept_until(controller)
    if until is None:
        seen = "no backup of keys was ever made"
    elif until <= stores.clock():
        seen = f"backups of keys have expired since {rfc3339(until)}"
    else:
        seen = f"backups of keys made before this may exist until {rfc3339(until)}"
    return ErasureStep("backups", ok=True, seen=seen)


def _give_receipts(batch: _Batch) -> None:
    done = batch.going()
    until = {controller: _backups(batch.stores, controller) for controller in {row.controller for row in done}}
    for row in done:
        batch.steps[row.id].append(until[row.controller])
    receipts = {row.id: Receipt(row.id, batch.reason, batch.actor, tuple(batch.steps[row.id])) for row in done}
    _note(batch, {row.id: Fact(Kind.ERASED, row.id, row.controller, receipts[row.id].as_json()) for row in done})
    batch.stores.step("erased")
    batch.stores.catch_up()
    for row in batch.going():
        batch.outcomes[row.id] = receipts[row.id]


def _receipt(stores: Stores, recording: str) -> Receipt:
    for entry in stores.ledger.entries(recording=recording):
        if entry.kind is Kind.ERASED and entry.body is not None:
            try:
                return Receipt.from_json(entry.body)
            except ValueError as error:
                raise VaultError("a receipt cannot be read", "run: gdprcall audit verify") from error
    raise VaultError(f"the receipt of recording {recording} is missing", "run: gdprcall audit verify")
