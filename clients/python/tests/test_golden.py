"""The test vectors of the host, which it reads as well: `tests/golden/receipts`."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any

from proctor_client.receipts import (
    SignedHead,
    SignedReceipt,
    canonical_bytes,
    digest,
    head_digest,
    merkle,
    read_bundle,
    receipt_id,
    verify_head,
    verify_receipt,
)
from proctor_client.receipts import zstd as zstd_module
from proctor_client.receipts.canonical import read
from proctor_client.receipts.keys import can_verify

GOLDEN = Path(__file__).parents[3] / "tests" / "golden" / "receipts"


def vectors(name: str) -> Any:
    return json.loads(GOLDEN.joinpath(name).read_text())


@unittest.skipUnless(GOLDEN.is_dir(), "not in the repository")
class Golden(unittest.TestCase):
    def test_values_have_the_texts_of_the_host(self) -> None:
        for case in vectors("canonical.json")["texts"]:
            text = canonical_bytes(case["value"])
            self.assertEqual((text.decode(), digest(text)), (case["text"], case["sha256"]))
            self.assertEqual(read(text), case["value"])

    def test_receipts_have_the_ids_and_signatures_of_the_host(self) -> None:
        for case in vectors("receipts.json"):
            receipt = json.loads(case["text"])
            self.assertEqual(receipt_id(receipt), case["id"])
            line = {name: case[name] for name in ("id", "signature", "signer")}
            signed = SignedReceipt.from_json(line | {"receipt": receipt}, exact=True)
            verify_receipt(signed, case["signer"], signatures=can_verify())

    def test_heads_have_the_digests_and_signatures_of_the_host(self) -> None:
        for case in vectors("heads.json"):
            line = {name: case[name] for name in ("head", "signature", "signer")}
            signed = SignedHead.from_json(line, exact=True)
            self.assertEqual(head_digest(signed.head), case["sha256"])
            verify_head(signed, case["signer"], signatures=can_verify())

    def test_trees_have_the_roots_and_proofs_of_the_host(self) -> None:
        told = vectors("trees.json")
        leaves = [bytes.fromhex(leaf) for leaf in told["leaves"]]
        roots = [bytes.fromhex(case["root"]) for case in told["trees"]]
        for size, case in enumerate(told["trees"], 1):
            root = roots[size - 1]
            self.assertEqual(merkle.root(leaves[:size]), root)
            for leaf, path in enumerate(case["inclusion"]):
                hashes = [bytes.fromhex(hash) for hash in path]
                hash = merkle.leaf_hash(leaves[leaf])
                self.assertTrue(merkle.includes(root, size, leaf, hash, hashes))
            for older, proof in enumerate(case["consistency"], 1):
                hashes = [bytes.fromhex(hash) for hash in proof]
                self.assertTrue(merkle.is_consistent(roots[older - 1], older, root, size, hashes))

    def test_a_bundle_of_the_host_is_verified(self) -> None:
        bundle = read_bundle(GOLDEN / "bundle.tar")
        signer = vectors("heads.json")[0]["signer"]
        report = bundle.verify(signer, signatures=can_verify())
        self.assertGreater(report.receipts, 0)
        self.assertEqual(report.signers, (signer,))
        if can_verify() and zstd_module.module():
            self.assertEqual(report.unchecked, ())
