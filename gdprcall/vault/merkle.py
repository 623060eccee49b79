"""The Merkle tree hash of RFC 6962 section 2.1, kept as a compact range of 64 hashes at most, and its proofs.

It hashes what it is given and stores nothing.
"""

import hashlib
from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""The leaves from the first index up to, and without, the second."""

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


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return whose roots prove that leaf ``index`` (from 0) is in the tree of ``size``, its sibling first.

    RFC 9162 section 2.1.3.1. Raises ValueError for a leaf that is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError("there is no such leaf")
    low, high, found = 0, size, list[Range]()
    while high - low > 1:
        split = _split(low, high)
        if index < split:
            found.append((split, high))
            high = split
        else:
            found.append((low, split))
            low = split
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Return whose roots prove that the tree of ``old`` leaves begins the tree of ``new``; RFC 9162 section 2.1.4.1.

    Raises ValueError unless ``new`` is the larger one, or the same. A tree without leaves begins every one.
    """
    if not 0 <= old <= new:
        raise ValueError("the old tree is not the smaller one")
    low, high, found, known = 0, new, list[Range](), True
    while 0 < old < high:
        split = _split(low, high)
        if old <= split:
            found.append((split, high))
            high = split
        else:
            found.append((low, split))
            low, known = split, False
    if not known:
        found.append((low, high))
    return found[::-1]


def roots(hashes: Iterable[bytes], wanted: Iterable[Range]) -> dict[Range, bytes]:
    """Return the root of each range of the leaves whose hashes are given, which are read once.

    A range that goes beyond the last leaf is left out.
    """
    waiting = sorted(set(wanted), reverse=True)
    growing: list[tuple[Range, Tree]] = []
    done = {part: EMPTY_ROOT for part in waiting if part[0] == part[1]}
    for index, value in enumerate(hashes):
        while waiting and waiting[-1][0] == index:
            growing.append((waiting.pop(), Tree()))
        for _, tree in growing:
            tree.append(value)
        if any(part[1] == index + 1 for part, _ in growing):
            done |= {part: tree.root() for part, tree in growing if part[1] == index + 1}
            growing = [(part, tree) for part, tree in growing if part[1] != index + 1]
    return done


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that the leaf with this hash is number ``index``; RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    place, last, value = index, size - 1, leaf
    for part in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            value = node_hash(part, value)
            place, last = _up(place, last)
        else:
            value = node_hash(value, part)
        place, last = place >> 1, last >> 1
    return last == 0 and value == root


def begins(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves that the old tree is how the new one begins; RFC 9162 section 2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old in {0, new}:
        return not path and old_root == (new_root if old == new else EMPTY_ROOT)
    if not path:
        return False
    parts = list(path) if old & (old - 1) else [old_root, *path]
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(part, first), node_hash(part, second)
            place, last = _up(place, last)
        else:
            second = node_hash(second, part)
        place, last = place >> 1, last >> 1
    return last == 0 and (first, second) == (old_root, new_root)


def _split(low: int, high: int) -> int:
    """Return where a range divides: after the largest power of two that is smaller than it."""
    return low + (1 << (high - low - 1).bit_length() - 1)


def _up(place: int, last: int) -> tuple[int, int]:
    """Go up while the node is a left one: it has no sibling there."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last
