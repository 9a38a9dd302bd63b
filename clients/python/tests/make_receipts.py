"""Writes `tests/data/receipts.json`. Needs the extra `verify`; signatures differ each time.

python -m tests.make_receipts
"""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

from proctor_client.receipts import canonical_bytes, digest, merkle

# A key that is for nothing else: the seed is the digest of a text.
SEED = hashlib.sha256(b"proctor-client test vector").digest()
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def main() -> None:
    sr25519: Any = importlib.import_module("sr25519")
    zstd: Any = importlib.import_module("backports.zstd")
    pair = sr25519.pair_from_seed(SEED)
    signer = address(pair[0])
    blobs: dict[str, str] = {}
    parameter = zstd.CompressionParameter
    options = {parameter.checksum_flag: 1, parameter.window_log: 21}

    def document(value: object) -> str:
        text = canonical_bytes(value)
        blobs[digest(text)] = zstd.compress(text, options=options).hex()
        return digest(text)

    limits = document({"call": {"fuel": 1000}, "solver": None, "version": "proctor-limits-1"})
    private = digest(b"what an author marks private")
    component = digest(b"a component")
    withheld = {private: "private", component: "not_included"}

    def receipt(kind: str, name: str, *depends_on: str, **fields: object) -> dict[str, Any]:
        return {
            "version": "proctor-receipt-1",
            "kind": kind,
            "challenge": None if kind in ("solve", "vector") else "digits",
            "component": component,
            "engine": "wasmtime-48.0.0 deterministic",
            "limits": limits,
            "environment": digest(b'{"variables":{},"version":"proctor-environment-1"}'),
            "settings": None if kind == "solve" else private,
            "seed": "18446744073709551615",
            "logical_time": "41da2a1a60000000",
            "input": document({"of": name, "text": "é\u001f€\U0001f600"}),
            "transcript": None,
            "output": document({"outcome": "ok", "what": name}),
            "outcome": "ok",
            "fuel": 2**53 - 1,
            "depends_on": sorted(depends_on),
            **fields,
        }

    def of_rule(kind: str, name: str, *depends_on: str) -> dict[str, Any]:
        nothing = dict.fromkeys(["component", "limits", "environment", "settings"])
        fields: dict[str, object] = {
            **nothing,
            "engine": "proctor-rules-1",
            "seed": "0",
            "logical_time": "0" * 16,
            "fuel": 0,
        }
        return receipt(kind, name, *depends_on, **fields)

    def line(body: dict[str, Any]) -> dict[str, Any]:
        id = digest(canonical_bytes(body))
        if body["kind"] == "solve":
            return {"id": id, "receipt": body, "signature": None, "signer": None}
        signature = sr25519.sign(pair, f"proctor-receipt-1:{id}".encode()).hex()
        return {"id": id, "receipt": body, "signature": signature, "signer": signer}

    def heads(
        day: str, lines: list[dict[str, Any]], previous: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        roots, made = merkle.Roots(), []
        for of in lines:
            roots.append(bytes.fromhex(of["id"]))
            head = {
                "version": "proctor-head-1",
                "day": day,
                "size": roots.size,
                "root": roots.root().hex(),
                "previous": previous,
            }
            message = f"proctor-head-1:{digest(canonical_bytes(head))}"
            signature = sr25519.sign(pair, message.encode()).hex()
            made.append({"head": head, "signature": signature, "signer": signer})
        return made

    solves = [line(receipt("solve", f"task {task}")) for task in range(2)]
    before = line(receipt("evaluate", "of the day before", solves[0]["id"]))
    verdict_before = line(of_rule("judge", "verdict of the day before", before["id"]))
    evaluate = line(receipt("evaluate", "a submission", solves[1]["id"]))
    compare = line(receipt("compare", "with that of the day before", before["id"]))
    judge = line(receipt("judge", "a verdict", evaluate["id"], compare["id"]))
    weights = line(receipt("get_weights", "weights", judge["id"], verdict_before["id"]))
    vector = line(of_rule("vector", "a vector", weights["id"]))
    earlier, day = [before, verdict_before], [evaluate, compare, judge, weights, vector]
    earlier_heads = heads("2026-08-21", earlier, None)
    # Of the first leaf only: the earlier day grew afterwards.
    told = {name: earlier_heads[0]["head"][name] for name in ("day", "size", "root")}
    data = {
        "signer": signer,
        "linked": sorted(solves, key=lambda found: found["id"]),
        "days": {
            "2026-08-21": {"receipts": earlier, "heads": earlier_heads},
            "2026-08-22": {"receipts": day, "heads": heads("2026-08-22", day, told)},
        },
        "blobs": blobs,
        "withheld": withheld,
    }
    target = Path(__file__).with_name("data") / "receipts.json"
    target.write_text(json.dumps(data, indent=1) + "\n")


def address(public: bytes) -> str:
    payload = bytes([42]) + public
    payload += hashlib.blake2b(b"SS58PRE" + payload).digest()[:2]
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


if __name__ == "__main__":
    main()
