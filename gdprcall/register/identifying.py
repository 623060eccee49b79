"""How a person shows that he is who he says: a code told to him by calling him back, and the time of a call of his.

A number alone proves nobody: it can be forged, shared and given to somebody else (Art. 12(6)). Of a code only a keyed hash is
kept, of a document nothing; each attempt is noted before it is known whether it was right, and which half was wrong is not said.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping

from gdprcall.errors import ConfigError, Refused
from gdprcall.parameters import Params, flag, text
from gdprcall.register.registrar import Registrar, contact, local_moment
from gdprcall.rights.requests import CALLBACK, METHODS
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.entry import Kind
from gdprcall.vault.requests import Request
from gdprcall.vault.rows import Wanted

DOMAIN = b"gdprcall/request-code/v1\0"
CODE_DIGITS, CODE_DAYS = 8, 14
ATTEMPTS, CODES = 3, 3
"""How often one code may be tried, and how many codes a request may have: a guess is right once in ten million."""
WINDOW_MS = 60 * 60 * 1000
"""How far a person's memory of when he called may be from when he did."""


def ask(registrar: Registrar, params: Params) -> object:
    """Give out a code, once, and the number to tell it to; the time until the person has shown who he is does not count.

    Raises Refused where he has, or where there were too many.
    """
    id_, now = registrar.found(text(params, "id")).id, registrar.clock()
    with registrar.vault.stores.holding(id_):
        row = registrar.open_one(id_)
        _refuse_known(row)
        if row.codes >= CODES:
            raise Refused(f"there were {CODES} codes for this request", OTHERWISE)
        number = contact(registrar.vault, row)[1]
        code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
        until = now + CODE_DAYS * DAY_MS
        registrar.note(Kind.REQUEST_CODE, row, {"code": _hash(registrar, row, code), "until": until})
    return registrar.seen(id_) | {"number": number, "code": code, "code_until": rfc3339(until)}


def identify(registrar: Registrar, params: Params) -> object:
    """Note that a person has shown who he is: by the code and the time of one of his calls, or by another method.

    Raises Refused where they do not fit, where no code waits, and after too many attempts.
    """
    id_ = registrar.found(text(params, "id")).id
    method = str(params.get("method") or CALLBACK)
    if method not in METHODS:
        raise ConfigError(f"there is no method {method!r}", f"methods: {', '.join(METHODS)}")
    with registrar.vault.stores.holding(id_):
        row = registrar.open_one(id_)
        _refuse_known(row)
        if method == CALLBACK:
            _try(registrar, row, params)
        registrar.note(Kind.REQUEST_IDENTIFIED, row, {"method": method})
    return registrar.seen(id_)


def asked(registrar: Registrar, params: Params) -> object:
    """Carry out ``requests/identify``: give out a code with ``ask``, else look at what the person says."""
    return ask(registrar, params) if flag(params, "ask") else identify(registrar, params)


OPERATIONS: Mapping[str, Callable[[Registrar, Params], object]] = {"requests/identify": asked}
CHANGING = frozenset({"requests/identify"})
OTHERWISE = "let the person show otherwise who he is (--method), or refuse: --ground not_identified"


def _refuse_known(row: Request) -> None:
    if row.identified_at is not None:
        raise Refused(f"this person has shown who he is on {rfc3339(row.identified_at)}", "go on with the request")


def _try(registrar: Registrar, row: Request, params: Params) -> None:
    """Return if code and time of a call fit; raises Refused, and ConfigError before anything counts as an attempt."""
    code, now = re.sub(r"[ -]", "", text(params, "code")), registrar.clock()
    if not re.fullmatch(rf"[0-9]{{{CODE_DIGITS}}}", code):
        raise ConfigError(f"a code has {CODE_DIGITS} digits", "ask the person to read it again")
    call = local_moment(text(params, "call"), row.zone, now)
    if not row.code or now >= row.code_until:
        raise Refused(
            "no code waits for this person, or its time is over", f"gdprcall requests identify {row.id} --ask"
        )
    left = ATTEMPTS - row.attempts
    if left <= 0:
        raise Refused("this code was tried too often", OTHERWISE if row.codes >= CODES else "give out another: --ask")
    registrar.note(Kind.REQUEST_TRIED, row, {})
    # Both are looked at in any case, so that neither the words nor the time tell which of them was wrong.
    fits = hmac.compare_digest(_hash(registrar, row, code), row.code)
    called = _called(registrar, row, call)
    if not (fits and called):
        more = f"{left - 1} attempt{'' if left == 2 else 's'} left" if left > 1 else "no attempt is left"
        raise Refused(f"the code and the time of a call do not fit this person: {more}", OTHERWISE)


def _called(registrar: Registrar, row: Request, moment: int) -> bool:
    """Whether a recording of this person with this controller began about then."""
    since, until = moment - WINDOW_MS, moment + WINDOW_MS + 1
    if row.subject is None:
        return False
    wanted = Wanted(controller=row.controller, subject=row.subject, since=since, until=until, limit=1)
    return bool(registrar.vault.recordings(wanted))


def _hash(registrar: Registrar, row: Request, code: str) -> str:
    """Return what is kept of a code: useless without the controller's key, which is in no database."""
    key = registrar.config.pseudonym_key(row.controller)
    return hmac.digest(key, DOMAIN + f"{row.id}\0{code}".encode(), "sha256").hex()
