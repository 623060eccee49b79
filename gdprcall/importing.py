"""Takes an archive of clear recordings into the vault: each under a line of the policy, sealed, checked, and only then removed.

What has no lawful basis, or whose time is over, is named and not taken. Killed anywhere, the same command goes on.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gdprcall import __version__
from gdprcall.context import Context, Json, Operation
from gdprcall.errors import ConfigError, GdprcallError, NotFound
from gdprcall.parameters import Params, flag, text
from gdprcall.policy.model import Basis, Controller, Line
from gdprcall.rights import past
from gdprcall.times import rfc3339
from gdprcall.vault import subjects, wav
from gdprcall.vault.beginning import IMPORTS
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.index import IMPORTED
from gdprcall.vault.kept import Kept
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.objects import sync_folder
from gdprcall.vault.rows import SegmentFacts

OUTCOMES = {Basis.CONSENT: "granted", Basis.LEGAL_OBLIGATION: "legal_required"}
"""What the decision of an imported recording says; of every other basis that the person was informed."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What is taken in, under which line."""

    context: Context
    folder: Path
    line: Line
    controller: Controller
    pseudonym_key: bytes


def take_in(context: Context, params: Params) -> Json:
    """Take the sound files below a folder in; with ``dry_run`` return what would be. Raises ConfigError, NotFound.

    One that fails stays where it is, is named, and stops no other.
    """
    archive = _archive(context, params)
    table = params.get("table")
    rows = past.table(Path(str(table))) if table else {}
    found, gone = past.items(archive.folder, rows)
    terms = past.Terms(archive.line.basis is Basis.CONSENT, archive.line.retention_days)
    weighed = [(known, sound, why) for known in found for sound, why in [_weigh(known, terms, context.clock())]]
    taken = [(known, sound) for known, sound, why in weighed if why is None and sound is not None]
    left = [{"file": _name(archive, known), "why": str(why)} for known, _, why in weighed if why is not None]
    left += [{"file": name, "why": str(past.Why.GONE)} for name in gone]
    answer: dict[str, object] = {
        "line": archive.line.id,
        "would_take": [_name(archive, known) for known, _ in taken] if flag(params, "dry_run") else [],
        "left": left,
        "reasons": past.counted([why for _, _, why in weighed if why is not None]),
    }
    if flag(params, "dry_run"):
        return answer | {"taken": [], "failed": []}
    return answer | _take_all(archive, taken, text(params, "reason"), keep=flag(params, "keep"))


OPERATIONS: dict[str, Operation] = {"vault/import": take_in}
CHANGING = frozenset(OPERATIONS)


def _archive(context: Context, params: Params) -> Archive:
    folder, name = Path(text(params, "folder")), text(params, "line")
    line = context.config.policy.lines.get(name)
    if line is None:
        raise NotFound(f"there is no line {name!r}", "see: gdprcall check")
    if not folder.is_absolute() or not folder.is_dir():
        raise ConfigError("the archive is no folder that can be read, named from /", "for example /srv/monitor")
    if folder.is_relative_to(context.vault.folder) or context.vault.folder.is_relative_to(folder):
        raise ConfigError("the archive and the vault lie in each other", "name another folder")
    controller = context.config.policy.controller_of(line)
    return Archive(context, folder.resolve(), line, controller, context.config.pseudonym_keys()[controller.id])


def _weigh(known: past.Item, terms: past.Terms, now: int) -> tuple[wav.Wav | None, past.Why | None]:
    if known.path.is_symlink() or not known.path.is_file():
        return None, past.Why.NOT_A_FILE
    try:
        with known.path.open("rb") as file:
            sound = wav.examine(file.read(wav.HEADER_BYTES), known.path.stat().st_size)
    except wav.EmptyWav:
        return None, past.Why.EMPTY
    except wav.NotAWav:
        return None, past.Why.NO_WAV
    except OSError:
        return None, past.Why.NOT_A_FILE
    return sound, past.weigh(known, sound, terms, now)


def _take_all(
    archive: Archive, taken: Sequence[tuple[past.Item, wav.Wav]], reason: str, *, keep: bool
) -> dict[str, object]:
    vault = archive.context.vault
    Kept(vault.folder).keep_policy(archive.context.config.policy.canonical(archive.line))
    done: list[dict[str, object]] = []
    failed: list[dict[str, object]] = []
    for place, (known, sound) in enumerate(taken):
        name = _name(archive, known)
        try:
            done.append({"file": name, "recording": _take(archive, known, sound, reason, keep=keep)})
        except (GdprcallError, OSError) as error:
            said = error.message if isinstance(error, GdprcallError) else error.strerror or type(error).__name__
            failed.append({"file": name, "error": said})
        archive.context.progress(place + 1, len(taken))
    shutil.rmtree(vault.folder / IMPORTS, ignore_errors=True)
    return {"taken": done, "failed": failed}


def _take(archive: Archive, known: past.Item, sound: wav.Wav, reason: str, *, keep: bool) -> str:
    """Seal one file and remove it once what was sealed is checked; return the recording's id."""
    vault, recording = archive.context.vault, _recording(archive, known)
    if vault.index.recording(recording) is None:
        _decide(archive, known, recording, reason)
    staged = vault.folder / IMPORTS / f"{recording}.1.wav"
    _stage(known.path, staged)
    owner, ended = archive.controller, past.ended(known, sound)
    facts = SegmentFacts(
        recording, 1, owner.id, owner.recipients, known.started_at or ended, ended, archive.line.retention_days
    )
    vault.seal(staged, facts)
    vault.check(recording, 1)
    if not keep:
        known.path.unlink()
        sync_folder(known.path.parent)
    return recording


def _stage(path: Path, staged: Path) -> None:
    """Give the sound a second name in the vault's folder, for sealing removes what it seals; where it cannot, copy it."""
    staged.parent.mkdir(mode=0o700, exist_ok=True)
    staged.unlink(missing_ok=True)
    try:
        os.link(path, staged, follow_symlinks=False)
    except OSError:  # another disk, or a file that is not ours
        shutil.copyfile(path, staged, follow_symlinks=False)


def _decide(archive: Archive, known: past.Item, recording: str, reason: str) -> None:
    """Note under which line a recording is kept from now on, and whose it is; its caller's number is sealed first."""
    vault, owner = archive.context.vault, archive.controller
    number = subjects.e164(known.number, owner.country) if known.number else None
    if number:
        vault.keep_number(recording, owner.id, number, owner.recipients)
    told = [Fact(Kind.DECISION, recording, owner.id, _body(archive, known, recording, reason))]
    if number:
        subject = subjects.pseudonym(archive.pseudonym_key, number)
        told.append(Fact(Kind.SUBJECT, recording, owner.id, {"subject": subject}))
    vault.submit(*told).result()
    vault.catch_up()


def _body(archive: Archive, known: past.Item, recording: str, reason: str) -> dict[str, object]:
    """Return what a decision says: that nobody was asked by us, and by which proof it is kept."""
    line, owner = archive.line, archive.controller
    return {
        "decision": hashlib.sha256(f"decision {recording}".encode()).hexdigest()[:32],
        "call": hashlib.sha256(f"call {recording}".encode()).hexdigest()[:32],
        "uniqueid": "",
        "line": line.id,
        "purpose": str(line.purpose),
        "basis": str(line.basis),
        "outcome": OUTCOMES.get(line.basis, "informed"),
        "reason": IMPORTED,
        "language": known.language or line.languages[0],
        "prompt_sha256": "",
        "text_sha256": "",
        "asked_at": known.started_at,
        "heard_ms": 0,
        "mandatory_ms": 0,
        "attempts": 0,
        "policy_sha256": archive.context.config.policy.sha256(line),
        "retention_days": line.retention_days,
        "keep_days": owner.proof_days,
        "recipients": [fingerprint(recipient) for recipient in owner.recipients],
        "software": __version__,
        "front": "import",
        "imported": {"reason": reason, "proof": known.proof, "made_at": rfc3339(known.started_at or 0)},
    }


def _recording(archive: Archive, known: past.Item) -> str:
    """Return the id of a file's recording: the same each time, so that what was interrupted is gone on with."""
    what = f"{archive.controller.id}\0{_name(archive, known)}\0{known.started_at}\0{known.path.stat().st_size}"
    return hashlib.sha256(b"gdprcall/import/v1\0" + what.encode()).hexdigest()[:32]


def _name(archive: Archive, known: past.Item) -> str:
    return str(known.path.relative_to(archive.folder))
