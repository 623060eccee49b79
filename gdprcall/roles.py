"""Who may do what on the local interface, from the identity the kernel gives of the peer. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a peer may do; ``admin`` is for root and the daemon's own user, and is given to nobody else."""

    ADMIN = "admin"
    OPERATOR = "operator"
    OFFICER = "officer"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Access:
    """One row of the configuration: the role of a user or of a group, for one controller or for all."""

    user: str
    group: str
    role: Role
    controller: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one peer may: a role, for one controller or for all."""

    role: Role
    controller: str | None = None


EXPORT = "export"
_LOOK = frozenset({"status", "decisions/list", "decisions/show", "recordings/list", "recordings/show"})
_LIVE = frozenset({"calls/list", "calls/show"})
_CHECK = frozenset({"decisions/receipt", "decisions/verify", "audit/log", "audit/verify", "audit/prove", "audit/key"})
_KEYS = frozenset(
    {"keys/list", "keys/challenge", "keys/answer", "keys/rotate", "keys/export", "keys/headers", "keys/take"}
)
_REQUESTS = frozenset({"requests/list", "requests/check"})
_BREACHES = frozenset({"breach/list", "breach/show", "breach/check"})
MAY: Mapping[Role, frozenset[str]] = {
    # Who runs the host sees that all is well, and hears and releases nothing (Art. 32(4)).
    Role.OPERATOR: frozenset(
        {
            "status",
            "recordings/list",
            "retention/due",
            "retention/sweep",
            "retention/check",
            "audit/key",
            "audit/verify",
        }
    )
    | {
        "audit/checkpoint",
        "keys/list",
        "prompts/purge",
        "vault/backup",
        "vault/rehearse",
        "vault/verify",
        "requests/check",
    }
    # Whoever sees it first must be able to say so, at any hour.
    | {"breach/check", "breach/open"},
    Role.OFFICER: _LOOK
    | _LIVE
    | _CHECK
    | _KEYS
    # A running recording ends by who answers for it, and he alone may have to know who is calling.
    | {"calls/stop", "calls/pause", "calls/resume", "calls/number"}
    | {"retention/due", "retention/sweep", "retention/check", "recordings/erase", "vault/verify", EXPORT}
    | {"subject/access", "subject/papers", "subject/packaged", "subject/object", "subject/erase", "subject/allow"}
    | {"subject/notices", "subject/told", "vault/end"}
    | {"recordings/restrict", "recordings/unrestrict", "recordings/hold", "recordings/release", "recordings/decide"}
    | {"recordings/kept", "recordings/correct", "recordings/statement", "recordings/approve"}
    | _BREACHES
    | {"documents/facts", "documents/told", "report/data"}
    | {"breach/open", "breach/update", "breach/aware", "breach/assess", "breach/contact", "breach/recordings"}
    | {"breach/notice", "breach/notify", "breach/close"}
    | _REQUESTS
    | {"requests/open", "requests/show", "requests/identify", "requests/extend", "requests/answer", "requests/refuse"},
    Role.REVIEWER: _LOOK | _LIVE | {EXPORT},
    Role.AUDITOR: _LOOK
    | _LIVE
    | _CHECK
    | _REQUESTS
    | _BREACHES
    | {"documents/facts", "report/data"}
    | {"retention/due", "retention/check", "vault/verify", "keys/list", "recordings/kept"},
    Role.NOBODY: frozenset(),
}
"""What each role may ask; what stands nowhere here is for the admin alone."""

WHOLE_HOUSE = frozenset({"vault/backup", "vault/rehearse", "audit/checkpoint", "prompts/purge"})
"""What cannot be done for one controller alone."""


def role_of(peer_uid: int, own_uid: int) -> Role:
    """Return the role of a local peer without a look at the configuration: root and the daemon's own user administer."""
    return Role.ADMIN if peer_uid in {0, own_uid} else Role.NOBODY


def granted(user: str | None, groups: Collection[str], table: Sequence[Access]) -> Grant:
    """Return what a peer may by the first row that names it, or one of its groups; nothing without one."""
    for row in table:
        if (row.user and row.user == user) or (row.group and row.group in groups):
            return Grant(row.role, row.controller)
    return Grant(Role.NOBODY)


def may(grant: Grant, operation: str) -> bool:
    """Whether a peer may ask for an operation at all; whose data it is shown is another matter."""
    if grant.role is Role.ADMIN:
        return grant.controller is None
    return operation in MAY[grant.role] and (grant.controller is None or operation not in WHOLE_HOUSE)
