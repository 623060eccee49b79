"""The end of a controller's contract (Art. 28(3)(g)): everything of it is returned or destroyed, at its choice, with a certificate.

What is to be returned is destroyed only after every part of it has left. What a law or a claim keeps stays, and is named.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence

from gdprcall import __version__
from gdprcall.claims import Claiming, erase_all
from gdprcall.errors import ConfigError, NotFound, Refused
from gdprcall.parameters import Params, flag, text
from gdprcall.rights import erasure, keeping
from gdprcall.rights.keeping import RETURN
from gdprcall.rights.precedence import Outcome, Request
from gdprcall.times import rfc3339
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.rows import RecordingRow, Wanted

Json = dict[str, object]
CHOICES = ("delete", RETURN)
GONE = frozenset({"erased", "not_started"})


def end(claiming: Claiming, params: Params) -> object:
    """End the contract of a controller, and return the certificate; with ``dry_run`` what would come of it.

    Raises NotFound, ConfigError, and Refused while a call is recorded, or while something that is to be returned has not left.
    """
    controller, choice, begun = _controller(claiming, params), text(params, "choice"), claiming.clock()
    if choice not in CHOICES:
        raise ConfigError(f"there is no choice {choice!r}", f"choices: {', '.join(CHOICES)}")
    rows = [row for row in claiming.vault.recordings(Wanted(controller=controller, limit=-1)) if row.state not in GONE]
    going, kept = _weighed(claiming, rows)
    waiting = _unreturned(claiming, rows) if choice == RETURN else []
    told: Json = {"controller": controller, "choice": choice, "kept": kept, "to_return": waiting}
    if flag(params, "dry_run"):
        return told | {"dry_run": True, "would_erase": going, "erased": [], "failed": []}
    if waiting:
        raise Refused(
            f"{len(waiting)} recordings have not been returned",
            f"gdprcall vault end {controller} --choice return -o DIR",
        )
    reason = text(params, "reason")
    _, failed = erase_all(claiming, going, reason)
    certificate = told | {"dry_run": False, "certificate": secrets.token_hex(16), "reason": reason, "failed": failed}
    certificate |= {"begun_at": rfc3339(begun), "ended_at": rfc3339(claiming.clock()), "software": __version__}
    until = claiming.vault.index.keys_kept_until(controller)
    certificate |= {
        "key_backups_until": None if until is None else rfc3339(until),
        "erased": _receipts(claiming, controller, reason),
        "would_erase": [],
    }
    return certificate | _noted(claiming, controller, certificate)


OPERATIONS: Mapping[str, Callable[[Claiming, Params], object]] = {"vault/end": end}
CHANGING = frozenset({"vault/end"})


def _controller(claiming: Claiming, params: Params) -> str:
    """Return whose contract ends: also of one that is in the configuration no more, whose recordings are still there."""
    name = text(params, "controller")
    known = name in claiming.config.policy.controllers or bool(
        claiming.vault.recordings(Wanted(controller=name, limit=1))
    )
    if claiming.controller not in {None, name} or not known:
        raise NotFound(f"there is no controller {name!r}", "see: gdprcall check")
    return name


def _weighed(claiming: Claiming, rows: Sequence[RecordingRow]) -> tuple[list[str], list[Json]]:
    """Return which recordings go, and which stay and why; raises Refused while one is still being recorded."""
    going: list[str] = []
    kept: list[Json] = []
    for row in rows:
        if row.state == erasure.RUNNING:
            raise Refused(f"recording {row.id} is still being recorded", "take the lines off the configuration first")
        verdict = keeping.weigh(claiming.vault, row, Request.ERASURE, claiming.clock())
        if verdict.outcome is Outcome.ERASE:
            going.append(row.id)
        else:
            kept.append({"recording": row.id, "why": str(verdict.why)})
    return going, kept


def _unreturned(claiming: Claiming, rows: Sequence[RecordingRow]) -> list[str]:
    """Return the recordings of which a sealed part has not left for its controller."""
    vault, waiting = claiming.vault, []
    for row in rows:
        parts = {part.segment for part in vault.segments(row.id)}
        told = (entry.body or {} for entry in vault.ledger.entries(recording=row.id, kinds={Kind.RELEASED}))
        if parts - {body.get("segment") for body in told if body.get("purpose") == RETURN}:
            waiting.append(row.id)
    return waiting


def _receipts(claiming: Claiming, controller: str, reason: str) -> list[Json]:
    """Return the receipts of this end, also those of a run before it that got no certificate; raises VaultError.

    They are told by their reason: who gives the same one again goes on with the end that was cut off.
    """
    found: list[Json] = []
    for entry in claiming.vault.ledger.entries(kinds={Kind.ERASED, Kind.CONTRACT_ENDED}):
        if entry.controller != controller:
            continue
        if entry.kind is Kind.CONTRACT_ENDED:
            found = []
        elif entry.body is not None and entry.body.get("reason") == reason:
            found.append(dict(entry.body))
    return found


def _noted(claiming: Claiming, controller: str, certificate: Json) -> Json:
    """Note the end with the hash of the certificate, as ``certifying.certify`` does for a person's."""
    form = json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    sha256 = hashlib.sha256(form.encode()).hexdigest()
    erased, kept = certificate["erased"], certificate["kept"]
    assert isinstance(erased, list)
    assert isinstance(kept, list)
    body = {"certificate": certificate["certificate"], "choice": certificate["choice"], "sha256": sha256}
    body |= {"erased": len(erased), "kept": len(kept), "actor": claiming.actor}
    entry = claiming.vault.note(Fact(Kind.CONTRACT_ENDED, None, controller, body))
    return {"sha256": sha256, "ledger_entry": entry.seq}
