"""The invariants, as an outsider can see them: each is one function over what was seen, and yields what breaks it.

It is pure, believes neither the daemon's log nor its index, and knows no code of the program.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.pbx.soak.disk import Disk, Entry, Part, wrapped_keys
from tests.pbx.soak.plan import CallPlan, Target
from tests.pbx.soak.witness import Life

STOP_SECONDS = 1.0
"""How long sound may still be written after a withdrawal (invariant I3)."""
SYNC_SECONDS = 1.5
"""Asterisk writes its database to disk a second late at most: a mark that is younger dies with it."""
NOTED_SECONDS = 6.0
"""By then a granted decision has a file, or a note that it has none."""
LONGEST_TALK = 16.0
BINDING = b"-> gdprcall/recording-v1 "


@dataclass(frozen=True, slots=True)
class Violation:
    """What is not as it must be: which invariant, of which recording or call, and what was seen."""

    invariant: str
    subject: str
    seen: str


@dataclass(frozen=True, slots=True)
class Wound:
    """When a program was struck and when it served again, in seconds since 1970; ``hard`` if it could save nothing."""

    target: Target
    at: float
    back: float
    hard: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """What became of one caller; ``result`` is what the dialplan wrote down, ``pressed`` when each key was sent."""

    plan: CallPlan
    uniqueid: str
    result: str
    status: int
    pressed: tuple[float, ...] = ()


@dataclass(frozen=True)
class Seen:
    """All that was seen, of this round and of the earlier ones, when nothing moves any more.

    ``present`` are the callers of this round, and ``answered`` is how many of them the agent answered; None when
    Asterisk was struck, which ends every call. ``late`` is by how many seconds this host lets its programs wait.
    """

    now: float
    lives: tuple[Life, ...] = ()
    withdrawn: Mapping[str, float] = field(default_factory=dict)
    wounds: tuple[Wound, ...] = ()
    calls: tuple[Call, ...] = ()
    present: tuple[Call, ...] = ()
    answered: int | None = None
    opened: Mapping[Part, bytes | None] = field(default_factory=dict)
    erasing: frozenset[str] = frozenset()
    told_erased: frozenset[str] = frozenset()
    exported: Mapping[str, int] = field(default_factory=dict)
    before: tuple[Entry, ...] = ()
    old_headers: Mapping[Part, bytes] = field(default_factory=dict)
    raw_keys: bytes = b""
    late: float = 0.0
    verified: int = 0
    tracebacks: tuple[str, ...] = ()


Check = Callable[[Disk, Seen], Iterator[Violation]]


def violations(disk: Disk, seen: Seen) -> list[Violation]:
    """Return everything that breaks an invariant."""
    return [found for check in CHECKS for found in check(disk, seen)]


def decision_first(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I1: no file before its granted decision was on disk."""
    for life in seen.lives:
        entries = [entry for entry in disk.of(life.recording) if _granted(entry)]
        if not life.decided:
            yield Violation("I1", life.recording, "a file came before its decision could be read")
        elif not entries or entries[0].time > life.created * 1000:
            yield Violation("I1", life.recording, "the decision is younger than the file")


def bound_to_one_decision(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I2: every sealed segment has one granted decision with one policy hash, and a header that names it."""
    decisions = [entry.body for entry in disk.entries if entry.kind == "decision" and entry.body]
    refused = {str(body["decision"]) for body in decisions if body["outcome"] == "refused"}
    for entry in disk.entries:
        if entry.kind not in {"sealed", "quarantined"} or entry.body is None:
            continue
        recording, segment = str(entry.recording), int(str(entry.body["segment"]))
        granted = [found for found in disk.of(recording) if _granted(found)]
        hashes = {str(found.body["policy_sha256"]) for found in granted if found.body}
        if len(granted) != 1 or len(hashes) != 1 or not all(hashes):
            yield Violation("I2", recording, f"{len(granted)} granted decisions with {len(hashes)} policy hashes")
        if any(found.body and found.body["decision"] in refused for found in granted):
            yield Violation("I2", recording, "sealed, though the same decision was a refusal in the end")
        header = disk.headers.get((recording, segment))
        if header is not None and _bindings(header) != [f"{recording} ctl=acme part={segment}".encode()]:
            yield Violation("I2", recording, f"the header of segment {segment} is bound to {_bindings(header)}")
        if entry.kind == "quarantined":
            yield Violation("I2", recording, "what Asterisk wrote was not understood and lies in quarantine")


def silent_after_withdrawal(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I3: nothing is written a second after a withdrawal, and then all of the recording is destroyed."""
    pressed = {call.uniqueid: call.pressed[-1] for call in seen.calls if call.plan.withdraws and call.pressed}
    for recording, told in seen.withdrawn.items():
        uniqueid = next((str((e.body or {}).get("uniqueid")) for e in disk.of(recording) if _granted(e)), "")
        at = min(told, pressed.get(uniqueid, told))
        for life in seen.lives:
            if life.recording == recording and not life.closed:
                yield Violation("I3", recording, "its file is still open")
            elif life.recording == recording and max(life.written, life.closed) > at + STOP_SECONDS + seen.late:
                late = max(life.written, life.closed) - at
                yield Violation("I3", recording, f"sound was written {late:.2f} s after the withdrawal")
        kinds = [entry.kind for entry in disk.of(recording)]
        if "erased" not in kinds and not lost_with_both(told, seen):
            yield Violation("I3", recording, f"withdrawn and not erased: {kinds}")


def no_plaintext_left(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I4: no call is up, so nothing lies in the spool, and every sound that was on disk is in the vault or erased."""
    for name in sorted(disk.spool):
        yield Violation("I4", name, "left in the spool though no call is up")
    for life in seen.lives:
        yield from _kept(disk, seen, life)
    for entry in disk.entries:
        if entry.recording is not None and _granted(entry):
            kinds = {found.kind for found in disk.of(entry.recording)}
            ends = kinds & {"sealed", "quarantined", "erased", "discarded", "not_started"}
            if not ends and entry.time < (seen.now - NOTED_SECONDS) * 1000:
                yield Violation("I4", entry.recording, f"granted and never ended: {sorted(kinds)}")


def _kept(disk: Disk, seen: Seen, life: Life) -> Iterator[Violation]:
    entries = disk.of(life.recording)
    kinds = [entry.kind for entry in entries]
    reasons = [str(e.body.get("reason")) for e in entries if e.kind == "discarded" and e.body]
    if "erased" in kinds or "erasure_intended" in kinds:
        if not _wanted_gone(life.recording, disk, seen):
            yield Violation("I4", life.recording, "destroyed though nobody withdrew or erased it")
    elif life.sound and (life.recording, life.segment) not in _sealed(entries):
        yield Violation("I4", life.recording, f"{len(life.sound)} bytes of sound are not in the vault: {reasons}")
    elif life.sound and (life.recording, life.segment) in seen.opened:
        sound = seen.opened[life.recording, life.segment]
        if sound is None:
            yield Violation("I4", life.recording, "what was sealed does not open")
        elif not _is_what_was_heard(sound[44:], life):
            yield Violation("I4", life.recording, f"{len(life.sound)} bytes lay on disk, {len(sound) - 44} were sealed")


def _is_what_was_heard(sound: bytes, life: Life) -> bool:
    """Whether a sound is the one that lay in the spool; what was taken out before it was seen is not compared."""
    assert life.sound is not None
    heard = life.sound[: len(life.sound) // 2 * 2]
    if len(sound) != len(heard):
        return False
    if not life.missed:
        return sound == heard
    masked = bytearray(sound)
    for begin, end in life.missed:
        masked[begin:end] = heard[begin:end]
    return bytes(masked) == heard


def _wanted_gone(recording: str, disk: Disk, seen: Seen) -> bool:
    keys = any(_pressed_on(entry, call) for entry in disk.of(recording) if _granted(entry) for call in seen.calls)
    return keys or recording in seen.withdrawn or recording in seen.erasing


def _pressed_on(decision: Entry, call: Call) -> bool:
    """Whether a caller who pressed the withdrawal key can be the one who had agreed."""
    if not call.plan.withdraws or not call.pressed:
        return False
    if call.uniqueid:
        return call.uniqueid == (decision.body or {}).get("uniqueid")
    # Asterisk was struck and did not say whose call it was.
    return 0 <= call.pressed[-1] - decision.time / 1000 < LONGEST_TALK


def living_opens(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I4: what is sealed and not erased has its header and payload, and opens; nothing else lies in the vault."""
    gone = _erased(disk)
    wanted = {part for part in _sealed(disk.entries) if part[0] not in gone}
    for recording, segment in sorted(wanted):
        if (recording, segment) not in disk.headers or f"{recording[:2]}/{recording}.{segment}" not in disk.objects:
            yield Violation("I4", recording, f"segment {segment} is sealed, and its header or payload is missing")
        elif seen.opened.get((recording, segment), b"") is None:
            yield Violation("I4", recording, f"segment {segment} is sealed and does not open")
    known = {f"{recording[:2]}/{recording}.{segment}" for recording, segment in wanted}
    for name in sorted(disk.objects - known):
        yield Violation("I4", name, "lies among the payloads and no entry of the ledger explains it")
    for recording, segment in sorted(set(disk.headers) - wanted):
        yield Violation("I4", recording, f"a header of segment {segment} that no entry of the ledger explains")


def proof_outlives_sound(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I5: nothing was ever taken out of the ledger, and the audit finds everything as it was written."""
    known = {entry.seq: entry for entry in disk.entries}
    for entry in seen.before:
        now = known.get(entry.seq)
        if now is None or now.leaf != entry.leaf:
            yield Violation("I5", entry.recording or f"entry {entry.seq}", f"the {entry.kind} entry is gone or changed")
        elif now.kind == "decision" and now.body is None:
            yield Violation("I5", entry.recording or f"entry {entry.seq}", "the decision has lost its body")
    if any(later.seq != earlier.seq + 1 for earlier, later in pairwise(disk.entries)):
        yield Violation("I5", "ledger", "entries are missing between others")
    if seen.verified:
        yield Violation("I5", "ledger", f"audit verify exits {seen.verified}")
    for what in disk.damaged:
        yield Violation("I5", "database", what)


def erased_for_ever(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """I6: of what was told erased no key, number or payload is left anywhere, and no export of it succeeds."""
    gone = _erased(disk)
    for recording in sorted(
        {str(entry.recording) for entry in disk.entries if entry.kind == "erasure_intended"} - gone
    ):
        yield Violation("I6", recording, "its erasure was begun and is not finished")
    for recording in sorted(seen.told_erased - gone):
        yield Violation("I6", recording, "told erased, and the ledger has no receipt of it")
    for recording in sorted(seen.told_erased | gone):
        if any(part[0] == recording for part in disk.headers) or recording in disk.numbers:
            yield Violation("I6", recording, "erased, and a slot of it still holds something")
        if any(recording in name for name in disk.objects | disk.spool):
            yield Violation("I6", recording, "erased, and a file of it is still there")
        if seen.exported.get(recording, 1) == 0:
            yield Violation("I6", recording, "erased, and an export of it succeeds")
    for (recording, _), header in seen.old_headers.items():
        if recording in gone and any(key in seen.raw_keys for key in wrapped_keys(header)):
            yield Violation("I6", recording, "erased, and its wrapped key is still in keys.db")
    for (recording, _), sound in seen.opened.items():
        if recording in gone and sound is not None:
            yield Violation("I6", recording, "erased, and it opens")


def everyone_was_served(disk: Disk, seen: Seen) -> Iterator[Violation]:
    """Every caller came to the agent or left by himself, and hears the truth about being recorded."""
    granted = {str(entry.body.get("uniqueid")) for entry in disk.entries if _granted(entry) and entry.body}
    if seen.answered is not None:
        for call in seen.present:
            yield from _served(call, granted)
        waited = sum(call.plan.patient and call.result in {"recorded", "unrecorded"} for call in seen.present)
        if seen.answered < waited:
            yield Violation("calls", "agent", f"{waited} waited for the agent, and it answered {seen.answered}")
    for said in seen.tracebacks:
        yield Violation("log", "daemon", said)


def _served(call: Call, granted: set[str]) -> Iterator[Violation]:
    fit = {"recorded", "route"} if call.plan.must else {"recorded", "unrecorded"}
    if call.plan.patient and not call.result:
        yield Violation("calls", call.uniqueid, "a caller who stayed was never served")
    elif call.result and call.result not in fit:
        yield Violation("calls", call.uniqueid, f"the dialplan returned {call.result}")
    elif call.result == "recorded" and call.uniqueid not in granted:
        yield Violation("calls", call.uniqueid, "recorded without a granted decision")
    # A call that is routed away ends while the caller still acts.
    if call.status and not call.plan.must:
        yield Violation("calls", call.uniqueid, f"the telephone ended with status {call.status}")


def lost_with_both(at: float, seen: Seen) -> bool:
    """Whether Asterisk and the daemon died so soon after a withdrawal that neither could keep it: a known limit."""
    near = [wound for wound in seen.wounds if wound.at < at + SYNC_SECONDS and wound.back > at]
    killed = any(wound.target is Target.ASTERISK and wound.hard and wound.at >= at - 1 for wound in near)
    return killed and any(wound.target is Target.DAEMON for wound in near)


def _granted(entry: Entry) -> bool:
    return entry.kind == "decision" and (entry.body or {}).get("outcome") == "granted"


def _sealed(entries: tuple[Entry, ...] | list[Entry]) -> set[Part]:
    seals = [entry for entry in entries if entry.kind in {"sealed", "quarantined"} and entry.body]
    return {(str(entry.recording), int(str((entry.body or {})["segment"]))) for entry in seals}


def _erased(disk: Disk) -> set[str]:
    return {str(entry.recording) for entry in disk.entries if entry.kind == "erased"}


def _bindings(header: bytes) -> list[bytes]:
    return [line.removeprefix(BINDING) for line in header.split(b"\n") if line.startswith(BINDING)]


CHECKS: tuple[Check, ...] = (
    decision_first,
    bound_to_one_decision,
    silent_after_withdrawal,
    no_plaintext_left,
    living_opens,
    proof_outlives_sound,
    erased_for_ever,
    everyone_was_served,
)
