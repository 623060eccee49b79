"""What can be asked of the reasons to keep a recording, or to let many go: to restrict and hold, to decide, to approve.

A restriction is the person's right (Art. 18), a hold the controller's claim (Art. 17(3)(e)); neither hinders the other. Texts that
may name somebody stand in the body of the ledger's entries alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall import scope
from gdprcall.errors import ConfigError, GdprcallError, Refused
from gdprcall.parameters import Params, flag, moment, text, texts
from gdprcall.rights import keeping
from gdprcall.rights.precedence import Ground, Outcome, Request, may_override
from gdprcall.times import DAY_MS, Clock, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.keeps import HOLD, RESTRICTION
from gdprcall.vault.rows import RecordingRow

Json = dict[str, object]
GROUNDS = {
    "accuracy": Ground.ACCURACY,
    "unlawful": Ground.UNLAWFUL,
    "claims": Ground.CLAIMS,
    "objection": Ground.OBJECTION,
}
"""The grounds of Art. 18(1), in words."""
MOST_APPROVED = 100_000
KEPT = frozenset({"sealed", "quarantined"})
REVIEW_DAYS = 183
"""How far ahead a hold may be reviewed at the latest: one that nobody looks at is kept for ever."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who asks, and for which controller he may, None for all; ``erased`` is called when something was destroyed."""

    vault: Vault
    controller: str | None
    actor: str
    clock: Clock
    erased: Callable[[], None]


def restrict(keeper: Keeper, params: Params) -> object:
    """Restrict recordings on a ground of Art. 18(1); return each as it stands then."""
    ground, reason = _ground(params), text(params, "reason")
    rows = _rows(keeper, params)
    for row in rows:
        if ground is Ground.OBJECTION and not may_override(keeping.state(keeper.vault, row)):
            raise Refused(f"the basis of recording {row.id} knows no objection, Art. 21(1)", "name another ground")
    _note(keeper, rows, Kind.RESTRICTED, {"ground": str(ground), "reason": reason})
    return _told(keeper, rows)


def unrestrict(keeper: Keeper, params: Params) -> object:
    """Lift a restriction of which the person was told before (Art. 18(3)); return each recording as it stands then.

    An objection is not lifted but decided. What was withdrawn meanwhile is destroyed now.
    """
    ground, reason = _ground(params), text(params, "reason")
    if ground is Ground.OBJECTION:
        raise Refused("an objection is decided, not lifted", "gdprcall recordings decide")
    rows = _rows(keeper, params)
    _lacking(keeper, rows, RESTRICTION, str(ground))
    body = {"ground": str(ground), "reason": reason, "told_at": _told_at(keeper, params)}
    _note(keeper, rows, Kind.RESTRICTION_LIFTED, body)
    return _told(keeper, rows)


def hold(keeper: Keeper, params: Params) -> object:
    """Hold recordings for a matter, with who answers for it and a day of review (RGT-11); again it sets a new day."""
    matter, owner, reason = (text(params, name) for name in ("matter", "owner", "reason"))
    review, now = moment(params, "review"), keeper.clock()
    if review is None:
        raise ConfigError("review is missing", "say when the hold is looked at again: --review 2027-05-01T00:00:00Z")
    if not now < review <= now + REVIEW_DAYS * DAY_MS:
        raise ConfigError(
            f"the review is not within the next {REVIEW_DAYS} days", "name an earlier day; it can be renewed"
        )
    rows = _rows(keeper, params)
    _note(keeper, rows, Kind.HELD, {"matter": matter, "owner": owner, "reason": reason, "review_at": review})
    return _told(keeper, rows)


def release(keeper: Keeper, params: Params) -> object:
    """Let go of recordings that are held for a matter; return each as it stands then."""
    matter, reason = text(params, "matter"), text(params, "reason")
    rows = _rows(keeper, params)
    _lacking(keeper, rows, HOLD, matter)
    _note(keeper, rows, Kind.HOLD_LIFTED, {"matter": matter, "reason": reason})
    return _told(keeper, rows)


def decide(keeper: Keeper, params: Params) -> object:
    """Decide the objection of recordings that are restricted by one (Art. 21(1)); return each as it stands then.

    Upheld, they are destroyed; overridden, by compelling grounds that are documented and told, they are free again.
    """
    upheld, reason = flag(params, "upheld"), text(params, "reason")
    rows = _rows(keeper, params)
    _lacking(keeper, rows, RESTRICTION, str(Ground.OBJECTION))
    body: Json = {"ground": str(Ground.OBJECTION), "reason": reason, "decision": "upheld" if upheld else "overridden"}
    if not upheld:
        _note(keeper, rows, Kind.RESTRICTION_LIFTED, body | {"told_at": _told_at(keeper, params)})
        return _told(keeper, rows)
    now = keeper.clock()
    for row in rows:
        verdict = keeping.weigh(keeper.vault, row, Request.UPHELD, now)
        if verdict.outcome is not Outcome.ERASE:
            raise Refused(f"recording {row.id} is kept: {verdict.why}", keeping.HINT)
    if flag(params, "dry_run"):
        return [row.as_json() | {"keeps": [], "would_erase": True} for row in rows]
    for row in rows:
        # Together: whatever is killed in between, the next start finds what is to go.
        gone = Fact(Kind.WITHDRAWN, row.id, row.controller, {"method": "decided", "reason": "objected"})
        lifted = Fact(Kind.RESTRICTION_LIFTED, row.id, row.controller, body | {"actor": keeper.actor})
        keeper.vault.submit(gone, lifted).result()
    return _told(keeper, rows)


def kept(keeper: Keeper, _params: Params) -> object:
    """Return everything that stands against the end of a recording, what is to be reviewed first before the rest."""
    keeper.vault.catch_up()
    now = keeper.clock()
    return [
        one.as_json() | {"overdue": one.review_at is not None and one.review_at <= now}
        for one in keeper.vault.index.keeps(controller=keeper.controller)
    ]


def approve(keeper: Keeper, params: Params) -> object:
    """Let somebody else release more recordings than are released without a second person, within the hour (SEC-06)."""
    whom, reason, count = text(params, "actor"), text(params, "reason"), params.get("count")
    if not isinstance(count, int) or not 1 <= count <= MOST_APPROVED:
        raise ConfigError(f"the count is not a number from 1 to {MOST_APPROVED}", "for example --count 200")
    if whom == keeper.actor:
        raise Refused("nobody approves what he releases himself", "ask somebody else with this role")
    body = {"for": whom, "count": count, "reason": reason, "actor": keeper.actor}
    keeper.vault.note(Fact(Kind.BULK_APPROVED, None, keeper.controller, body))
    return {"for": whom, "count": count}


OPERATIONS: Mapping[str, Callable[[Keeper, Params], object]] = {
    "recordings/restrict": restrict,
    "recordings/unrestrict": unrestrict,
    "recordings/hold": hold,
    "recordings/release": release,
    "recordings/decide": decide,
    "recordings/kept": kept,
    "recordings/approve": approve,
}
CHANGING = frozenset(OPERATIONS) - {"recordings/kept"}


def _ground(params: Params) -> Ground:
    word = text(params, "ground")
    if word not in GROUNDS:
        raise ConfigError(f"there is no ground {word!r}", f"grounds of Art. 18(1): {', '.join(GROUNDS)}")
    return GROUNDS[word]


def _rows(keeper: Keeper, params: Params) -> list[RecordingRow]:
    """Return the recordings that are named; raises NotFound, and Refused if there is nothing of one to be kept."""
    ids = list(dict.fromkeys(texts(params, "ids")))
    rows = [keeper.vault.recording(scope.recording(keeper.vault, keeper.controller, id_)) for id_ in ids]
    for row in rows:
        if row.state not in KEPT or row.erasing:
            raise Refused(
                f"there is nothing of recording {row.id} to be kept: it is {row.state}", "see: recordings show"
            )
    return rows


def _lacking(keeper: Keeper, rows: Sequence[RecordingRow], what: str, name: str) -> None:
    """Raise Refused for a recording that is not kept by this."""
    for row in rows:
        if not any((one.flag, one.name) == (what, name) for one in keeper.vault.index.keeps(row.id)):
            raise Refused(f"recording {row.id} has no such {what}", keeping.HINT)


def _told_at(keeper: Keeper, params: Params) -> str:
    """Return when the person was told; raises ConfigError when nobody says so, or says that it will be (Art. 18(3))."""
    told = moment(params, "told")
    if told is None or told > keeper.clock():
        hint = "tell the person first, then say when: --told 2027-01-31T12:00:00Z"
        raise ConfigError("nothing is lifted before the person was told of it, Art. 18(3)", hint)
    return rfc3339(told)


def _note(keeper: Keeper, rows: Sequence[RecordingRow], kind: Kind, body: Mapping[str, object]) -> None:
    noted = [keeper.vault.submit(Fact(kind, row.id, row.controller, {**body, "actor": keeper.actor})) for row in rows]
    for one in noted:
        one.result()


def _told(keeper: Keeper, rows: Sequence[RecordingRow]) -> list[Json]:
    """Return the recordings as they stand now, once what nothing stands against any more has gone."""
    keeper.vault.catch_up()
    now = [keeper.vault.recording(row.id) for row in rows]
    freed = [row.id for row in now if row.withdrawn and row.state != "erased" and not (row.held or row.restricted)]
    if freed:
        outcomes = keeper.vault.erase_all(freed, reason="withdrawn", actor=keeper.actor).values()
        keeper.erased()
        for outcome in outcomes:
            if isinstance(outcome, GdprcallError):
                raise outcome
    found = []
    for row in rows:
        keeps = [one.as_json() for one in keeper.vault.index.keeps(row.id)]
        found.append(keeper.vault.recording(row.id).as_json() | {"keeps": keeps})
    return found
