"""The certificate of an erasure that a person asked for: one number from its first note to its last, whatever came in between.

It destroys nothing. The ledger has the hash of what it says; whose it was is forgotten once it is certified.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gdprcall.rights import access
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.packages import mark

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Order:
    """An erasure that was begun: its number, whose, what it takes, who was given copies of it, and in which packages they went."""

    id: str
    controller: str
    recordings: tuple[str, ...]
    recipients: Mapping[str, Sequence[str]]
    packages: Sequence[str]

    def as_json(self) -> Json:
        """Return what the certificate says of it."""
        given = [{"recipient": name, "recordings": list(ids)} for name, ids in self.recipients.items()]
        return {"certificate": self.id, "recipients": given, "packages": list(self.packages)}


def begun(vault: Vault, controller: str, subject: str) -> Order | None:
    """Return the erasure of a person that was begun and is not certified, None without one."""
    vault.catch_up()
    _forget_certified(vault)
    known = vault.index.erasures(controller)
    return next((_noted(vault, id_, controller) for id_, whose in known if whose == mark(id_, subject)), None)


def wanted(vault: Vault, controller: str, recordings: Sequence[str], order: Order | None) -> Order:
    """Return an erasure as it would be with these recordings; it notes nothing."""
    ids = list(dict.fromkeys([*(order.recordings if order else ()), *recordings]))
    recipients: dict[str, list[str]] = {}
    packages: dict[str, None] = {}
    for id_ in ids:
        entries = list(vault.ledger.entries(recording=id_, kinds={Kind.RELEASED}))
        for one in access.disclosures(entries):
            recipients.setdefault(str(one["recipient"]), []).append(id_)
        packages |= {str(body["package"]): None for entry in entries if (body := entry.body or {}).get("package")}
    told = {name: list(dict.fromkeys(given)) for name, given in recipients.items()}
    return Order(order.id if order else "", controller, tuple(ids), told, list(packages))


def begin(vault: Vault, order: Order, subject: str, before: Order | None, noted: Mapping[str, object]) -> Order:
    """Note what an erasure takes, and who is to be told, before anything goes; what was noted ``before`` is noted once."""
    id_, whose = order.id or secrets.token_hex(16), order.controller
    new = [one for one in order.recordings if before is None or one not in before.recordings]
    facts = [Fact(Kind.ERASURE_ASKED, None, whose, {**noted, "certificate": id_, "recordings": new})]
    if before is None:
        facts.append(Fact(Kind.ERASURE_PERSON, None, whose, {"certificate": id_, "mark": mark(id_, subject)}))
    for name, ids in order.recipients.items():
        owed = {
            "certificate": id_,
            "recipient": name,
            "recordings": [one for one in ids if one in new],
            "article": "19",
        }
        facts += [Fact(Kind.NOTICE_OWED, None, whose, owed)] if owed["recordings"] else []
    if before is None or new:
        vault.submit(*facts).result()
        vault.catch_up()
    return _noted(vault, id_, whose)


def certify(vault: Vault, order: Order, certificate: Mapping[str, object], actor: str) -> Json:
    """Note the hash of a certificate, and forget whose it was; return the hash and where it is noted.

    The hash is SHA-256 of the certificate as JSON, sorted, without blanks, in ASCII.
    """
    text = json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    body = {"certificate": order.id, "sha256": sha256, "actor": actor}
    entry = vault.note(Fact(Kind.ERASURE_CERTIFIED, None, order.controller, body))
    vault.catch_up()
    _forget_certified(vault)
    return {"sha256": sha256, "ledger_entry": entry.seq}


def _forget_certified(vault: Vault) -> None:
    """Forget whose the erasures were that are certified, those too where a crash came before that."""
    waiting = {id_ for id_, _ in vault.index.erasures()}
    told = vault.ledger.entries(kinds={Kind.ERASURE_PERSON})
    over = [one.seq for one in told if one.body is not None and one.body.get("certificate") not in waiting]
    if over:
        vault.ledger.forget(over)


def _noted(vault: Vault, id_: str, controller: str) -> Order:
    """Return an erasure as the ledger has it."""
    told = [entry.body or {} for entry in vault.ledger.entries(kinds={Kind.ERASURE_ASKED})]
    lists = [body["recordings"] for body in told if body.get("certificate") == id_]
    ids = [str(one) for known in lists if isinstance(known, list) for one in known]
    found = wanted(vault, controller, ids, None)
    return Order(id_, controller, found.recordings, found.recipients, found.packages)
