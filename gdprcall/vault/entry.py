"""What an entry of the ledger is, and what it can tell of. It reads and writes nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gdprcall.errors import VaultError
from gdprcall.times import rfc3339


class Kind(StrEnum):
    """What an entry tells."""

    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPED = "daemon_stopped"
    DECISION = "decision"
    SUBJECT = "subject"
    AGENT = "agent"
    STARTED = "started"
    NOT_STARTED = "not_started"
    STOPPED = "stopped"
    PAUSED = "paused"
    RESUMED = "resumed"
    PARTY = "party"
    ORDERED = "ordered"
    NUMBER_SHOWN = "number_shown"
    WITHDRAWN = "withdrawn"
    SEALED = "sealed"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"
    ERASURE_INTENDED = "erasure_intended"
    ERASED = "erased"
    RELEASED = "released"
    KEYS_BACKED_UP = "keys_backed_up"
    BACKED_UP = "backed_up"
    RESTORED = "restored"
    RESTORE_TESTED = "restore_tested"
    KEYS_RESTORED = "keys_restored"
    LOG_KEY = "log_key"
    RECIPIENTS_CHANGED = "recipients_changed"
    RECIPIENT_CHALLENGED = "recipient_challenged"
    RECIPIENT_ENROLLED = "recipient_enrolled"
    CANARY_ANSWERED = "canary_answered"
    ROTATION_INTENDED = "rotation_intended"
    REWRAP_EXPORTED = "rewrap_exported"
    REWRAPPED = "rewrapped"
    FORGOTTEN = "forgotten"
    FOREIGN_RECORDING = "foreign_recording"
    ACCESS_BEGUN = "access_begun"
    ACCESS_PACKAGED = "access_packaged"
    OVERHEARD = "overheard"
    RESTRICTED = "restricted"
    RESTRICTION_LIFTED = "restriction_lifted"
    HELD = "held"
    HOLD_LIFTED = "hold_lifted"
    NEVER_RECORD = "never_record"
    MAY_RECORD = "may_record"
    NOTICE_OWED = "notice_owed"
    NOTICE_GIVEN = "notice_given"
    CONTRACT_ENDED = "contract_ended"
    RELEASE_DENIED = "release_denied"
    BULK_APPROVED = "bulk_approved"
    ERASURE_ASKED = "erasure_asked"
    ERASURE_PERSON = "erasure_person"
    ERASURE_CERTIFIED = "erasure_certified"
    SWEPT = "swept"
    CORRECTED = "corrected"
    STATEMENT = "statement"
    REQUEST_OPENED = "request_opened"
    REQUEST_PERSON = "request_person"
    REQUEST_CONTACT = "request_contact"
    REQUEST_WORDS = "request_words"
    REQUEST_CODE = "request_code"
    REQUEST_TRIED = "request_tried"
    REQUEST_IDENTIFIED = "request_identified"
    REQUEST_EXTENDED = "request_extended"
    REQUEST_ANSWERED = "request_answered"
    REQUEST_REFUSED = "request_refused"
    REQUEST_FORGOTTEN = "request_forgotten"
    BREACH_OPENED = "breach_opened"
    BREACH_WORDS = "breach_words"
    BREACH_AFFECTED = "breach_affected"
    BREACH_EVIDENCE = "breach_evidence"
    BREACH_AWARE = "breach_aware"
    BREACH_DECIDED = "breach_decided"
    BREACH_TOLD = "breach_told"
    BREACH_REMINDED = "breach_reminded"
    BREACH_CLOSED = "breach_closed"
    BREACH_FORGOTTEN = "breach_forgotten"
    CONTACT_TESTED = "contact_tested"
    SUBPROCESSORS_TOLD = "subprocessors_told"
    ANSWER_FAILED = "answer_failed"
    BACKUP_FAILED = "backup_failed"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is to be appended; ``body`` is JSON."""

    kind: Kind
    recording: str | None
    controller: str | None
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the ledger; ``time`` in milliseconds; ``body`` is None once erased."""

    seq: int
    time: int
    kind: Kind
    recording: str | None
    controller: str | None
    body: Mapping[str, object] | None

    def as_json(self) -> dict[str, object]:
        """Return the entry for print, with an RFC 3339 time; a number to call back stays out of it."""
        shown = self.body if self.kind is not Kind.REQUEST_CONTACT else None
        return {
            "seq": self.seq,
            "time": rfc3339(self.time),
            "kind": str(self.kind),
            "recording": self.recording,
            "controller": self.controller,
            "body": None if shown is None else dict(shown),
        }


def names_caller(entry: Entry) -> bool:
    """Whether an entry holds a caller's pseudonym: one of its own kind, or, in the first ledgers, the decision."""
    told = isinstance(entry.body, dict) and entry.body.get("subject")
    return entry.kind in {Kind.SUBJECT, Kind.DECISION} and bool(told)


def goes_with_recording(entry: Entry) -> bool:
    """Whether an entry's body is forgotten with its recording: who called, the agent's name, the words of a person."""
    return names_caller(entry) or (entry.kind in {Kind.AGENT, Kind.STATEMENT} and entry.body is not None)


def entry_of(row: tuple[object, ...]) -> Entry:
    """Return the entry of a row of number, leaf and body, None once that was erased; raises VaultError."""
    seq, leaf, body = row
    try:
        fields = json.loads(str(leaf))
        known = None if body is None else json.loads(str(body))
        kind = Kind(fields["kind"])
        return Entry(fields["seq"], fields["time"], kind, fields["recording"], fields["controller"], known)
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"entry {seq} of the ledger is damaged", "run: gdprcall audit verify") from error
