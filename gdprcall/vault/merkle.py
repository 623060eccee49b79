"""The Merkle tree hash of RFC 6962 section 2.1, kept as a compact range: 64 hashes at most.

It hashes what it is given and stores nothing.
"""

import hashlib
from collections.abc import Iterable

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The tree so far: the roots of its perfect subtrees, largest first."""

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        for value in hashes:
            self.append(value)

    def append(self, value: bytes) -> None:
        """Add the hash of the next leaf."""
        size = self.size
        while size & 1:
            value = node_hash(self._peaks.pop(), value)
            size >>= 1
        self._peaks.append(value)
        self.size += 1

    def root(self) -> bytes:
        """Return the tree's hash."""
        if not self._peaks:
            return EMPTY_ROOT
        value = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            value = node_hash(peak, value)
        return value

    def copy(self) -> "Tree":
        """Return a tree that can grow on its own."""
        other = Tree()
        other.size, other._peaks = self.size, list(self._peaks)
        return other
