"""What verifying finds."""

from __future__ import annotations

from ..errors import ClientError


class VerificationError(ClientError):
    """Something is not what it says that it is."""

    code: str
    """Stable: one of

    - `not_canonical`: a text is not canonical JSON
    - `malformed`: a field is missing, too many, or not of the form that it should have
    - `id_differs`: a receipt's id is not the digest of the receipt
    - `signature_missing`, `signature_differs`: not signed, or not by the one it names
    - `signer_differs`: signed by somebody else than expected
    - `inclusion_differs`, `consistency_differs`: a Merkle proof does not lead to the root
    - `root_differs`, `size_differs`: the leaves do not make the tree that the head tells of
    - `day_differs`, `leaf_differs`, `receipt_differs`: this belongs to something else
      than what was asked for
    - `order_differs`: something is not in its order, or there twice
    - `link_differs`: a receipt is there on which nothing depends
    - `link_missing`: a receipt depends on one that is not there
    - `blob_missing`: a document is neither there nor said to be withheld
    - `blob_differs`: a document is not the one of its digest
    - `unreadable_bundle`: not a bundle, or cut off
    """
    at: str
    """What it is about: a receipt, a head, an entry of the bundle."""
    detail: str
    """What is wrong, for people."""
    expected: str | None
    """What it should be, where one value can be told."""
    found: str | None
    """What it is instead."""

    def __init__(
        self,
        code: str,
        at: str,
        detail: str,
        *,
        expected: object = None,
        found: object = None,
    ) -> None:
        super().__init__(code, at, detail)
        self.code = code
        self.at = at
        self.detail = detail
        self.expected = None if expected is None else str(expected)
        self.found = None if found is None else str(found)

    def __str__(self) -> str:
        text = f"{self.code}: {self.at}: {self.detail}"
        if self.expected is not None:
            text += f" (expected {self.expected}, found {self.found})"
        return text


class SignaturesUnavailable(ClientError, ImportError):
    """Signatures cannot be checked here, because the package for sr25519 is missing."""

    def __init__(self) -> None:
        super().__init__(
            "signatures are of sr25519, which Python does not have: "
            "pip install 'proctor-client[verify]'"
        )
