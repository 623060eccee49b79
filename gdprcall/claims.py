"""What can be asked for a person who objects, or wants to be forgotten; and the erasure of single recordings.

A number is turned into a pseudonym and kept nowhere, but as the mark of who is never to be recorded, which is that pseudonym alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall import __version__, persons, scope
from gdprcall.config import Config
from gdprcall.errors import GdprcallError, NotFound, VaultError
from gdprcall.parameters import Params, flag, text, texts
from gdprcall.rights import access, certifying, erasure, keeping
from gdprcall.rights.precedence import Ground, Outcome, Request, Verdict
from gdprcall.times import Clock, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.checks import Progress
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.rows import RecordingRow, Wanted

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Claiming:
    """Who asks, and for which controller he may, None for all; ``progress`` hears how much of how much is destroyed.

    ``erased`` is called when something was destroyed, to sign and hand out what the ledger says of it.
    """

    vault: Vault
    config: Config
    controller: str | None
    actor: str
    clock: Clock
    progress: Progress
    erased: Callable[[], None]


def recordings_erase(claiming: Claiming, params: Params) -> object:
    """Erase recordings and return their receipts; with ``dry_run`` return what would go.

    All are weighed first, so that one mistyped id destroys nothing. One that fails does not stop the others; what
    was destroyed then stands in the ledger.
    """
    ids, reason = list(dict.fromkeys(texts(params, "ids"))), text(params, "reason")
    vault, now = claiming.vault, claiming.clock()
    rows = [erasure.weigh(vault, scope.recording(vault, claiming.controller, id_), now) for id_ in ids]
    if flag(params, "dry_run"):
        return [row.as_json() for row in rows]
    receipts, failed = erase_all(claiming, ids, reason)
    if failed:
        text_ = "; ".join(f"{one['recording']}: {one['error']}" for one in failed)
        raise VaultError(f"{len(failed)} of {len(ids)} could not be erased: {text_}", "try these again")
    return receipts


def object_(claiming: Claiming, params: Params) -> object:
    """Register a person's objection (Art. 21): what rests on a weighing is restricted at once, and a decision is owed.

    Return each recording with what came of it, and why.
    """
    controller, _, rows = _of(claiming, params)
    reason, told = str(params.get("reason") or ""), []
    for row, verdict in _weighed(claiming, rows, Request.OBJECTION):
        if verdict.outcome is Outcome.RESTRICT and not flag(params, "dry_run"):
            body = {"ground": str(Ground.OBJECTION), "reason": reason, "actor": claiming.actor}
            claiming.vault.note(Fact(Kind.RESTRICTED, row.id, controller, body))
        told.append(_line(row) | {"outcome": str(verdict.outcome), "why": str(verdict.why)})
    return told


def erase(claiming: Claiming, params: Params) -> object:
    """Destroy everything that is recorded of a person with a controller and that nothing stands against (Art. 17).

    Return a certificate: the receipts, what is kept and why, who is to be told because he was given some (Art. 19), and
    in which packages copies went out. With ``dry_run`` nothing is destroyed. What was interrupted or failed is gone on with by
    asking again, under the same certificate.
    """
    controller, subject, rows = _of(claiming, params)
    vault, begun, dry_run = claiming.vault, claiming.clock(), flag(params, "dry_run")
    weighed = _weighed(claiming, rows, Request.ERASURE)
    going = [row.id for row, verdict in weighed if verdict.outcome is Outcome.ERASE and row.state != erasure.RUNNING]
    kept = [_line(row) | {"why": _why(row, str(verdict.why))} for row, verdict in weighed if row.id not in going]
    before = certifying.begun(vault, controller, subject)
    order = certifying.wanted(vault, controller, going, before)
    if dry_run:
        would = [_line(row) for id_ in order.recordings if (row := vault.recording(id_)).state != "erased"]
        return order.as_json() | {"dry_run": True, "would_erase": would, "erased": [], "failed": [], "kept": kept}
    if flag(params, "never_record"):
        never_record(claiming, controller, subject)
    reason = text(params, "reason")
    order = certifying.begin(vault, order, subject, before, {"reason": reason, "actor": claiming.actor})
    receipts, failed = erase_all(claiming, order.recordings, reason)
    certificate = order.as_json() | _certificate(claiming, controller, params, begun)
    certificate |= {"erased": receipts, "failed": failed, "kept": kept, "would_erase": []}
    certificate["never_record"] = (controller, subject) in vault.never
    if not failed:
        certificate |= certifying.certify(vault, order, certificate, claiming.actor)
        claiming.erased()
    return certificate


def allow(claiming: Claiming, params: Params) -> object:
    """Let a person be asked again who was never to be recorded; return whether there was such a mark."""
    controller = _controller(claiming, params)
    subject = persons.subject_of(claiming.config, controller, text(params, "number"))
    claiming.vault.catch_up()
    marks = claiming.vault.index.never_record(controller, subject)
    if marks:
        body = {"marks": marks, "reason": text(params, "reason"), "actor": claiming.actor}
        claiming.vault.note(Fact(Kind.MAY_RECORD, None, controller, body))
        claiming.vault.ledger.forget(marks)  # who it was is nobody's business any more
        claiming.vault.catch_up()
        claiming.vault.know_marks()
    return {"controller": controller, "marks": len(marks)}


OPERATIONS: Mapping[str, Callable[[Claiming, Params], object]] = {
    "recordings/erase": recordings_erase,
    "subject/object": object_,
    "subject/erase": erase,
    "subject/allow": allow,
}
CHANGING = frozenset(OPERATIONS)


def _controller(claiming: Claiming, params: Params) -> str:
    name = text(params, "controller")
    if claiming.controller not in {None, name} or name not in claiming.config.policy.controllers:
        raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
    return name


def _of(claiming: Claiming, params: Params) -> tuple[str, str, list[RecordingRow]]:
    """Return the controller, the person, and all of his recordings there, the oldest first; raises NotFound without any.

    A mark alone needs no recording, nor does an erasure that was begun: what is being destroyed says no more whose it was.
    """
    controller = _controller(claiming, params)
    subject = persons.subject_of(claiming.config, controller, text(params, "number"))
    found = claiming.vault.recordings(Wanted(controller=controller, subject=subject, limit=access.MOST))[::-1]
    rows = [row for row in found if row.state != "erased"]
    if not rows and not flag(params, "never_record") and certifying.begun(claiming.vault, controller, subject) is None:
        raise NotFound(f"there is nothing of this number with {controller}", "see: gdprcall recordings list")
    return controller, subject, rows


def _weighed(claiming: Claiming, rows: Sequence[RecordingRow], request: Request) -> list[tuple[RecordingRow, Verdict]]:
    now = claiming.clock()
    return [(row, keeping.weigh(claiming.vault, row, request, now)) for row in rows]


def _why(row: RecordingRow, why: str) -> str:
    return "its call is still being recorded" if row.state == erasure.RUNNING else why


def _line(row: RecordingRow) -> Json:
    """Return what tells a recording apart; nothing in it is of the person."""
    return {"recording": row.id, "started_at": rfc3339(row.started_at), "line": row.line, "basis": row.basis}


def _certificate(claiming: Claiming, controller: str, params: Params, begun: int) -> Json:
    """Return what a certificate says beside what was destroyed: for whom, why, when, and what stays for how long."""
    until = claiming.vault.index.keys_kept_until(controller)
    return {
        "controller": controller,
        "request": str(params.get("request") or ""),
        "ground": str(params.get("ground") or ""),
        "reason": text(params, "reason"),
        "dry_run": False,
        "begun_at": rfc3339(begun),
        "ended_at": rfc3339(claiming.clock()),
        "key_backups_until": None if until is None else rfc3339(until),
        "proof_days": claiming.config.policy.controllers[controller].proof_days,
        "software": __version__,
    }


def never_record(claiming: Claiming, controller: str, subject: str) -> None:
    """Mark a person as never to be recorded by a controller, if he is not marked yet."""
    if (controller, subject) not in claiming.vault.never:
        claiming.vault.note(Fact(Kind.NEVER_RECORD, None, controller, {"subject": subject, "actor": claiming.actor}))
        claiming.vault.catch_up()
        claiming.vault.know_marks()


def erase_all(claiming: Claiming, ids: Sequence[str], reason: str) -> tuple[list[Json], list[Json]]:
    """Destroy what was weighed; return the receipts, and what failed with its error."""
    receipts: list[Json] = []
    failed: list[Json] = []
    vault, actor, progress = claiming.vault, claiming.actor, claiming.progress
    for id_, outcome in erasure.erase_all(vault, ids, reason=reason, actor=actor, progress=progress):
        if isinstance(outcome, GdprcallError):
            failed.append({"recording": id_, "error": outcome.message})
        else:
            receipts.append(outcome.as_json())
    if receipts:
        claiming.erased()
    return receipts, failed
