"""Checks of receipts and heads that nothing else is needed for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from . import keys, merkle
from .canonical import is_digest
from .errors import VerificationError
from .models import (
    HEAD_VERSION,
    RECEIPT_VERSION,
    Head,
    SignedHead,
    SignedReceipt,
    TreeState,
    head_digest,
    read_head,
    read_receipt,
    receipt_id,
)

Signers = str | Collection[str] | None
"""Whose signature counts: one address or several; of none, whosever the receipt names.
That tells that nobody changed it since, and not who made it."""


def verify_receipt(
    signed: SignedReceipt, expected_signer: Signers = None, *, signatures: bool = True
) -> None:
    """Checks a receipt's form, that its id is its digest, and its signature.

    A solve has no signature: that it is what a score was made of is told by the receipt
    that depends on it. `signatures=False` looks at who signed, and not at the signature.
    Raises `VerificationError`, or `SignaturesUnavailable` without the package that
    signatures need.
    """
    at = f"receipt {signed.id}"
    computed = receipt_id(read_receipt(signed.receipt, at))
    if computed != signed.id:
        detail = "its id is not the digest of what it says"
        raise VerificationError("id_differs", at, detail, expected=computed, found=signed.id)
    if signed.receipt["kind"] == "solve":
        if signed.signature is not None or signed.signer is not None:
            raise VerificationError("malformed", at, "it is of a solve, which nobody signs")
        return
    if signed.signature is None or signed.signer is None:
        raise VerificationError("signature_missing", at, "it is not signed")
    _verify_signer(at, signed.signer, expected_signer)
    if signatures:
        message = f"{RECEIPT_VERSION}:{signed.id}"
        _verify_signature(at, message, signed.signer, signed.signature)


def verify_leaf(
    signed: SignedReceipt, expected_signer: Signers = None, *, signatures: bool = True
) -> None:
    """Checks a receipt as `verify_receipt`, and that it may be a leaf, as no solve may."""
    verify_receipt(signed, expected_signer, signatures=signatures)
    if signed.receipt["kind"] == "solve":
        raise VerificationError("malformed", f"receipt {signed.id}", "a solve is no leaf")


def verify_head(
    signed: SignedHead, expected_signer: Signers = None, *, signatures: bool = True
) -> None:
    """Checks a head's form and its signature, as `verify_receipt`."""
    at = f"head of {signed.head.get('day')}"
    read_head(signed.head, at)
    _verify_signer(at, signed.signer, expected_signer)
    if signatures:
        message = f"{HEAD_VERSION}:{head_digest(signed.head)}"
        _verify_signature(at, message, signed.signer, signed.signature)


def verify_inclusion(id: str, leaf: int, head: Head, proof: Sequence[str]) -> None:
    """Checks that a receipt, by its id, is this leaf of the head's tree.

    `proof` is the audit path of RFC 6962, from the leaf up. The head's signature is not
    looked at.
    """
    at = f"receipt {id}"
    data, root, path = _hash(id, at), _hash(head["root"], at), _hashes(proof, at)
    if not merkle.includes(root, head["size"], leaf, merkle.leaf_hash(data), path):
        detail = f"the proof does not show that it is leaf {leaf} of the tree of {head['day']}"
        raise VerificationError("inclusion_differs", at, detail)


def verify_consistency(
    older: Head | TreeState, newer: Head | TreeState, proof: Sequence[str]
) -> None:
    """Checks that one state of a day's tree is the beginning of another: nothing of the
    older one was changed or left out.

    `proof` is that of RFC 6962. Signatures are not looked at.
    """
    at = f"tree of {newer['day']}"
    if older["day"] != newer["day"]:
        detail = "the other state is that of another day"
        raise VerificationError(
            "day_differs", at, detail, expected=newer["day"], found=older["day"]
        )
    old, new, hashes = _hash(older["root"], at), _hash(newer["root"], at), _hashes(proof, at)
    if not merkle.is_consistent(old, older["size"], new, newer["size"], hashes):
        detail = (
            f"the proof does not show that its {newer['size']} leaves "
            f"begin with the {older['size']} of before"
        )
        raise VerificationError("consistency_differs", at, detail)


def verify_day_of(head: Head, day: str | None) -> None:
    """Checks which day a head is of."""
    if head["day"] != day:
        detail = "it is that of another day"
        raise VerificationError("day_differs", "head", detail, expected=day, found=head["day"])


def verify_tree(head: Head, roots: merkle.Roots) -> None:
    """Checks that a head is that of these leaves."""
    at = f"head of {head['day']}"
    if roots.size != head["size"]:
        detail = "it has another number of leaves"
        raise VerificationError("size_differs", at, detail, expected=roots.size, found=head["size"])
    root = roots.root().hex()
    if root != head["root"]:
        detail = "its root is not that of the leaves"
        raise VerificationError("root_differs", at, detail, expected=root, found=head["root"])


def is_expected(signer: str | None, expected: Signers) -> bool:
    """Whether the signature of this one counts."""
    if expected is None or isinstance(expected, str):
        return expected is None or signer == expected
    return signer in expected


def _verify_signer(at: str, signer: str, expected: Signers) -> None:
    if not is_expected(signer, expected):
        wanted = expected if isinstance(expected, str) else " or ".join(expected or ())
        detail = "it is signed by somebody else"
        raise VerificationError("signer_differs", at, detail, expected=wanted, found=signer)


def _verify_signature(at: str, message: str, signer: str, signature: str) -> None:
    if not keys.signs(signer, message, signature):
        detail = f"the signature is not one of {signer} of this"
        raise VerificationError("signature_differs", at, detail)


def _hash(text: str, at: str) -> bytes:
    if not is_digest(text):
        detail = f"{text!r} is not 64 lower-case hexadecimal digits"
        raise VerificationError("malformed", at, detail)
    return bytes.fromhex(text)


def _hashes(texts: Sequence[str], at: str) -> list[bytes]:
    return [_hash(text, at) for text in texts]
