"""The figures of the officer's page: of one controller and period, as plain numbers.

No person is in them, and no name but the controller's own.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from gdprcall import __version__, rehearsing
from gdprcall.breach.desk import Desk
from gdprcall.errors import ConfigError
from gdprcall.parameters import Params, moment, text
from gdprcall.rights import breaches, requests
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.entry import Kind

Json = dict[str, object]
PERIOD_DAYS = 30
LONGEST_DAYS = 3660
STEPS = ((31, 1), (190, 7), (LONGEST_DAYS, 28))
"""Up to how many days of a period, which step of days its figures have."""
AHEAD_STEPS, AHEAD_DAYS = 13, 28
"""How far it is shown what goes: a year, in steps of four weeks."""


def data(desk: Desk, params: Params) -> object:
    """Return the figures of a controller from ``since`` to ``until`` (default: the last 30 days); raises NotFound, ConfigError."""
    owner = desk.known(text(params, "controller"))
    now = desk.clock()
    until = moment(params, "until") or now
    since = moment(params, "since")
    since = until - PERIOD_DAYS * DAY_MS if since is None else since
    if not since < until or until - since > LONGEST_DAYS * DAY_MS:
        raise ConfigError("the period is none, or longer than ten years", "give --since before --until")
    desk.vault.catch_up()
    return {
        "controller": {"id": owner.id, "name": owner.name},
        "period": {"since": rfc3339(since), "until": rfc3339(until), "days": round((until - since) / DAY_MS)},
        "made_at": rfc3339(now),
        "program": f"gdprcall {__version__}",
        "asked": _asked(desk, owner.id, since, until),
        "kept": _kept(desk, owner.id, now),
        "requests": _requests(desk, owner.id, since),
        "breaches": _breaches(desk, owner.id, since),
        "access": _access(desk, owner.id, since, until),
        "care": _care(desk, owner.id, since, until),
    }


OPERATIONS: Mapping[str, Callable[[Desk, Params], object]] = {"report/data": data}


def _asked(desk: Desk, controller: str, since: int, until: int) -> Json:
    count = desk.vault.index.statistics
    days = next(step for longest, step in STEPS if until - since <= longest * DAY_MS)
    over = count.asked_over(days * DAY_MS, controller, since, until)
    steps = range(-(-(until - since) // (days * DAY_MS)))
    nobody = {"asked": 0, "recorded": 0, "refused": 0, "other": 0, "rate": None}
    return {
        "days": days,
        "over": [
            {"from": _day(since + number * days * DAY_MS)} | (over[number].as_json() if number in over else nobody)
            for number in steps
        ],
        "lines": {key: one.as_json() for key, one in count.asked_by("line", controller, since, until).items()},
        "languages": {key: one.as_json() for key, one in count.asked_by("language", controller, since, until).items()},
        "outcomes": count.outcomes(controller, since, until),
    }


def _kept(desk: Desk, controller: str, now: int) -> Json:
    count, step = desk.vault.index.statistics, AHEAD_DAYS * DAY_MS
    states = count.kept(controller)
    going = count.expiring(step, controller, now, now + AHEAD_STEPS * step)
    kept = {name: states.get(name, 0) for name in ("sealed", "quarantined", "spooled", "recording", "erased")}
    return kept | {
        "held": states.get("hold", 0),
        "restricted": states.get("restriction", 0),
        "hours": round(count.seconds(controller) / 3600, 1),
        "days": AHEAD_DAYS,
        "going": [{"from": _day(now + number * step), "count": going.get(number, 0)} for number in range(AHEAD_STEPS)],
    }


def _requests(desk: Desk, controller: str, since: int) -> list[Json]:
    """Return the requests of persons that are open, or that were closed in the period, by what is due first."""
    rows = desk.vault.index.requests.all(controller, closed=True)
    shown = [row for row in rows if row.closed_at is None or row.closed_at >= since]
    found = requests.ordered(requests.standing(row, desk.clock()) for row in shown)
    names = "type channel state received_at due overdue remains".split()
    return [{name: one.as_json()[name] for name in names} for one in found]


def _breaches(desk: Desk, controller: str, since: int) -> list[Json]:
    rows = desk.vault.index.breaches.all(controller, closed=True)
    shown = [row for row in rows if row.closed_at is None or row.closed_at >= since]
    names = "id trigger state opened_at aware_at records persons risk overdue remains".split()
    return [{name: one.as_json()[name] for name in names} for one in breaches.ordered(map(desk.standing, shown))]


def _access(desk: Desk, controller: str, since: int, until: int) -> Json:
    """Return who had recordings released and for what; an actor is a number of the host's, never a name."""
    released: Counter[tuple[str, str]] = Counter()
    denied: Counter[str] = Counter()
    for entry in desk.vault.ledger.entries(kinds={Kind.RELEASED, Kind.RELEASE_DENIED}):
        body = entry.body or {}
        if entry.controller != controller or not since <= entry.time < until:
            continue
        actor, purpose = str(body.get("actor", "")), str(body.get("purpose") or body.get("why") or "-")
        if entry.kind is Kind.RELEASED:
            released[actor, purpose] += 1
        else:
            denied[actor] += 1
    rows = [
        {"actor": actor, "purpose": purpose, "count": count} for (actor, purpose), count in sorted(released.items())
    ]
    return {"released": rows, "denied": [{"actor": actor, "count": count} for actor, count in sorted(denied.items())]}


def _care(desk: Desk, controller: str, since: int, until: int) -> Json:
    """Return what shows that the house works: sweeps, keys that somebody can open with, the ledger's last checkpoint."""
    index, ledger = desk.vault.index, desk.vault.ledger
    sweeps = index.statistics.sweeps(controller, since, until)
    used = [one for one in index.recipients() if one.controller == controller and one.place is not None]
    last = next(iter(ledger.signed(1)), None)
    return {
        "sweeps": len(sweeps),
        "erased": sum(erased for _, erased, _ in sweeps),
        "failed": sum(failed for _, _, failed in sweeps),
        "last_sweep": rfc3339(sweeps[0][0]) if sweeps else None,
        "canaries": [None if one.canary_at is None else rfc3339(one.canary_at) for one in used],
        "restore_tested": _told(rehearsing.last(desk.vault)[0]),
        "contact_tested": _told(index.breaches.contact_tested(controller)),
        "ledger_entries": ledger.size(),
        "checkpoint": None if last is None else {"entries": last.size, "handed_out": last.handed},
    }


def _told(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).date().isoformat()
