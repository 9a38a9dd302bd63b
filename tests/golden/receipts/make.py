#!/usr/bin/env python3
"""Makes the test vectors of docs/receipts.md: canonical texts, documents, receipts, a
transcript, trees, heads, and the bundle of a small day.

It shares nothing with the host, and needs nothing but Python. See README.md.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

HERE = Path(__file__).parent

# The development key //Alice signs. Miners are //Bob to //Eve, and uid 0 is //Ferdie.
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
CHARLIE = "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"
DAVE = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy"
EVE = "5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw"
FERDIE = "5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL"
COLDKEY = "5Ck5SLSHYac6WFt5UZRSsdJjwmpSZq85fd5TRNAdZQVzEAPT"

# Canonical JSON, RFC 8785, of what documents hold.

ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def canonical(value):
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        assert 0 <= value < 2**53
        return str(value)
    if isinstance(value, str):
        escape = lambda c: ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c)
        return '"' + "".join(map(escape, value)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"


def digest(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def bits(number):
    return None if number is None else struct.pack(">d", number).hex()


# The tree of RFC 6962, section 2.1, as it is written there.


def sha256(data):
    return hashlib.sha256(data).digest()


def split(count):
    """The greatest power of two below it."""
    return 1 << ((count - 1).bit_length() - 1)


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    k = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


def path(leaf, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if leaf < k:
        return path(leaf, leaves[:k]) + [root(leaves[k:])]
    return path(leaf - k, leaves[k:]) + [root(leaves[:k])]


def proof(old, leaves, is_whole=True):
    if old == len(leaves):
        return [] if is_whole else [root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return proof(old, leaves[:k], is_whole) + [root(leaves[k:])]
    return proof(old - k, leaves[k:], False) + [root(leaves[:k])]


def hexes(hashes):
    return [each.hex() for each in hashes]


# A frame of zstd (RFC 8878) that holds its content as it is, and the checksum of one.


def xxh64(data):
    mask = 2**64 - 1
    p1, p2, p3, p4, p5 = (
        11400714785074694791,
        14029467366897019727,
        1609587929392839161,
        9650029242287828579,
        2870177450012600261,
    )
    rotate = lambda x, by: ((x << by) | (x >> (64 - by))) & mask
    turn = lambda into, lane: rotate((into + lane * p2) & mask, 31) * p1 & mask
    at = 0
    if len(data) >= 32:
        lanes = [(p1 + p2) & mask, p2, 0, (-p1) & mask]
        while at + 32 <= len(data):
            lanes = [turn(v, x) for v, x in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        hash = sum(rotate(v, by) for v, by in zip(lanes, (1, 7, 12, 18))) & mask
        for lane in lanes:
            hash = ((hash ^ turn(0, lane)) * p1 + p4) & mask
    else:
        hash = p5
    hash = (hash + len(data)) & mask
    while at + 8 <= len(data):
        hash ^= turn(0, struct.unpack_from("<Q", data, at)[0])
        hash = (rotate(hash, 27) * p1 + p4) & mask
        at += 8
    if at + 4 <= len(data):
        hash ^= struct.unpack_from("<I", data, at)[0] * p1 & mask
        hash = (rotate(hash, 23) * p2 + p3) & mask
        at += 4
    for byte in data[at:]:
        hash ^= byte * p5 & mask
        hash = rotate(hash, 11) * p1 & mask
    hash = (hash ^ (hash >> 33)) * p2 & mask
    hash = (hash ^ (hash >> 29)) * p3 & mask
    return hash ^ (hash >> 32)


def frame(content):
    """One block, so of at most 128 KiB."""
    size = len(content)
    assert size < 128 << 10
    if size < 256:
        flag, field = 0, struct.pack("<B", size)
    elif size < 65536 + 256:
        flag, field = 1, struct.pack("<H", size - 256)
    else:
        flag, field = 2, struct.pack("<I", size)
    # The size of the content is told, it is one segment, and it has a checksum.
    descriptor = bytes([flag << 6 | 1 << 5 | 1 << 2])
    block = struct.pack("<I", size << 3 | 1)[:3]
    checksum = struct.pack("<I", xxh64(content) & 0xFFFFFFFF)
    return b"\x28\xb5\x2f\xfd" + descriptor + field + block + content + checksum


# A tar archive, POSIX.1-1988 (ustar).


def tar(entries):
    archive = b""
    for name, content in entries:
        octal = lambda number, digits: f"{number:0{digits}o}".encode() + b"\0"
        head = bytearray(512)
        for at, field in [
            (0, name.encode()),
            (100, octal(0o644, 7)),
            (108, octal(0, 7)),
            (116, octal(0, 7)),
            (124, octal(len(content), 11)),
            (136, octal(0, 11)),
            (148, b" " * 8),
            (156, b"0"),
            (257, b"ustar\x0000"),
        ]:
            head[at : at + len(field)] = field
        head[148:156] = octal(sum(head), 7)
        archive += bytes(head) + content + b"\0" * (-len(content) % 512)
    return archive + b"\0" * 1024


# Receipts.

RECEIPT = "proctor-receipt-1"
HEAD = "proctor-head-1"
ENGINE = "wasmtime-48.0.8+deterministic-2.x86_64"
RULES = "proctor-rules-1"
OF_RULE = {
    "challenge": None,
    "component": None,
    "depends_on": [],
    "engine": RULES,
    "environment": None,
    "fuel": 0,
    "limits": None,
    "logical_time": bits(0.0),
    "outcome": "ok",
    "seed": "0",
    "settings": None,
    "transcript": None,
    "version": RECEIPT,
}

SIGNATURES = json.loads((HERE / "signatures.json").read_text())
UNSIGNED = []


def signature(message):
    """Signatures have chance in them: each was made once, and is kept."""
    if message not in SIGNATURES:
        UNSIGNED.append(message)
    return SIGNATURES.get(message, "0" * 128)


def identify(receipt):
    return digest(canonical(receipt))


def signed(receipt):
    id = identify(receipt)
    if receipt["kind"] == "solve":
        return {"id": id, "receipt": receipt, "signature": None, "signer": None}
    made = signature(f"{RECEIPT}:{id}")
    return {"id": id, "receipt": receipt, "signature": made, "signer": ALICE}


def head_of(day, receipts, previous):
    leaves = [bytes.fromhex(identify(receipt)) for receipt in receipts]
    return {
        "day": day,
        "previous": previous,
        "root": root(leaves).hex(),
        "size": len(leaves),
        "version": HEAD,
    }


def signed_head(head):
    message = f"{HEAD}:{digest(canonical(head))}"
    return {"head": head, "signature": signature(message), "signer": ALICE}


class Day:
    """The documents and receipts of a host."""

    def __init__(self):
        self.documents = {}

    def put(self, content):
        content = content if isinstance(content, bytes) else content.encode()
        self.documents[digest(content)] = content
        return digest(content)

    def document(self, value):
        return self.put(canonical(value))

    def held(self, content):
        data = content if isinstance(content, bytes) else content.encode()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return {"sha256": self.put(data)}
        return {"text": text} if len(data) <= 256 else {"sha256": self.put(data)}

    def transcript(self, calls):
        calls = [
            {
                "name": name,
                "request": self.held(request),
                "response": self.held(response),
                "solve": solve,
            }
            for name, request, response, solve in calls
        ]
        return self.document({"calls": calls, "version": "proctor-transcript-1"})


    def named_by(self, receipts):
        """What these receipts name by digest, but environments."""
        fields = ("component", "input", "limits", "output", "settings", "transcript")
        return {receipt[field] for receipt in receipts for field in fields} - {None}

    def held_by(self, receipts):
        """What the transcripts of these receipts name by digest."""
        named = set()
        for receipt in receipts:
            transcript = self.documents.get(receipt["transcript"], b'{"calls": []}')
            for call in json.loads(transcript)["calls"]:
                held = (call["request"], call["response"])
                named |= {each["sha256"] for each in held if "sha256" in each}
        return named


CHALLENGE_LIMITS = {
    "fuel": 20_000_000_000,
    "host_calls": 1_000_000,
    "log_bytes": 65_536,
    "memory_bytes": 268_435_456,
    "output_bytes": 16_777_216,
    "table_elements": 100_000,
    "wall_ms": 60_000,
}
SOLVER_LIMITS = {
    "fuel": 1_000_000_000,
    "host_calls": 10_000,
    "log_bytes": 4_096,
    "memory_bytes": 134_217_728,
    "output_bytes": 1_048_576,
    "table_elements": 20_000,
    "wall_ms": 10_000,
}


def limits(call, solver):
    return {"call": call, "solver": solver, "version": "proctor-limits-1"}


NO_ENVIRONMENT = {"variables": {}, "version": "proctor-environment-1"}


def score(task, solution, score, baseline=None, error=None):
    return {
        "baseline_score": bits(baseline),
        "error": error,
        "score": bits(score),
        "solution": solution,
        "task": task,
    }


def result(outcome, logs):
    return {"logs": logs, "outcome": outcome, "version": "proctor-result-1"}


def solution(outcome, solution=None, message=None):
    return {
        "message": message,
        "outcome": outcome,
        "solution": solution,
        "version": "proctor-solution-1",
    }


DAY_BEFORE, DAY = "2026-08-21", "2026-08-22"
# SHA-256 over proctor-seed, 7 of 64 bits, and the lengths and texts of digits and the day.
SEED = "12204513338025395912"
AT, AT_BEFORE = 1_787_356_800.0, 1_787_270_400.0
COMPONENT = digest("the component of digits")
ARTIFACTS = {hotkey: digest(f"the artifact of {hotkey}") for hotkey in (BOB, CHARLIE, DAVE, EVE)}
UIDS = {FERDIE: 0, BOB: 1, CHARLIE: 2, DAVE: 3, EVE: 4}


def commit(hotkey, at):
    miner = {"axon_ip": "192.0.2.1", "coldkey": COLDKEY, "hotkey": hotkey, "uid": UIDS[hotkey]}
    return {"committed_at": bits(at), "miner": miner, "submission": ARTIFACTS[hotkey]}


def make_days():
    """Two days of the challenge digits. On the first //Bob commits; on the second
    //Charlie, //Dave, whose submission is compared with the others', and //Eve, whose
    artifact is no solver. The subnet wants five weights; of the vector that the chain is to
    take, two are added."""
    made = Day()
    settings = made.put('{"tasks": 2}')
    call_limits = made.document(limits(CHALLENGE_LIMITS, SOLVER_LIMITS))
    own_limits = made.document(limits(CHALLENGE_LIMITS, None))
    solve_limits = made.document(limits(SOLVER_LIMITS, None))
    environment = digest(canonical(NO_ENVIRONMENT))
    solves, dialogues = [], {}

    def call(kind, limits, input, output, fuel, depends_on=(), calls=(), at=AT, seed=SEED):
        ids = {solve for *_, solve in calls if solve}
        return {
            **OF_RULE,
            "challenge": "digits",
            "component": COMPONENT,
            "depends_on": sorted({identify(each) for each in depends_on} | ids),
            "engine": ENGINE,
            "environment": environment,
            "fuel": fuel,
            "input": made.document(input),
            "kind": kind,
            "limits": limits,
            "logical_time": bits(at),
            "outcome": output["outcome"],
            "output": made.document(output),
            "seed": seed,
            "settings": settings,
            "transcript": made.transcript(calls),
        }

    def of_rule(kind, challenge, input, output, depends_on):
        return {
            **OF_RULE,
            "challenge": challenge,
            "depends_on": sorted({identify(each) for each in depends_on}),
            "input": made.document(input),
            "kind": kind,
            "output": made.document(output),
        }

    def solve(hotkey, task, answer, fuel, at):
        receipt = {
            **OF_RULE,
            "component": ARTIFACTS[hotkey],
            "engine": ENGINE,
            "environment": environment,
            "fuel": fuel,
            "input": made.put(task),
            "kind": "solve",
            "limits": solve_limits,
            "logical_time": bits(at),
            "outcome": answer["outcome"],
            "output": made.document(answer),
            "seed": SEED,
        }
        solves.append(receipt)
        return ("runner.solve", task, canonical(answer), identify(receipt))

    def evaluate(hotkey, outcome, logs, fuel, calls, at=AT):
        input = {
            "seed_tasks": [],
            "submission": ARTIFACTS[hotkey],
            "version": "proctor-evaluate-1",
        }
        return call("evaluate", call_limits, input, result(outcome, logs), fuel, (), calls, at)

    def judge(hotkey, evaluated, committed_at, comparisons, verdict, depends_on=(), at=AT):
        input = {
            "commit": commit(hotkey, committed_at),
            "comparisons": comparisons,
            "result": evaluated["output"],
            "version": "proctor-judge-1",
        }
        output = {"outcome": "ok", "verdict": verdict, "version": "proctor-verdict-1"}
        of = (evaluated, *depends_on)
        if verdict["reason"] is None and not verdict["accepted"]:
            return of_rule("judge", "digits", input, output, of)
        return call("judge", own_limits, input, output, 40_000, of, (), at)

    def verdict(score, penalty=0.0, accepted=True, reason="good"):
        return {
            "accepted": accepted,
            "penalty": bits(penalty),
            "reason": reason,
            "score": bits(score),
        }

    tasks = ['{"image": [0, 128, 255]}', '{"image": [7, 7, 7]}']
    of = lambda hotkey: {"submission": ARTIFACTS[hotkey]}

    # The first day.
    bob = evaluate(
        BOB,
        "ok",
        [score(tasks[0], "3", 0.5, 0.1), score(tasks[1], "7", 0.5, 0.1)],
        700_000,
        [
            solve(BOB, tasks[0], solution("ok", "3"), 120_000, AT_BEFORE),
            solve(BOB, tasks[1], solution("ok", "7"), 120_001, AT_BEFORE),
        ],
        AT_BEFORE,
    )
    bob_judged = judge(BOB, bob, AT_BEFORE + 0.25, [], verdict(0.5), at=AT_BEFORE)
    before = [bob, bob_judged]
    before_solves = list(solves)
    solves.clear()

    # The second.
    gave_up = solution("out_of_fuel", message="it used up its fuel")
    charlie = evaluate(
        CHARLIE,
        "ok",
        [score(tasks[0], "3", 1.0, 0.1), score(tasks[1], None, 0.0, 0.1, "out_of_fuel")],
        810_000,
        [
            solve(CHARLIE, tasks[0], solution("ok", "3"), 130_000, AT),
            solve(CHARLIE, tasks[1], gave_up, 1_000_000_000, AT),
        ],
    )
    charlie_judged = judge(CHARLIE, charlie, AT + 10.0, [], verdict(1.0))
    rows = {"ok": {"columns": ["id", "words"], "rows": [[{"integer": "1"}, {"text": "é" * 150}]]}}
    query = {"parameters": [{"integer": "1"}], "sql": "SELECT id, words FROM words WHERE id = ?"}
    dave = evaluate(
        DAVE,
        "ok",
        [score(tasks[0], "3", 0.8, 0.1), score(tasks[1], "7", 0.7, 0.1)],
        900_000,
        [
            ("database.query", canonical(query), canonical(rows), None),
            solve(DAVE, tasks[0], solution("ok", "3"), 140_000, AT),
            solve(DAVE, tasks[1], solution("ok", "7"), 140_001, AT),
        ],
    )
    alike = [
        {"reason": "the same answers", "reference": ARTIFACTS[BOB], "similarity": bits(0.75)},
        {"reason": None, "reference": ARTIFACTS[CHARLIE], "similarity": bits(0.25)},
    ]
    compare_input = {
        "candidate": {"result": dave["output"], **of(DAVE)},
        "references": [
            {"result": bob["output"], **of(BOB)},
            {"result": charlie["output"], **of(CHARLIE)},
        ],
        "version": "proctor-compare-1",
    }
    compare_output = {"logs": alike, "outcome": "ok", "version": "proctor-comparison-1"}
    compared = call(
        "compare", call_limits, compare_input, compare_output, 55_000, (dave, bob, charlie)
    )
    comparisons = [
        {"logs": alike[:1], "reference": commit(BOB, AT_BEFORE + 0.25), "reference_score": bits(0.5)},
        {"logs": alike[1:], "reference": commit(CHARLIE, AT + 10.0), "reference_score": bits(1.0)},
    ]
    dave_judged = judge(
        DAVE,
        dave,
        AT + 20.0,
        comparisons,
        verdict(0.75, 0.25, reason="much like another"),
        (compared, bob_judged, charlie_judged),
    )
    eve = evaluate(EVE, "guest_error", [], 1_000, [])
    eve_judged = judge(EVE, eve, AT + 30.0, [], verdict(0.0, 0.0, False, None))
    end = AT + 50_400.0
    standing = lambda hotkey, committed_at, score, at: {
        "commit": commit(hotkey, committed_at),
        "score": bits(score),
        "scored_at": bits(at),
    }
    paid = {BOB: 0.25, CHARLIE: 1.0, DAVE: 0.75}
    weights = call(
        "get_weights",
        own_limits,
        {
            "standings": [
                standing(BOB, AT_BEFORE + 0.25, 0.5, AT),
                standing(CHARLIE, AT + 10.0, 1.0, end),
                standing(DAVE, AT + 20.0, 0.75, end),
            ],
            "version": "proctor-get-weights-1",
        },
        {
            "outcome": "ok",
            "version": "proctor-weights-1",
            "weights": [{"hotkey": hotkey, "weight": bits(paid[hotkey])} for hotkey in paid],
        },
        60_000,
        (bob_judged, charlie_judged, dave_judged),
        at=end,
        seed="0",
    )
    challenge = {
        "emission_percent": bits(100.0),
        "failed": None,
        "organic_share": bits(0.0),
        "receipt": identify(weights),
        "repository_owners": {},
        "weights": {hotkey: bits(weight) for hotkey, weight in paid.items()},
    }
    vector_input = lambda fit: {
        "challenges": {"digits": challenge},
        "day": DAY,
        "fit": fit,
        "max_weight_limit": 65_535,
        "min_allowed_weights": 5,
        "miners": {
            hotkey: {"axon_ip": "192.0.2.1", "coldkey": COLDKEY, "uid": uid}
            for hotkey, uid in UIDS.items()
        },
        "no_miner": "burn",
        "same_miner": "off",
        "unassigned": "redistribute",
        "version": "proctor-vector-input-1",
    }
    # Parts of the greatest, in 65535ths: a quarter is 16383.75, three quarters 49151.25.
    vector_output = lambda uids, values: {
        "refused": None,
        "uids": uids,
        "values": values,
        "version": "proctor-vector-1",
    }
    vector = of_rule(
        "vector", None, vector_input(None), vector_output([1, 2, 3], [16384, 65535, 49151]), [weights]
    )
    live = of_rule(
        "vector",
        None,
        vector_input([0, 1, 2, 3, 4]),
        vector_output([0, 1, 2, 3, 4], [1, 16384, 65535, 49151, 1]),
        [weights],
    )
    day = [charlie, charlie_judged, dave, compared, dave_judged, eve, eve_judged]
    day += [weights, vector, live]
    return made, before, before_solves, day, solves


# What is written.


def texts():
    values = [
        {},
        [],
        {"b": [1, None, True, False], "a": "é\x1f/\"", "_": {"€": "", "z": 0}},
        {"a": 0, "aa": 1, "A": 2, "": 3, "é": 4, "10": 5, "9": 6},
        # By UTF-16 units the second comes first: it begins with U+D800.
        {"\ue000": 0, "\U00010000": 1, "\ud7ff": 2},
        "\x00\b\t\n\x0b\f\r\x1f \x7f\x80\u2028\u2029\ufeff\"\\/\U0001f600",
        {"least": 0, "greatest": 2**53 - 1},
        result("guest_error", []),
        # The logs of docs/validators.md.
        result(
            "ok",
            [
                score('{"n": 1}', '"é\\u0000\x1f\x7f\u2028/"', 0.1 + 0.2, -0.0),
                score("[1.0]", None, 1e21, None, 'line\nbreak\t"quoted"'),
            ],
        ),
    ]
    return [
        {"value": value, "text": canonical(value), "sha256": digest(canonical(value))}
        for value in values
    ]


def numbers():
    numbers = [0.0, -0.0, 0.5, 1.0, -1.0, 0.1, 0.1 + 0.2, 1e21, 5e-324, 1.7976931348623157e308]
    numbers += [1_787_356_800.0, float("inf"), float("-inf"), float("nan")]
    return [{"number": str(number), "bits": bits(number)} for number in numbers]


NOT_BITS = ["", "3fe", "3FE0000000000000", "+fe0000000000000", " 3fe0000000000000"]
NOT_BITS += ["3fe0000000000000 ", "0x3fe00000000000", "0.5", "3fe00000000000000"]


def host_calls(made):
    """A call of each form that a transcript has."""
    solve = digest("the receipt of a solve")
    query = {"parameters": [], "sql": "SELECT 1"}
    rows = {"ok": {"columns": ["1"], "rows": [[{"integer": "1"}]]}}
    calls = [
        ("runner.solve", '{"n": 1}', canonical(solution("ok", "[1]")), solve),
        ("runner.solve", "x" * 257, canonical(solution("timeout", message="too slow")), None),
        ("database.query", canonical(query), canonical(rows), None),
        ("filesystem.get-directories", "{}", canonical({"ok": ["/data"]}), None),
        (
            "filesystem.open-at",
            canonical(
                {
                    "descriptor": 0,
                    "flags": ["read"],
                    "open-flags": [],
                    "path": "words.txt",
                    "path-flags": ["symlink-follow"],
                }
            ),
            canonical({"ok": None}),
            None,
        ),
        (
            "filesystem.read",
            canonical({"descriptor": 1, "length": "65536", "offset": "0"}),
            ".é".encode(),
            None,
        ),
        (
            "filesystem.read",
            canonical({"descriptor": 1, "length": "1", "offset": "1"}),
            "=é".encode()[:-1],
            None,
        ),
        (
            "filesystem.stat-at",
            canonical({"descriptor": 0, "path": "none", "path-flags": []}),
            canonical({"error": "no-entry"}),
            None,
        ),
    ]
    before = set(made.documents)
    name = made.transcript(calls)
    data = lambda content: (content if isinstance(content, bytes) else content.encode()).hex()
    return {
        "calls": [
            {"name": name, "request": data(request), "response": data(response), "solve": solve}
            for name, request, response, solve in calls
        ],
        "text": made.documents[name].decode(),
        "sha256": name,
        "blobs": sorted(set(made.documents) - before - {name}),
    }


def trees():
    leaves = [sha256(str(leaf).encode()) for leaf in range(8)]
    return {
        "leaves": hexes(leaves),
        "trees": [
            {
                "size": size,
                "root": root(leaves[:size]).hex(),
                "inclusion": [hexes(path(leaf, leaves[:size])) for leaf in range(size)],
                "consistency": [hexes(proof(old, leaves[:size])) for old in range(1, size + 1)],
            }
            for size in range(1, 9)
        ],
    }


def write(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")


def main():
    # The check value of the algorithm, and Python's own JSON where the two must agree.
    assert xxh64(b"") == 0xEF46DB3751D8E999 and xxh64(b"abc") == 0x44BC2CF5AD770999
    write("canonical.json", {"texts": texts(), "bits": numbers(), "not_bits": NOT_BITS})
    write("trees.json", trees())
    write("transcript.json", host_calls(Day()))

    made, before, before_solves, day, solves = make_days()
    earlier = head_of(DAY_BEFORE, before, None)
    previous = {key: earlier[key] for key in ("day", "root", "size")}
    head = head_of(DAY, day, previous)
    # As it was after the first challenge's verdicts, before there was a vector.
    young = head_of(DAY, day[:8], previous)
    heads = []
    for each in (earlier, young, head):
        text = canonical(each)
        message = f"{HEAD}:{digest(text)}"
        heads.append({"text": text, "sha256": digest(text), "message": message, **signed_head(each)})
    write("heads.json", heads)

    receipts = []
    for receipt in before_solves + before + solves + day:
        line = signed(receipt)
        message = None if line["signer"] is None else f"{RECEIPT}:{line['id']}"
        text = canonical(receipt)
        assert text == json.dumps(
            receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        receipts.append(
            {
                "kind": receipt["kind"],
                "text": text,
                "id": line["id"],
                "message": message,
                "signature": line["signature"],
                "signer": line["signer"],
            }
        )
    write("receipts.json", receipts)

    documents = {
        digest: content.decode()
        for digest, content in made.documents.items()
        if content.startswith(b"{") and b'"version":"proctor-' in content
    }
    documents[digest(canonical(NO_ENVIRONMENT))] = canonical(NO_ENVIRONMENT)
    documents = [
        {"version": json.loads(text)["version"], "text": text, "sha256": name}
        for name, text in documents.items()
    ]
    documents.sort(key=lambda document: (document["version"], document["text"]))
    write("documents.json", documents)

    in_day = {identify(receipt) for receipt in day}
    depended = {id for receipt in day for id in receipt["depends_on"]} - in_day
    linked = [signed(each) for each in before + solves if identify(each) in depended]
    linked.sort(key=lambda line: line["id"])
    # Of receipts of other days, what is compared with is there, and the rest is not.
    checked = day + [each for each in solves if identify(each) in depended]
    others = [line["receipt"] for line in linked if line["receipt"] not in checked]
    named = made.named_by(checked) | made.held_by(checked)
    present = named & set(made.documents)
    present |= {other[field] for other in others for field in ("input", "output")}
    absent = sorted((named | made.named_by(others)) - present)
    contents = {
        "day": DAY,
        "version": "proctor-bundle-1",
        "withheld": [{"digest": name, "why": "not_included"} for name in absent],
    }
    # The earlier day, by its last head.
    places = {identify(receipt): leaf for leaf, receipt in enumerate(before)}
    leaves = [bytes.fromhex(identify(receipt)) for receipt in before]
    of_before = [line["id"] for line in linked if line["id"] in places]
    assert len(of_before) == len(others)
    proofs = {
        "heads": [signed_head(earlier)],
        "leaves": [
            {
                "day": DAY_BEFORE,
                "id": id,
                "leaf": places[id],
                "proof": hexes(path(places[id], leaves)),
            }
            for id in of_before
        ],
        "version": "proctor-proofs-1",
    }
    lines = lambda lines: "".join(canonical(line) + "\n" for line in lines).encode()
    entries = [
        ("bundle.json", canonical(contents).encode()),
        ("head.json", canonical(signed_head(head)).encode()),
        ("receipts.jsonl", lines(map(signed, day))),
        ("linked.jsonl", lines(linked)),
        ("proofs.json", canonical(proofs).encode()),
    ]
    for name in sorted(present):
        entries.append((f"blobs/sha256/{name}.zst", frame(made.documents[name])))
    (HERE / "bundle.tar").write_bytes(tar(entries))

    if UNSIGNED:
        print("\n".join(UNSIGNED))
        sys.exit("these are to be signed: see README.md")


if __name__ == "__main__":
    main()
