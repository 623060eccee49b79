"""What can be asked for a person who wants a copy of what is recorded of him: what there is, its papers, and that it left.

It gives no sound: that leaves by the release of each recording. A number is turned into a pseudonym and kept nowhere.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from gdprcall import consents, persons, scope
from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError, NotFound, Refused
from gdprcall.parameters import Params, text, texts
from gdprcall.rights import access, receipts, requests
from gdprcall.times import rfc3339
from gdprcall.vault import packages
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.packages import Package

FORMAT = "gdprcall/access-v1"
PAGE = 500
"""Of how many recordings the papers are made at once: a proof of the ledger costs one reading of it, however many."""
PURPOSE = "access"
REASON = "access request (Art. 15)"
REQUEST = re.compile(r"[0-9a-f]{32}")
"""How the register names a request; any other word is somebody's own name for it."""
COPIES = frozenset({requests.Type.ACCESS, requests.Type.PORTABILITY})
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and for which controller he may: None for all."""

    vault: Vault
    config: Config
    controller: str | None
    actor: str
    alarm: Callable[[GdprcallError], None]


def begin(asking: Asking, params: Params) -> object:
    """Return what a package for a person holds, and note that it is begun; with ``package`` go on with that one.

    Raises NotFound for a person of whom there is nothing, and ConfigError for what is no number.
    """
    controller = _controller(asking, text(params, "controller"))
    subject = persons.subject_of(asking.config, controller, text(params, "number"))
    found = access.find(asking.vault, controller, subject)
    if not found.given and not found.withheld:
        raise NotFound(f"there is nothing of this number with {controller}", "see: gdprcall recordings list")
    known = _known(asking, controller, subject, params)
    recordings = [
        {"id": row.id, "started_at": rfc3339(row.started_at), "purpose": row.purpose}
        | {"parts": [segment.as_json() for segment in asking.vault.segments(row.id)]}
        for row in found.given
    ]
    return {
        **asdict(known),
        "mark": packages.mark(known.id, subject),
        "purpose": PURPOSE,
        "recipients": list(asking.config.policy.controllers[controller].recipients),
        "recordings": recordings,
        "withheld": list(found.withheld),
    }


def papers(asking: Asking, params: Params) -> object:
    """Return what is told of some recordings of a package: metadata, consents with receipts, accesses, disclosures."""
    known = _package(asking, text(params, "package"))
    ids = texts(params, "ids") if params.get("ids") != [] else []
    if len(ids) > PAGE:
        raise ConfigError(f"these are more than {PAGE} recordings", "ask for fewer at once")
    vault = asking.vault
    rows = [vault.recording(scope.recording(vault, known.controller, id_)) for id_ in ids]
    entries = [entry for row in rows for entry in vault.ledger.entries(recording=row.id)]
    evidence = [receipts.gather(vault, row.decision) for row in rows]
    return {
        "facts": _facts(asking, known),
        "recordings": [access.described(vault, row) for row in rows],
        "accesses": access.accesses(entries),
        "disclosures": access.disclosures(entries),
        "processings": access.distinct([access.processing(one) for one in evidence]),
        **_receipts(asking, evidence),
    }


def packaged(asking: Asking, params: Params) -> object:
    """Note that a package is whole, with its hash; again it notes nothing."""
    known, sha256 = _package(asking, text(params, "package")), text(params, "sha256")
    if known.packaged_at is None or known.sha256 != sha256:
        counts = {name: value for name in ("recordings", "withheld") if isinstance(value := params.get(name), int)}
        body = {"package": known.id, "sha256": sha256, "request": known.request, "actor": asking.actor, **counts}
        asking.vault.note(Fact(Kind.ACCESS_PACKAGED, None, known.controller, body))
    return {"package": known.id, "sha256": sha256}


OPERATIONS: Mapping[str, Callable[[Asking, Params], object]] = {
    "subject/access": begin,
    "subject/papers": papers,
    "subject/packaged": packaged,
}
CHANGING = frozenset({"subject/access", "subject/packaged"})


def _controller(asking: Asking, name: str) -> str:
    """Return the controller's name; raises NotFound, in the same words for one that is not the asker's."""
    if asking.controller not in {None, name} or name not in asking.config.policy.controllers:
        raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
    return name


def _known(asking: Asking, controller: str, subject: str, params: Params) -> Package:
    """Return the package that is gone on with, or a new one that the ledger knows of now."""
    if given := params.get("package"):
        known = _package(asking, str(given))
        if known.controller != controller:
            raise NotFound(f"there is no package {given}", "begin anew")
        return known
    request, reason, language = (_line(params, name) for name in ("request", "reason", "language"))
    shown = _identified(asking, controller, request, subject, params)
    id_ = secrets.token_hex(16)
    body = {"package": id_, "request": request, "reason": reason or REASON, "language": language, "identified": shown}
    asking.vault.note(Fact(Kind.ACCESS_BEGUN, None, controller, body | {"actor": asking.actor}))
    return _package(asking, id_)


def _identified(asking: Asking, controller: str, request: str, subject: str, params: Params) -> str:
    """Return how the person has shown who he is (Art. 12(6)): by his request in the register, or as the asker says.

    Raises NotFound for a request that is not there, in the same words for another controller's; Refused where nothing
    says that he has, or where the request is another person's; ConfigError.
    """
    if not REQUEST.fullmatch(request):
        method = _line(params, "identified")
        if not method:
            text_ = "a copy is for who has shown who he is, and nothing says that this person has"
            raise Refused(text_, "name his request in the register with --request, or say --identified and how")
        if method not in requests.METHODS:
            raise ConfigError("nobody shows in this way who he is", f"ways: {', '.join(requests.METHODS)}")
        return method
    row = asking.vault.index.requests.find(request)
    if row is None or row.controller != controller:
        raise NotFound(f"there is no request {request}", "see: gdprcall requests list")
    if row.subject != subject:
        raise Refused("this request is about another number", "see: gdprcall requests list")
    if row.type not in COPIES or row.outcome == "refused":
        raise Refused(f"this request is one for {row.type}, or was refused: it gives no copy", "open one for access")
    requests.refuse_unidentified(row)
    return row.method


def _line(params: Params, name: str) -> str:
    """Return a text that may be left out, as one line."""
    return re.sub(r"\s+", " ", str(params.get(name) or "")).strip()


def _package(asking: Asking, id_: str) -> Package:
    asking.vault.catch_up()
    known = asking.vault.index.package(id_)
    if known is None or asking.controller not in {None, known.controller}:
        raise NotFound(f"there is no package {id_}", "begin anew: remove the folder of the one that was interrupted")
    return known


def _facts(asking: Asking, known: Package) -> Json:
    """Return what the letter says of the controller, and what stays when everything else is gone (Art. 12(3), 15)."""
    controller = asking.config.policy.controllers[known.controller]
    names = (
        "id name contact address officer authority notice_url country regime disclosed_to transfers proof_days".split()
    )
    until = asking.vault.index.keys_kept_until(known.controller)
    return {
        "format": FORMAT,
        "package": known.id,
        "request": known.request,
        "language": known.language,
        "made_at": rfc3339(asking.vault.stores.clock()),
        "controller": {name: _plain(getattr(controller, name)) for name in names},
        "processor": str(controller.operator) == "processor",
        "location": asking.config.location,
        "backups_until": None if until is None else rfc3339(until),
    }


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value if isinstance(value, int) else str(value)


def _receipts(asking: Asking, evidence: Sequence[receipts.Evidence]) -> Json:
    """Return the receipts of decisions, each with its part of one proof, and the sound of each prompt once."""
    entries = {entry.seq: entry for one in evidence for entry in one.proving}
    ordered = [entries[seq] for seq in sorted(entries)]
    proof, problem = consents.proof_of(asking.vault, asking.config, ordered, asking.alarm) if ordered else (None, "")
    prompts: dict[str, object] = {}
    made = []
    for one in evidence:
        shown = consents.shown(one.prompt)
        if shown is not None:
            prompts[str(shown["sha256"])] = shown["sound"]
            shown = shown | {"sound": None}
        record = receipts.record(one, asking.config.location)
        own = consents.part_of(proof, [entry.seq for entry in one.proving])
        made.append(
            {"format": consents.FORMAT, "record": record, "prompt": shown, "proof": own, "proof_problem": problem}
        )
    return {"receipts": made, "prompts": prompts}
