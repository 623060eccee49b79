"""What can be asked for a person who objects, or wants to be forgotten; and the erasure of single recordings.

A number is turned into a pseudonym and kept nowhere, but as the mark of who is never to be recorded, which is that pseudonym alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall import persons, scope
from gdprcall.config import Config
from gdprcall.errors import GdprcallError, NotFound, VaultError
from gdprcall.parameters import Params, flag, text, texts
from gdprcall.rights import access, erasure, keeping
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
    receipts, failed = _erase(claiming, ids, reason)
    if failed:
        text_ = "; ".join(f"{one['recording']}: {one['error']}" for one in failed)
        raise VaultError(f"{len(failed)} of {len(ids)} could not be erased: {text_}", "try these again")
    return receipts


def object_(claiming: Claiming, params: Params) -> object:
    """Register a person's objection (Art. 21): what rests on a weighing is restricted at once, and a decision is owed.

    Return each recording with what came of it, and why.
    """
    controller, rows = _of(claiming, params)
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
    in which packages copies went out. With ``dry_run`` nothing is destroyed. What fails is named, and tried again by asking again.
    """
    controller, rows = _of(claiming, params)
    reason, begun, dry_run = text(params, "reason"), claiming.clock(), flag(params, "dry_run")
    weighed = _weighed(claiming, rows, Request.ERASURE)
    going = [row for row, verdict in weighed if verdict.outcome is Outcome.ERASE and row.state != erasure.RUNNING]
    kept = [_line(row) | {"why": _why(row, str(verdict.why))} for row, verdict in weighed if row not in going]
    given = _given(claiming.vault, going)
    receipts: list[Json] = []
    failed: list[Json] = []
    if not dry_run:
        _before(claiming, controller, params, given)
        receipts, failed = _erase(claiming, [row.id for row in going], reason)
    return {
        **_certificate(claiming, controller, params, begun),
        "would_erase": [_line(row) for row in going] if dry_run else [],
        "erased": receipts,
        "failed": failed,
        "kept": kept,
        "recipients": [{"recipient": name, "recordings": ids} for name, ids in given.recipients.items()],
        "packages": given.packages,
    }


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
    return {"controller": controller, "marks": len(marks)}


OPERATIONS: Mapping[str, Callable[[Claiming, Params], object]] = {
    "recordings/erase": recordings_erase,
    "subject/object": object_,
    "subject/erase": erase,
    "subject/allow": allow,
}
CHANGING = frozenset(OPERATIONS)


@dataclass(frozen=True, slots=True)
class _Given:
    """Who was given copies of recordings, and in which packages for the person himself they went out."""

    recipients: dict[str, list[str]]
    packages: list[str]


def _given(vault: Vault, rows: Sequence[RecordingRow]) -> _Given:
    recipients: dict[str, list[str]] = {}
    packages: list[str] = []
    for row in rows:
        entries = list(vault.ledger.entries(recording=row.id, kinds={Kind.RELEASED}))
        for one in access.disclosures(entries):
            ids = recipients.setdefault(str(one["recipient"]), [])
            ids += [] if row.id in ids else [row.id]
        packages += [str(body["package"]) for entry in entries if (body := entry.body or {}).get("package")]
    return _Given(recipients, list(dict.fromkeys(packages)))


def _controller(claiming: Claiming, params: Params) -> str:
    name = text(params, "controller")
    if claiming.controller not in {None, name} or name not in claiming.config.policy.controllers:
        raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
    return name


def _of(claiming: Claiming, params: Params) -> tuple[str, list[RecordingRow]]:
    """Return the controller and all of a person's recordings there, the oldest first; raises NotFound without any.

    A mark alone needs no recording. What is being destroyed already is destroyed first: it says no more whose it was.
    """
    controller = _controller(claiming, params)
    subject = persons.subject_of(claiming.config, controller, text(params, "number"))
    claiming.vault.finish_erasures()
    found = claiming.vault.recordings(Wanted(controller=controller, subject=subject, limit=access.MOST))[::-1]
    rows = [row for row in found if row.state != "erased"]
    if not rows and not flag(params, "never_record"):
        raise NotFound(f"there is nothing of this number with {controller}", "see: gdprcall recordings list")
    return controller, rows


def _weighed(claiming: Claiming, rows: Sequence[RecordingRow], request: Request) -> list[tuple[RecordingRow, Verdict]]:
    now = claiming.clock()
    return [(row, keeping.weigh(claiming.vault, row, request, now)) for row in rows]


def _why(row: RecordingRow, why: str) -> str:
    return "its call is still being recorded" if row.state == erasure.RUNNING else why


def _line(row: RecordingRow) -> Json:
    """Return what tells a recording apart; nothing in it is of the person."""
    return {"recording": row.id, "started_at": rfc3339(row.started_at), "line": row.line, "basis": row.basis}


def _certificate(claiming: Claiming, controller: str, params: Params, begun: int) -> Json:
    """Return what a certificate says beside what was destroyed; the entries up to its number are what proves it."""
    until = claiming.vault.index.keys_kept_until(controller)
    return {
        "controller": controller,
        "request": str(params.get("request") or ""),
        "ground": text(params, "reason"),
        "dry_run": flag(params, "dry_run"),
        "begun_at": rfc3339(begun),
        "ended_at": rfc3339(claiming.clock()),
        "key_backups_until": None if until is None else rfc3339(until),
        "never_record": flag(params, "never_record"),
        "ledger_entries": claiming.vault.ledger.size(),
    }


def _before(claiming: Claiming, controller: str, params: Params, given: _Given) -> None:
    """Note what must not be lost if the erasure is interrupted: who is never recorded again, and who is to be told."""
    if flag(params, "never_record"):
        _never(claiming, controller, text(params, "number"))
    for recipient, ids in given.recipients.items():
        body = {"recipient": recipient, "recordings": ids, "article": "19", "actor": claiming.actor}
        claiming.vault.note(Fact(Kind.NOTICE_OWED, None, controller, body))


def _never(claiming: Claiming, controller: str, number: str) -> None:
    subject = persons.subject_of(claiming.config, controller, number)
    if not claiming.vault.index.never_record(controller, subject):
        claiming.vault.note(Fact(Kind.NEVER_RECORD, None, controller, {"subject": subject, "actor": claiming.actor}))
        claiming.vault.catch_up()


def _erase(claiming: Claiming, ids: Sequence[str], reason: str) -> tuple[list[Json], list[Json]]:
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
