"""Who a controller's recipients are and whether anybody holds their identities: noted in the ledger, one entry each.

The configuration says who they are; that it was changed is noted before anything is sealed to a new one. It opens nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gdprcall import age
from gdprcall.custody import challenge
from gdprcall.custody.challenge import Purpose
from gdprcall.errors import CheckFailed, ConfigError, NotFound, Refused
from gdprcall.policy.model import Controller, Policy
from gdprcall.times import DAY_MS, rfc3339
from gdprcall.vault.archive import Vault
from gdprcall.vault.holders import Known
from gdprcall.vault.keys import fingerprint
from gdprcall.vault.ledger import Fact, Kind

CHALLENGE_DAYS = 7
CANARY_DAYS = 31
ENROL_HINT = "gdprcall keys enrol {} RECIPIENT -o FILE"


@dataclass(frozen=True, slots=True)
class Standing:
    """One recipient that is configured, and what it proved; times in milliseconds."""

    controller: str
    place: int
    recipient: str
    enrolled_at: int | None
    canary_at: int | None

    @property
    def role(self) -> str:
        """What it is for: the first opens recordings daily, the others are for when its identity is lost."""
        return "escrow" if self.place else "operational"

    def stale(self, now: int) -> bool:
        """Whether it is too long ago that its identity opened something."""
        return self.canary_at is None or now - self.canary_at > CANARY_DAYS * DAY_MS

    def as_json(self) -> dict[str, object]:
        """Return it for print."""
        return {
            "controller": self.controller,
            "role": self.role,
            "fingerprint": fingerprint(self.recipient),
            "enrolled_at": None if self.enrolled_at is None else rfc3339(self.enrolled_at),
            "canary_at": None if self.canary_at is None else rfc3339(self.canary_at),
            "recipient": self.recipient,
        }


def standing(policy: Policy, known: Iterable[Known]) -> list[Standing]:
    """Return how each configured recipient stands."""
    by = {(one.controller, one.recipient): one for one in known}
    found = []
    for controller in policy.controllers.values():
        for place, recipient in enumerate(controller.recipients):
            one = by.get((controller.id, recipient))
            proven = (one.enrolled_at, one.canary_at) if one else (None, None)
            found.append(Standing(controller.id, place, recipient, *proven))
    return found


def note_changes(vault: Vault, policy: Policy) -> list[str]:
    """Note each controller whose recipients are not those that the ledger knows; return their ids. Raises VaultError."""
    vault.catch_up()
    known: dict[str, list[str]] = {id_: [] for id_ in policy.controllers}
    for one in vault.index.recipients():
        if one.place is not None:
            known.setdefault(one.controller, []).append(one.recipient)
    changed = []
    for id_, before in known.items():
        now = list(dict.fromkeys(policy.controllers[id_].recipients)) if id_ in policy.controllers else []
        if now != before:
            vault.note(Fact(Kind.RECIPIENTS_CHANGED, None, id_, _change(before, now)))
            changed.append(id_)
    vault.catch_up()
    return changed


def _change(before: Sequence[str], now: Sequence[str]) -> Mapping[str, object]:
    return {
        "recipients": list(now),
        "fingerprints": [fingerprint(one) for one in now],
        "added": [fingerprint(one) for one in now if one not in before],
        "removed": [fingerprint(one) for one in before if one not in now],
    }


def ask(vault: Vault, policy: Policy, controller: str, recipient: str, purpose: Purpose) -> Mapping[str, object]:
    """Make a challenge for a recipient and note that it was; raises NotFound, ConfigError."""
    known = named(policy, controller)
    if purpose is Purpose.CANARY and recipient not in known.recipients:
        raise NotFound(f"{controller} has no such recipient", "see: gdprcall keys list")
    text, answer = challenge.make(purpose, controller, recipient, vault.stores.random)
    expires_at = vault.stores.clock() + CHALLENGE_DAYS * DAY_MS
    body = {
        "purpose": purpose,
        "recipient": recipient,
        "fingerprint": answer.fingerprint,
        "answer_sha256": answer.sha256,
        "expires_at": expires_at,
    }
    vault.note(Fact(Kind.RECIPIENT_CHALLENGED, None, controller, body))
    vault.catch_up()
    told = {"controller": controller, "fingerprint": answer.fingerprint, "expires_at": rfc3339(expires_at)}
    return told | {"challenge": text}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer must be for; ``recipient`` is None when any of the controller's will do."""

    controller: str
    purpose: Purpose
    recipient: str | None = None


def check(vault: Vault, policy: Policy, wanted: Wanted, text: str, actor: str) -> Mapping[str, object]:
    """Check an answer and note what it proves; raises CheckFailed for one that nobody waits for (any more)."""
    controller, purpose = wanted.controller, wanted.purpose
    named(policy, controller)
    answer = challenge.parse(text)
    vault.catch_up()
    row = vault.index.row("challenge", (answer.sha256,))
    told = None if row is None else (row["controller"], row["purpose"], row["recipient"])
    if row is None or told != (controller, purpose, wanted.recipient or row["recipient"]):
        vault.note(Fact(Kind.ANSWER_FAILED, None, controller, {"purpose": purpose, "actor": actor}))
        hint = f"it is for {answer.purpose} of {answer.controller}; each answer counts once: make a new challenge"
        raise CheckFailed("no open challenge has this answer", hint)
    if int(str(row["expires_at"])) <= vault.stores.clock():
        raise CheckFailed("the challenge has expired", "make a new one")
    kind = Kind.RECIPIENT_ENROLLED if purpose is Purpose.ENROL else Kind.CANARY_ANSWERED
    body = {"recipient": row["recipient"], "fingerprint": answer.fingerprint, "answer_sha256": answer.sha256}
    entry = vault.note(Fact(kind, None, controller, body | {"actor": actor}))
    vault.catch_up()
    named_in = {"controller": controller, "fingerprint": answer.fingerprint, "recipient": row["recipient"]}
    return named_in | {"purpose": purpose, "proven_at": rfc3339(entry.time), "entry": entry.seq}


def rotate(
    vault: Vault, policy: Policy, controller: str, to: Sequence[str], actor: str, *, dry_run: bool
) -> Mapping[str, object]:
    """Note that a controller shall have other recipients, if all of them are enrolled; the configuration is not changed.

    Raises ConfigError for what are no recipients of one header, Refused, NotFound.
    """
    known = named(policy, controller)
    _parsed(to)
    if tuple(to) == known.recipients:
        raise Refused(f"these are the recipients of {controller} already", "see: gdprcall keys list")
    # First, so that nobody hears of a key that he does not hold whether it is somebody's.
    require_enrolled(vault, controller, to)
    if any(set(to) & set(other.recipients) for other in policy.controllers.values() if other.id != controller):
        raise Refused("one of them is a recipient of another controller", "each controller has identities of its own")
    told = {"from": [fingerprint(one) for one in known.recipients], "to": [fingerprint(one) for one in to]}
    if not dry_run:
        note_changes(vault, policy)  # whoever they were until now can then open what their headers travel with
        body = told | {"recipients": list(to), "actor": actor}
        vault.note(Fact(Kind.ROTATION_INTENDED, None, controller, body))
        vault.catch_up()
    return {"controller": controller, **told, "recipients": list(to)}


def require_enrolled(vault: Vault, controller: str, recipients: Sequence[str]) -> None:
    """Raise Refused for recipients of which nobody has shown that they can open anything."""
    vault.catch_up()
    known = vault.index.recipients()
    enrolled = {one.recipient for one in known if one.controller == controller and one.enrolled_at is not None}
    missing = [fingerprint(one) for one in recipients if one not in enrolled]
    if missing:
        text = f"nobody has shown to hold the identity of {', '.join(missing)}"
        raise Refused(text, f"let its owner prove it: {ENROL_HINT.format(controller)}")


def named(policy: Policy, controller: str) -> Controller:
    """Return a controller of the configuration; raises NotFound."""
    if controller not in policy.controllers:
        raise NotFound(f"there is no controller {controller}", f"controllers: {', '.join(policy.controllers)}")
    return policy.controllers[controller]


def _parsed(recipients: Sequence[str]) -> None:
    try:
        age.check_mix([age.parse_recipient(one) for one in recipients])
    except age.BadRecipient as error:
        raise ConfigError(str(error), "make a pair with: gdprcall keys new") from error
    if len(set(recipients)) < len(recipients):
        raise ConfigError("a recipient is named twice", "name each once; the first is the operational one")
