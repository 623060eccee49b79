"""The PBX's side of a rewrap: headers go out in a bundle, and come back for other recipients, each checked.

It opens none of them. What comes back counts only from who could open the export, and only for what is still there.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdprcall.config import Config
from gdprcall.custody import bundle, recipients
from gdprcall.custody.bundle import Head, Line
from gdprcall.errors import CheckFailed, NotFound, Refused
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.binding import header_of
from gdprcall.vault.keyfile import controller_of
from gdprcall.vault.keys import After, Held, Slot, fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.placing import folder_for, told, write_whole
from gdprcall.vault.rewrapping import Order, Rewrap, rewrap
from gdprcall.vault.slots import FIRST, SLOTS
from gdprcall.vault.stores import SEALS

FOLDER = "rewrap"
AGAIN = "export again: gdprcall keys rewrap export"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of the last export of a controller: the key that the way back must prove."""

    bundle: str
    key: bytes
    expires_at: int
    everything: bool


def begin(vault: Vault, config: Config, controller: str, *, everything: bool, actor: str) -> Line:
    """Note that headers are about to leave, and return the first line of the bundle.

    Former exports of this controller no longer count. Raises Refused while a recipient is not enrolled, NotFound.
    """
    to = recipients.named(config.policy, controller).recipients
    recipients.note_changes(vault, config.policy)
    recipients.require_enrolled(vault, controller, to)
    stores = vault.stores
    id_, key = stores.random(16).hex(), stores.random(bundle.KEY_BYTES)
    expires_at = stores.clock() + config.key_days * DAY_MS
    body = {"bundle": id_, "expires_at": expires_at, "recipients": [fingerprint(one) for one in to], "actor": actor}
    # First, so that from now on the receipt of every erasure names the day until which copies may exist.
    vault.note(Fact(Kind.REWRAP_EXPORTED, None, controller, body))
    stores.step("export noted")
    vault.catch_up()
    _keep(vault, controller, _Kept(id_, key, expires_at, everything))
    stores.step("export kept")
    ever = [one.recipient for one in vault.index.recipients() if one.controller == controller and one.used]
    return {
        "format": bundle.OUT,
        "bundle": id_,
        "controller": controller,
        "expires_at": rfc3339(expires_at),
        "to": list(to),
        "keys": [bundle.sealed_key(key, one, stores.random) for one in ever],
    }


def page(vault: Vault, config: Config, controller: str, id_: str, after: After) -> Mapping[str, object]:
    """Return the next lines of a bundle that was begun, and where to go on; raises NotFound."""
    to = {fingerprint(one) for one in recipients.named(config.policy, controller).recipients}
    kept = _kept(vault, controller, id_)
    held, then = vault.keys.page(after)
    mine = [one for one in held if controller_of(one) == controller]
    for_whom = [(one, _sealed_to(vault, one)) for one in mine]
    # What the ledger does not speak of yet belongs to a call that goes on: it is there to be exported when that is over.
    lines = [_line(one) for one, by in for_whom if by is not None and (kept.everything or by != to)]
    return {"lines": lines, "after": then, "looked": len(held)}


def take(
    vault: Vault, config: Config, first: Line, lines: Sequence[Line], *, actor: str, dry_run: bool
) -> Mapping[str, object]:
    """Put new headers in the place of old ones, those that may be; return what became of them.

    Raises NotFound and Refused for a bundle that does not count (any more), and CheckFailed for one that was changed.
    """
    head = bundle.head(first, bundle.BACK)
    to = recipients.named(config.policy, head.controller).recipients
    kept = _kept(vault, head.controller, head.bundle)
    if not bundle.genuine(first, kept.key):
        vault.note(Fact(Kind.ANSWER_FAILED, None, head.controller, {"purpose": "rewrap", "count": 1, "actor": actor}))
        raise CheckFailed("the bundle was changed, or made by somebody without an identity", AGAIN)
    _check(vault, head, kept, to)
    wanted, forged = [], []
    for line in lines:
        recording, segment, slot = bundle.place(line)
        one = Rewrap(recording, segment, slot, str(line.get("was")), bundle.header(line))
        if bundle.genuine(line, kept.key):
            wanted.append(one)
        else:
            forged.append((one.name, "the line was changed on its way"))
    if forged:
        failed = {"purpose": "rewrap", "count": len(forged), "actor": actor}
        vault.note(Fact(Kind.ANSWER_FAILED, None, head.controller, failed))
    done = rewrap(vault.stores, wanted, Order(head.controller, to, actor, dry_run))
    refused = [{"name": name, "problem": problem} for name, problem in [*forged, *done.refused]]
    return {"taken": done.taken, "already": done.already, "refused": refused, "residue": done.residue}


def _check(vault: Vault, head: Head, kept: _Kept, to: tuple[str, ...]) -> None:
    if vault.stores.clock() >= kept.expires_at:
        raise Refused("the export has expired", f"receipts said that it no longer exists: destroy it, and {AGAIN}")
    if head.to != to:
        raise Refused(f"the recipients of {head.controller} are others than when it was exported", AGAIN)
    recipients.require_enrolled(vault, head.controller, to)


def _line(held: Held) -> Line:
    text = base64.b64encode(header_of(held.data)).decode()
    return {"recording": held.recording, "segment": held.segment, "slot": str(held.kind), "header": text}


def _sealed_to(vault: Vault, held: Held) -> set[str] | None:
    """Return the fingerprints of the recipients that the ledger says a header is for; None when it does not say."""
    word: set[str] | None = None
    for entry in vault.ledger.entries(recording=held.recording, kinds=SEALS | {Kind.DECISION, Kind.REWRAPPED}):
        named = (entry.body or {}).get("recipients")
        if isinstance(named, list) and _tells_of(entry, held):
            word = set(map(str, named))
    return word


def _tells_of(entry: Entry, held: Held) -> bool:
    body = entry.body or {}
    if entry.kind is Kind.REWRAPPED:
        return (body.get("segment"), body.get("slot")) == (held.segment, held.kind)
    if held.kind is Slot.NUMBER:
        return entry.kind is Kind.DECISION
    return entry.kind in SEALS and body.get("segment") == held.segment


def after_of(value: object) -> After:
    """Return the place at which a page begins, from its JSON; raises CheckFailed."""
    match value:
        case None:
            return FIRST
        case [int(table), int(number)] if 0 <= table < len(SLOTS) and 0 <= number < 1 << 63:
            return table, number
    raise CheckFailed("after is no place in the vault", "give it as it came")


def _path(vault: Vault, controller: str) -> Path:
    return vault.folder / FOLDER / f"{controller}.json"


def _keep(vault: Vault, controller: str, kept: _Kept) -> None:
    value = {"bundle": kept.bundle, "key": kept.key.hex(), "expires_at": kept.expires_at, "everything": kept.everything}
    with told("the export could not be noted"):
        folder_for(_path(vault, controller))
        write_whole(_path(vault, controller), json.dumps(value).encode())


def _kept(vault: Vault, controller: str, id_: str) -> _Kept:
    try:
        value = json.loads(_path(vault, controller).read_bytes())
        kept = _Kept(value["bundle"], bytes.fromhex(value["key"]), int(value["expires_at"]), bool(value["everything"]))
    except (OSError, ValueError, KeyError, TypeError):
        kept = None
    if kept is None or kept.bundle != id_:
        raise NotFound(f"this is not the last export of {controller}", AGAIN)
    return kept
