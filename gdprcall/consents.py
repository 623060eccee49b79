"""Consent as proof, as it is asked for: receipts with the proof of the log, and whether every decision still is one.

What the record says is made in ``rights``; nothing here prints, and nothing is believed without being checked.
"""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence

from gdprcall import auditing
from gdprcall.config import Config
from gdprcall.errors import ConfigError, GdprcallError, VaultError
from gdprcall.handout import NotHandedOut
from gdprcall.rights import checking, receipts
from gdprcall.vault.archive import Vault
from gdprcall.vault.checks import Progress
from gdprcall.vault.entry import Entry
from gdprcall.vault.kept import KeptPrompt
from gdprcall.vault.rows import DecisionRow

FORMAT = "gdprcall/receipt-v1"
Json = dict[str, object]


def receipt(vault: Vault, config: Config, id_: str, alarm: Callable[[GdprcallError], None]) -> Json:
    """Return the receipt of a decision: its record, the proof that the log holds it, and the prompt with its sound.

    Without a signing key there is no proof, and the receipt says so. Raises NotFound, CheckFailed, VaultError.
    """
    evidence = receipts.gather(vault, id_)
    proof, problem = proof_of(vault, config, evidence.proving, alarm)
    return {
        "format": FORMAT,
        "record": receipts.record(evidence, config.location),
        "prompt": shown(evidence.prompt),
        "proof": proof,
        "proof_problem": problem,
    }


def verify(vault: Vault, config: Config, id_: str | None, controller: str | None, progress: Progress) -> Json:
    """Check one decision or all: the ledger they stand in, and all that they name; see ``rights.checking``."""
    found = [*vault.ledger.verify(), *auditing.unsigned_changes(vault, config)]
    flaws: list[Json] = [{"decision": None, "where": one.where, "detail": f"{one.name}: {one.detail}"} for one in found]
    seen, wrong = checking.verify(vault, id_, controller, progress)
    return {"decisions": seen, "findings": [*flaws, *(flaw.as_json() for flaw in wrong)]}


def history(vault: Vault, row: DecisionRow) -> list[Entry]:
    """Return what the ledger says of a decision and of its recording, in order."""
    return list(receipts.entries_of(vault, row).values())


def proof_of(
    vault: Vault, config: Config, entries: Sequence[Entry], alarm: Callable[[GdprcallError], None]
) -> tuple[Mapping[str, object] | None, str]:
    """Return the proof that entries, in order, are in the log, or None and why there is none."""
    try:
        try:
            return auditing.prove_entries(vault, config, entries, bodies=True), ""
        except NotHandedOut as error:
            alarm(error)  # the checkpoint that the proof stands on was kept all the same
            return auditing.prove_entries(vault, config, entries, bodies=True), ""
    except (ConfigError, VaultError) as error:
        return None, f"{error.message}; {error.hint}"


def part_of(proof: Mapping[str, object] | None, entries: Collection[int]) -> Mapping[str, object] | None:
    """Return a proof of some of the entries that ``proof`` is of, by their numbers: it stands for itself."""
    if proof is None:
        return None
    proven = proof["entries"]
    assert isinstance(proven, list)
    return {**proof, "entries": [one for one in proven if one["index"] + 1 in entries]}


def shown(prompt: KeptPrompt | None) -> Json | None:
    """Return a prompt as a receipt has it."""
    if prompt is None:
        return None
    sound = base64.b64encode(prompt.sound).decode() if prompt.sound else None
    return {
        "sha256": prompt.sha256,
        "text": prompt.text,
        "text_sha256": prompt.text_sha256 if prompt.text else None,
        "media_type": "audio/wav",
        "sound": sound,
        "problem": prompt.problem or None,
    }
