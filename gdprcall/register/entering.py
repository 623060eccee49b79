"""What can be asked of the register of persons' requests: to open one, to see what is due, to extend, answer and refuse.

It erases and gives out nothing of a recording. Who asked stands in it as a pseudonym; his number, for the call back, and the
words of a decision stand in bodies of the ledger alone, and nothing of them is in an error.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress

from gdprcall import persons
from gdprcall.errors import ConfigError, NotFound, VaultError
from gdprcall.parameters import Params, flag, text
from gdprcall.register.registrar import Registrar, forget_contact, local_moment, remind_days, said_in
from gdprcall.rights import requests
from gdprcall.rights.requests import Channel, Type
from gdprcall.times import rfc3339
from gdprcall.timing import Timing
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.requests import Request

FAR_DAYS = 36_600
Json = dict[str, object]


def open_(registrar: Registrar, params: Params) -> object:
    """Enter a request, and return it with the earlier ones of the same person; raises NotFound, ConfigError."""
    controller = _controller(registrar, text(params, "controller"))
    kind, channel = _choice(params, "type", Type), _choice(params, "channel", Channel)
    marketing, now = flag(params, "marketing"), registrar.clock()
    if marketing and kind != Type.OBJECTION:
        raise ConfigError("marketing is something that a person objects to (Art. 21(2))", "give it with objection")
    config, known = registrar.config, registrar.config.policy.controllers[controller]
    zone = config.timings.get(controller, Timing()).zone
    received = local_moment(text(params, "received"), zone, now)
    number = persons.number_of(config, controller, text(params, "number"))
    subject = persons.subject_of(config, controller, number)
    registrar.vault.catch_up()
    earlier = [row.id for row in registrar.vault.index.requests.of_person(controller, subject)]
    id_ = secrets.token_hex(16)
    body = {"request": id_, "type": kind, "channel": channel, "marketing": marketing, "received_at": received}
    body |= {"regime": str(known.regime), "zone": zone, "country": known.country, "actor": registrar.actor}
    personal = ((Kind.REQUEST_PERSON, {"subject": subject}), (Kind.REQUEST_CONTACT, {"number": number}))
    behind = [Fact(one, None, controller, {"request": id_} | said) for one, said in personal]
    opened = Fact(Kind.REQUEST_OPENED, None, controller, body | {"language": _language(params)})
    registrar.vault.submit(opened, *behind).result()
    return registrar.seen(id_) | {"earlier": earlier}


def list_(registrar: Registrar, params: Params) -> object:
    """Return the open requests, what is due first at the top; with ``all`` the closed ones below; ``due`` in days."""
    days = params.get("due")
    if days is not None and (type(days) is not int or not 0 <= days <= FAR_DAYS):
        raise ConfigError("due is no number of days", "for example --due 7")
    found = _standings(registrar, params, closed=flag(params, "all"))
    return [one.as_json() for one in found if days is None or one.presses(days)]


def check(registrar: Registrar, params: Params) -> object:
    """Return what is overdue, and what is due within the days of each controller's reminder."""
    found = _standings(registrar, params)
    pressing = [one for one in found if one.presses(remind_days(registrar.config, one.row.controller))]
    return {
        "open": len(found),
        "overdue": [one.as_json() for one in pressing if one.overdue],
        "due": [one.as_json() for one in pressing if not one.overdue],
    }


def show(registrar: Registrar, params: Params) -> object:
    """Return a request with what was done, and with the words of it that are not forgotten."""
    row = registrar.found(text(params, "id"))
    ledger, index = registrar.vault.ledger, registrar.vault.index.requests
    history = []
    for seq in index.entries(row.id):
        entry = ledger.entry(seq)
        shown = {name: value for name, value in (entry.body or {}).items() if name not in {"request", "code"}}
        words = said_in(registrar.vault, row, seq + 1, Kind.REQUEST_WORDS, "words")
        history.append({"time": rfc3339(entry.time), "kind": str(entry.kind), **shown, "words": words})
    return registrar.seen(row.id) | {"history": history}


def extend(registrar: Registrar, params: Params) -> object:
    """Extend the time of a request by two months, within its first month and with a reason (Art. 12(3))."""
    reason, id_ = text(params, "reason"), registrar.found(text(params, "id")).id
    with registrar.vault.stores.holding(id_):
        row = registrar.open_one(id_)
        requests.refuse_extension(row, registrar.clock())
        registrar.note(Kind.REQUEST_EXTENDED, row, {}, registrar.words(row, reason))
    return _letter(registrar, row.id, {"reason": reason})


def answer(registrar: Registrar, params: Params) -> object:
    """Close a request that was carried out, and return what the person is told: what was done, and what stays."""
    note, id_ = text(params, "note"), registrar.found(text(params, "id")).id
    with registrar.vault.stores.holding(id_):
        row = registrar.open_one(id_)
        requests.refuse_unidentified(row)
        registrar.note(Kind.REQUEST_ANSWERED, row, {}, registrar.words(row, note))
        _forget(registrar, row)
    return _letter(registrar, row.id, {"note": note})


def refuse(registrar: Registrar, params: Params) -> object:
    """Close a request that is refused on a ground of the law, and return what the person must be told (Art. 12(4))."""
    ground, reason, id_ = text(params, "ground"), text(params, "reason"), registrar.found(text(params, "id")).id
    with registrar.vault.stores.holding(id_):
        row = registrar.open_one(id_)
        article = requests.refuse_refusal(row, ground)
        late = registrar.clock() >= requests.first_month(row, registrar.clock()).due
        registrar.note(Kind.REQUEST_REFUSED, row, {"ground": ground}, registrar.words(row, reason))
        _forget(registrar, row)
    return _letter(registrar, row.id, {"reason": reason, "ground": ground, "article": article, "late": late})


OPERATIONS: Mapping[str, Callable[[Registrar, Params], object]] = {
    "requests/open": open_,
    "requests/list": list_,
    "requests/check": check,
    "requests/show": show,
    "requests/extend": extend,
    "requests/answer": answer,
    "requests/refuse": refuse,
}
CHANGING = frozenset({"requests/open", "requests/extend", "requests/answer", "requests/refuse"})


def _forget(registrar: Registrar, row: Request) -> None:
    """Forget the number to call back: where a reader of the file keeps that from being done, the next sweep does it."""
    with suppress(VaultError):
        forget_contact(registrar.vault, row)


def _standings(registrar: Registrar, params: Params, *, closed: bool = False) -> list[requests.Standing]:
    wanted, kind = (text(params, name) if params.get(name) is not None else None for name in ("controller", "type"))
    if registrar.controller is not None and wanted not in {None, registrar.controller}:
        return []
    registrar.vault.catch_up()
    rows = registrar.vault.index.requests.all(registrar.controller or wanted, closed=closed)
    now = registrar.clock()
    return requests.ordered(requests.standing(row, now) for row in rows if kind in {None, row.type})


def _letter(registrar: Registrar, id_: str, told: Json) -> Json:
    """Return a request with what a letter about it says of the controller and of what stays."""
    seen = registrar.seen(id_)
    row = registrar.found(id_)
    known = registrar.config.policy.controllers.get(row.controller)
    names = "id name contact address officer authority country notice_url proof_days".split()
    until = registrar.vault.index.keys_kept_until(row.controller)
    return seen | {
        "letter": {
            "language": row.language,
            "controller": {name: getattr(known, name, "") for name in names},
            "backups_until": None if until is None or until <= registrar.clock() else rfc3339(until),
            "received": requests.calendar(row).day(row.received_at).isoformat(),
            "last": seen["due"],
            "ground": "",
            "article": "",
            "reason": "",
            "note": "",
            "late": False,
            **told,
        }
    }


def _controller(registrar: Registrar, name: str) -> str:
    """Return the controller's name; raises NotFound, in the same words for one that is not the asker's."""
    if registrar.controller not in {None, name} or name not in registrar.config.policy.controllers:
        raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
    return name


def _choice(params: Params, name: str, kinds: type[Type] | type[Channel]) -> str:
    value = text(params, name)
    if value not in set(kinds):
        raise ConfigError(f"there is no {name} {value!r}", f"one of: {', '.join(kinds)}")
    return value


def _language(params: Params) -> str:
    value = params.get("language") or ""
    return str(value)[:35]
