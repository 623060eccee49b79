"""How a finished sound file becomes a sealed segment: header, payload, ledger, index, and only then no plaintext.

A crash anywhere leaves at worst an unused header or a sound file that is sealed again under a new key. It never has
the plaintext of a whole file in memory.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gdprcall import age
from gdprcall.errors import NotFound, Refused, VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault import wav
from gdprcall.vault.binding import binding_stanza, bound_header, check_header
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.objects import HashingSink, sync_folder
from gdprcall.vault.rows import SegmentFacts
from gdprcall.vault.stores import Stores

COPY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Sound:
    """What will be sealed of an open file: ``head`` in place of its own, then ``rest`` bytes of it."""

    file: BinaryIO
    stat: os.stat_result
    head: bytes
    rest: int
    seconds: float
    repaired: bool

    @property
    def size(self) -> int:
        return len(self.head) + self.rest


def seal(stores: Stores, source: Path, facts: SegmentFacts) -> Entry:
    """Seal a granted recording's segment and remove its plaintext; see ``Vault.seal``."""
    row = stores.recording(facts.recording)
    if row.state == "erased" or row.erasing or row.withdrawn:
        raise Refused("the recording was withdrawn or erased: nothing more is sealed under it", "discard the file")
    if row.controller != facts.controller:
        raise VaultError("the recording belongs to another controller", "check the configuration of the line")
    with _sound(source, raw=False) as sound:
        return _seal(stores, source, sound, facts, Fact(Kind.SEALED, facts.recording, facts.controller, {}))


def quarantine(stores: Stores, source: Path, facts: SegmentFacts, reason: str) -> Entry:
    """Seal a file that cannot be trusted, whatever its bytes are; see ``Vault.quarantine``."""
    with _sound(source, raw=True) as sound:
        fact = Fact(Kind.QUARANTINED, facts.recording, facts.controller, {"reason": reason})
        return _seal(stores, source, sound, facts, fact)


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


def _seal(stores: Stores, source: Path, sound: _Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    entry = stores.sealed(facts.recording, facts.segment)
    if entry is None:
        # What a crash left under this name was never referred to; its header's slot is overwritten by the new one.
        stores.objects.remove(facts.recording, facts.segment)
        body = _store(stores, sound, facts)
        stores.step("payload stored")
        entry = stores.ledger.append(Fact(fact.kind, fact.recording, fact.controller, body | dict(fact.body)))
        stores.step("sealed")
    else:
        _is_copy(stores, sound, entry)
        gone = {"segment": facts.segment, "reason": "already_sealed"}
        stores.ledger.append(Fact(Kind.DISCARDED, facts.recording, facts.controller, gone))
        stores.step("discard noted")
    stores.catch_up()
    stores.step("indexed")
    _remove(source)
    return entry


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
    return {
        "segment": facts.segment,
        "payload_sha256": stored.sha256,
        "payload_bytes": stored.size,
        "header_sha256": hashlib.sha256(header).hexdigest(),
        "recipients": [fingerprint(recipient) for recipient in facts.recipients],
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


def payload_size(plain: int) -> int:
    """Return the size of the age payload of ``plain`` bytes (C2SP age.md, "Payload")."""
    chunks = max(1, -(-plain // (64 * 1024)))
    return age.NONCE_BYTES + plain + 16 * chunks


@contextmanager
def _sound(source: Path, *, raw: bool) -> Iterator[_Sound]:
    try:
        with open(source, "rb", opener=_warily) as file:
            known = os.fstat(file.fileno())
            if not stat.S_ISREG(known.st_mode):
                raise VaultError("what lies in the spool is no file", "look who put it there")
            yield _examined(file, known, raw=raw)
    except OSError as error:
        raise VaultError(f"a sound file cannot be read: {error.strerror}", "check the spool") from error


def _warily(path: str, flags: int) -> int:
    # Whoever may write the spool may leave a link or a pipe there: neither is followed or waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _examined(file: BinaryIO, known: os.stat_result, *, raw: bool) -> _Sound:
    head = file.read(wav.HEADER_BYTES)
    try:
        found = wav.examine(head, known.st_size)
    except (wav.NotAWav, wav.EmptyWav):
        if not raw:
            raise
        return _Sound(file, known, head, known.st_size - len(head), 0.0, repaired=False)
    return _Sound(file, known, found.header, found.sound_bytes, found.seconds, found.repaired)


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
