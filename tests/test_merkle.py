"""The Merkle tree of RFC 6962, by the known answers of its reference implementation and by its definition."""

import hashlib
from functools import cache

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdprcall.vault.merkle import (
    EMPTY_ROOT,
    Tree,
    begins,
    consistency_ranges,
    includes,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    roots,
)

LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
"""The leaves that the Certificate Transparency reference implementation is tested with."""

ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, written as it stands there."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(by_definition(hashes[:split]), by_definition(hashes[split:]))


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert Tree(leaf_hash(leaf) for leaf in LEAVES[:size]).root().hex() == ROOTS[size]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=70))
def test_the_compact_tree_has_the_root_that_the_definition_gives(leaves: list[bytes]) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves]
    tree = Tree(hashes)
    assert tree.size == len(leaves)
    assert tree.root() == by_definition(hashes)


def test_a_copy_grows_on_its_own() -> None:
    tree = Tree([leaf_hash(b"a")])
    before = tree.root()
    other = tree.copy()
    other.append(leaf_hash(b"b"))
    assert (tree.root(), tree.size) == (before, 1)
    assert other.root() == node_hash(leaf_hash(b"a"), leaf_hash(b"b"))


def test_a_leaf_is_never_taken_for_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


# From the tests of the Certificate Transparency reference implementation (merkle_tree_test.cc); it counts leaves from 1.
L0, L1, L4 = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
)
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
N45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
PATHS = [
    (0, 1, []),
    (0, 8, [L1, N23, N47]),
    (5, 8, [L4, N67, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [L0, N23, L4]),
]
CONSISTENCIES = [
    (1, 1, []),
    (1, 8, [L1, N23, N47]),
    (6, 8, [N45, N67, ROOTS[4]]),
    (2, 5, [N23, L4]),
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def path_of(hashes: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    found = roots(iter(hashes), ranges)
    return [found[part] for part in ranges]


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_inclusion_paths_are_those_of_the_reference_implementation(index: int, size: int, path: list[str]) -> None:
    found = path_of(HASHES[:size], inclusion_ranges(index, size))
    assert [part.hex() for part in found] == path
    assert includes(HASHES[index], index, size, found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCIES)
def test_consistency_paths_are_those_of_the_reference_implementation(old: int, new: int, path: list[str]) -> None:
    found = path_of(HASHES[:new], consistency_ranges(old, new))
    assert [part.hex() for part in found] == path
    assert begins(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), found)


LARGEST = 70


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    new = draw(st.integers(1, LARGEST))
    return draw(st.integers(0, new)), new


def numbered(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


def wrong(path: list[bytes]) -> list[list[bytes]]:
    """Return every path that is nearly this one."""
    changed = [[*path[:at], leaf_hash(b"?"), *path[at + 1 :]] for at in range(len(path))]
    return [*changed, [*path, leaf_hash(b"?")], *([path[:-1], path[1:]] if path else [])]


@settings(deadline=None)
@given(sizes())
def test_each_leaf_is_proven_at_its_own_place_and_at_no_other(given_sizes: tuple[int, int]) -> None:
    index, size = given_sizes
    index = min(index, size - 1)
    hashes = numbered(size)
    root, path = by_definition(hashes), path_of(hashes, inclusion_ranges(index, size))
    assert includes(hashes[index], index, size, path, root)
    assert not includes(leaf_hash(b"?"), index, size, path, root)
    assert not includes(hashes[index], index, size, path, leaf_hash(b"?"))
    assert not any(includes(hashes[index], other, size, path, root) for other in range(-1, size + 1) if other != index)
    assert not any(includes(hashes[index], index, size, other, root) for other in wrong(path))


@settings(deadline=None)
@given(sizes())
def test_an_older_tree_is_proven_to_begin_the_newer_one_and_no_other(given_sizes: tuple[int, int]) -> None:
    old, new = given_sizes
    hashes = numbered(new)
    before, after = by_definition(hashes[:old]), by_definition(hashes)
    path = path_of(hashes, consistency_ranges(old, new))
    assert begins(old, before, new, after, path)
    assert not begins(old, leaf_hash(b"?"), new, after, path)
    assert not begins(old, before, new, leaf_hash(b"?"), path) or old == 0
    assert not any(begins(old, before, new, after, other) for other in wrong(path))
    assert not begins(new + 1, before, new, after, path)
    if 0 < old < new:
        assert not begins(old, after, new, before, path)
        assert not begins(old, before, new, after, [])


def test_there_is_no_proof_for_what_is_not_in_the_tree() -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="not the smaller"):
        consistency_ranges(4, 3)
    assert roots(iter(HASHES), [(0, 9), (4, 4), (0, 8)]) == {(4, 4): EMPTY_ROOT, (0, 8): bytes.fromhex(ROOTS[8])}


def subproof(old: int, hashes: list[bytes], known: bool) -> list[bytes]:
    """RFC 9162 section 2.1.4.1, written as it stands there: SUBPROOF."""
    if old == len(hashes):
        return [] if known else [by_definition(hashes)]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if old <= split:
        return [*subproof(old, hashes[:split], known), by_definition(hashes[split:])]
    return [*subproof(old - split, hashes[split:], False), by_definition(hashes[:split])]


@settings(deadline=None)
@given(sizes())
def test_consistency_paths_are_those_that_the_definition_gives(given_sizes: tuple[int, int]) -> None:
    old, new = given_sizes
    hashes = numbered(new)
    if old:
        assert path_of(hashes, consistency_ranges(old, new)) == subproof(old, hashes, True)


@cache
def theirs() -> pymerkle.InmemoryTree:
    """Return the tree of another implementation, of as many leaves as are ever drawn; it also answers for fewer."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(LARGEST):
        tree.append_entry(str(number).encode())
    return tree


@settings(deadline=None)
@given(sizes())
def test_another_implementation_makes_the_same_inclusion_proofs_and_takes_ours(given_sizes: tuple[int, int]) -> None:
    index, size = given_sizes
    index = min(index, size - 1)
    hashes = numbered(size)
    assert theirs().get_root(size) == by_definition(hashes)
    known = theirs().prove_inclusion(index + 1, size)
    path = [hashes[index], *path_of(hashes, inclusion_ranges(index, size))]
    assert path == known.path
    ours = pymerkle.InclusionProof("sha256", True, size, index + 1, known.rule, path)
    pymerkle.verify_inclusion(hashes[index], theirs().get_root(size), ours, index=index + 1, size=size)
