"""Two days of receipts, signed beforehand, and bundles made of them.

`tests/data/receipts.json` is written by `python -m tests.make_receipts`. Nothing of it was
computed by running anything: what is checked is only how it is linked and signed.
"""

from __future__ import annotations

import io
import json
import tarfile
import unittest
from pathlib import Path
from typing import Any

from proctor_client.receipts import SignedHead, SignedReceipt, canonical_bytes, merkle, zstd
from proctor_client.receipts.canonical import is_digest
from proctor_client.receipts.keys import can_verify

DATA: dict[str, Any] = json.loads(
    Path(__file__).with_name("data").joinpath("receipts.json").read_text()
)
SIGNER: str = DATA["signer"]
STRANGER = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
EARLIER, DAY = sorted(DATA["days"])

needs_sr25519 = unittest.skipUnless(can_verify(), "the extra `verify` is not installed")
needs_zstd = unittest.skipUnless(zstd.module(), "nothing that decompresses zstd is installed")


def lines(day: str = DAY) -> list[dict[str, Any]]:
    """The signed leaves of a day, as they are written; fresh ones at each call."""
    copy: list[dict[str, Any]] = json.loads(json.dumps(DATA["days"][day]["receipts"]))
    return copy


def leaves(day: str = DAY) -> list[SignedReceipt]:
    return [SignedReceipt.from_json(line) for line in lines(day)]


def line_of(kind: str, day: str = DAY) -> dict[str, Any]:
    found = [*lines(day), *json.loads(json.dumps(DATA["linked"]))]
    return next(line for line in found if line["receipt"]["kind"] == kind)


def head(day: str = DAY, size: int | None = None) -> dict[str, Any]:
    """The signed head of a day with so many leaves; by default the last."""
    copies: list[dict[str, Any]] = json.loads(json.dumps(DATA["days"][day]["heads"]))
    return copies[-1 if size is None else size - 1]


def signed_head(day: str = DAY, size: int | None = None) -> SignedHead:
    return SignedHead.from_json(head(day, size))


def state(day: str = DAY, size: int | None = None) -> dict[str, Any]:
    told = head(day, size)["head"]
    return {"size": told["size"], "root": told["root"]}


def ids(day: str = DAY) -> list[bytes]:
    return [bytes.fromhex(line["id"]) for line in lines(day)]


# RFC 6962, 2.1, word for word, to have other code than what is tested.


def root_of(data: list[bytes]) -> bytes:
    if len(data) <= 1:
        return merkle.leaf_hash(data[0]) if data else merkle.root([])
    split = _split(len(data))
    return merkle._node_hash(root_of(data[:split]), root_of(data[split:]))


def path_of(index: int, data: list[bytes]) -> list[bytes]:
    if len(data) == 1:
        return []
    split = _split(len(data))
    if index < split:
        return [*path_of(index, data[:split]), root_of(data[split:])]
    return [*path_of(index - split, data[split:]), root_of(data[:split])]


def proof_of(older: int, data: list[bytes], *, whole: bool = True) -> list[bytes]:
    if older == len(data):
        return [] if whole else [root_of(data)]
    split = _split(len(data))
    if older <= split:
        return [*proof_of(older, data[:split], whole=whole), root_of(data[split:])]
    return [*proof_of(older - split, data[split:], whole=False), root_of(data[:split])]


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def hexes(hashes: list[bytes]) -> list[str]:
    return [hash.hex() for hash in hashes]


def bundle_files(
    day: str | None = DAY,
    *,
    leaves: int | None = None,
    chosen: list[dict[str, Any]] | None = None,
    blobs: bool = True,
) -> dict[str, bytes]:
    """What is in the bundle of a day with so many leaves, by name, in order; of no day,
    in that of the receipts `chosen`."""
    if chosen is None:
        chosen = lines(DAY if day is None else day)[:leaves]
    linked = _linked(chosen)
    # Not those of other days, which are taken for what they say.
    documented = chosen + [line for line in linked if line["receipt"]["kind"] == "solve"]
    named = {value for line in documented for value in line["receipt"].values() if is_digest(value)}
    there = sorted(named & DATA["blobs"].keys()) if blobs else []
    withheld = DATA["withheld"] | dict.fromkeys(DATA["blobs"], "not_included")
    contents = {
        "version": "proctor-bundle-1",
        "day": day,
        "withheld": [
            {"digest": digest, "why": withheld[digest]}
            for digest in sorted((named & withheld.keys()) - set(there))
        ],
    }
    files = {"bundle.json": canonical_bytes(contents)}
    if day is not None:
        files["head.json"] = canonical_bytes(head(day, len(chosen)))
    files["receipts.jsonl"] = _jsonl(chosen)
    files |= linked_files(linked)
    for digest in there:
        files[f"blobs/sha256/{digest}.zst"] = bytes.fromhex(DATA["blobs"][digest])
    return files


def tar(files: dict[str, bytes]) -> bytes:
    """A plain tar, with nothing but zeros where nothing is."""
    out = io.BytesIO()
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        out.write(info.tobuf(tarfile.USTAR_FORMAT))
        out.write(content + bytes(-len(content) % 512))
    out.write(bytes(1024))
    return out.getvalue()


def _linked(chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    all_of = {line["id"]: line for line in [*DATA["linked"], *lines(EARLIER), *lines(DAY)]}
    of_day = {line["id"] for line in chosen}
    needed: dict[str, dict[str, Any]] = {}
    for line in chosen:
        for id in line["receipt"]["depends_on"]:
            if id not in of_day:
                needed[id] = all_of[id]
    return [needed[id] for id in sorted(needed)]


def linked_files(linked: list[dict[str, Any]]) -> dict[str, bytes]:
    """What is in a bundle of receipts on which its leaves depend."""
    return {"linked.jsonl": _jsonl(linked), "proofs.json": canonical_bytes(_proofs(linked))}


def _proofs(linked: list[dict[str, Any]]) -> dict[str, Any]:
    places: dict[str, tuple[str, int]] = {}
    for day in (EARLIER, DAY):
        places |= {line["id"]: (day, leaf) for leaf, line in enumerate(lines(day))}
    there = [(line["id"], *places[line["id"]]) for line in linked if line["id"] in places]
    return {
        "version": "proctor-proofs-1",
        "heads": [head(day) for day in sorted({day for _, day, _ in there})],
        "leaves": [
            {"id": id, "day": day, "leaf": leaf, "proof": hexes(path_of(leaf, ids(day)))}
            for id, day, leaf in there
        ],
    }


def _jsonl(found: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical_bytes(line) + b"\n" for line in found)
