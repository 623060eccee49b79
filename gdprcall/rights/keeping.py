"""What stands against the end of a recording, or against its use, as values for the table that weighs them (RET-04).

It destroys and releases nothing.
"""

from gdprcall.errors import ConfigError, Refused
from gdprcall.rights import precedence, terms
from gdprcall.rights.precedence import Exception18, Ground, Request, Verdict
from gdprcall.roles import Role
from gdprcall.times import DAY_MS
from gdprcall.vault.archive import Vault
from gdprcall.vault.entry import Fact, Kind
from gdprcall.vault.keeps import RESTRICTION
from gdprcall.vault.kept import Kept
from gdprcall.vault.rows import RecordingRow

BY_LAW = "legal_obligation"
"""The basis whose retention is the law's own minimum: until its end Art. 17(3)(b) stands against an erasure."""
HINT = "see: gdprcall recordings kept"
PURPOSE_LETTERS = 64
RETURN = "return"
BY_RIGHT = ("access", "claims", "authority", RETURN)
"""Purposes for which any recording may leave: the person's own right (Art. 15), legal claims (Art. 17(3)(e)), a duty of law, its return (Art. 28(3)(g))."""


def state(vault: Vault, row: RecordingRow) -> precedence.State:
    """Return what is true of a recording; of several restrictions an objection is the weakest."""
    grounds = sorted(Ground(one.name) for one in vault.index.keeps(row.id) if one.flag == RESTRICTION)
    return precedence.State(
        row.basis,
        row.expires_at or 0,
        law_until=law_until(vault, row),
        held=row.held,
        restricted=grounds[0] if grounds else None,
    )


def law_until(vault: Vault, row: RecordingRow) -> int | None:
    """Return until when a law wants a recording: its line's ``min_retention_days``, as the policy of the decision says."""
    if row.basis != BY_LAW or row.expires_at is None:
        return None
    decision = vault.index.decision(row.decision)
    form = Kept(vault.folder).policy(decision.policy_sha256) if decision else None
    least = terms.read(form, decision)[1].number("min_retention_days") if form and decision else 0
    return row.expires_at - max(0, row.retention_days - least) * DAY_MS if least else row.expires_at


def weigh(vault: Vault, row: RecordingRow, request: Request, now: int) -> Verdict:
    """Return what a request for a recording comes to at ``now`` (milliseconds)."""
    return precedence.weigh(state(vault, row), request, now)


def may_be_for(vault: Vault, row: RecordingRow, purpose: str, *, role: str, actor: str) -> None:
    """Let a recording be released for a purpose; raises Refused for one that is neither its own nor the law's (Art. 5(1)(b)).

    What the law wants is for a ``role`` that decides of it. That ``actor`` tried is noted.
    """
    by_right = BY_RIGHT if role in precedence.DECIDES else ()
    if purpose not in {row.purpose, *by_right}:
        body = {"purpose": purpose[:PURPOSE_LETTERS], "actor": actor}
        vault.note(Fact(Kind.RELEASE_DENIED, row.id, row.controller, body))
        own = f"{row.purpose}, " if row.purpose else ""
        raise Refused(f"recording {row.id} was not made for {purpose!r}", f"purposes: {own}{', '.join(by_right)}")


def may_leave(vault: Vault, row: RecordingRow, role: str, exception: str) -> None:
    """Let a recording be released; raises Refused for a restricted one without an exception of Art. 18(2)."""
    try:
        named = Exception18(_EXCEPTIONS[exception]) if exception else None
    except KeyError as error:
        raise ConfigError(f"there is no exception {exception!r}", f"exceptions: {', '.join(_EXCEPTIONS)}") from error
    why = precedence.denied(state(vault, row), Role(role), named)
    # Who may release at all is decided where the peer is known; here it is what stands against this recording.
    if row.restricted and why is not None:
        raise Refused(f"recording {row.id} is not released: {why}", f"--exception {'|'.join(_EXCEPTIONS)}, or: {HINT}")


_EXCEPTIONS = {"consent": "consent of the person", "claims": "legal claims", "protection": "protection of others"}
