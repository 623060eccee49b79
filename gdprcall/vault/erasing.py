"""How a recording is destroyed: intent, header, payload, index, receipt, so that a crash anywhere can be finished.

The header goes first: from then on no copy of the payload anywhere opens again. It never says of a step that it was
done without having looked.
"""

from collections.abc import Iterator

from gdprcall.errors import VaultError
from gdprcall.times import rfc3339
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import ErasureStep, Receipt, RecordingRow
from gdprcall.vault.stores import Stores

CHECKPOINT_TRIES = 3


def erase(stores: Stores, recording: str, *, reason: str, actor: str) -> Receipt:
    """Destroy a recording, or finish its interrupted erasure, or return the receipt it has; see ``Vault.erase``."""
    row = stores.recording(recording)
    if row.state == "erased":
        return _receipt(stores, recording)
    if not row.erasing:
        intent = {"reason": reason, "actor": actor}
        stores.ledger.append(Fact(Kind.ERASURE_INTENDED, recording, row.controller, intent))
        stores.step("erasure intended")
    receipt = Receipt(recording, reason, actor, tuple(_steps(stores, row)))
    stores.ledger.append(Fact(Kind.ERASED, recording, row.controller, receipt.as_json()))
    stores.step("erased")
    stores.catch_up()
    return receipt


def _steps(stores: Stores, row: RecordingRow) -> Iterator[ErasureStep]:
    seen = "noted before this was interrupted" if row.erasing else "durable in the ledger"
    yield ErasureStep("intent", ok=True, seen=seen)
    yield from _hand_out(stores, row)
    yield _destroy_header(stores, row.id)
    yield _remove_payloads(stores, row.id)
    yield _clear_index(stores, row.id)
    yield _name_backups(stores, row.controller)


def _hand_out(stores: Stores, row: RecordingRow) -> Iterator[ErasureStep]:
    """Let the tombstone leave this host before anything is destroyed; what keeps it here keeps no erasure back."""
    if stores.tombstones:
        out = stores.tombstones.hand_out(row.id, row.controller, stores.clock())
        stores.step("tombstone handed out")
        yield ErasureStep("tombstone", ok=out, seen="handed out of the host" if out else "could not be handed out")


def _destroy_header(stores: Stores, recording: str) -> ErasureStep:
    shredded = stores.keys.destroy(recording)
    stores.step("header overwritten")
    if not shredded.slots:
        return ErasureStep("header", ok=True, seen="no slot held anything, log cut")
    found = f"{shredded.residue} of the old keys still found" if shredded.residue else "none of the old keys found"
    return ErasureStep(
        "header", ok=not shredded.residue, seen=f"{shredded.slots} slots overwritten, log cut, {found} in keys.db"
    )


def _remove_payloads(stores: Stores, recording: str) -> ErasureStep:
    segments = stores.objects.segments(recording)
    for segment in segments:
        stores.objects.remove(recording, segment)
        stores.step("payload removed")
    left = stores.objects.segments(recording)
    seen = f"{len(segments)} files removed, folder synchronised, {len(left)} left"
    return ErasureStep("payload", ok=not left, seen=seen)


def _clear_index(stores: Stores, recording: str) -> ErasureStep:
    stores.catch_up()
    if not any(stores.index.truncate_log() for _ in range(CHECKPOINT_TRIES)):
        raise VaultError("index.db is held open, so its log could not be cut", "close other programs that read it")
    row = stores.index.recording(recording)
    ok = row is not None and row.subject is None
    stores.step("index cleared")
    return ErasureStep("index", ok=ok, seen="pseudonym removed, log cut" if ok else "pseudonym still there")


def _name_backups(stores: Stores, controller: str) -> ErasureStep:
    """Say until when copies of the header outside the vault may exist: there it was not overwritten."""
    until = stores.index.keys_kept_until(controller)
    if until is None:
        seen = "no backup of keys was ever made"
    elif until <= stores.clock():
        seen = f"backups of keys have expired since {rfc3339(until)}"
    else:
        seen = f"backups of keys made before this may exist until {rfc3339(until)}"
    return ErasureStep("backups", ok=True, seen=seen)


def _receipt(stores: Stores, recording: str) -> Receipt:
    for entry in stores.ledger.entries(recording=recording):
        if entry.kind is Kind.ERASED and entry.body is not None:
            try:
                return Receipt.from_json(entry.body)
            except ValueError as error:
                raise VaultError("a receipt cannot be read", "run: gdprcall audit verify") from error
    raise VaultError(f"the receipt of recording {recording} is missing", "run: gdprcall audit verify")
