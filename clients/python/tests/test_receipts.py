from __future__ import annotations

import copy
import dataclasses
import unittest
from typing import Any
from unittest import mock

from proctor_client import ClientError
from proctor_client.receipts import (
    SignaturesUnavailable,
    SignedHead,
    SignedReceipt,
    VerificationError,
    canonical_bytes,
    parse,
    receipt_id,
    verify_consistency,
    verify_head,
    verify_inclusion,
    verify_receipt,
)
from proctor_client.receipts.keys import public_key

from .receipts import (
    DAY,
    SIGNER,
    STRANGER,
    head,
    hexes,
    ids,
    leaves,
    line_of,
    lines,
    needs_sr25519,
    path_of,
    proof_of,
    signed_head,
)


class Case(unittest.TestCase):
    def assert_found(self, code: str, call: Any, *arguments: Any, **options: Any) -> Any:
        with self.assertRaises(VerificationError) as raised:
            call(*arguments, **options)
        self.assertEqual(raised.exception.code, code, raised.exception)
        return raised.exception


class Forms(Case):
    def test_the_id_is_the_digest_of_the_canonical_text(self) -> None:
        for signed in leaves():
            self.assertEqual(receipt_id(signed.receipt), signed.id)
            verify_receipt(signed, SIGNER, signatures=False)

    def test_a_receipt_of_another_form_is_refused(self) -> None:
        upper = "A" * 64
        wrong: list[tuple[str, Any]] = [
            ("version", "proctor-receipt-2"),
            ("kind", "guess"),
            ("kind", None),
            ("challenge", 1),
            ("component", "x"),
            ("component", upper),
            ("engine", None),
            ("limits", 0),
            ("environment", ""),
            ("settings", []),
            ("seed", "00"),
            ("seed", "18446744073709551616"),
            ("seed", 1),
            ("seed", "٣"),
            ("logical_time", "0"),
            ("logical_time", 1.5),
            ("input", None),
            ("transcript", "0" * 63),
            ("output", None),
            ("outcome", "fine"),
            ("fuel", -1),
            ("fuel", 2**53),
            ("fuel", True),
            ("fuel", 1.0),
            ("depends_on", None),
            ("depends_on", ["0"]),
            ("depends_on", ["1" * 64, "0" * 64]),
            ("depends_on", ["0" * 64, "0" * 64]),
        ]
        for name, value in wrong:
            line = line_of("evaluate")
            line["receipt"][name] = value
            with self.subTest(name=name, value=value):
                error = self.assert_found("malformed", SignedReceipt.from_json, line)
                self.assertIn(f"receipt.{name}", error.at)

    def test_a_field_too_many_or_too_few_is_refused(self) -> None:
        for name in line_of("evaluate")["receipt"]:
            line = line_of("evaluate")
            del line["receipt"][name]
            self.assert_found("malformed", SignedReceipt.from_json, line)
        line = line_of("evaluate")
        line["receipt"]["made_at"] = 1
        self.assert_found("malformed", SignedReceipt.from_json, line)

    def test_beside_what_is_signed_an_answer_may_have_more_and_a_line_may_not(self) -> None:
        line = line_of("evaluate") | {"leaf": 3, "more": 0.5}
        self.assertEqual(SignedReceipt.from_json(line).leaf, 3)
        self.assert_found("malformed", SignedReceipt.from_json, line, exact=True)
        more = head() | {"more": 1}
        SignedHead.from_json(more)
        self.assert_found("malformed", SignedHead.from_json, more, exact=True)

    def test_a_head_of_another_form_is_refused(self) -> None:
        wrong: list[tuple[str, Any]] = [
            ("version", "proctor-head-2"),
            ("day", "2026-8-22"),
            ("day", "2026-08-22\n"),
            ("size", "5"),
            ("root", "0"),
            ("previous", {}),
            ("previous", {"day": DAY, "size": 1, "root": None}),
            ("more", 1),
        ]
        for name, value in wrong:
            signed = head()
            signed["head"][name] = value
            with self.subTest(name=name, value=value):
                self.assert_found("malformed", SignedHead.from_json, signed)
        for name in head()["head"]:
            signed = head()
            del signed["head"][name]
            self.assert_found("malformed", SignedHead.from_json, signed)

    def test_an_error_tells_what_differs(self) -> None:
        signed = leaves()[0]
        other = dataclasses.replace(signed, id="0" * 64)
        error = self.assert_found("id_differs", verify_receipt, other, signatures=False)
        self.assertEqual((error.expected, error.found), (signed.id, other.id))
        self.assertEqual(
            str(error),
            f"id_differs: receipt {other.id}: its id is not the digest of what it says "
            f"(expected {signed.id}, found {other.id})",
        )
        self.assertIsInstance(error, ClientError)


class Signatures(Case):
    @needs_sr25519
    def test_signatures_are_those_of_their_signer(self) -> None:
        for signed in leaves():
            verify_receipt(signed)
            verify_receipt(signed, SIGNER)
            verify_receipt(signed, [STRANGER, SIGNER])
        verify_head(signed_head(), SIGNER)

    @needs_sr25519
    def test_a_signature_is_of_one_receipt_one_head_and_one_signer(self) -> None:
        first, second = leaves()[:2]
        for changed in (
            dataclasses.replace(first, signature=second.signature),
            dataclasses.replace(first, signer=STRANGER),
        ):
            self.assert_found("signature_differs", verify_receipt, changed)
        assert first.signature is not None
        of_receipt = dataclasses.replace(signed_head(), signature=first.signature)
        self.assert_found("signature_differs", verify_head, of_receipt)
        older = dataclasses.replace(signed_head(), signature=signed_head(size=4).signature)
        self.assert_found("signature_differs", verify_head, older)

    @needs_sr25519
    def test_each_flipped_bit_of_a_signature_is_found(self) -> None:
        signed = leaves()[0]
        assert signed.signature is not None
        signature = bytes.fromhex(signed.signature)
        for bit in range(8 * len(signature)):
            changed = bytearray(signature)
            changed[bit // 8] ^= 1 << bit % 8
            forged = dataclasses.replace(signed, signature=changed.hex())
            self.assert_found("signature_differs", verify_receipt, forged)

    @needs_sr25519
    def test_each_flipped_byte_of_a_signed_line_is_found(self) -> None:
        for line in (canonical_bytes(lines()[0]), canonical_bytes(line_of("vector"))):
            for byte in range(len(line)):
                changed = bytearray(line)
                changed[byte] ^= 1 << byte % 7
                with self.assertRaises(VerificationError, msg=bytes(changed)):
                    verify_receipt(SignedReceipt.from_json(parse(bytes(changed)), exact=True))

    def test_without_the_package_it_is_told_what_to_install(self) -> None:
        with mock.patch.dict("sys.modules", {"sr25519": None}):
            with self.assertRaisesRegex(ImportError, r"pip install 'proctor-client\[verify\]'"):
                verify_receipt(leaves()[0])
            with self.assertRaises(SignaturesUnavailable):
                verify_head(signed_head())

    def test_who_signed_is_compared_with_who_should_have(self) -> None:
        for signatures in (False, True):
            options: dict[str, Any] = {"signatures": signatures}
            error = self.assert_found(
                "signer_differs", verify_receipt, leaves()[0], STRANGER, **options
            )
            self.assertEqual((error.expected, error.found), (STRANGER, SIGNER))
            self.assert_found("signer_differs", verify_head, signed_head(), [STRANGER], **options)
            # No one is somebody else than anyone.
            self.assert_found("signer_differs", verify_head, signed_head(), [], **options)

    def test_everything_but_a_solve_is_signed(self) -> None:
        verify_receipt(SignedReceipt.from_json(line_of("solve")), SIGNER)
        unsigned = {"signature": None, "signer": None}
        for line, code in [
            (line_of("judge") | unsigned, "signature_missing"),
            (line_of("judge") | {"signature": None}, "signature_missing"),
            (line_of("judge") | {"signer": None}, "signature_missing"),
            (line_of("solve") | {"signature": "0" * 128, "signer": SIGNER}, "malformed"),
        ]:
            signed = SignedReceipt.from_json(line)
            self.assert_found(code, verify_receipt, signed, signatures=False)

    def test_what_is_no_signature_or_no_address_is_refused(self) -> None:
        signature = lines()[0]["signature"]
        for changed in [
            {"signature": signature.upper()},
            {"signature": "0x" + signature[2:]},
            {"signature": signature[:-1]},
            {"signature": 1},
            {"signer": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ"},
            {"signer": ""},
            {"signer": 5},
            {"id": "x"},
            {"leaf": "1"},
        ]:
            with self.subTest(changed=changed):
                self.assert_found("malformed", SignedReceipt.from_json, lines()[0] | changed)

    def test_addresses_are_those_of_substrate(self) -> None:
        for public, address in [
            (
                "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
                "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
            ),
            ("00" * 32, "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"),
            ("ff" * 32, "5HrN7fHLXWcFiXPwwtq2EkSGns9eMt5P7SpeTPewumZy6ftb"),
        ]:
            self.assertEqual(public_key(address), bytes.fromhex(public))
            for other in [
                address[:-1],
                address + "1",
                "1" + address,
                " " + address,
                "l" + address[1:],
            ]:
                self.assertIsNone(public_key(other))
        # Alice's with prefix 0, as Polkadot writes it.
        self.assertIsNone(public_key("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"))
        self.assertIsNone(public_key("z" * 1_000_000))


class Proofs(Case):
    def test_each_leaf_is_included(self) -> None:
        told = signed_head().head
        for leaf, signed in enumerate(leaves()):
            proof = hexes(path_of(leaf, ids()))
            verify_inclusion(signed.id, leaf, told, proof)
            for other in range(-1, 7):
                if other != leaf:
                    self.assert_found(
                        "inclusion_differs", verify_inclusion, signed.id, other, told, proof
                    )
            solve = line_of("solve")["id"]
            self.assert_found("inclusion_differs", verify_inclusion, solve, leaf, told, proof)

    def test_each_flipped_byte_of_a_proof_is_found(self) -> None:
        told = signed_head().head
        proof = hexes(path_of(1, ids()))
        older, consistent = signed_head(size=3).head, hexes(proof_of(3, ids()))
        for hash in range(3):
            for byte in range(64):
                for proof_of_one in (proof, consistent):
                    changed = copy.copy(proof_of_one)
                    text = bytearray(changed[hash].encode())
                    text[byte] ^= 1
                    changed[hash] = text.decode()
                    with self.assertRaises(VerificationError):
                        if proof_of_one is proof:
                            verify_inclusion(leaves()[1].id, 1, told, changed)
                        else:
                            verify_consistency(older, told, changed)

    def test_older_heads_are_the_beginning_of_newer_ones(self) -> None:
        newer = signed_head().head
        for size in range(1, 6):
            proof = hexes(proof_of(size, ids()))
            older = signed_head(size=size).head
            verify_consistency(older, newer, proof)
            if size < 5:
                self.assert_found("consistency_differs", verify_consistency, newer, older, proof)
                self.assert_found("consistency_differs", verify_consistency, older, newer, [])

    def test_a_state_of_another_day_is_refused(self) -> None:
        older = signed_head("2026-08-21").head
        self.assert_found("day_differs", verify_consistency, older, signed_head().head, [])

    def test_what_is_no_hash_is_refused(self) -> None:
        told = signed_head().head
        for proof in (["x"], ["0" * 62], ["A" * 64], [""]):
            self.assert_found("malformed", verify_inclusion, leaves()[0].id, 0, told, proof)
            self.assert_found("malformed", verify_consistency, told, told, proof)
