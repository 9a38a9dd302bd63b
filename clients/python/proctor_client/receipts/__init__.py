"""Receipts: what a score was computed from, signed. Checked here without running anything."""

from .answers import Consistency, Day, Finalization, PublishedReceipt
from .bundle import Bundle, BundleReport, read_bundle
from .canonical import canonical_bytes, digest, parse
from .check import (
    Signers,
    verify_consistency,
    verify_head,
    verify_inclusion,
    verify_receipt,
)
from .errors import SignaturesUnavailable, VerificationError
from .models import (
    Head,
    Receipt,
    SignedHead,
    SignedReceipt,
    TreeState,
    head_digest,
    receipt_id,
)
from .remote import DayReport, verify_day, verify_score

__all__ = [
    "Bundle",
    "BundleReport",
    "Consistency",
    "Day",
    "DayReport",
    "Finalization",
    "Head",
    "PublishedReceipt",
    "Receipt",
    "SignaturesUnavailable",
    "SignedHead",
    "SignedReceipt",
    "Signers",
    "TreeState",
    "VerificationError",
    "canonical_bytes",
    "digest",
    "head_digest",
    "parse",
    "read_bundle",
    "receipt_id",
    "verify_consistency",
    "verify_day",
    "verify_head",
    "verify_inclusion",
    "verify_receipt",
    "verify_score",
]
