"""What can be asked of the calls of this moment: to see them, to learn who calls, and to have a recording ended.

Of another controller's calls nothing is there. What is ordered, and each number that is shown, stands in the ledger with
the reason and the role of who asked; a number is shown only once that is durable.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

from gdprcall import scope
from gdprcall.consent.outcomes import Basis
from gdprcall.consent.table import TABLE, Act, Row
from gdprcall.errors import GdprcallError, NotFound, Refused, VaultError
from gdprcall.live import LiveCalls, LiveRow, Standing
from gdprcall.parameters import Params, text
from gdprcall.times import Clock
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry, Fact, Kind
from gdprcall.vault.rows import DecisionRow

NOTE_SECONDS = 5.0
HINT = "see: gdprcall calls list"
_RUNS = frozenset({Standing.STARTING, Standing.RECORDING, Standing.PAUSED, Standing.STOPPING})
WHILE: Mapping[str, frozenset[Standing]] = {
    "stop": _RUNS | {Standing.ASKING},
    "pause": _RUNS,
    "resume": frozenset({Standing.PAUSED}),
}
"""How a call must stand for an order to have a meaning."""
ROWS = {"stop": Row.ORDERED, "pause": Row.PAUSE, "resume": Row.PAUSE}
"""What the table of the law is asked about an order."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, of which calls, and whose he may see; ``calls`` is there only in the daemon, ``controller`` None for all."""

    vault: Vault
    calls: LiveCalls | None
    controller: str | None
    actor: str
    role: str
    clock: Clock


def list_(asker: Asker, params: Params) -> object:
    """Return the calls of this moment, the oldest first; none where no daemon serves any."""
    wanted = params.get("controller")
    now = asker.clock()
    return [row.as_json(now) for row in _rows(asker) if wanted in (None, row.controller)]


def show(asker: Asker, params: Params) -> object:
    """Return one call; of one that has ended, that it has."""
    id_ = text(params, "id")
    found = _find(asker, id_)
    return (found or _ended(asker, id_)).as_json(asker.clock())


def number(asker: Asker, params: Params) -> object:
    """Return the number of who is calling, None where it is not known; raises VaultError before it is noted."""
    row, reason = _live(asker, text(params, "id")), text(params, "reason")
    assert asker.calls is not None
    known = asker.calls.number(row)
    if known is not None:
        # Nobody sees it before the ledger knows that he will.
        asker.vault.note(_fact(asker, row, Kind.NUMBER_SHOWN, reason))
    return {"decision": row.decision or None, "number": known}


def stop(asker: Asker, params: Params) -> object:
    """End the recording of a call, or see to it that none begins; what was recorded stays. Return how it stands then."""
    return _order(asker, "stop", params)


def pause(asker: Asker, params: Params) -> object:
    """Let the recording of a call pause until it is resumed; return how it stands then."""
    return _order(asker, "pause", params)


def resume(asker: Asker, params: Params) -> object:
    """Take an order to pause back; while there is another reason, the recording goes on pausing. Return how it stands."""
    return _order(asker, "resume", params)


OPERATIONS: Mapping[str, Callable[[Asker, Params], object]] = {
    "calls/list": list_,
    "calls/show": show,
    "calls/number": number,
    "calls/stop": stop,
    "calls/pause": pause,
    "calls/resume": resume,
}
CHANGING = frozenset(OPERATIONS) - {"calls/list", "calls/show"}


def _order(asker: Asker, what: str, params: Params) -> object:
    """Note an order and carry it out; a note that fails is told, and hinders only what records."""
    row, reason = _live(asker, text(params, "id")), text(params, "reason")
    _weigh(row, what)
    assert asker.calls is not None
    noted = asker.vault.submit(_fact(asker, row, Kind.ORDERED, reason, what=what))
    if what == "resume":
        _durable(noted, "nothing was resumed: it could not be noted")
    asker.calls.order(row, what, asker.role)
    _durable(noted, f"{what} was carried out, and could not be noted")
    return (_find(asker, row.decision or row.recording or "") or replace(row, state=Standing.ENDED)).as_json(
        asker.clock()
    )


def _durable(noted: "Future[Entry]", problem: str) -> None:
    try:
        noted.result(NOTE_SECONDS)
    except (VaultError, TimeoutError) as error:
        raise VaultError(problem, "look at the disk of the vault") from error


def _weigh(row: LiveRow, what: str) -> None:
    """Raise Refused for an order that has no meaning, or that the law has something against."""
    if row.state not in WHILE[what]:
        raise Refused(f"there is nothing to {what} in this call: it is {row.state}", HINT)
    if row.basis and TABLE[Basis(row.basis)][ROWS[what]].act not in {Act.STOP, Act.PAUSE}:
        raise Refused(f"the basis of this line lets nobody {what} it", f"see: gdprcall check --explain {row.line}")


def _fact(asker: Asker, row: LiveRow, kind: Kind, reason: str, **more: object) -> Fact:
    body = {"decision": row.decision, "reason": reason, "actor": asker.actor, "role": asker.role} | more
    return Fact(kind, row.recording, row.controller or None, body)


def _rows(asker: Asker) -> list[LiveRow]:
    """Return the calls that the asker may see, each with what the vault knows of it."""
    rows = [] if asker.calls is None else asker.calls.rows()
    whole = [row if row.decision else _told(asker, row) for row in rows]
    return [row for row in whole if asker.controller in {None, row.controller}]


def _told(asker: Asker, row: LiveRow) -> LiveRow:
    """Return a call of an earlier daemon with what its decision says of it, if the vault can tell."""
    try:
        known = asker.vault.recording(row.recording or "")
        decision = asker.vault.decision(known.decision)
    except GdprcallError:
        return row
    return replace(_of(decision), state=row.state, segment=row.segment, since=known.started_at, why=row.why)


def _of(decision: DecisionRow) -> LiveRow:
    return LiveRow(
        Standing.ENDED,
        decision=decision.id,
        call=decision.call,
        recording=decision.recording,
        controller=decision.controller,
        line=decision.line,
        language=decision.language,
        basis=decision.basis,
        why=decision.outcome,
    )


def _find(asker: Asker, id_: str) -> LiveRow | None:
    return next((row for row in _rows(asker) if id_ and id_ in {row.decision, row.recording}), None)


def _ended(asker: Asker, id_: str) -> LiveRow:
    """Return a call that is not live any more; raises NotFound, in the same words for one of another controller."""
    vault, whose = asker.vault, asker.controller
    try:
        try:
            return _of(scope.decision(vault, whose, id_))
        except NotFound:
            known = vault.recording(scope.recording(vault, whose, id_))
            return _of(scope.decision(vault, whose, known.decision))
    except NotFound as error:
        raise NotFound(f"there is no call {id_}", HINT) from error


def _live(asker: Asker, id_: str) -> LiveRow:
    found = _find(asker, id_)
    if found is None:
        _ended(asker, id_)
        raise Refused("the call has ended", "what was recorded of it: gdprcall recordings list")
    return found
