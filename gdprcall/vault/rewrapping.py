"""How headers are replaced by new ones for other recipients: staged, noted in the ledger, swapped, the old ones gone.

It cannot open a header, so it cannot tell whether a new one opens: whoever made it proves that elsewhere. A crash
anywhere leaves each recording with one header, the one that the ledger speaks of.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gdprcall import age
from gdprcall.errors import VaultError
from gdprcall.vault.binding import BINDING, NUMBER, binding_stanza, bound_to, check_number, check_word, header_of
from gdprcall.vault.keys import Held, Place, Slot, fingerprint
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.stores import Stores

AT_ONCE = 500
"""How many are replaced together: sealing and erasing have their turn between two such groups."""

SHAPES = {age.X25519Recipient: ("X25519", 43), age.HybridRecipient: ("mlkem768x25519", 1494)}
"""What the stanza of each kind of recipient looks like: its name, and the length of its share in base64."""

WRAPPED_BYTES, WRAPPED_COLUMNS = 32, 43


@dataclass(frozen=True, slots=True)
class Rewrap:
    """A new header for a slot, in the place of that with the hash ``was``."""

    recording: str
    segment: int
    kind: Slot
    was: str
    header: bytes

    @property
    def name(self) -> str:
        """How it is called when something is wrong with it."""
        return self.recording if self.kind is Slot.NUMBER else f"{self.recording}.{self.segment}"

    @property
    def place(self) -> Place:
        """Which slot it is for."""
        return self.recording, self.segment, self.kind


@dataclass(frozen=True, slots=True)
class Order:
    """Whose headers are replaced, for whom, and who asked."""

    controller: str
    recipients: tuple[str, ...]
    actor: str
    dry_run: bool = False


@dataclass(slots=True)
class Replaced:
    """What became of new headers; ``refused`` gives names and reasons, ``residue`` counts old bytes still found."""

    taken: int = 0
    already: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    residue: int = 0


def rewrap(stores: Stores, wanted: Sequence[Rewrap], order: Order) -> Replaced:
    """Replace headers, those that can be; again does nothing. Raises VaultError: then it is to be done again."""
    done, old = Replaced(), list[bytes]()
    with stores.still:
        settle(stores)
        stores.catch_up()
        for begin in range(0, len(wanted), AT_ONCE):
            group = wanted[begin : begin + AT_ONCE]
            with stores.holding(*(one.recording for one in group)):
                old += _replace(stores, group, order, done)
        if old:
            done.residue = stores.keys.purge(old)
            stores.step("log cut")
            stores.keys.forget_staged()
            stores.step("staged forgotten")
            stores.catch_up()
    return done


def settle(stores: Stores) -> None:
    """Finish or undo what a crash left between staging and the end; raises VaultError."""
    waiting = stores.keys.staged()
    if waiting is None:
        return
    for held in waiting:
        with stores.holding(held.recording):
            place = (held.recording, held.segment, held.kind)
            if _sha256(header_of(held.data)) == _word(stores, place).get("header_sha256"):
                stores.keys.swap([place])
            else:
                stores.keys.unstage([place])
            stores.step("rewrap settled")
    # What was overwritten is not known any more, so it cannot be looked for: the whole file is written anew.
    stores.keys.rewrite()
    stores.step("keys rewritten")
    stores.keys.forget_staged()


def _replace(stores: Stores, group: Sequence[Rewrap], order: Order, done: Replaced) -> list[bytes]:
    """Replace the headers of one group; return what was overwritten."""
    weighed = list(_weighed(stores, group, order, done))
    if order.dry_run or not weighed:
        done.taken += len(weighed)
        return []
    stores.keys.stage(held for _, held, _ in weighed)
    stores.step("headers staged")
    to = [fingerprint(recipient) for recipient in order.recipients]
    notes = {one: stores.ledger.submit(_fact(one, order, to)) for one, _, _ in weighed}
    noted = []
    for one, entry in notes.items():
        try:
            entry.result()
            noted.append(one.place)
        except VaultError as error:
            done.refused.append((one.name, error.message))
            stores.keys.unstage([one.place])
    stores.step("rewrap noted")
    stores.keys.swap(noted)
    stores.step("headers replaced")
    done.taken += len(noted)
    gone = set(noted)
    return [old for one, _, old in weighed if one.place in gone]


def _fact(one: Rewrap, order: Order, to: list[str]) -> Fact:
    body = {"segment": one.segment, "slot": one.kind, "was": one.was, "header_sha256": _sha256(one.header)}
    return Fact(Kind.REWRAPPED, one.recording, order.controller, body | {"recipients": to, "actor": order.actor})


def _weighed(
    stores: Stores, group: Sequence[Rewrap], order: Order, done: Replaced
) -> Iterator[tuple[Rewrap, Held, bytes]]:
    """Yield what may take its place: with the slot's new content, and the old header that goes."""
    for one in group:
        data = stores.keys.get(*one.place[:2], one.kind)
        try:
            # A header's slot holds nothing else; of a number's the header is but the beginning.
            old = data if data and one.kind is Slot.HEADER else header_of(data or b"")
            problem = _problem(stores, one, order, data, old)
        except age.HeaderError:
            old, problem = b"", "its header is damaged" if data else "there is no such header any more"
        if problem:
            done.refused.append((one.name, problem))
        elif old == one.header:
            done.already += 1
        else:
            yield one, Held(*one.place[:2], one.kind, one.header + (data or b"")[len(old) :]), old


def _problem(stores: Stores, one: Rewrap, order: Order, data: bytes | None, old: bytes) -> str:
    """Return why a new header is not taken, or nothing; raises HeaderError for a damaged old one."""
    claim = stores.index.claim(one.recording)
    if claim is None or claim[0] != order.controller:
        return "it is no recording of this controller"
    if not claim[1]:
        return "the recording was withdrawn or erased"
    if one.kind is Slot.HEADER:
        entry = stores.sealed(one.recording, one.segment)
        wrong = "unknown to the ledger" if entry is None else check_word(old, entry.body or {})
    else:
        wrong = check_number(data or b"", one.recording, order.controller, stores.number(one.recording))
    if wrong is not None:
        return f"its present header is {wrong}"
    if old == one.header:
        return ""
    if _sha256(old) != one.was:
        return "another header is there than the one that was exported"
    return _misshapen(one, old, order)


def _misshapen(one: Rewrap, old: bytes, order: Order) -> str:
    """Return how a new header differs from what it must look like: one fresh stanza for each recipient, and the binding."""
    try:
        new = age.Header.parse(one.header)
    except age.HeaderError:
        return "the new header is no age header"
    stanzas = [stanza for stanza in new.stanzas if stanza.type != BINDING]
    part = NUMBER if one.kind is Slot.NUMBER else str(one.segment)
    if bound_to(new) != binding_stanza(one.recording, order.controller, part).args[1:]:
        return "the new header is bound to something else"
    wanted = [SHAPES[type(age.parse_recipient(recipient))] for recipient in order.recipients]
    shapes = [(stanza.type, len("".join(stanza.args[1:]))) for stanza in stanzas]
    if shapes != wanted or any(len(stanza.args) != 2 or len(stanza.body) != WRAPPED_BYTES for stanza in stanzas):
        return "the new header is not for the recipients of this controller"
    mine = {line for line in one.header.split(b"\n") if len(line) >= WRAPPED_COLUMNS and BINDING.encode() not in line}
    return "" if mine.isdisjoint(old.split(b"\n")) else "the new header repeats a part of the old one"


def _word(stores: Stores, place: Place) -> dict[str, object]:
    recording, segment, kind = place
    if kind == Slot.NUMBER:
        return dict(stores.number(recording))
    entry = stores.sealed(recording, segment)
    return dict(entry.body or {}) if entry else {}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
