"""The tree agrees with the vectors that others published, and its proofs can't be bent (I8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.ledger import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots of the reference tests of RFC 6962's first implementation.
_LEAVES = [
    leaf_hash(bytes.fromhex(each))
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_rfc_6962(size: int) -> None:
    """I8: the published roots, for each size."""
    assert root_hash(_LEAVES[:size]).hex() == _ROOTS[size - 1]


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    """RFC 9162 section 2.1.1."""
    assert Frontier().root() == root_hash([]) == EMPTY_ROOT


def test_inclusion_proof_is_the_published_one() -> None:
    """RFC 6962 section 2.1.3's kind of path: leaf 5 of 8."""
    expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [each.hex() for each in inclusion_proof(_LEAVES, 5)][1:] == expected[1:]


_sizes = st.integers(1, 70)


@given(size=_sizes, data=st.data())
def test_every_leaf_is_provable_and_only_at_its_place(size: int, data: st.DataObject) -> None:
    """I8: a proof holds for its leaf, index and root, and for no other."""
    leaves = [leaf_hash(bytes([each])) for each in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    root = root_hash(leaves)
    verify_inclusion(leaves[index], index, size, proof, root)
    other = data.draw(
        st.integers(0, size - 1).filter(lambda each: each != index) if size > 1 else st.just(1)
    )
    with pytest.raises(ProofError):
        verify_inclusion(leaves[index], other, size, proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(leaf_hash(b"forged"), index, size, proof, root)


@given(size=_sizes, data=st.data())
def test_a_prefix_is_provable_and_a_rewritten_past_is_not(size: int, data: st.DataObject) -> None:
    """I8: whoever kept a head finds that an entry below it was changed."""
    leaves = [leaf_hash(bytes([each])) for each in range(size)]
    first = data.draw(st.integers(1, size))
    kept = root_hash(leaves[:first])
    verify_consistency(first, size, consistency_proof(leaves, first), kept, root_hash(leaves))
    changed = data.draw(st.integers(0, first - 1))
    forged = [*leaves[:changed], leaf_hash(b"forged"), *leaves[changed + 1 :]]
    with pytest.raises(ProofError):
        verify_consistency(first, size, consistency_proof(forged, first), kept, root_hash(forged))


def _mutations(proof: tuple[bytes, ...]) -> dict[str, tuple[bytes, ...]]:
    return {
        "truncated": proof[:-1],
        "extended": (*proof, proof[-1]),
        "swapped-hashes": (proof[1], proof[0], *proof[2:]),
        "flipped-bit": (bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]),
        "short-hash": (proof[0][:-1], *proof[1:]),
        "empty": (),
    }


@pytest.mark.parametrize(
    "name", ["truncated", "extended", "swapped-hashes", "flipped-bit", "short-hash", "empty"]
)
def test_a_bent_proof_does_not_hold(name: str) -> None:
    """I8: each named mutation of a proof is refused."""
    root = root_hash(_LEAVES)
    inclusion = _mutations(inclusion_proof(_LEAVES, 5))[name]
    with pytest.raises(ProofError):
        verify_inclusion(_LEAVES[5], 5, 8, inclusion, root)
    consistency = _mutations(consistency_proof(_LEAVES, 6))[name]
    with pytest.raises(ProofError):
        verify_consistency(6, 8, consistency, root_hash(_LEAVES[:6]), root)


@pytest.mark.parametrize(("index", "size"), [(-1, 8), (8, 8), (0, 0)])
def test_no_proof_outside_the_tree(index: int, size: int) -> None:
    """An index that the tree has not is an error, not a crash."""
    with pytest.raises(ProofError):
        verify_inclusion(_LEAVES[0], index, size, (), root_hash(_LEAVES))
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_proof(_LEAVES, 8)
    with pytest.raises(ValueError, match="a prefix"):
        consistency_proof(_LEAVES, 9)


def test_trivial_consistency() -> None:
    """Sizes zero and equal need no proof, and none is taken."""
    root = root_hash(_LEAVES)
    verify_consistency(0, 8, (), EMPTY_ROOT, root)
    verify_consistency(8, 8, (), root, root)
    for first, proof, kept in ((8, (root,), root), (8, (), EMPTY_ROOT), (0, (), root)):
        with pytest.raises(ProofError):
            verify_consistency(first, 8, proof, kept, root)
    with pytest.raises(ProofError):
        verify_consistency(9, 8, (), root, root)


@given(st.integers(0, 300))
def test_a_frontier_survives_being_stored(size: int) -> None:
    """What the store keeps of the tree is enough to go on."""
    frontier = Frontier.of([leaf_hash(bytes([each % 256])) for each in range(size)])
    again = Frontier.decode(frontier.encode(), frontier.size)
    assert again == frontier
    assert again.append(_LEAVES[0]).root() == frontier.append(_LEAVES[0]).root()


@pytest.mark.parametrize(
    ("data", "size"), [(b"x" * 31, 1), (b"x" * 32, 2 + 1), (b"", 1), (b"", -1)]
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(data: bytes, size: int) -> None:
    """A damaged row is an error before anything is appended to it."""
    with pytest.raises(ValueError, match=r"leaves|hashes|hash"):
        Frontier.decode(data, size)
