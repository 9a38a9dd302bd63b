from __future__ import annotations

import hashlib
import unittest

from proctor_client.receipts import merkle

from .receipts import path_of, proof_of, root_of

# The test tree of Certificate Transparency, with the roots, paths and proofs that its
# reference code has for it.
LEAVES = [
    bytes.fromhex(data)
    for data in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
ROOTS = [
    bytes.fromhex(root)
    for root in [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
]
PATHS: dict[tuple[int, int], list[str]] = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
PROOFS: dict[tuple[int, int], list[str]] = {
    (1, 1): [],
    (1, 8): PATHS[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): PATHS[1, 5][1:],
}
SIZES = range(1, 20)


def data(size: int) -> list[bytes]:
    return [str(leaf).encode() for leaf in range(size)]


def flipped(hashes: list[bytes], byte: int) -> list[bytes]:
    """The same, but for one bit of this byte of all of them."""
    changed = bytearray(b"".join(hashes))
    changed[byte] ^= 1 << byte % 8
    return [bytes(changed[at : at + 32]) for at in range(0, len(changed), 32)]


class Merkle(unittest.TestCase):
    def test_roots_are_those_of_the_reference(self) -> None:
        self.assertEqual(merkle.root([]), hashlib.sha256(b"").digest())
        roots = merkle.Roots()
        for size, root in enumerate(ROOTS, 1):
            self.assertEqual(merkle.root(LEAVES[:size]), root)
            roots.append(LEAVES[size - 1])
            self.assertEqual((roots.size, roots.root()), (size, root))

    def test_roots_are_those_of_the_definition(self) -> None:
        for size in range(70):
            self.assertEqual(merkle.root(data(size)), root_of(data(size)), size)

    def test_paths_of_the_reference_are_verified(self) -> None:
        for (leaf, size), hexes in PATHS.items():
            path = [bytes.fromhex(text) for text in hexes]
            hash = merkle.leaf_hash(LEAVES[leaf])
            self.assertTrue(merkle.includes(ROOTS[size - 1], size, leaf, hash, path))

    def test_proofs_of_the_reference_are_verified(self) -> None:
        for (older, newer), hexes in PROOFS.items():
            proof = [bytes.fromhex(text) for text in hexes]
            roots = ROOTS[older - 1], ROOTS[newer - 1]
            self.assertTrue(merkle.is_consistent(roots[0], older, roots[1], newer, proof))

    def test_a_path_is_verified_for_its_leaf_and_no_other(self) -> None:
        for size in SIZES:
            leaves = data(size)
            root = root_of(leaves)
            for leaf in range(size):
                path = path_of(leaf, leaves)
                for other in range(-1, size + 2):
                    hash = merkle.leaf_hash(str(leaf).encode())
                    included = merkle.includes(root, size, other, hash, path)
                    self.assertEqual(included, other == leaf, (size, leaf, other))
                hash = merkle.leaf_hash(b"another")
                self.assertFalse(merkle.includes(root, size, leaf, hash, path))

    def test_each_flipped_byte_of_a_path_is_found(self) -> None:
        for size in SIZES:
            leaves = data(size)
            root = root_of(leaves)
            for leaf in range(size):
                path, hash = path_of(leaf, leaves), merkle.leaf_hash(leaves[leaf])
                for byte in range(32 * len(path)):
                    self.assertFalse(merkle.includes(root, size, leaf, hash, flipped(path, byte)))

    def test_a_path_that_is_too_short_or_too_long_is_refused(self) -> None:
        for size in SIZES:
            leaves = data(size)
            root = root_of(leaves)
            for leaf in range(size):
                path, hash = path_of(leaf, leaves), merkle.leaf_hash(leaves[leaf])
                for wrong in (path[:-1], path[1:], [*path, root], [root, *path]):
                    if wrong != path:
                        self.assertFalse(merkle.includes(root, size, leaf, hash, wrong))

    def test_a_node_is_not_taken_for_a_leaf(self) -> None:
        # The two leaves of a tree, told as the data of one.
        left, right = (merkle.leaf_hash(leaf) for leaf in data(2))
        self.assertNotEqual(merkle.root([left + right]), merkle.root(data(2)))
        self.assertNotEqual(merkle.root([b"\1" + left + right]), merkle.root(data(2)))

    def test_a_proof_is_verified_for_its_trees_and_no_others(self) -> None:
        for newer in SIZES:
            leaves = data(newer)
            for older in range(1, newer + 1):
                roots = root_of(leaves[:older]), root_of(leaves)
                proof = proof_of(older, leaves)
                self.assertTrue(merkle.is_consistent(roots[0], older, roots[1], newer, proof))
                for wrong in (b"\0" * 32, root_of([*leaves[: older - 1], b"another"])):
                    self.assertFalse(merkle.is_consistent(wrong, older, roots[1], newer, proof))
                    self.assertFalse(merkle.is_consistent(roots[0], older, wrong, newer, proof))
                for byte in range(32 * len(proof)):
                    changed = flipped(proof, byte)
                    found = merkle.is_consistent(roots[0], older, roots[1], newer, changed)
                    self.assertFalse(found, (older, newer, byte))
                for short in (proof[:-1], proof[1:], [*proof, roots[0]]):
                    if short != proof:
                        found = merkle.is_consistent(roots[0], older, roots[1], newer, short)
                        self.assertFalse(found, (older, newer))

    def test_a_tree_that_is_told_to_be_larger_is_found(self) -> None:
        roots = root_of(data(2)), root_of(data(4))
        proof = proof_of(2, data(4))
        self.assertTrue(merkle.is_consistent(roots[0], 2, roots[1], 4, proof))
        for size in (5, 8, 9):
            self.assertFalse(merkle.is_consistent(roots[0], 2, roots[1], size, proof))

    def test_a_tree_is_not_the_beginning_of_a_smaller_one_nor_an_empty_one_of_any(self) -> None:
        root = root_of(data(3))
        self.assertFalse(merkle.is_consistent(root, 4, root, 3, []))
        self.assertFalse(merkle.is_consistent(merkle.root([]), 0, root, 3, []))
        self.assertFalse(merkle.is_consistent(merkle.root([]), 0, merkle.root([]), 0, []))
