"""What can be asked of a vault: one function each, the same whether the daemon or the command line holds the vault.

They take and give JSON values, and print nothing.
"""

import shutil
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gdprcall import auditing, promptkeeping, safekeeping
from gdprcall.config import Config
from gdprcall.custody import asked as custody
from gdprcall.errors import ConfigError, GdprcallError, NotFound, VaultError
from gdprcall.rights import erasure, retention
from gdprcall.times import Clock, now_ms, parse_rfc3339, rfc3339
from gdprcall.vault import checks
from gdprcall.vault.archive import Vault
from gdprcall.vault.ledger import Kind
from gdprcall.vault.rows import Export, Wanted

STATES = ("recording", "not_started", "spooled", "sealed", "quarantined", "erased")
Json = object
Params = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation works on; ``live`` is there only in the daemon; ``progress`` hears how much of how much is done.

    ``alarm`` hears what went wrong beside what was carried out all the same; ``now`` gives the configuration of a reload.
    """

    vault: Vault
    config: Config
    live: Callable[[], Mapping[str, object]] | None = None
    actor: str = "local"
    clock: Clock = field(default=now_ms)
    progress: checks.Progress = lambda _done, _all: None
    alarm: Callable[[GdprcallError], None] = lambda _error: None
    now: Callable[[], Config] | None = None


Operation = Callable[[Context, Params], Json]


def status(context: Context, _params: Params) -> Json:
    """Return links, spool, vault and disk."""
    live = dict(context.live()) if context.live else {}
    for name in ("last_seal_ms", "last_sweep_ms"):
        live[name.removesuffix("_ms")] = _told(live.pop(name, None))
    return {
        "daemon": context.live is not None,
        **live,
        "spool": _spool(context),
        "recordings": context.vault.count("sealed"),
        "quarantined": context.vault.count("quarantined"),
        "quarantine_ends": _told(context.vault.index.first_end("quarantined")),
        "expired": len(retention.due(context.vault, context.clock())),
        "ledger_entries": context.vault.ledger.size(),
        "vault_free_bytes": shutil.disk_usage(context.vault.folder).free,
        "reserve_bytes": context.config.reserve_bytes,
    }


def decisions_list(context: Context, params: Params) -> Json:
    """Return decisions, the newest first."""
    return [row.as_json() for row in context.vault.decisions(_wanted(params))]


def decisions_show(context: Context, params: Params) -> Json:
    """Return one decision and what the ledger says of it."""
    row = context.vault.decision(_text(params, "id"))
    history = [
        entry
        for entry in context.vault.ledger.entries()
        if (entry.body or {}).get("decision") == row.id or (row.recording and entry.recording == row.recording)
    ]
    return row.as_json() | {"history": [entry.as_json() for entry in history]}


def recordings_list(context: Context, params: Params) -> Json:
    """Return recordings, the newest first."""
    return [row.as_json() for row in context.vault.recordings(_wanted(params))]


def recordings_show(context: Context, params: Params) -> Json:
    """Return one recording, its segments and its history."""
    id_ = _text(params, "id")
    row = context.vault.recording(id_)
    parts = [segment.as_json() for segment in context.vault.segments(id_)]
    history = [entry.as_json() for entry in context.vault.ledger.entries(recording=id_)]
    return row.as_json() | {"parts": parts, "history": history}


def recordings_erase(context: Context, params: Params) -> Json:
    """Erase recordings and return their receipts; with ``dry_run`` return what would go.

    All are weighed first, so that one mistyped id destroys nothing. One that fails does not stop the others; what
    was destroyed then stands in the ledger.
    """
    ids, reason = list(dict.fromkeys(_texts(params, "ids"))), _text(params, "reason")
    rows = [erasure.weigh(context.vault, id_) for id_ in ids]
    if _flag(params, "dry_run"):
        return [row.as_json() for row in rows]
    receipts, failed, progress = [], [], context.progress
    for id_, outcome in erasure.erase_all(context.vault, ids, reason=reason, actor=context.actor, progress=progress):
        if isinstance(outcome, GdprcallError):
            failed.append(f"{id_}: {outcome.message}")
        else:
            receipts.append(outcome.as_json())
    _checkpoint_after(context, bool(receipts))
    if failed:
        raise VaultError(f"{len(failed)} of {len(ids)} could not be erased: {'; '.join(failed)}", "try these again")
    return receipts


def retention_due(context: Context, params: Params) -> Json:
    """Return the recordings that expire by ``by`` (RFC 3339, default now)."""
    return [row.as_json() for row in retention.due(context.vault, _by(context, params))]


def retention_sweep(context: Context, params: Params) -> Json:
    """Erase what has expired; return the receipts and what failed."""
    if _flag(params, "dry_run"):
        return {"would_erase": retention_due(context, params), "erased": [], "failed": []}
    by, now = _by(context, params), context.clock()
    if by > now:
        raise ConfigError("nothing is erased before its time", "leave --by out, or add --dry-run")
    swept = list(retention.sweep(context.vault, by, actor=context.actor, progress=context.progress))
    _checkpoint_after(context, bool(swept))
    return {
        "erased": [one.receipt.as_json() for one in swept if one.receipt],
        "failed": [{"recording": one.recording, "error": one.error} for one in swept if one.error],
    }


def audit_log(context: Context, params: Params) -> Json:
    """Return entries of the ledger in order."""
    kind, recording, since = params.get("kind"), params.get("recording"), _time(params, "since")
    if kind is not None and kind not in set(Kind):
        raise ConfigError(f"there is no kind of entry {kind!r}", f"kinds: {', '.join(Kind)}")
    entries = (
        entry
        for entry in context.vault.ledger.entries(recording=str(recording) if recording else None)
        if (kind is None or entry.kind == kind) and (since is None or entry.time >= since)
    )
    return [entry.as_json() for entry in deque(entries, maxlen=_limit(params))]


def audit_verify(context: Context, params: Params) -> Json:
    """Check everything against everything and against checkpoints; see ``auditing.verify``."""
    since, key = params.get("since", {}), params.get("key")
    if not isinstance(since, dict) or not all(isinstance(note, str) for note in since.values()):
        raise ConfigError("since is no checkpoint", "give the files that were handed out")
    notes = [(str(name), str(note)) for name, note in since.items()]
    return auditing.verify(context.vault, context.config, notes, str(key) if key else None, context.progress)


def audit_checkpoint(context: Context, _params: Params) -> Json:
    """Sign a checkpoint of the ledger now, and hand it out; return it."""
    return auditing.make(context.vault, context.config).as_json()


def audit_prove(context: Context, params: Params) -> Json:
    """Return the proof that the entries of a recording or decision are in the ledger."""
    bodies = not _flag(params, "without_bodies")
    return auditing.prove(context.vault, context.config, _text(params, "id"), bodies=bodies)


def audit_key(context: Context, _params: Params) -> Json:
    """Return the public key that checks the ledger's checkpoints."""
    return {"origin": (key := auditing.signer(context.config)).name, "verifier": key.verifier().encode()}


def vault_backup(context: Context, params: Params) -> Json:
    """Make a backup in a folder of this host, or with ``dry_run`` return what it would be."""
    folder, dry_run = Path(_text(params, "folder")), _flag(params, "dry_run")
    return safekeeping.back_up(context.vault, context.config, folder, dry_run=dry_run, progress=context.progress)


OPERATIONS: Mapping[str, Operation] = {
    "status": status,
    "decisions/list": decisions_list,
    "decisions/show": decisions_show,
    "recordings/list": recordings_list,
    "recordings/show": recordings_show,
    "recordings/erase": recordings_erase,
    "retention/due": retention_due,
    "retention/sweep": retention_sweep,
    "audit/log": audit_log,
    "audit/verify": audit_verify,
    "audit/checkpoint": audit_checkpoint,
    "audit/prove": audit_prove,
    "audit/key": audit_key,
    "prompts/purge": promptkeeping.purge,
    "vault/backup": vault_backup,
    "vault/verify": lambda c, asked: safekeeping.verify(c.vault, asked, whole=c.live is None, progress=c.progress),
} | {
    name: lambda context, params, ask=ask: ask(context.vault, context.config, params, context.actor)
    for name, ask in custody.OPERATIONS.items()
}
CHANGING = frozenset({"recordings/erase", "retention/sweep", "prompts/purge", "vault/backup"}) | custody.CHANGING


def export(context: Context, recording: str, segment: int, purpose: str) -> Export:
    """Release a sealed segment; see ``Vault.export``. Raises ConfigError without a purpose (Art. 5(1)(b))."""
    purpose = _text({"purpose": purpose}, "purpose")
    return context.vault.export(recording, segment, actor=context.actor, purpose=purpose)


def _checkpoint_after(context: Context, erased: bool) -> None:  # whether there was anything to tell
    """Sign and hand out what was erased; what was erased stays so when that fails."""
    if erased:
        try:
            auditing.make(context.vault, context.config)
        except GdprcallError as error:
            context.alarm(error)


def _spool(context: Context) -> Json:
    folder = context.config.asterisk.spool
    ages = []
    try:
        for path in folder.glob("*.wav"):
            with suppress(FileNotFoundError):  # sealed meanwhile
                ages.append(context.clock() / 1000 - path.stat().st_mtime)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return {"error": error.strerror}
    return {"files": len(ages), "oldest_seconds": max(0, round(max(ages, default=0))), "free_bytes": free}


def _wanted(params: Params) -> Wanted:
    names = "controller line state outcome".split()
    values = {name: str(params[name]) for name in names if params.get(name) is not None}
    if values.get("state", STATES[0]) not in STATES:
        raise ConfigError(f"there is no state {values['state']!r}", f"states: {', '.join(STATES)}")
    controller, line, state, outcome = map(values.get, names)
    return Wanted(controller, line, state, outcome, since=_time(params, "since"), limit=_limit(params))


def _limit(params: Params) -> int:
    value = params.get("limit", 1000)
    if type(value) is not int or not 1 <= value <= 1_000_000:
        raise ConfigError("the limit is not a number from 1 to 1000000", "for example --limit 50")
    return value


def _time(params: Params, name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    try:
        return parse_rfc3339(str(value))
    except ValueError as error:
        raise ConfigError(f"{name} is no RFC 3339 time", "for example 2026-11-23T08:00:00Z") from error


def _told(time: object) -> str | None:
    return rfc3339(time) if isinstance(time, int) else None


def _by(context: Context, params: Params) -> int:
    by = _time(params, "by")
    return context.clock() if by is None else by


def _text(params: Params, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{name} is missing", f"give {name}")
    return value


def _texts(params: Params, name: str) -> list[str]:
    value = params.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{name} is missing", f"give {name}")
    return value


def _flag(params: Params, name: str) -> bool:
    """Return a flag; raises ConfigError for what is neither true nor false: whether to destroy is never guessed."""
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is neither true nor false", f"give {name} as true or false")
    return value


def run(context: Context, name: str, params: Params) -> Json:
    """Run an operation by its name; raises GdprcallError."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise NotFound(f"there is no operation {name!r}", f"operations: {', '.join(OPERATIONS)}")
    return operation(context, params)
