"""Merkle trees of RFC 6962, with SHA-256. Hashes are 32 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf with this data."""
    return hashlib.sha256(b"\0" + data).digest()


class Roots:
    """The root of a tree that grows, without keeping its leaves."""

    def __init__(self) -> None:
        self.size = 0
        """How many leaves there are."""
        # Of the complete subtrees that the leaves make, the largest first.
        self._peaks: list[bytes] = []

    def append(self, data: bytes) -> None:
        """A leaf with this data comes last."""
        node = leaf_hash(data)
        # Each trailing one in the binary size is a subtree of the same height.
        height = self.size
        while height & 1:
            node = _node_hash(self._peaks.pop(), node)
            height >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root now; that of no leaves is the digest of nothing."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        *others, root = self._peaks
        for peak in reversed(others):
            root = _node_hash(peak, root)
        return root


def root(leaves: Iterable[bytes]) -> bytes:
    """The root of the tree of leaves with these data."""
    roots = Roots()
    for data in leaves:
        roots.append(data)
    return roots.root()


def includes(root: bytes, size: int, index: int, leaf_hash: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of this root and size has the leaf, by its audit path.

    RFC 9162, 2.1.3.2. `index` is from 0 on. False for a leaf that the tree cannot have,
    and for a path that is too short or too long.
    """
    if not 0 <= index < size:
        return False
    position, last = index, size - 1
    node = leaf_hash
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = _node_hash(sibling, node)
            while not position & 1 and position != 0:
                position >>= 1
                last >>= 1
        else:
            node = _node_hash(node, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and node == root


def is_consistent(
    older: bytes, older_size: int, newer: bytes, newer_size: int, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of one root and size is the beginning of that of another.

    RFC 9162, 2.1.4.2. False for an older tree without leaves, of which there is nothing
    to prove, and for one that is larger.
    """
    if not 0 < older_size <= newer_size:
        return False
    if older_size == newer_size:
        return not proof and older == newer
    hashes = list(proof)
    if older_size & (older_size - 1) == 0:
        # A complete tree is a node of the newer one, and is not told again.
        hashes.insert(0, older)
    if not hashes:
        return False
    position, last = older_size - 1, newer_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old = _node_hash(sibling, old)
            new = _node_hash(sibling, new)
            while not position & 1 and position != 0:
                position >>= 1
                last >>= 1
        else:
            new = _node_hash(new, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old == older and new == newer


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
