"""What can be asked of a vault: one function each, the same whether the daemon or the command line holds the vault.

They take and give JSON values, and print nothing.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from gdprcall import (
    accessing,
    auditing,
    breach,
    claims,
    consents,
    correcting,
    ending,
    importing,
    incall,
    keeping,
    noticing,
    paperwork,
    promptkeeping,
    register,
    rehearsing,
    reporting,
    safekeeping,
    scope,
    standing,
    sweeping,
)
from gdprcall.context import Context, Json, Operation
from gdprcall.custody import asked as custody
from gdprcall.errors import ConfigError, NotFound, Refused, VaultError
from gdprcall.parameters import Params, flag, limit, moment, text, wanted
from gdprcall.rights import bulk
from gdprcall.rights import keeping as rights
from gdprcall.roles import Role
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.rows import Export, RecordingRow

Less = TypeVar("Less")
__all__ = ["CHANGING", "OPERATIONS", "Context", "export", "run"]


def status(context: Context, _params: Params) -> Json:
    """Return links, spool, vault and disk; of one controller only what is its own."""
    now = context.clock()
    if context.controller is not None:
        return standing.of_controller(context.vault, context.controller, now) | {"daemon": context.live is not None}
    live = None if context.live is None else context.live()
    return standing.of_house(context.vault, context.config, live, now)


def decisions_list(context: Context, params: Params) -> Json:
    """Return decisions, the newest first."""
    return [row.as_json() for row in context.vault.decisions(scope.rows(context.controller, wanted(params)))]


def decisions_show(context: Context, params: Params) -> Json:
    """Return one decision and what the ledger says of it."""
    row = scope.decision(context.vault, context.controller, text(params, "id"))
    history = consents.history(context.vault, row)
    return row.as_json() | {"history": [entry.as_json() for entry in history]}


def recordings_list(context: Context, params: Params) -> Json:
    """Return recordings, the newest first; with ``agent`` those alone whose agent that was (PTY-07)."""
    asked = scope.rows(context.controller, wanted(params))
    if params.get("agent") is None:
        return [row.as_json() for row in context.vault.recordings(asked)]
    told = context.vault.ledger.entries(kinds={Kind.AGENT})
    his = {entry.recording for entry in told if (entry.body or {}).get("agent") == params["agent"]}
    rows = [row for row in context.vault.recordings(replace(asked, limit=-1)) if row.id in his]
    return [row.as_json() for row in rows[: max(0, asked.limit)]]


def recordings_show(context: Context, params: Params) -> Json:
    """Return one recording, its segments and its history."""
    id_ = scope.recording(context.vault, context.controller, text(params, "id"))
    row = context.vault.recording(id_)
    parts = [segment.as_json() for segment in context.vault.segments(id_)]
    history = [entry.as_json() for entry in context.vault.ledger.entries(recording=id_)]
    return row.as_json() | {"parts": parts, "history": history}


def audit_log(context: Context, params: Params) -> Json:
    """Return entries of the ledger in order."""
    kind, recording = params.get("kind"), params.get("recording")
    if kind is not None and (not isinstance(kind, str) or kind not in set(Kind)):
        raise ConfigError(f"there is no kind of entry {kind!r}", f"kinds: {', '.join(Kind)}")
    since = moment(params, "since")
    entries = (
        entry
        for entry in scope.entries(
            context.controller, context.vault.ledger.entries(recording=str(recording) if recording else None)
        )
        if (kind is None or entry.kind == kind) and (since is None or entry.time >= since)
    )
    return [entry.as_json() for entry in deque(entries, maxlen=limit(params))]


def audit_verify(context: Context, params: Params) -> Json:
    """Check everything against everything and against checkpoints; see ``auditing.verify``."""
    since, key = params.get("since", {}), params.get("key")
    if not isinstance(since, dict) or not all(isinstance(note, str) for note in since.values()):
        raise ConfigError("since is no checkpoint", "give the files that were handed out")
    notes = [(str(name), str(note)) for name, note in since.items()]
    answer = auditing.verify(context.vault, context.config, notes, str(key) if key else None, context.progress)
    breach.found(_desk(context), answer["findings"])
    return _ours(context, answer)


def audit_checkpoint(context: Context, _params: Params) -> Json:
    """Sign a checkpoint of the ledger now, and hand it out; return it."""
    return auditing.make(context.vault, context.config).as_json()


def audit_prove(context: Context, params: Params) -> Json:
    """Return the proof that the entries of a recording or decision are in the ledger."""
    bodies, id_ = not flag(params, "without_bodies"), text(params, "id")
    return auditing.prove(
        context.vault, context.config, scope.either(context.vault, context.controller, id_), bodies=bodies
    )


def audit_key(context: Context, _params: Params) -> Json:
    """Return the public key that checks the ledger's checkpoints."""
    return {"origin": (key := auditing.signer(context.config)).name, "verifier": key.verifier().encode()}


def vault_backup(context: Context, params: Params) -> Json:
    """Make a backup in a folder of this host, or with ``dry_run`` return what it would be."""
    folder, dry_run = Path(text(params, "folder")), flag(params, "dry_run")
    try:
        return safekeeping.back_up(context.vault, context.config, folder, dry_run=dry_run, progress=context.progress)
    except VaultError as error:
        # A backup that is not there when it is needed is a loss of availability (Art. 4(12)): somebody has to look.
        context.vault.note(Fact(Kind.BACKUP_FAILED, None, None, {"actor": context.actor, "problem": error.message}))
        raise


def vault_verify(context: Context, params: Params) -> Json:
    """Look through the vault for a second, or to the end where no daemon serves; see ``safekeeping.verify``."""
    whole, progress, whose = context.live is None, context.progress, context.controller
    answer = safekeeping.verify(context.vault, params, whole=whole, progress=progress, controller=whose)
    if isinstance(answer, dict):
        breach.found(_desk(context), answer.get("findings"))
    return answer


def decisions_receipt(context: Context, params: Params) -> Json:
    """Return the receipt of a decision: its record, prompt, sound and proof."""
    row = scope.decision(context.vault, context.controller, text(params, "id"))
    return consents.receipt(context.vault, context.config, row.id, context.alarm)


def decisions_verify(context: Context, params: Params) -> Json:
    """Check whether one decision, or all, still are proof."""
    vault, controller, all_ = context.vault, context.controller, params.get("id") is None
    one = None if all_ else scope.decision(vault, controller, text(params, "id")).id
    return _ours(context, consents.verify(vault, context.config, one, controller, context.progress))


def _asker(context: Context) -> incall.Asker:
    return incall.Asker(context.vault, context.calls, context.controller, context.actor, context.role, context.clock)


def _asking(context: Context) -> accessing.Asking:
    return accessing.Asking(context.vault, context.config, context.controller, context.actor, context.alarm)


def _registrar(context: Context) -> register.Registrar:
    return register.Registrar(context.vault, context.config, context.controller, context.actor, context.clock)


def _desk(context: Context) -> breach.Desk:
    return breach.Desk(context.vault, context.config, context.controller, context.actor, context.clock)


def _writing(context: Context) -> paperwork.Writing:
    return paperwork.Writing(context.vault, context.config, context.controller, context.actor, context.clock)


def _keeper(context: Context) -> keeping.Keeper:
    erased = partial(auditing.after, context.vault, context.config, context.alarm)
    return keeping.Keeper(context.vault, context.controller, context.actor, context.clock, erased)


def _claiming(context: Context) -> claims.Claiming:
    vault, config, clock, progress = context.vault, context.config, context.clock, context.progress
    erased = partial(auditing.after, vault, config, context.alarm)
    return claims.Claiming(vault, config, context.controller, context.actor, clock, progress, erased)


def _through(
    make: Callable[[Context], Less], asked: Mapping[str, Callable[[Less, Params], Json]]
) -> dict[str, Operation]:
    """Let operations that need less than a context be asked as all are."""

    def of(one: Callable[[Less, Params], Json]) -> Operation:
        return lambda context, params: one(make(context), params)

    return {name: of(one) for name, one in asked.items()}


OPERATIONS: Mapping[str, Operation] = (
    {
        "status": status,
        "decisions/list": decisions_list,
        "decisions/show": decisions_show,
        "decisions/receipt": decisions_receipt,
        "decisions/verify": decisions_verify,
        "recordings/list": recordings_list,
        "recordings/show": recordings_show,
        "audit/log": audit_log,
        "audit/verify": audit_verify,
        "audit/checkpoint": audit_checkpoint,
        "audit/prove": audit_prove,
        "audit/key": audit_key,
        "prompts/purge": promptkeeping.purge,
        "vault/backup": vault_backup,
        "vault/verify": vault_verify,
    }
    | {
        name: lambda context, params, asked=asked: asked(
            context.vault,
            context.config,
            custody.of_controller(context.config, params, context.controller),
            context.actor,
        )
        for name, asked in custody.OPERATIONS.items()
    }
    | _through(_asker, incall.OPERATIONS)
    | _through(_asking, accessing.OPERATIONS)
    | _through(_registrar, register.OPERATIONS)
    | _through(_desk, breach.OPERATIONS)
    | _through(_writing, paperwork.OPERATIONS)
    | _through(_desk, reporting.OPERATIONS)
    | _through(_keeper, keeping.OPERATIONS)
    | _through(_claiming, claims.OPERATIONS)
    | _through(_claiming, noticing.OPERATIONS)
    | _through(_claiming, ending.OPERATIONS)
    | sweeping.OPERATIONS
    | correcting.OPERATIONS
    | importing.OPERATIONS
    | rehearsing.OPERATIONS
)
CHANGING = sweeping.CHANGING | correcting.CHANGING | importing.CHANGING | frozenset({"prompts/purge", "vault/backup"})
CHANGING |= custody.CHANGING | incall.CHANGING | accessing.CHANGING | keeping.CHANGING | claims.CHANGING
CHANGING |= register.CHANGING | breach.CHANGING | paperwork.CHANGING
CHANGING |= noticing.CHANGING | ending.CHANGING | rehearsing.CHANGING


def export(
    context: Context, recording: str, segment: int, purpose: str, noted: Mapping[str, str] | None = None
) -> Export:
    """Release a sealed segment; see ``Vault.export``. Raises ConfigError without a purpose (Art. 5(1)(b)).

    For one that the recording was not made for it is refused, and the ledger knows who tried.
    """
    purpose = text({"purpose": purpose}, "purpose")
    vault, actor, said = context.vault, context.actor, dict(noted or {})
    row = vault.recording(scope.recording(vault, context.controller, recording))
    _refuse_admin(context, row)
    rights.may_be_for(vault, row, purpose, role=context.role, actor=actor)
    packed = bulk.is_packed(vault, row, said.get("package", ""), said.pop("mark", ""))
    if context.role != Role.ADMIN and not packed:
        bulk.check(vault, row, actor, context.clock(), context.config.releases_an_hour)
    rights.may_leave(vault, row, context.role, said.get("exception", ""))
    return vault.export(recording, segment, actor=actor, purpose=purpose, noted=said)


def _refuse_admin(context: Context, row: RecordingRow) -> None:
    """Raise Refused for who runs the host, once somebody else has the role to have recordings released (Art. 32(4))."""
    others = {one.role for one in context.config.access if one.controller in {None, row.controller}}
    if context.role == Role.ADMIN and others & {Role.OFFICER, Role.REVIEWER}:
        body = {"why": "admin", "actor": context.actor}
        context.vault.note(Fact(Kind.RELEASE_DENIED, row.id, row.controller, body))
        raise Refused("who runs this host releases no recording", "ask an officer or a reviewer: see [[access]]")


def _ours(context: Context, answer: Mapping[str, object]) -> Json:
    """Return an answer without findings of other controllers."""
    found = answer["findings"]
    assert isinstance(found, list)
    return {**answer, "findings": scope.findings(context.vault, context.controller, found)}


def run(context: Context, name: str, params: Params) -> Json:
    """Run an operation by its name; raises GdprcallError."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise NotFound(f"there is no operation {name!r}", f"operations: {', '.join(OPERATIONS)}")
    return operation(context, params)
