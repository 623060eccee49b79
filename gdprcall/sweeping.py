"""What can be asked of retention: what is due, to let it go, and whether each store keeps its time.

What is destroyed here had a time that was over; a later, longer one never counts for it.
"""

from gdprcall import auditing, breach, register, rehearsing
from gdprcall.context import Context, Json, Operation
from gdprcall.errors import ConfigError, GdprcallError
from gdprcall.parameters import Params, flag, moment
from gdprcall.rights import retention, stores
from gdprcall.times import rfc3339
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.forgetting import Due
from gdprcall.vault.rows import RecordingRow


def due(context: Context, params: Params) -> Json:
    """Return the recordings that expire by ``by`` (RFC 3339, default now), and the decisions to be forgotten by then."""
    recordings, proofs = _due(context, _by(context, params))
    told = [{"what": "recording"} | row.as_json() for row in recordings]
    return told + [
        {"what": "decision"} | one.row.as_json() | {"proof_until": rfc3339(one.proof.until or 0)} for one in proofs
    ]


def sweep(context: Context, params: Params) -> Json:
    """Erase what has expired, and forget what need no longer be proven; return the receipts and what failed."""
    by, now = _by(context, params), context.clock()
    if flag(params, "dry_run"):
        return _would(context, by)
    if by > now:
        raise ConfigError("nothing is erased before its time", "leave --by out, or add --dry-run")
    actor, whose, lines = context.actor, context.controller, _lines(context)
    found = retention.sweep(context.vault, by, actor=actor, progress=context.progress, controller=whose, lines=lines)
    swept = list(found)
    failed: list[object] = [{"recording": one.recording, "error": one.error} for one in swept if one.error]
    told: dict[str, list[object]] = {"erased": [one.receipt.as_json() for one in swept if one.receipt]}
    told |= {"forgotten": [], "requests": [], "breaches": [], "failed": failed}
    try:
        proofs = retention.proofs_due(context.vault, by, context.controller)
        told["forgotten"].extend(one.row.id for one in retention.forget_proofs(context.vault, proofs, actor=actor))
        told["requests"].extend(register.sweep(_registrar(context)))
        told["breaches"].extend(breach.sweep(_desk(context)))
    except GdprcallError as error:
        failed.append({"recording": None, "error": f"proofs could not be forgotten: {error.message}"})
    counts = {name: len(values) for name, values in told.items()}
    context.vault.note(Fact(Kind.SWEPT, None, context.controller, {**counts, "actor": actor}))
    if swept or told["forgotten"]:
        auditing.after(context.vault, context.config, context.alarm)
    return told


def check(context: Context, _params: Params) -> Json:
    """Return each store with its period, its oldest item, and whether it keeps its time (RET-03, RET-07)."""
    now, whose = context.clock(), context.controller
    found = stores.examine(context.vault, now, whose, _lines(context))
    if whose is None:
        found.append(stores.spool(context.config.asterisk.spool, now))
    told = [one.as_json() for one in found]
    return told if whose is not None else [*told, rehearsing.row(context.vault, now)]


OPERATIONS: dict[str, Operation] = {"retention/due": due, "retention/sweep": sweep, "retention/check": check}
CHANGING = frozenset({"retention/sweep"})


def _would(context: Context, by: int) -> Json:
    """Return what a sweep would do, by then."""
    recordings, proofs = _due(context, by)
    would = {"would_erase": [row.as_json() for row in recordings], "would_forget": [one.row.id for one in proofs]}
    would |= {"requests": [row.id for row in register.over(_registrar(context))]}
    would |= {"breaches": [row.id for row in breach.over(_desk(context))]}
    return would | {"erased": [], "forgotten": [], "failed": []}


def _due(context: Context, by: int) -> tuple[list[RecordingRow], list[Due]]:
    """Return the recordings and the decisions whose time is over by then."""
    recordings = retention.due(context.vault, by, context.controller, _lines(context))
    return recordings, retention.proofs_due(context.vault, by, context.controller)


def _lines(context: Context) -> retention.Lines:
    return {(line.controller, line.id): line.retention_days for line in context.config.policy.lines.values()}


def _registrar(context: Context) -> register.Registrar:
    return register.Registrar(context.vault, context.config, context.controller, context.actor, context.clock)


def _desk(context: Context) -> breach.Desk:
    return breach.Desk(context.vault, context.config, context.controller, context.actor, context.clock)


def _by(context: Context, params: Params) -> int:
    by = moment(params, "by")
    return context.clock() if by is None else by
