"""The Merkle tree of RFC 6962, by the known answers of its reference implementation and by its definition."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdprcall.vault.merkle import Tree, leaf_hash, node_hash

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
