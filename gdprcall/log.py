"""What the daemon says: one catalogue of events, a list of allowed keys, JSON lines when nobody watches a terminal.

No number, name, pressed key, secret or local variable is ever written: a key that is not allowed loses its value, a
foreign library's message its text, an exception its variables.
"""

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple, TextIO

import structlog

from gdprcall.errors import GdprcallError


class Event(NamedTuple):
    """One entry of the catalogue: how loud, what it means, and what to do."""

    level: str
    meaning: str
    action: str


NOTHING = "nothing"
EVENTS: Mapping[str, Event] = {
    "started": Event("info", "the daemon is ready: vault open, spool watched, ARI and AMI linked", NOTHING),
    "stopping": Event("info", "the daemon was told to stop; it takes no new calls and finishes what runs", NOTHING),
    "stopped": Event("info", "the daemon has stopped", NOTHING),
    "fatal": Event("error", "the daemon cannot go on; calls go on unrecorded", "read hint; systemd starts it again"),
    "reloaded": Event("info", "the configuration was read again and holds for new calls", NOTHING),
    "recipients_changed": Event(
        "warning",
        "a controller's recipients are others than the ledger knew; it is noted, and they hold from now on",
        "was it you? see gdprcall keys list",
    ),
    "reload_refused": Event(
        "error", "the new configuration has mistakes: nothing is recorded until it is mended", "gdprcall check"
    ),
    "ari_up": Event("info", "the ARI link stands; stranded calls were freed", NOTHING),
    "ari_down": Event("error", "the ARI link is lost; calls go on unrecorded, it is tried again", "is Asterisk up?"),
    "agi_refused": Event("warning", "connections that were no calls; told at 1, 2, 4, 8 …", "who else connects there?"),
    "ari_refused": Event("error", "Asterisk refuses the ARI link", "compare the user and password with ari.conf"),
    "ari_event_failed": Event(
        "error", "an event of ARI could not be handled; its call goes on unrecorded", "report it"
    ),
    "stranded_freed": Event("warning", "a call that nobody answered for was given back unrecorded", NOTHING),
    "ami_up": Event("info", "the AMI link stands", NOTHING),
    "ami_down": Event(
        "error", "the AMI link is lost: transfers cannot be seen, so nothing new is recorded", "is Asterisk up?"
    ),
    "ami_refused": Event("error", "Asterisk refuses the AMI login", "compare user and password with manager.conf"),
    "ami_event_failed": Event("error", "an event of AMI could not be handled", "report it"),
    "call_unasked": Event("warning", "a call was given back at once, unrecorded; reason says why", "see reason"),
    "private_call": Event(
        "info", "a call came as a private one: not asked and not recorded, unless the line must be (demand)", NOTHING
    ),
    "agent_unready": Event(
        "error",
        "an agent who has acknowledged no valid notice answered, or nobody saw who did: nothing of it is kept, or, where a law "
        "wants the recording, it goes on; reason says why",
        "gdprcall doctor; give the notice, and write version and day under [agents]",
    ),
    "unattended": Event("info", "what was recorded of an agent without a valid acknowledgement is destroyed", NOTHING),
    "overheard": Event(
        "error",
        "somebody who was not asked came into a recorded call while nobody watched it, and can be heard: what was recorded by "
        "then is destroyed",
        "see what stopped or held up the daemon: journalctl -u gdprcall",
    ),
    "overheard_failed": Event(
        "error", "that somebody can be heard could not be noted, or what is sealed of it not destroyed", "erase by hand"
    ),
    "call_finished": Event("info", "one line per asked call: outcome and, if recorded, its recording", NOTHING),
    "rights_call": Event("info", "a caller used his rights by telephone; outcome says what came of it", NOTHING),
    "rights_failed": Event(
        "error", "what a caller asked for by telephone could not be done; he was told to write", "see hint"
    ),
    "verdict_lost": Event(
        "error", "a verdict could not be delivered; Asterisk's watchdog frees the call", "is Asterisk up?"
    ),
    "watchdog": Event("warning", "Asterisk took a call on because no answer came in time", "is this host overloaded?"),
    "machine_answered": Event(
        "info",
        "a call that went out reached a machine, or it could not be listened for one (reason): not asked, not recorded",
        "no_amd: load app_amd, or leave GDPRCALL_AMD out",
    ),
    "recording_missing": Event(
        "error", "a recording was granted but no file of it was seen; it is noted as not started", "check the spool"
    ),
    "recording_stopped": Event("warning", "a recording was ended before its call; reason says why", "see reason"),
    "recording_paused": Event("info", "a recording pauses; reason says why: card, hold, party, operator", NOTHING),
    "recording_resumed": Event("info", "the pause of a recording is over; its next segment begins", NOTHING),
    "pause_overdue": Event(
        "error", "a recording pauses longer than its line allows; it does not go on by itself", "ask the agent"
    ),
    "party_asked": Event(
        "info", "somebody joined a recorded call and was asked; outcome says what came of it", NOTHING
    ),
    "party_unasked": Event(
        "error",
        "somebody who joined a call could not be asked; nothing more of it is recorded while he is there",
        "is app_senddtmf loaded? compare features.conf",
    ),
    "stop_failed": Event(
        "error", "a recording did not end; it is tried again until its call ends", "asterisk -rx 'mixmonitor list'"
    ),
    "evidence_failed": Event(
        "error", "a decision was not durable in a second: not recorded; or what was found on a call", "check the disk"
    ),
    "foreign_recording": Event(
        "error",
        "something that is not ours records a call of this line, whatever its caller answered; reason says what",
        "gdprcall doctor names what starts it; what it wrote is yours to destroy",
    ),
    "foreign_stopped": Event(
        "warning",
        "a recorder that is not ours was ended, as the line says; what it wrote so far is still there",
        "destroy it",
    ),
    "foreign_stop_failed": Event(
        "error", "a recorder that is not ours could not be ended; it is tried again", "asterisk -rx 'mixmonitor list'"
    ),
    "sealed": Event("info", "a segment is encrypted in the vault and its plaintext is gone", NOTHING),
    "leg_short": Event(
        "warning",
        "of two files of one segment one was shorter or missing: so many bytes of that voice are silence",
        "did Asterisk die? see its log",
    ),
    "leg_silent": Event(
        "warning",
        "of two files of one segment one holds no sound at all, for five seconds or more; reason says which",
        "was that telephone muted? else Asterisk wrote silence: tell its version and how the call was transferred",
    ),
    "seal_failed": Event(
        "error", "a file could not be sealed; it waits in the spool and nothing new is recorded", "see hint"
    ),
    "sealing_behind": Event(
        "error",
        "finished files wait more than 30 seconds to be sealed; nothing new is recorded until that is caught up",
        "the disk of the vault is slower than the calls: look for what else uses it, or move the vault",
    ),
    "sealing_caught_up": Event("info", "files are sealed in time again, and callers recorded", NOTHING),
    "quarantined": Event(
        "error",
        "a file that is no WAV or not whole, or unexplained by a damaged ledger, was sealed apart",
        "gdprcall recordings list --state quarantined; it is destroyed after quarantine_days",
    ),
    "progressive_off": Event(
        "warning", "files are sealed at the end of their calls, not while they grow; reason says why", "gdprcall doctor"
    ),
    "chunk_failed": Event(
        "warning", "a file could not be sealed while it grows; it is tried again, at the latest at its end", "see hint"
    ),
    "discarded": Event("info", "a plaintext file was destroyed unsealed; reason says why", NOTHING),
    "plaintext_without_decision": Event(
        "error", "sound without a decision was found and is destroyed", "who wrote it?"
    ),
    "spool_lost": Event("error", "the spool cannot be watched", "check that it is mounted, its owner and modes"),
    "withdrawn": Event("info", "a caller withdrew or objected, and what was recorded is destroyed", NOTHING),
    "retention_overdue": Event(
        "error", "recordings that expired two days ago are still there", "is gdprcall-retention.timer on?"
    ),
    "withdrawal_kept": Event(
        "error",
        "a caller withdrew what a hold or a restriction keeps: it is used for nothing else",
        "gdprcall recordings kept",
    ),
    "withdrawal_failed": Event("error", "a withdrawal could not be carried out; it is tried again", "gdprcall doctor"),
    "erasure_finished": Event("warning", "an erasure that was interrupted was finished", NOTHING),
    "erasure_unfinished": Event(
        "error",
        "an erasure that was begun could not be finished; it is tried at the next start",
        "see hint, mend, restart",
    ),
    "checkpoint_made": Event("info", "a checkpoint of the ledger was signed and handed out", NOTHING),
    "checkpoint_failed": Event(
        "error", "no checkpoint of the ledger left this host; it is tried again every five minutes", "see hint"
    ),
    "tombstone_failed": Event(
        "error", "a tombstone did not leave this host: a restore would not know of that erasure", "see hint"
    ),
    "request_due": Event(
        "warning",
        "so many requests of persons must soon be answered, or wait for a person who has not said who he is",
        "gdprcall requests check",
    ),
    "request_overdue": Event(
        "error", "so many requests of persons should have been answered by now (Art. 12(3))", "gdprcall requests check"
    ),
    "reminders_failed": Event("error", "it could not be looked what presses: requests, retention, holds", "see hint"),
    "hold_overdue": Event(
        "error", "holds whose day of review has come were not looked at again", "gdprcall recordings kept"
    ),
    "prompt_unfit": Event(
        "error", "a prompt is missing or changed: the line is not recorded", "gdprcall prompts build"
    ),
    "must_on_consent": Event(
        "warning",
        "the dialplan says must for a line that no law requires to be recorded",
        "write may: a refusal must not cost the service",
    ),
    "may_on_obligation": Event(
        "error",
        "the dialplan says may for a line that a law requires to be recorded: it is routed only while the daemon runs",
        "write must",
    ),
    "sweep_failed": Event("error", "the regular look through the spool failed; it is tried again", "see hint"),
    "access_failed": Event(
        "error", "somebody with a role under [[access]] cannot reach the socket; everybody else can", "see hint"
    ),
    "api_request": Event("info", "the command line changed something or released a recording", NOTHING),
    "library": Event("warning", "a library reported something; its text is withheld, it may hold data", NOTHING),
    "internal_error": Event("error", "a fault of our own", "report the lines of where"),
}
"""Every event that is ever logged. The README's table is made from this."""

ALLOWED_KEYS = frozenset(
    "event level timestamp call recording segment decision controller line outcome reason state seconds ms bytes count "
    "seq attempts peer version language prompt heard_ms decided_ms recorded error hint code exit uniqueid missing size "
    "free unit signal demand logger where dropped_keys operation peak_bytes".split()
)

Values = MutableMapping[str, Any]  # structlog's own type for the values of one line
strict = False
"""Tests set this: an unknown event or key then is an error."""


def get_logger() -> Any:  # structlog types its loggers so
    """Return the logger; its methods take an event of the catalogue and allowed keys."""
    return structlog.get_logger()


def configure(stream: TextIO | None = None, *, json: bool | None = None) -> None:
    """Write to ``stream`` (default stdout): JSON lines, or readable ones on a terminal, unless ``json`` says which."""
    out = stream or sys.stdout
    as_json = not out.isatty() if json is None else json
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            withhold_exception,
            only_allowed,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Withheld()]
    root.setLevel(logging.WARNING)
    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)


def withhold_exception(_logger: object, _method: str, values: Values) -> Values:
    """Replace an exception by its type and the lines it passed, without messages and variables."""
    error = values.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    while isinstance(error, BaseExceptionGroup):
        # The first of a group tells what happened; the others are mostly its consequences.
        error = error.exceptions[0]
    if isinstance(error, BaseException):
        values["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        values["where"] = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames]
        if isinstance(error, GdprcallError) and error.hint:
            values.setdefault("hint", error.hint)
    return values


def only_allowed(_logger: object, _method: str, values: Values) -> Values:
    """Drop the values of keys that are not on the list and say which keys they were."""
    unknown = sorted(set(values) - ALLOWED_KEYS)
    if strict and (unknown or values["event"] not in EVENTS):
        raise ValueError(f"not in the catalogue: event {values['event']!r}, keys {unknown}")
    for key in unknown:
        del values[key]
    if unknown:
        values["dropped_keys"] = unknown
    return values


class _Withheld(logging.Handler):
    """Passes on that a library said something, never what."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line of our own."""
        get_logger().warning("library", logger=record.name, code=record.levelname)


def events_table() -> str:
    """Return the catalogue as a Markdown table."""
    rows = [f"| `{name}` | {event.level} | {event.meaning} | {event.action} |" for name, event in EVENTS.items()]
    return "\n".join(["| event | level | what it means | what to do |", "|---|---|---|---|", *rows, ""])
