"""The catalogue of what the daemon says: each event with how loud it is, what it means, and what to do.

It writes nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple


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
        "error",
        "that somebody can be heard could not be noted, or what is sealed of it not destroyed",
        "erase it by hand",
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
        "error",
        "a recording could not be ended; it is tried again until its call ends",
        "asterisk -rx 'mixmonitor list'",
    ),
    "evidence_failed": Event(
        "error",
        "a decision did not become durable in a second: not recorded; or what was found on a call",
        "check the disk and the load of the machine",
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
    "breach_suspected": Event(
        "error",
        "something happened that may be a breach of personal data; reason says what, and the register has its evidence",
        "gdprcall breach show; then breach aware, or breach close --no-breach",
    ),
    "breach_due": Event(
        "warning",
        "the clock of a breach runs: reason says who is to be told, remains how long is left",
        "gdprcall breach check",
    ),
    "breach_overdue": Event(
        "error", "somebody should have been told of a breach by now (Art. 33); reason says who", "gdprcall breach check"
    ),
    "breach_command_failed": Event(
        "error", "the command of [breach] that reminds of a breach failed; it is tried again every minute", "see hint"
    ),
    "breach_watch_failed": Event(
        "error", "it could not be looked whether something is a breach, or which clock runs", "see hint"
    ),
    "instruction_pending": Event(
        "error",
        "a line's policy waits for its controller's approval (Art. 28(3)(a)): nothing is recorded on it",
        "gdprcall documents approve LINE --by WHO",
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
