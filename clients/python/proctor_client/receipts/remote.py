"""Checks of what a server publishes, without running anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import merkle
from .answers import Day, PublishedReceipt
from .bundle import Bundle, read_bundle
from .check import (
    Signers,
    verify_consistency,
    verify_day_of,
    verify_head,
    verify_inclusion,
    verify_leaf,
    verify_receipt,
    verify_tree,
)
from .errors import VerificationError
from .models import Head, SignedHead, TreeState

if TYPE_CHECKING:
    from ..client import Client


@dataclass(frozen=True, slots=True)
class DayReport:
    """A day that is as it says."""

    head: SignedHead
    """What the server tells of the day now."""
    receipts: int
    """How many of its leaves were looked at; of a bundle, those that it has."""
    finalizations: tuple[str, ...]
    """The challenges whose finalization names a beginning of the day's tree."""


def verify_score(
    client: Client, receipt: str, expected_signer: Signers = None, *, signatures: bool = True
) -> PublishedReceipt:
    """Asks for the receipt of a score (or of anything else) by its id, and checks that it
    is signed, and a leaf of its day's tree, whose head is signed.

    A solve is neither: then this is checked of the first receipt that depends on it.
    Whether the score is what comes of the computation is not: `proctor verify` does it
    again. `signatures=False` does not look at signatures. Raises `VerificationError`,
    `SignaturesUnavailable` without the package that signatures need, and what the client
    raises.
    """
    found = _published(client, receipt)
    if found.signed.receipt["kind"] != "solve":
        _verify_published(found, expected_signer, signatures)
        return found
    verify_receipt(found.signed)
    at = f"receipt {receipt}"
    if not found.parents:
        raise VerificationError("link_differs", at, "nothing depends on it")
    parent = _published(client, found.parents[0])
    _verify_published(parent, expected_signer, signatures)
    if receipt not in parent.signed.receipt["depends_on"]:
        detail = f"{parent.signed.id} does not depend on it"
        raise VerificationError("link_differs", at, detail)
    return found


def verify_day(
    client: Client,
    day: str,
    *,
    bundle: Bundle | str | os.PathLike[str] | None = None,
    expected_signer: Signers = None,
    signatures: bool = True,
) -> DayReport:
    """Asks for a day (`YYYY-MM-DD`), and checks its head, its receipts, that each
    challenge's finalization and the head of the next day named a beginning of the tree,
    and that the head names one of the day before.

    The receipts are those of `bundle`, if there is one, which may be older than what the
    server has now; else all are asked for, page after page. Raises as `verify_score`.
    """
    if bundle is not None and not isinstance(bundle, Bundle):
        bundle = read_bundle(bundle)
    told = client.day(day)
    head = told.head
    verify_day_of(head.head, day)
    verify_head(head, expected_signer, signatures=signatures)
    signers = head.signer if expected_signer is None else expected_signer
    if bundle is None:
        count = _verify_leaves(client, head.head, signers, signatures)
    else:
        count = _verify_bundle(client, head.head, bundle, signers, signatures)
    _verify_links(client, told, expected_signer, signatures)
    return DayReport(head, count, tuple(found.challenge for found in told.finalizations))


def _published(client: Client, receipt: str) -> PublishedReceipt:
    found = client.receipt(receipt)
    if found.signed.id != receipt:
        detail = "the server answers with another one"
        raise VerificationError(
            "receipt_differs",
            f"receipt {receipt}",
            detail,
            expected=receipt,
            found=found.signed.id,
        )
    return found


def _verify_published(found: PublishedReceipt, expected: Signers, signatures: bool) -> None:
    signed, head = found.signed, found.head
    if head is None or signed.leaf is None:
        detail = "the server does not tell which leaf it is"
        raise VerificationError("malformed", f"receipt {signed.id}", detail)
    expected = head.signer if expected is None else expected
    verify_leaf(signed, expected, signatures=signatures)
    verify_day_of(head.head, found.day)
    verify_inclusion(signed.id, signed.leaf, head.head, found.inclusion)
    verify_head(head, expected, signatures=signatures)


def _verify_leaves(client: Client, head: Head, expected: Signers, signatures: bool) -> int:
    roots = merkle.Roots()
    for signed in client.day_receipts(head["day"]):
        # The day may have grown since we were told of its head.
        if roots.size == head["size"]:
            break
        if signed.leaf != roots.size:
            detail = "it is not the next leaf"
            raise VerificationError(
                "leaf_differs",
                f"receipt {signed.id}",
                detail,
                expected=roots.size,
                found=signed.leaf,
            )
        verify_leaf(signed, expected, signatures=signatures)
        roots.append(bytes.fromhex(signed.id))
    verify_tree(head, roots)
    return roots.size


def _verify_bundle(
    client: Client, head: Head, bundle: Bundle, expected: Signers, signatures: bool
) -> int:
    report = bundle.verify(expected, signatures=signatures)
    if bundle.head is None:
        detail = "it is of one receipt, and not of a day"
        raise VerificationError("day_differs", str(bundle.path), detail)
    own = bundle.head.head
    verify_day_of(own, head["day"])
    older, newer = (own, head) if own["size"] <= head["size"] else (head, own)
    _verify_begins(client, older, newer)
    return report.receipts


def _verify_links(client: Client, told: Day, expected: Signers, signatures: bool) -> None:
    head = told.head.head
    for finalization in told.finalizations:
        _verify_begins(client, finalization.tree, head)
    previous = head["previous"]
    if previous is None:
        return
    if previous["day"] >= head["day"]:
        detail = "the day before is not before"
        raise VerificationError("day_differs", f"head of {head['day']}", detail)
    before = client.day(previous["day"]).head
    verify_day_of(before.head, previous["day"])
    verify_head(before, expected, signatures=signatures)
    _verify_begins(client, previous, before.head)


def _verify_begins(client: Client, older: Head | TreeState, newer: Head | TreeState) -> None:
    if older["size"] >= newer["size"]:
        verify_consistency(older, newer, ())
        return
    proof = client.consistency(newer["day"], older["size"], newer["size"]).proof
    verify_consistency(older, newer, proof)
