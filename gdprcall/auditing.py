"""What is done with the ledger's proof: checkpoints signed, kept and handed out, proofs made, the whole verified.

The signing key is a secret of this host. Who holds it can sign what never was: only what left the host before binds it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError, VaultError
from gdprcall.handout import HandOut
from gdprcall.vault import checks, proving
from gdprcall.vault.archive import Vault
from gdprcall.vault.checkpoint import Checkpoint, Signed, checked, signed
from gdprcall.vault.entry import Entry, Fact, Kind
from gdprcall.vault.note import BadKey, BadNote, Signer, Verifier
from gdprcall.vault.proof import Finding

SECRET = "log-signing-key"  # noqa: S105 # the name of a file
NEW_KEY = "make it with: gdprcall audit key --new ORIGIN"


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint that was made: its note, who can check it, and where it was handed out to."""

    note: str
    verifier: str
    checkpoint: Checkpoint
    places: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        return {
            "origin": self.checkpoint.origin,
            "size": self.checkpoint.size,
            "root": self.checkpoint.root.hex(),
            "checkpoint": self.note,
            "verifier": self.verifier,
            "handed_to": list(self.places),
        }


def signer(config: Config) -> Signer:
    """Return the key that signs checkpoints; raises ConfigError."""
    try:
        return Signer.parse(config.secret(SECRET).decode("ascii"))
    except ConfigError as error:
        raise ConfigError(error.message, error.hint if "chmod" in error.hint else NEW_KEY) from error
    except (BadKey, UnicodeDecodeError) as error:
        why = error if isinstance(error, BadKey) else "it is no text"
        raise ConfigError(f"the secret {SECRET} is no signing key: {why}", NEW_KEY) from error


def hand_out(config: Config) -> HandOut:
    """Return where checkpoints are handed out to."""
    return HandOut(config.checkpoint_folder, config.checkpoint_command)


def after(vault: Vault, config: Config, alarm: Callable[[GdprcallError], None]) -> None:
    """Sign and hand out what was erased; what was erased stays so when that fails, and ``alarm`` hears of it."""
    try:
        make(vault, config)
    except GdprcallError as error:
        alarm(error)


def make(vault: Vault, config: Config) -> Made:
    """Sign a checkpoint of the ledger as it is now, keep it, and hand it out.

    Raises ConfigError without a key, VaultError for a ledger that is not to be trusted, and NotHandedOut when it is
    kept, but did not leave this host.
    """
    ledger, key = vault.ledger, signer(config)
    verifier = key.verifier().encode()
    if not ledger.trusted():
        raise VaultError("a damaged ledger is not signed", proving.DAMAGED)
    if not any(last.verifier == verifier for last in ledger.signed(1)) and not _noted(vault, verifier):
        # Written before its first signature, so that every kept checkpoint's key stands in the tree itself.
        vault.note(Fact(Kind.LOG_KEY, None, None, {"verifier": verifier}))
    size, root = ledger.head()
    note = signed(size, root, key)
    ledger.keep(Signed(size, note, verifier, handed=False))
    to = hand_out(config)
    places = tuple(to.deliver(f"checkpoint-{size:012}", note.encode()))
    if places:
        ledger.keep(Signed(size, note, verifier, handed=True))
    return Made(note, verifier, Checkpoint(key.name, size, root), places)


def verify(
    vault: Vault, config: Config, since: Sequence[tuple[str, str]], key: str | None, progress: checks.Progress
) -> Mapping[str, object]:
    """Check everything against everything, and what checkpoints say: those kept here, and those of ``since``.

    ``since`` gives names and notes; ``key`` is the public key to check these with (default: those that are known here).
    """
    ledger = vault.ledger
    found = list(checks.verify(vault, progress))
    known = _known(vault, config)
    kept, wrong = proving.claimed(((f"of {one.size} entries", one.note) for one in ledger.signed()), known)
    given, unsigned = proving.claimed(since, [_verifier(key)] if key else known)
    found += [*wrong, *unsigned]
    size, root = ledger.head()
    claims = sorted([*kept, *given], key=lambda claim: claim.checkpoint.size)
    differs = list(proving.compare(claims, ledger.hashes()))
    answer: dict[str, object] = {"findings": _json([*found, *differs]), "entries": size, "root": root.hex()}
    answer |= {"checkpoints": len(kept)}
    if since:
        answer |= {"since": [] if found or differs else _since(vault, config, given)}
    return answer


def prove(vault: Vault, config: Config, id_: str, *, bodies: bool) -> Mapping[str, object]:
    """Return a proof, to be verified by anybody, that the entries of a recording or decision are in the ledger.

    It stands on the newest kept checkpoint that counts them, or else on a new one. Raises NotFound, CheckFailed, and
    what ``make`` raises.
    """
    return prove_entries(vault, config, proving.entries_of(vault.ledger, id_), bodies=bodies)


def prove_entries(vault: Vault, config: Config, entries: Sequence[Entry], *, bodies: bool) -> Mapping[str, object]:
    """Return the proof that these entries, in order, are in the ledger; see ``prove``."""
    newest = next(iter(vault.ledger.signed(1)), None)
    if newest is not None and newest.size >= entries[-1].seq:
        note, verifier = newest.note, newest.verifier
    else:
        made = make(vault, config)
        note, verifier = made.note, made.verifier
    try:
        checkpoint = checked(note, [_verifier(verifier)])
    except BadNote as error:
        raise VaultError(f"the last checkpoint is {error}", proving.DAMAGED) from error
    return proving.inclusion(vault.ledger, entries, checkpoint, note, verifier, bodies=bodies)


def unsigned_changes(vault: Vault, config: Config) -> list[Finding]:
    """Return where the ledger is not what the signed checkpoints say that are kept in it."""
    known = _known(vault, config)
    kept, wrong = proving.claimed(((f"of {one.size} entries", one.note) for one in vault.ledger.signed()), known)
    return [*wrong, *proving.compare(kept, vault.ledger.hashes())]


def _noted(vault: Vault, verifier: str) -> bool:
    return any((entry.body or {}).get("verifier") == verifier for entry in vault.ledger.key_entries())


def _since(vault: Vault, config: Config, given: Sequence[proving.Claim]) -> list[dict[str, object]]:
    """Return the proof that the ledger goes on from each given checkpoint to one that is signed now."""
    size, root = vault.ledger.head()
    try:
        key = signer(config)
    except ConfigError:
        note, now = None, Checkpoint("", size, root)  # proven all the same, only not signed
    else:
        note, now = signed(size, root, key), Checkpoint(key.name, size, root)
    return [proving.consistency(vault.ledger, claim.checkpoint, note, now) for claim in given]


def _known(vault: Vault, config: Config) -> list[Verifier]:
    """Return the keys that the ledger names; without any, that of this host."""
    named = proving.key_names(vault.ledger)
    try:
        return [*named, signer(config).verifier()]
    except ConfigError:
        return named


def _verifier(text: str) -> Verifier:
    try:
        return Verifier.parse(text)
    except BadKey as error:
        raise ConfigError(f"the key is no public key of a ledger: {error}", "see: gdprcall audit key") from error


def _json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [finding.as_json() for finding in findings]
