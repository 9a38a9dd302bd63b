"""A day's receipts, or one, with all that they are verified by, in one file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import canonical, merkle, zstd
from .archive import Entry, entries, unreadable
from .check import (
    Signers,
    is_expected,
    verify_day_of,
    verify_head,
    verify_inclusion,
    verify_leaf,
    verify_receipt,
    verify_tree,
)
from .errors import VerificationError
from .models import Proofs, SignedHead, SignedReceipt, read_contents

VERSION = "proctor-bundle-1"

EMPTY_ENVIRONMENT = canonical.digest(b'{"variables":{},"version":"proctor-environment-1"}')
"""The digest that says that a challenge has no environment: nobody needs the document."""

_LONGEST_TEXT = 64 << 20
_PIECE = 1 << 20
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})\.zst")
# The documents that a receipt names.
_DOCUMENTS = ("component", "environment", "input", "limits", "output", "settings", "transcript")


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What was found to be as it says."""

    day: str | None
    """Of a bundle of one receipt none, or its day."""
    head: SignedHead | None
    """None of a bundle of one receipt."""
    receipts: int
    """Leaves of the day's tree, or the one receipt."""
    linked: int
    """Receipts that these depend on: solves, and those of other days."""
    blobs: int
    """Documents, components and artifacts that are in the bundle."""
    withheld: int
    """Those that are not."""
    signers: tuple[str, ...]
    """Who signed: in order, each once."""
    unchecked: tuple[str, ...]
    """What could not be checked: of `signatures`, `blobs`, `proofs`, if nothing shows that
    a receipt of another day is a leaf there, and `signers`, if somebody else than who
    signed the day's head signed a leaf, or a receipt or head of another day."""


@dataclass(frozen=True)
class Bundle:
    """A bundle, of which each text that is not long was read; the rest is read when asked
    for. Receipts are not checked until `verify` is called."""

    path: Path
    day: str | None
    head: SignedHead | None
    proofs: Proofs
    """That linked receipts that are no solves are leaves of other days. Not checked until
    `verify` is called."""
    withheld: dict[str, str]
    """Digests of what is not in it, with the reason: `private`, `environment`, `missing`
    or `not_included`."""
    entries: dict[str, Entry]
    """What is in the file, by name, in its order."""

    def receipts(self) -> Iterator[SignedReceipt]:
        """The leaves of the day's tree, in order; or the one receipt."""
        for leaf, signed in enumerate(self._lines("receipts.jsonl")):
            yield signed if self.head is None else _with_leaf(signed, leaf)

    def linked(self) -> Iterator[SignedReceipt]:
        """The receipts that these depend on and that are no leaves of the day, by id."""
        return self._lines("linked.jsonl")

    def blobs(self) -> list[str]:
        """The digests of the documents, components and artifacts that are in it."""
        found = (_BLOB.fullmatch(name) for name in self.entries)
        return [match[1] for match in found if match]

    def blob(self, digest: str) -> bytes:
        """One of these; raises `KeyError` if it is not in the bundle.

        Raises `VerificationError` if it is another, and `ImportError` if nothing is there
        that decompresses: it takes Python 3.14, or the extra `verify`.
        """
        return b"".join(_content(self, digest))

    def verify(self, expected_signer: Signers = None, *, signatures: bool = True) -> BundleReport:
        """Checks all that can be checked without running anything.

        Each line is canonical, its id its digest, its signature the signer's; the day's
        root is made of the leaves, and is the one of the signed head; what a leaf depends
        on is there, if it is of another day then as a leaf of that day's signed head, and
        so is each document, or it is said why not; each document has its digest.

        All should be signed by who is expected, or signed the head. A leaf, and what is of
        another day, may have another signer, as a host may change its key: `unchecked` has
        `signers` then. Not if somebody is expected who signed neither leaf nor head.

        `signatures=False` leaves out signatures, and the need for a package. Without
        anything that decompresses, documents are left out. Raises `VerificationError`
        with the first thing that is not right, or `SignaturesUnavailable`.
        """
        check = _Check(self, expected_signer, signatures)
        check.leaves()
        check.linked()
        check.proofs()
        check.documents()
        return check.report()

    def _lines(self, name: str) -> Iterator[SignedReceipt]:
        entry = self.entries[name]
        with self.path.open("rb") as file:
            file.seek(entry.offset)
            left, number = entry.size, 0
            while left > 0:
                number += 1
                at = f"{name}:{number}"
                line = file.readline(min(left, _LONGEST_TEXT))
                left -= len(line)
                if not line.endswith(b"\n"):
                    raise unreadable(at, "the line has no end")
                value = canonical.read(line[:-1], at)
                yield SignedReceipt.from_json(value, at, exact=True)


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Opens a bundle: what is in it, for which day, with which head.

    Raises `OSError` if the file cannot be read, and `VerificationError` if it is not a
    bundle, with every byte looked at but receipts and documents.
    """
    path = Path(path)
    with path.open("rb") as file:
        found: dict[str, Entry] = {}
        for entry in entries(file):
            if entry.name in found:
                raise VerificationError("order_differs", entry.name, "it is there twice")
            found[entry.name] = entry

        def text(name: str) -> bytes:
            if found[name].size > _LONGEST_TEXT:
                raise unreadable(name, "it is too long")
            file.seek(found[name].offset)
            return file.read(found[name].size)

        if next(iter(found), None) != "bundle.json":
            raise unreadable("bundle.json", "it is not the first file")
        _verify_names(list(found))
        day, withheld = read_contents(_read(text, "bundle.json"), VERSION, "bundle.json")
        head = None
        if "head.json" in found:
            head = SignedHead.from_json(_read(text, "head.json"), "head.json", exact=True)
        proofs = Proofs.from_json(_read(text, "proofs.json"), "proofs.json")
    if head is None and day is not None:
        raise unreadable("head.json", "it is not there, and the bundle is of a day")
    if head is not None:
        verify_day_of(head.head, day)
    if day in proofs.heads:
        raise VerificationError("malformed", "proofs.json", f"{day} is the bundle's own day")
    bundle = Bundle(path, day, head, proofs, withheld, found)
    for digest in bundle.blobs():
        if digest in withheld:
            raise VerificationError("malformed", "bundle.json", f"{digest} is not withheld")
    return bundle


class _Check:
    def __init__(self, bundle: Bundle, expected: Signers, signatures: bool) -> None:
        self._bundle = bundle
        self._named = expected
        if expected is None and bundle.head is not None:
            expected = bundle.head.signer
        self._expected = expected
        self._signatures = signatures
        self._signers: dict[str, None] = {}
        self._leaves: set[bytes] = set()
        self._linked: set[bytes] = set()
        # Of the linked ones those that are of other days.
        self._others: set[str] = set()
        # What leaves depend on, and one of them each.
        self._needed: dict[bytes, str] = {}
        # What says no more than that the bundle is not whole comes last.
        self._missing: VerificationError | None = None
        self._unchecked: dict[str, None] = {} if signatures else {"signatures": None}

    def leaves(self) -> None:
        roots = merkle.Roots()
        for signed in self._bundle.receipts():
            id = bytes.fromhex(signed.id)
            # The one of a bundle of one may be of a solve.
            if self._bundle.head is None:
                verify_receipt(signed, self._expected, signatures=self._signatures)
            else:
                self._leaf_of(self._bundle.head, signed)
            if id in self._leaves:
                raise VerificationError(
                    "order_differs", f"receipt {signed.id}", "it is twice there"
                )
            self._signed(signed)
            self._documents_of(signed)
            self._leaves.add(id)
            for needed in signed.receipt["depends_on"]:
                self._needed.setdefault(bytes.fromhex(needed), signed.id)
            roots.append(id)
        head = self._bundle.head
        if head is None:
            if roots.size != 1:
                detail = "without a head, a bundle is of one receipt"
                raise VerificationError(
                    "size_differs", "receipts.jsonl", detail, expected=1, found=roots.size
                )
            return
        verify_tree(head.head, roots)
        verify_head(head, self._expected, signatures=self._signatures)

    def linked(self) -> None:
        last = ""
        for signed in self._bundle.linked():
            at = f"receipt {signed.id}"
            id = bytes.fromhex(signed.id)
            verify_receipt(signed, signatures=self._signatures)
            if signed.id <= last or id in self._leaves:
                raise VerificationError("order_differs", at, "linked.jsonl is not by id")
            if id not in self._needed:
                raise VerificationError("link_differs", at, "no leaf depends on it")
            last = signed.id
            self._linked.add(id)
            if signed.receipt["kind"] == "solve":
                self._documents_of(signed)
                continue
            self._signed(signed)
            self._others.add(signed.id)
            # A host may have got another key since that day.
            if not is_expected(signed.signer, self._expected):
                self._unchecked["signers"] = None
        for needed, by in self._needed.items():
            if needed not in self._linked and needed not in self._leaves:
                detail = f"it depends on {needed.hex()}, which is not in the bundle"
                self._miss("link_missing", by, detail)

    def proofs(self) -> None:
        proofs = self._bundle.proofs
        for signed in proofs.heads.values():
            verify_head(signed, signatures=self._signatures)
            if not is_expected(signed.signer, self._expected):
                self._unchecked["signers"] = None
        for id, place in proofs.leaves.items():
            if id not in self._others:
                raise VerificationError("link_differs", f"receipt {id}", "it is not linked")
            verify_inclusion(id, place.leaf, proofs.heads[place.day].head, place.proof)
        if self._others - proofs.leaves.keys():
            self._unchecked["proofs"] = None

    def documents(self) -> None:
        blobs = self._bundle.blobs()
        if blobs and zstd.module() is None:
            self._unchecked["blobs"] = None
            return
        for digest in blobs:
            for _ in _content(self._bundle, digest):
                pass

    def report(self) -> BundleReport:
        if self._missing is not None:
            raise self._missing
        bundle = self._bundle
        return BundleReport(
            day=bundle.day,
            head=bundle.head,
            receipts=len(self._leaves),
            linked=len(self._linked),
            blobs=len(bundle.blobs()),
            withheld=len(bundle.withheld),
            signers=tuple(self._signers),
            unchecked=tuple(self._unchecked),
        )

    def _leaf_of(self, head: SignedHead, signed: SignedReceipt) -> None:
        # Whoever signed the head signed the leaf too, by its id. So the host may have got
        # another key since it signed the leaf.
        signer = signed.signer
        told = is_expected(signer, self._named) or is_expected(head.signer, self._named)
        verify_leaf(signed, None if told else self._named, signatures=self._signatures)
        if not is_expected(signer, self._expected):
            self._unchecked["signers"] = None

    def _signed(self, signed: SignedReceipt) -> None:
        if signed.signer is not None:
            self._signers[signed.signer] = None

    def _documents_of(self, signed: SignedReceipt) -> None:
        for name in _DOCUMENTS:
            digest = signed.receipt.get(name)
            if not isinstance(digest, str) or digest == EMPTY_ENVIRONMENT:
                continue
            if _name(digest) not in self._bundle.entries and digest not in self._bundle.withheld:
                detail = f"its {name} {digest} is neither there nor withheld"
                self._miss("blob_missing", signed.id, detail)

    def _miss(self, code: str, id: str, detail: str) -> None:
        if self._missing is None:
            self._missing = VerificationError(code, f"receipt {id}", detail)


def _verify_names(names: list[str]) -> None:
    first = ["bundle.json", "head.json", "receipts.jsonl", "linked.jsonl", "proofs.json"]
    if "head.json" not in names:
        first.remove("head.json")
    if names[: len(first)] != first:
        raise unreadable("bundle.json", f"{', '.join(first)} should come first")
    last = ""
    for name in names[len(first) :]:
        if not _BLOB.fullmatch(name):
            raise unreadable(name, "it is nothing of a bundle")
        if name <= last:
            raise VerificationError("order_differs", name, "blobs are not by digest")
        last = name


def _read(text: Callable[[str], bytes], name: str) -> object:
    value: object = canonical.read(text(name), name)
    return value


def _pieces(path: Path, entry: Entry) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(entry.offset)
        left = entry.size
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece


def _content(bundle: Bundle, digest: str) -> Iterator[bytes]:
    entry = bundle.entries[_name(digest)]
    module = zstd.module()
    if module is None:
        raise ImportError(
            "blobs are compressed with zstd, which this Python does not have: "
            "pip install 'proctor-client[verify]'"
        )
    hash = hashlib.sha256()
    try:
        for piece in zstd.decompress(module, _pieces(bundle.path, entry)):
            hash.update(piece)
            yield piece
    except ValueError as error:
        raise VerificationError("blob_differs", entry.name, str(error)) from error
    if hash.hexdigest() != digest:
        found = hash.hexdigest()
        detail = "it is another document"
        raise VerificationError("blob_differs", entry.name, detail, expected=digest, found=found)


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest}.zst"


def _with_leaf(signed: SignedReceipt, leaf: int) -> SignedReceipt:
    return SignedReceipt(signed.id, signed.receipt, signed.signature, signed.signer, leaf)
