"""How a finished sound file becomes a sealed segment: header, payload, ledger, index, and only then no plaintext.

A crash anywhere leaves at worst an unused header or a sound file that is sealed again under a new key. It never has
the plaintext of a whole file in memory. What was sealed while it grew is only finished here.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import NotFound, Refused, VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault import incomplete, wav
from gdprcall.vault.binding import binding_stanza, bound_header, check_header
from gdprcall.vault.growing import Growing, Whole
from gdprcall.vault.growth import Growth, payload_size
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.objects import HashingSink, Stored, sync_folder
from gdprcall.vault.punching import hole
from gdprcall.vault.rows import SegmentFacts
from gdprcall.vault.stores import Stores

COPY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Sound:
    """What will be sealed of an open file: ``head`` in place of its own, then ``rest`` bytes of it.

    ``hole`` is where its plaintext was taken out already, if it was.
    """

    path: Path
    file: BinaryIO
    stat: os.stat_result
    head: bytes
    rest: int
    seconds: float
    repaired: bool
    hole: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        return len(self.head) + self.rest


def seal(stores: Stores, growing: Growing, source: Path, facts: SegmentFacts) -> Entry:
    """Seal a granted recording's segment and remove its plaintext; see ``Vault.seal``."""
    row = stores.recording(facts.recording)
    if row.state == "erased" or row.erasing or row.withdrawn:
        raise Refused("the recording was withdrawn or erased: nothing more is sealed under it", "discard the file")
    if row.controller != facts.controller:
        raise VaultError("the recording belongs to another controller", "check the configuration of the line")
    with _sound(source, raw=False) as sound:
        return _seal(stores, growing, sound, facts, Fact(Kind.SEALED, facts.recording, facts.controller, {}))


def quarantine(stores: Stores, growing: Growing, source: Path, facts: SegmentFacts, reason: str) -> Entry:
    """Seal a file that cannot be trusted, whatever its bytes are; see ``Vault.quarantine``."""
    with _sound(source, raw=True) as sound:
        fact = Fact(Kind.QUARANTINED, facts.recording, facts.controller, {"reason": reason})
        return _seal(stores, growing, sound, facts, fact)


def discard(stores: Stores, source: Path, fact: Fact) -> Entry:
    """Note ``fact`` (kind discarded) unless it is noted already, and destroy the file; see ``Vault.discard``."""
    segment = fact.body["segment"]
    before = stores.ledger.entries(recording=fact.recording or "")
    known = [e for e in before if e.kind is Kind.DISCARDED and (e.body or {}).get("segment") == segment]
    if not known and not os.path.lexists(source):
        raise NotFound("there is no such sound file", "it was sealed, or somebody else removed it")
    entry = known[-1] if known else stores.ledger.append(fact)
    stores.step("discard noted")
    _remove(source)
    stores.catch_up()
    return entry


def _seal(stores: Stores, growing: Growing, sound: _Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    """Seal an open sound in the way that what was done of it before leaves, and remove its plaintext and its key."""
    entry = stores.sealed(facts.recording, facts.segment)
    if entry is None:
        growth = growing.find(sound.path, sound.stat, facts.recording, facts.segment)
        if growth is not None or _is_finished(stores, sound, facts):
            entry = _note(stores, fact, _finished(stores, growing, growth, sound, facts))
        elif sound.hole is not None:
            entry = _seal_rest(stores, sound, facts, fact)
        else:
            entry = _seal_whole(stores, sound, facts, fact)
    elif incomplete.is_incomplete(entry) or "rest_of" in (entry.body or {}):
        entry = _seal_rest(stores, sound, facts, fact)
    else:
        _note_copy(stores, sound, facts, entry)
    stores.catch_up()
    stores.step("indexed")
    _remove(sound.path)
    growing.over(facts.recording, facts.segment)
    return entry


def _seal_whole(stores: Stores, sound: _Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    # What a crash left under this name was never referred to; its header's slot is overwritten by the new one.
    if stores.objects.is_there(facts.recording, facts.segment):
        stores.objects.remove(facts.recording, facts.segment)
    return _note(stores, fact, _store(stores, sound, facts))


def _seal_rest(stores: Stores, sound: _Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    """Seal what is left of a sound whose key was lost as a segment of its own, beside what was sealed of it before."""
    fact = replace(fact, body=dict(fact.body) | {"rest_of": facts.segment})
    before = incomplete.put_away(stores, facts)
    if before is not None and incomplete.is_incomplete(before):
        facts = replace(facts, segment=facts.segment + incomplete.REST)
    rest = _rest_of(sound)
    entry = stores.sealed(facts.recording, facts.segment)
    if entry is None:
        return _seal_whole(stores, rest, facts, fact)
    _note_copy(stores, rest, facts, entry)
    return entry


def _rest_of(sound: _Sound) -> _Sound:
    """Return the sound before and after the hole as one, under a right header of its own."""
    begin, end = sound.hole or (sound.stat.st_size, sound.stat.st_size)
    first = os.pread(sound.file.fileno(), begin, 0)
    found = wav.examine(first[: wav.HEADER_BYTES], begin + sound.stat.st_size - end)
    sound.file.seek(end)
    head = found.header + first[wav.HEADER_BYTES :]
    rest = found.sound_bytes - (len(head) - wav.HEADER_BYTES)
    return replace(sound, head=head, rest=rest, seconds=found.seconds, repaired=True)


def _note(stores: Stores, fact: Fact, body: dict[str, object]) -> Entry:
    stores.step("payload stored")
    entry = stores.ledger.append(replace(fact, body=body | dict(fact.body)))
    stores.step("sealed")
    return entry


def _note_copy(stores: Stores, sound: _Sound, facts: SegmentFacts, entry: Entry) -> None:
    _is_copy(stores, sound, entry)
    gone = {"segment": facts.segment, "reason": "already_sealed"}
    stores.ledger.append(Fact(Kind.DISCARDED, facts.recording, facts.controller, gone))
    stores.step("discard noted")


def _is_finished(stores: Stores, sound: _Sound, facts: SegmentFacts) -> bool:
    """Whether the payload was finished while its sound grew, and a crash came before that was noted."""
    return sound.hole is not None and stores.objects.size(facts.recording, facts.segment) == payload_size(sound.size)


def _finished(
    stores: Stores, growing: Growing, growth: Growth | None, sound: _Sound, facts: SegmentFacts
) -> dict[str, object]:
    name = facts.recording, facts.segment
    if growth is not None:
        stored: Stored | None = growing.finish(growth, Whole(sound.head, sound.size), *name)
    else:
        if stores.objects.grows(*name):
            stores.objects.settle(*name)
        stored = stores.objects.stored(*name)
    header = stores.keys.get(*name, Slot.HEADER)
    if header is None or stored is None:
        raise VaultError(
            "a segment was sealed while it grew, but its header or payload is gone", "gdprcall vault verify"
        )
    recipients = growth.recipients if growth else tuple(fingerprint(one) for one in facts.recipients)
    return _body(stores, sound, facts, stored, header, recipients) | ({"plaintext_peak": growth.peak} if growth else {})


def _is_copy(stores: Stores, sound: _Sound, entry: Entry) -> None:
    """Raise VaultError unless ``sound`` can be what was sealed as ``entry`` and the sealed copy is there."""
    body = entry.body or {}
    recording, segment = str(entry.recording), int(str(body["segment"]))
    problem = check_header(stores.keys.get(recording, segment, Slot.HEADER), entry)
    stored = stores.objects.stored(recording, segment)
    if problem is not None or stored is None or stored.sha256 != body.get("payload_sha256"):
        raise VaultError("this segment was sealed, but its sealed copy is not whole", "run: gdprcall audit verify")
    if stored.size != payload_size(sound.size):
        hint = "a name was used twice in the spool: look at the dialplan, and move the file away"
        raise VaultError("another sound was sealed under this name", hint)


def _store(stores: Stores, sound: _Sound, facts: SegmentFacts) -> dict[str, object]:
    file_key = stores.random(age.FILE_KEY_BYTES)
    binding = binding_stanza(facts.recording, facts.controller, str(facts.segment))
    header = bound_header(file_key, facts.recipients, binding, stores.random)

    def fill(sink: HashingSink) -> None:
        _encrypt(file_key, stores.random(age.NONCE_BYTES), sound, sink)

    stores.keys.put(facts.recording, facts.segment, Slot.HEADER, header)
    stores.step("header stored")
    stored = stores.objects.write(facts.recording, facts.segment, fill)
    recipients = tuple(fingerprint(recipient) for recipient in facts.recipients)
    return _body(stores, sound, facts, stored, header, recipients) | {"plaintext_peak": sound.stat.st_size}


def _body(
    stores: Stores, sound: _Sound, facts: SegmentFacts, stored: Stored, header: bytes, recipients: tuple[str, ...]
) -> dict[str, object]:
    return {
        "segment": facts.segment,
        "payload_sha256": stored.sha256,
        "payload_bytes": stored.size,
        "header_sha256": hashlib.sha256(header).hexdigest(),
        "recipients": list(recipients),
        "seconds": sound.seconds,
        "repaired": sound.repaired,
        "started_at": facts.started_at,
        "closed_at": facts.closed_at,
        "expires_at": facts.closed_at + facts.retention_days * DAY_MS,
        "plaintext_ms": max(0, stores.clock() - facts.closed_at),
    }


def _encrypt(file_key: bytes, nonce: bytes, sound: _Sound, sink: HashingSink) -> None:
    writer = age.PayloadWriter(file_key, nonce, sink)
    writer.write(sound.head)
    rest = sound.rest
    while rest and (data := sound.file.read(min(rest, COPY_BYTES))):
        writer.write(data)
        rest -= len(data)
    now = os.fstat(sound.file.fileno())
    if rest or (now.st_size, now.st_mtime_ns) != (sound.stat.st_size, sound.stat.st_mtime_ns):
        raise VaultError("the sound file changed while it was sealed", "it is tried again once it is closed")
    writer.finish()


@contextmanager
def _sound(source: Path, *, raw: bool) -> Iterator[_Sound]:
    try:
        with open(source, "rb", opener=_warily) as file:
            known = os.fstat(file.fileno())
            if not stat.S_ISREG(known.st_mode):
                raise VaultError("what lies in the spool is no file", "look who put it there")
            yield replace(_examined(source, file, known, raw=raw), hole=hole(file.fileno(), known.st_size))
    except OSError as error:
        raise VaultError(f"a sound file cannot be read: {error.strerror}", "check the spool") from error


def _warily(path: str, flags: int) -> int:
    # Whoever may write the spool may leave a link or a pipe there: neither is followed or waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _examined(path: Path, file: BinaryIO, known: os.stat_result, *, raw: bool) -> _Sound:
    head = file.read(wav.HEADER_BYTES)
    try:
        found = wav.examine(head, known.st_size)
    except (wav.NotAWav, wav.EmptyWav):
        if not raw:
            raise
        return _Sound(path, file, known, head, known.st_size - len(head), 0.0, repaired=False)
    return _Sound(path, file, known, found.header, found.sound_bytes, found.seconds, found.repaired)


def _remove(source: Path) -> None:
    try:
        source.unlink(missing_ok=True)
        if source.parent.is_dir():
            sync_folder(source.parent)
    except OSError as error:
        raise VaultError(
            f"a sound file could not be removed: {error.strerror}", "check the spool's owner and modes"
        ) from error
    if os.path.lexists(source):
        raise VaultError("a sound file is still there after its removal", "look who writes into the spool")
