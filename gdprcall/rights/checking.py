"""Looks whether decisions still are proof: their entries, the policy and the prompt they name, and what became of the sound.

It reads only, mends nothing, and names each thing that is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from gdprcall.errors import VaultError
from gdprcall.vault import checks, forgetting
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Entry, Kind
from gdprcall.vault.index import Key
from gdprcall.vault.kept import Kept
from gdprcall.vault.keys import Slot
from gdprcall.vault.rows import DecisionRow, RecordingRow

PAGE = 500
NAMED_BY_BOTH = "call line purpose basis language prompt_sha256 policy_sha256".split()
"""What the index must say of a decision in the same words as the ledger."""
SEALED = frozenset({"sealed", "quarantined"})


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a decision: where that shows, and how."""

    decision: str
    where: str
    detail: str

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Checking:
    """One look at decisions; what many of them name is read once."""

    vault: Vault
    _prompts: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _policies: dict[str, bool] = field(default_factory=dict)

    def one(self, row: DecisionRow) -> Iterator[Flaw]:
        """Yield what is wrong with a decision."""
        for where, detail in self._look(row):
            yield Flaw(row.id, where, detail)

    def _look(self, row: DecisionRow) -> Iterator[tuple[str, str]]:
        stores = self.vault.stores
        proof = stores.index.proofs.find(row.id)
        recording = stores.index.recording(row.recording) if row.recording else None
        entries = [stores.ledger.entry(seq) for seq in proof.entries] if proof else []
        bodies = [entry.body for entry in entries if entry.body is not None]
        if not entries:
            yield "ledger", "no entry tells of it"
        elif not bodies and (recording is None or recording.state != "erased"):
            yield "ledger", "what it said is gone, though it is still to be proven"
        elif bodies:
            yield from self._agreed(row, entries[-1], bodies[-1])
        yield from self._named(row, bodies[-1] if bodies else {})
        yield from self._sound(row, recording)

    def _corrected(self, row: DecisionRow) -> Mapping[str, object]:
        """Return what of a decision was corrected since (Art. 16), as it was last."""
        if row.recording is None:
            return {}
        told = self.vault.stores.ledger.entries(recording=row.recording, kinds={Kind.CORRECTED})
        bodies = (entry.body or {} for entry in told)
        return {str(body["field"]): body.get("new") for body in bodies if body.get("decision") == row.id}

    def _agreed(self, row: DecisionRow, entry: Entry, body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        noted = {**body, **self._corrected(row)}
        differs = [name for name in NAMED_BY_BOTH if getattr(row, name) != noted.get(name)]
        if row.withdrawn_at is None and row.outcome != body.get("outcome"):
            differs.append("outcome")
        if row.decided_at != entry.time or row.controller != entry.controller:
            differs.append("time or controller")
        if differs:
            yield "index", f"not as the ledger says: {', '.join(differs)}"

    def _named(self, row: DecisionRow, body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Look at the policy and the prompt that a decision names."""
        if not self._policy(row.policy_sha256):
            yield "policy", "the policy that held is missing, or is not what its hash says"
        # Only a consent by key hangs on what was heard before: a spoken one is asked for by the agent.
        by_agent = row.reason.startswith(("spoken", "read"))
        by_key = row.recording is not None and row.basis == "consent" and not by_agent
        if by_key and row.heard_ms < row.mandatory_ms:
            yield "prompt", "agreed before what had to be said was heard"
        if not row.prompt_sha256:
            if by_key:
                yield "prompt", "agreed without a prompt"
            return
        spoken = body.get("text_sha256")
        problem, text = self._prompt(row.prompt_sha256, str(spoken or ""))
        if problem:
            yield "prompt", problem
        elif spoken not in {None, text}:
            yield "prompt", "its text is not the one that was spoken"

    def _sound(self, row: DecisionRow, recording: RecordingRow | None) -> Iterator[tuple[str, str]]:
        """Look whether what was recorded is where the decision says, and gone where it says that."""
        if row.recording is None:
            return
        stores, id_ = self.vault.stores, row.recording
        if recording is None:
            yield "recording", "the index has lost it"
            return
        with stores.holding(id_):
            payloads = stores.objects.segments(id_)
            known = {part.segment: part for part in stores.index.segments(id_)}
            headers = {part for part in known if stores.keys.get(id_, part, Slot.HEADER) is not None}
            sizes = {part: stores.objects.size(id_, part) for part in known}
            recording = stores.index.recording(id_) or recording
        if recording.state == "erased":
            if payloads:
                yield "recording", "its sound is there, though it was erased"
            return
        if recording.withdrawn and not recording.erasing:
            yield "recording", "withdrawn, and not destroyed yet"
        if known if recording.state == "not_started" else (recording.state in SEALED and not known):
            yield "recording", f"its state is {recording.state}, with {len(known)} sealed segments"
        for part, segment in known.items():
            if part not in headers or sizes[part] != segment.payload_bytes:
                yield "recording", f"segment {part} is not whole in the vault"
            if segment.started_at < row.decided_at and segment.state == "sealed":
                yield "recording", f"segment {part} began before the decision"

    def _policy(self, sha256: str) -> bool:
        if sha256 not in self._policies:
            self._policies[sha256] = Kept(self.vault.folder).policy(sha256) is not None
        return self._policies[sha256]

    def _prompt(self, sound: str, text: str) -> tuple[str, str]:
        if (sound, text) not in self._prompts:
            prompt = Kept(self.vault.folder).prompt(sound, text)
            self._prompts[sound, text] = prompt.problem, prompt.text_sha256
        return self._prompts[sound, text]


def verify(
    vault: Vault, decision: str | None, controller: str | None, progress: checks.Progress
) -> tuple[int, list[Flaw]]:
    """Return how many decisions were looked at, and all that is wrong with them; raises NotFound for an unknown one.

    Of one decision, or of all; those of one controller alone if it is named.
    """
    looking, seen, flaws = Checking(vault), 0, list[Flaw]()
    try:
        forgetting.catch_up(vault.stores)
    except VaultError as error:
        return 0, [Flaw("", "ledger", f"not checked: {error.message}")]
    of = 1 if decision else vault.index.decisions_count(controller)
    rows = iter([vault.decision(decision)]) if decision else _all(vault, controller)
    for row in rows:
        flaws += _looked(looking, row)
        seen += 1
        progress(min(seen, of), of)
    return seen, flaws


def _looked(looking: Checking, row: DecisionRow) -> list[Flaw]:
    """Return the flaws of a decision; again for one that changed while it was looked at, or is forgotten now."""
    try:
        flaws = list(looking.one(row))
        if not flaws:
            return []
        now = looking.vault.index.decision(row.id)
        forgetting.catch_up(looking.vault.stores)
        return list(looking.one(now)) if now is not None else []
    except VaultError as error:
        return [Flaw(row.id, "vault", f"not checked: {error.message}")]


def _all(vault: Vault, controller: str | None) -> Iterator[DecisionRow]:
    after: Key = ()
    while page := vault.index.page("decision", after, PAGE):
        after = list(page)[-1]
        for row in (vault.index.decision(str(id_)) for (id_,) in page):
            if row is not None and controller in {None, row.controller}:
                yield row
