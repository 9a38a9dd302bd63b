"""The ranking rules against numbers that the peer's own code gave
(`tests/golden/ranking.json`). Where Proctor differs, the check states both numbers and why:
the same differences as in `plugin-sdk/tests/ranking_golden.rs`.

Nothing but the SDK is imported, so that the checks also run inside of a component.
"""

from __future__ import annotations

import math
from typing import Any

from proctor_sdk import jsontext, shape
from proctor_sdk.ranking import (
    Acceptance,
    Aggregate,
    BestCommit,
    Contender,
    Easing,
    EmissionRules,
    Judgement,
    Scored,
    UniqueCommit,
    UniquePool,
    VerdictRules,
    ease_circle_in_out,
    exclude_same_miner,
    softmax_nonzero,
    update_best_commit,
)


def families() -> dict[str, Any]:
    """The check of each family of cases."""
    return {
        "ease": ease,
        "adjust_score_by_similarity": adjust_score_by_similarity,
        "decay": decay,
        "softmax": softmax,
        "update_best_commit": best_commit,
        "get_challenge_scores": get_challenge_scores,
        "exclude_same_miner": same_miner,
        "update_miner_scores": update_miner_scores,
        "base_update_miner_scores": base_update_miner_scores,
    }


def check(case: Any) -> None:
    """Raises `AssertionError` if the rules do not give what a case says."""
    families()[case["family"]](case)


def equal(ours: Any, expected: Any, case: Any) -> None:
    assert ours == expected, f"{case['id']}: {ours!r} is not {expected!r}"


def close(ours: list[float], peer: list[float], case: Any) -> None:
    equal(len(ours), len(peer), case)
    for a, b in zip(ours, peer):
        assert abs(a - b) <= 1e-12 * abs(b), f"{case['id']}: {a} is not {b}"


def number(value: Any) -> float | None:
    """A number, or one of the names that the golden file has for the others."""
    return None if value is None else float(value)


def numbers(values: Any) -> list[float]:
    return [float(value) for value in values]


def ease(case: Any) -> None:
    ours = [ease_circle_in_out(x) for x in numbers(case["input"]["x"])]
    close(ours, numbers(case["expected"]), case)


def adjust_score_by_similarity(case: Any) -> None:
    raw, constants = float(case["input"]["raw_score"]), case["input"]["constants"]
    easing = Easing(
        free_below=float(constants["max_similarity"]),
        break_point=float(constants["break_point"]),
        full_at=float(constants["max_input"]),
    )
    equal(easing, Easing(), case)
    similarities = numbers(case["input"]["similarity"])
    for similarity, peer in zip(similarities, numbers(case["expected"])):
        ours = easing.adjust(raw, similarity)
        if similarity <= 0.0:
            # The peer's 0 made every commit without comparisons worth nothing, although
            # it was accepted. No penalty, no reduction.
            equal((ours, peer), (raw, 0.0), case)
        else:
            close([ours], [peer], case)


def decay(case: Any) -> None:
    given = case["input"]
    keys = ("stable_period_days", "expiration_days")
    rules = EmissionRules(**{k: float(given[k]) for k in keys if k in given})
    initial = number(given.get("initial"))
    ours = [
        rules.time_factor(days) if initial is None else initial * rules.decay(days)
        for days in numbers(given["days"])
    ]
    close(ours, numbers(case["expected"]), case)


def softmax(case: Any) -> None:
    scores, temperature = case["input"]["scores"], float(case["input"]["temperature"])
    ours = softmax_nonzero(numbers(scores), temperature)
    close(ours, numbers(case["expected"]), case)


def best_commit(case: Any) -> None:
    best, after_each = None, []
    for judged in case["input"]:
        commit = BestCommit(judged["enc"], float(judged["score"]), 0.0)
        best = update_best_commit(best, commit, judged["accepted"])
        after_each.append(best.commit if best else None)
    equal(after_each, case["expected"]["best_after_each"], case)


def get_challenge_scores(case: Any) -> None:
    given = case["input"]
    config = given.get("emission_config") or {}
    emission = shape.read(EmissionRules, config, strict=True)
    hotkeys = given["metagraph_hotkeys"]
    registered = [
        best
        for best in given["best_commits"]
        if uid(best) < len(hotkeys) and best["hotkey"] in hotkeys
    ]
    scored = [Scored(float(b["score"]), float(b["scored_timestamp"])) for b in registered]
    ours = [0.0] * len(hotkeys)
    for best, share in zip(registered, emission.weights(scored, float(given["now"]))):
        ours[uid(best)] = share
    close(ours, numbers(case["expected"]), case)


def same_miner(case: Any) -> None:
    metagraph, owners = case["input"]["metagraph"], case["input"]["docker_usernames"]

    def at(column: str, index: int) -> str | None:
        values = metagraph.get(column) or []
        return values[index] if index < len(values) else None

    contenders = [
        Contender(score, at("ips", i), at("coldkeys", i), owners.get(str(i)))
        for i, score in enumerate(numbers(case["input"]["scores"]))
    ]
    ours, peer = exclude_same_miner(contenders), numbers(case["expected"])
    # An axon that is not served says nothing of who is behind it. The peer pays such
    # miners nothing.
    if case["id"] == "esm_ignore_ip":
        close(peer, [0.0, 0.2 / 0.3, 0.0, 0.1 / 0.3], case)
        close(ours, [0.5, 0.2, 0.2, 0.1], case)
    elif case["id"] == "esm_only_ignored_ip":
        close(peer, [0.0, 0.0], case)
        close(ours, [0.5, 0.5], case)
    else:
        close(ours, peer, case)


def update_miner_scores(case: Any) -> None:
    comparison = case["input"]["challenge_info"].get("comparison_config") or {}
    limit = number(comparison.get("min_acceptable_score"))
    acceptance = Acceptance(max_penalty=0.7 if limit is None else limit)
    rules = VerdictRules(aggregate=Aggregate.MAX, acceptance=acceptance)
    board = Board(case, rules, also_rejected=True)
    expected = case["expected"]
    for peer in expected["commits"]:
        board.check_verdict(peer)
    board.check_best(expected["miner_states"])
    board.check_pool(expected["unique_commits_heap"])
    equal(sorted(board.artifacts), expected["scored_ids"], case)


def base_update_miner_scores(case: Any) -> None:
    info = case["input"]["challenge_info"]
    threshold = number(info.get("penalty_threshold"))
    threshold = 0.5 if threshold is None else threshold
    rules = VerdictRules(
        aggregate=Aggregate.MEAN,
        # The peer's base manager wants the penalty below the threshold,
        acceptance=Acceptance(-math.inf, math.nextafter(threshold, -math.inf)),
        # and never takes it off the score.
        easing=Easing(free_below=math.inf),
    )
    board = Board(case, rules, also_rejected=False)
    expected = jsontext.loads(jsontext.dumps(case["expected"]))
    shares = numbers(expected["challenge_scores"])
    if case["id"] == "base_none_score_error":
        # Its only similarity is missing. The peer's numpy raised on that, after the score
        # was set and before penalty and acceptance were.
        before = {
            "enc": "e1",
            "score": 0.3,
            "penalty": None,
            "accepted": None,
            "scored_timestamp": None,
        }
        equal(expected["commits"][1], before, case)
        expected["commits"][1].update(penalty=0.0, accepted=True)
        expected["miner_states"]["1"].update(best="e1", best_score=0.3)
        expected["heap"] = [[0.3, "e1", "d1"], [0.4, "e2", "d2"]]
        expected["scored_ids"] = ["d1", "d2"]
        # So the peer paid uid 1 like one that committed nothing.
        equal(shares[1], shares[0], case)
        shares[1] = shares[2] * math.exp(-0.5)
    for peer in expected["commits"]:
        board.check_verdict(peer)
    board.check_best(expected["miner_states"])
    board.check_pool(expected["heap"])
    equal(sorted(board.artifacts), expected["scored_ids"], case)

    # The peer's softmax is over all uids, so that those without a score are paid too.
    # Proctor's is that of the others among themselves.
    scores = [0.0] * len(shares)
    for index, best in board.best.items():
        scores[index] = best.score if best else 0.0
    for index, score in enumerate(scores):
        if score == 0.0:
            assert shares[index] > 0.0, case["id"]
            shares[index] = 0.0
    total = math.fsum(shares)
    if total > 0.0:
        shares = [share / total for share in shares]
    temperature = number(info.get("temperature"))
    temperature = 0.2 if temperature is None else temperature
    close(softmax_nonzero(scores, temperature), shares, case)


class Board:
    """What a host would keep of a challenge, once the commits were judged in turn, passing
    over artifacts that have been scored. Those of rejected commits count as scored if
    `also_rejected`. When a commit was judged is the host's to say, so `scored_timestamp` is
    not looked at."""

    def __init__(self, case: Any, rules: VerdictRules, also_rejected: bool) -> None:
        self.case = case
        info = case["input"]["challenge_info"]
        comparison = info.get("comparison_config") or {}
        capacity = info.get("max_unique_commits", comparison.get("max_unique_commits"))
        self.verdicts: dict[str, Judgement] = {}
        self.best: dict[int, BestCommit | None] = {}
        self.pool = UniquePool(capacity)
        self.artifacts: set[str] = set()
        for commit in case["input"]["commits_in_order"]:
            artifact = commit["docker_hub_id"]
            if artifact in self.artifacts:
                continue
            similarities = [
                number(log["similarity_score"])
                for logs in commit["comparison_logs"].values()
                for log in logs
            ]
            scores = [number(log["score"]) for log in commit["scoring_logs"]]
            judged = rules.judge(scores, similarities)
            if judged is None:
                continue
            self.record(commit, artifact, judged)
            if judged.accepted or also_rejected:
                self.artifacts.add(artifact)

    def record(self, commit: Any, artifact: str, judged: Judgement) -> None:
        name, of = commit["encrypted_commit"], uid(commit)
        self.best[of] = update_best_commit(
            self.best.get(of), BestCommit(name, judged.score, 0.0), judged.accepted
        )
        if judged.accepted:
            self.pool.offer(UniqueCommit(judged.score, name, artifact))
        self.verdicts[name] = judged

    def check_verdict(self, peer: Any) -> None:
        ours = self.verdicts.get(peer["enc"])
        if ours is None:
            worth = (peer["score"], peer["penalty"], peer["accepted"])
            equal((None, None, None), worth, self.case)
            return
        equal(ours.accepted, peer["accepted"], self.case)
        close([ours.score, ours.penalty], numbers([peer["score"], peer["penalty"]]), self.case)

    def check_best(self, states: Any) -> None:
        for index, peer in states.items():
            ours = self.best.get(int(index))
            equal(ours.commit if ours else None, peer["best"], self.case)
            score = number(peer["best_score"])
            close(
                [ours.score] if ours else [], [] if score is None else [score], self.case
            )

    def check_pool(self, heap: Any) -> None:
        """The peer's heap is in the order of a heap, ours is sorted."""
        peers = sorted(heap, key=lambda entry: float(entry[0]))
        commits = self.pool.commits()
        equal(len(commits), len(peers), self.case)
        for ours, peer in zip(commits, peers):
            close([ours.score], [float(peer[0])], self.case)
            equal([ours.commit, ours.artifact], [peer[1], peer[2]], self.case)


def uid(commit: Any) -> int:
    return int(commit["uid"] if "uid" in commit else commit["miner_uid"])
