"""Who is at the other end of the local socket, and who may come that far: what the kernel says and does, by names of this host.

It believes nothing that a peer says of himself, and decides nothing.
"""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gdprcall.errors import GdprcallError, Refused

_UCRED = struct.Struct("iII")
PEER_GROUPS = 59
"""SO_PEERGROUPS of socket(7): the groups that a peer had when it connected; Python has no name for it."""
MOST_BYTES = 1024
"""More groups than fit here (256) are none: Python asks the kernel for no more at once."""


ACL = "system.posix_acl_access"
"""The attribute that holds an access list; acl(5) says what is in it, linux/posix_acl_xattr.h in which bytes."""
_ACL_VERSION, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_OWNER, _USER, _OWN_GROUP, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_READ_WRITE, _NONE, _NOBODY = 6, 0, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Peer:
    """A local peer by its numbers."""

    uid: int
    gids: tuple[int, ...]

    def user(self) -> str | None:
        """Return the name of its user, None for a number that has none; asks the host's directory."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return None

    def groups(self) -> frozenset[str]:
        """Return the names of its groups; asks the host's directory."""
        return frozenset(name for name in map(_group, self.gids) if name)


def peer_of(connection: socket.socket | None) -> Peer:
    """Return who is at the other end; raises Refused when that cannot be told."""
    if connection is None:
        raise Refused("the peer cannot be told")
    _, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, PEER_GROUPS, MOST_BYTES)
    except OSError:
        data = b""  # more than fit: then its first group alone counts
    return Peer(uid, (gid, *struct.unpack(f"{len(data) // 4}I", data[: len(data) // 4 * 4])))


def let_in(path: Path, users: Iterable[str], groups: Iterable[str]) -> list[str]:
    """Let users and groups connect to a socket besides its owner and its group; return the names that are not of this host.

    Raises GdprcallError when the file system keeps no access lists: then nobody else comes in.
    """
    uids, gids, strange = set[int](), set[int](), []
    for name in users:
        try:
            uids.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            strange.append(name)
    for name in groups:
        try:
            gids.add(grp.getgrnam(name).gr_gid)
        except KeyError:
            strange.append(name)
    entries = [(_OWNER, _READ_WRITE, _NOBODY), *((_USER, _READ_WRITE, uid) for uid in sorted(uids))]
    entries += [(_OWN_GROUP, _READ_WRITE, _NOBODY), *((_GROUP, _READ_WRITE, gid) for gid in sorted(gids))]
    entries += [(_MASK, _READ_WRITE, _NOBODY), (_OTHERS, _NONE, _NOBODY)]
    try:
        os.setxattr(path, ACL, _ACL_VERSION.pack(2) + b"".join(_ENTRY.pack(*entry) for entry in entries))
    except OSError as error:
        hint = "put vault.socket on a file system with access lists, such as that of /run"
        raise GdprcallError(f"the socket cannot be opened to others: {error.strerror}", hint) from error
    return strange


def _group(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None
