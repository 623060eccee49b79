"""How a finished sound file becomes a sealed segment: header, payload, ledger, index, and only then no plaintext.

A crash anywhere leaves at worst an unused header or a sound file that is sealed again under a new key. It never has
the plaintext of a whole file in memory. What was sealed while it grew is only finished here.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace

from gdprcall import age
from gdprcall.errors import CheckFailed, NotFound, Refused, VaultError
from gdprcall.times import DAY_MS
from gdprcall.vault import incomplete
from gdprcall.vault.binding import binding_stanza, bound_header, check_header
from gdprcall.vault.growing import Growing, Whole
from gdprcall.vault.growth import Growth, payload_size
from gdprcall.vault.keys import Slot, fingerprint
from gdprcall.vault.ledger import Entry, Fact, Kind
from gdprcall.vault.objects import HashingSink, Stored
from gdprcall.vault.rows import SegmentFacts
from gdprcall.vault.sound import Sound, Source, opened, paths, remove, rest_of
from gdprcall.vault.stores import Stores

COPY_BYTES = 256 * 1024
VERIFY_HINT = "run: gdprcall audit verify"

SILENT_SECONDS = 5.0
"""In a segment of this length or more both voices are expected to be heard."""
VOICES = ("caller", "others")


def seal(stores: Stores, growing: Growing, source: Source, facts: SegmentFacts) -> Entry:
    """Seal a granted recording's segment and remove its plaintext; see ``Vault.seal``."""
    row = stores.recording(facts.recording)
    if row.state == "erased" or row.erasing or row.withdrawn:
        raise Refused("the recording was withdrawn or erased: nothing more is sealed under it", "discard the file")
    if row.controller != facts.controller:
        raise VaultError("the recording belongs to another controller", "check the configuration of the line")
    with opened(source, raw=False) as sound:
        return _seal(stores, growing, sound, facts, Fact(Kind.SEALED, facts.recording, facts.controller, {}))


def quarantine(stores: Stores, growing: Growing, source: Source, facts: SegmentFacts, reason: str) -> Entry:
    """Seal a file that cannot be trusted, whatever its bytes are; see ``Vault.quarantine``."""
    with opened(source, raw=True) as sound:
        fact = Fact(Kind.QUARANTINED, facts.recording, facts.controller, {"reason": reason})
        return _seal(stores, growing, sound, facts, fact)


def discard(stores: Stores, source: Source, fact: Fact) -> Entry:
    """Note ``fact`` (kind discarded) unless it is noted already, and destroy the file; see ``Vault.discard``."""
    segment = fact.body["segment"]
    before = stores.ledger.entries(recording=fact.recording or "")
    known = [e for e in before if e.kind is Kind.DISCARDED and (e.body or {}).get("segment") == segment]
    if not known and not any(map(os.path.lexists, paths(source))):
        raise NotFound("there is no such sound file", "it was sealed, or somebody else removed it")
    entry = known[-1] if known else stores.ledger.append(fact)
    stores.step("discard noted")
    remove(paths(source), stores.step)
    stores.catch_up()
    return entry


def _seal(stores: Stores, growing: Growing, sound: Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    """Seal an open sound in the way that what was done of it before leaves, and remove its plaintext and its key."""
    entry = stores.sealed(facts.recording, facts.segment)
    if entry is None:
        growth = _growth(growing, sound, facts)
        if growth is not None or _is_finished(stores, sound, facts):
            entry = _note(stores, fact, _finished(stores, growing, growth, sound, facts))
        elif sound.hole is not None:
            entry = _seal_rest(stores, sound, facts, fact)
        else:
            entry = _seal_whole(stores, sound, facts, fact)
    elif sound.legs is None and (incomplete.is_incomplete(entry) or "rest_of" in (entry.body or {})):
        entry = _seal_rest(stores, sound, facts, fact)
    else:
        _note_copy(stores, sound, facts, entry)
    stores.catch_up()
    stores.step("indexed")
    remove([part.path for part in sound.parts], stores.step)
    growing.over(facts.recording, facts.segment)
    return entry


def _seal_whole(stores: Stores, sound: Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    # What a crash left under this name was never referred to; its header's slot is overwritten by the new one.
    if stores.objects.is_there(facts.recording, facts.segment):
        stores.objects.remove(facts.recording, facts.segment)
    return _note(stores, fact, _store(stores, sound, facts))


def _seal_rest(stores: Stores, sound: Sound, facts: SegmentFacts, fact: Fact) -> Entry:
    """Seal what is left of a sound whose key was lost as a segment of its own, beside what was sealed of it before."""
    fact = replace(fact, body=dict(fact.body) | {"rest_of": facts.segment})
    before = incomplete.put_away(stores, facts)
    if before is not None and incomplete.is_incomplete(before):
        facts = replace(facts, segment=facts.segment + incomplete.REST)
    rest = rest_of(sound)
    entry = stores.sealed(facts.recording, facts.segment)
    if entry is None:
        return _seal_whole(stores, rest, facts, fact)
    _note_copy(stores, rest, facts, entry)
    return entry


def _note(stores: Stores, fact: Fact, body: dict[str, object]) -> Entry:
    stores.step("payload stored")
    entry = stores.ledger.append(replace(fact, body=body | dict(fact.body)))
    stores.step("sealed")
    return entry


def _note_copy(stores: Stores, sound: Sound, facts: SegmentFacts, entry: Entry) -> None:
    _is_copy(stores, sound, entry)
    gone = {"segment": facts.segment, "reason": "already_sealed"}
    stores.ledger.append(Fact(Kind.DISCARDED, facts.recording, facts.controller, gone))
    stores.step("discard noted")


def _growth(growing: Growing, sound: Sound, facts: SegmentFacts) -> Growth | None:
    if sound.legs is not None:
        return None  # two files are sealed as a whole
    (part,) = sound.parts
    return growing.find(part.path, part.stat, facts.recording, facts.segment)


def _is_finished(stores: Stores, sound: Sound, facts: SegmentFacts) -> bool:
    """Whether the payload was finished while its sound grew, and a crash came before that was noted."""
    return sound.hole is not None and stores.objects.size(facts.recording, facts.segment) == payload_size(sound.size)


def _finished(
    stores: Stores, growing: Growing, growth: Growth | None, sound: Sound, facts: SegmentFacts
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


def _is_copy(stores: Stores, sound: Sound, entry: Entry) -> None:
    """Raise VaultError unless ``sound`` can be what was sealed as ``entry`` and the sealed copy is there."""
    body = entry.body or {}
    recording, segment = str(entry.recording), int(str(body["segment"]))
    problem = check_header(stores.keys.get(recording, segment, Slot.HEADER), entry)
    stored = stores.objects.stored(recording, segment)
    if problem is not None or stored is None or stored.sha256 != body.get("payload_sha256"):
        raise VaultError("this segment was sealed, but its sealed copy is not whole", "run: gdprcall audit verify")
    if not _alike(sound, body, stored):
        hint = "a name was used twice in the spool: look at the dialplan, and move the file away"
        raise VaultError("another sound was sealed under this name", hint)


def _alike(sound: Sound, body: Mapping[str, object], stored: Stored) -> bool:
    """Whether a sound is as long as the one that was sealed: of two legs each that is still there."""
    was = body.get("legs")
    if sound.legs is None or not isinstance(was, list):
        return sound.legs is None and was is None and stored.size == payload_size(sound.size)
    return all(size in {0, before} for size, before in zip(sound.legs, was, strict=True))


def _store(stores: Stores, sound: Sound, facts: SegmentFacts) -> dict[str, object]:
    file_key = stores.random(age.FILE_KEY_BYTES)
    binding = binding_stanza(facts.recording, facts.controller, str(facts.segment))
    header = bound_header(file_key, facts.recipients, binding, stores.random)

    def fill(sink: HashingSink) -> None:
        _encrypt(file_key, stores.random(age.NONCE_BYTES), sound, sink)

    stores.keys.put(facts.recording, facts.segment, Slot.HEADER, header)
    stores.step("header stored")
    stored = stores.objects.write(facts.recording, facts.segment, fill)
    recipients = tuple(fingerprint(recipient) for recipient in facts.recipients)
    return _body(stores, sound, facts, stored, header, recipients) | {"plaintext_peak": sound.plaintext}


def _body(
    stores: Stores, sound: Sound, facts: SegmentFacts, stored: Stored, header: bytes, recipients: tuple[str, ...]
) -> dict[str, object]:
    # How long each file was: where they differ, or one is missing (0), the rest is silence.
    legs: dict[str, object] = {} if sound.legs is None else {"legs": list(sound.legs)}
    if sum(sound.heard) == 1 and sound.seconds >= SILENT_SECONDS:
        legs["silent"] = VOICES[list(sound.heard).index(False)]
    return legs | {
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


def _encrypt(file_key: bytes, nonce: bytes, sound: Sound, sink: HashingSink) -> None:
    writer = age.PayloadWriter(file_key, nonce, sink)
    writer.write(sound.head)
    rest = sound.rest
    while rest and (data := sound.read(min(rest, COPY_BYTES))):
        writer.write(data)
        rest -= len(data)
    sound.check(rest)
    writer.finish()


def as_sealed(stores: Stores, entry: Entry, recording: str, segment: int) -> bytes:
    """Return the header of a segment; raises CheckFailed unless it and the payload are what ``entry`` says."""
    header = stores.keys.get(recording, segment, Slot.HEADER)
    stored = stores.objects.stored(recording, segment)
    problem = check_header(header, entry)
    if problem is not None:
        problem = f"its header is {problem}"
    elif stored is None or stored.sha256 != (entry.body or {}).get("payload_sha256"):
        problem = "its payload is missing" if stored is None else "its payload is not the one that was sealed"
    if header is None or problem is not None:
        raise CheckFailed(f"segment {segment} of recording {recording} is not served: {problem}", VERIFY_HINT)
    return header
