"""Who may do what on the local interface, from the identity the kernel gives of the peer. Pure."""

from enum import StrEnum


class Role(StrEnum):
    """What a peer may do."""

    ADMIN = "admin"
    NOBODY = "nobody"


def role_of(peer_uid: int, own_uid: int) -> Role:
    """Return the role of a local peer: root and the daemon's own user administer, others may nothing."""
    return Role.ADMIN if peer_uid in {0, own_uid} else Role.NOBODY
