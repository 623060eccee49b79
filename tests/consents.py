"""Decisions as the daemon leaves them: with the policy and the prompt that they name kept in the vault."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from gdprcall import config
from gdprcall.policy.model import Line, Policy
from gdprcall.vault.archive import Vault
from gdprcall.vault.kept import PROMPTS, Kept
from gdprcall.vault.ledger import Fact, Kind
from gdprcall.vault.note import Signer
from tests import vaults
from tests.vaults import DAY_ONE

TEXT = "This is Acme. We ask to record this call. Press 1 to agree."
SECOND = 1000


def keep_prompt(vault: Vault, text: str = TEXT) -> str:
    """Keep a prompt as the catalogue does, and return its hash."""
    sound, wide = vaults.wav(0.1, seed=len(text)), vaults.wav(0.2, seed=len(text))
    sha256 = hashlib.sha256(sound).hexdigest()
    folder = vault.folder / PROMPTS
    folder.mkdir(exist_ok=True)
    manifest = {"sha256": sha256, "sha256_16k": hashlib.sha256(wide).hexdigest(), "language": "en", "text": text}
    for suffix, data in ((".wav", sound), (".wav16", wide), (".json", json.dumps(manifest).encode())):
        (folder / f"{sha256}{suffix}").write_bytes(data)
    return sha256


def sign(settings: config.Config) -> None:
    """Give an installation its signing key."""
    settings.secrets.mkdir(exist_ok=True)
    path = settings.secrets / "log-signing-key"
    path.write_text(Signer("pbx.example/gdprcall", bytes(range(32))).encode() + "\n")
    path.chmod(0o600)


def decided(  # the parts of a decision that tests vary
    vault: Vault, policy: Policy, number: int = 1, *, line: str = "support", outcome: str = "granted", **more: object
) -> str:
    """Note a decision with all that belongs to it, and return its id."""
    terms: Line = policy.lines[line]
    Kept(vault.folder).keep_policy(policy.canonical(terms))
    recording, granted = vaults.recording_id(number), outcome == "granted"
    fact = vaults.decision(recording, controller=terms.controller)
    controller = policy.controllers[terms.controller]
    body = dict(fact.body) | {
        "line": line,
        "outcome": outcome,
        "prompt_sha256": keep_prompt(vault),
        "text_sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "asked_at": DAY_ONE - 8 * SECOND,
        "policy_sha256": policy.sha256(terms),
        "keep_days": controller.proof_days if granted else controller.refusal_days,
    }
    told = [vaults.caller(recording, controller=terms.controller)] if granted else []
    vault.submit(Fact(Kind.DECISION, recording if granted else None, terms.controller, body | more), *told).result()
    return str((body | more)["decision"])


def agreed(vault: Vault, policy: Policy, spool: Path, number: int = 1, *, line: str = "support", **more: object) -> str:
    """Note a granted decision, seal its recording, and return the decision's id."""
    id_ = decided(vault, policy, number, line=line, **more)
    recording = vaults.recording_id(number)
    owner = policy.controller_of(policy.lines[line])
    facts = vaults.facts(recording, closed_at=DAY_ONE + 2 * SECOND)
    vault.seal(vaults.spooled(spool, recording, 1), replace(facts, controller=owner.id, recipients=owner.recipients))
    return id_
