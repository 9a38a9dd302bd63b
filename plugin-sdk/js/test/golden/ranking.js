// The ranking rules against numbers that the peer's own code gave: tests/golden/ranking.json.
// Where Proctor differs, both numbers are stated, and why. The same checks as
// plugin-sdk/tests/ranking_golden.rs.

import {
  Acceptance,
  Easing,
  EmissionRules,
  UniquePool,
  VerdictRules,
  easeCircleInOut,
  excludeSameMiner,
  softmaxNonzero,
  updateBestCommit,
} from '@proctor/sdk/ranking';
import { close, equal, ok } from './assert.js';

/** A check for each family of cases: what is to be done with one of them. */
const families = {
  ease(one) {
    close(one.input.x.map(easeCircleInOut), one.expected, one.id);
  },

  adjust_score_by_similarity(one) {
    const { raw_score: raw, similarity: similarities, constants } = one.input;
    const easing = new Easing({
      freeBelow: constants.max_similarity,
      breakPoint: constants.break_point,
      fullAt: constants.max_input,
    });
    equal(easing, new Easing(), one.id);
    for (const [index, similarity] of similarities.entries()) {
      const [ours, peer] = [easing.adjust(raw, similarity), one.expected[index]];
      if (similarity <= 0) {
        // The peer's 0 made every commit without comparisons worth nothing, although it was
        // accepted. No penalty, no reduction.
        equal([ours, peer], [raw, 0], one.id);
      } else {
        close([ours], [peer], one.id);
      }
    }
  },

  decay(one) {
    const { initial, days, stable_period_days: stable, expiration_days: expiration } = one.input;
    const rules = new EmissionRules({ stablePeriodDays: stable, expirationDays: expiration });
    const ours = days.map((age) => (initial === undefined ? rules.timeFactor(age) : initial * rules.decay(age)));
    close(ours, one.expected, one.id);
  },

  softmax(one) {
    close(softmaxNonzero(one.input.scores.map(number), number(one.input.temperature)), one.expected, one.id);
  },

  update_best_commit(one) {
    let best;
    const after = one.input.map((judged) => {
      best = updateBestCommit(best, bestCommit(judged.enc, number(judged.score)), judged.accepted);
      return best?.commit ?? null;
    });
    equal(after, one.expected.best_after_each, one.id);
  },

  get_challenge_scores(one) {
    const { emission_config: config, metagraph_hotkeys: hotkeys, best_commits: commits, now } = one.input;
    const rules = new EmissionRules(
      Object.fromEntries(Object.entries(config ?? {}).map(([name, value]) => [camel(name), value])),
    );
    const registered = commits.filter((best) => best.uid < hotkeys.length && hotkeys.includes(best.hotkey));
    const scored = registered.map((best) => ({
      score: number(best.score),
      scoredAt: number(best.scored_timestamp),
    }));
    const shares = rules.weights(scored, number(now));
    const ours = hotkeys.map(() => 0);
    registered.forEach((best, index) => (ours[best.uid] = shares[index]));
    close(ours, one.expected.map(number), one.id);
  },

  exclude_same_miner(one) {
    const { metagraph, docker_usernames: owners, scores } = one.input;
    const contenders = scores.map((score, uid) => ({
      score: number(score),
      axonIp: metagraph.ips[uid],
      coldkey: metagraph.coldkeys[uid],
      repositoryOwner: owners[uid],
    }));
    const ours = excludeSameMiner(contenders);
    const peer = one.expected.map(number);
    // An axon that is not served says nothing of who is behind it. The peer pays such miners
    // nothing.
    if (one.id === 'esm_ignore_ip') {
      close(peer, [0, 0.2 / 0.3, 0, 0.1 / 0.3], one.id);
      close(ours, [0.5, 0.2, 0.2, 0.1], one.id);
    } else if (one.id === 'esm_only_ignored_ip') {
      close(peer, [0, 0], one.id);
      close(ours, [0.5, 0.5], one.id);
    } else {
      close(ours, peer, one.id);
    }
  },

  update_miner_scores(one) {
    const maxPenalty = one.input.challenge_info.comparison_config.min_acceptable_score ?? 0.7;
    const rules = new VerdictRules({ aggregate: 'max', acceptance: { maxPenalty } });
    const board = new Board(one, rules, true);
    one.expected.commits.forEach((peer) => board.checkVerdict(peer));
    board.checkBest(one.expected.miner_states);
    board.checkPool(one.expected.unique_commits_heap);
    equal([...board.artifacts].sort(), one.expected.scored_ids, one.id);
  },

  base_update_miner_scores(one) {
    const info = one.input.challenge_info;
    const rules = new VerdictRules({
      aggregate: 'mean',
      // The peer's base manager wants the penalty below the threshold, and never takes it off
      // the score.
      acceptance: { minScore: -Infinity, maxPenalty: nextDown(number(info.penalty_threshold) ?? 0.5) },
      easing: { freeBelow: Infinity },
    });
    const board = new Board(one, rules, false);
    const expected = structuredClone(one.expected);
    const shares = expected.challenge_scores.map(number);
    if (one.id === 'base_none_score_error') {
      // Its only similarity is missing. The peer's numpy raised on that, after the score was
      // set and before penalty and acceptance were.
      const raised = { enc: 'e1', score: 0.3, penalty: null, accepted: null, scored_timestamp: null };
      for (const [name, value] of Object.entries(raised)) {
        equal(expected.commits[1][name], value, one.id);
      }
      Object.assign(expected.commits[1], { penalty: 0, accepted: true });
      Object.assign(expected.miner_states[1], { best: 'e1', best_score: 0.3 });
      expected.heap = [[0.3, 'e1', 'd1'], [0.4, 'e2', 'd2']];
      expected.scored_ids = ['d1', 'd2'];
      // So the peer paid uid 1 like one that committed nothing.
      equal(shares[1], shares[0], one.id);
      shares[1] = shares[2] * Math.exp(-0.5);
    }
    expected.commits.forEach((peer) => board.checkVerdict(peer));
    board.checkBest(expected.miner_states);
    board.checkPool(expected.heap);
    equal([...board.artifacts].sort(), expected.scored_ids, one.id);
    // The peer's softmax is over all uids, so that those without a score are paid too.
    // Proctor's is that of the others among themselves.
    const scores = shares.map((_, uid) => board.best.get(uid)?.score ?? 0);
    const paid = shares.map((share, uid) => {
      ok(share > 0, `${one.id}: the peer pays uid ${uid}`);
      return scores[uid] === 0 ? 0 : share;
    });
    const sum = paid.reduce((sum, share) => sum + share, 0);
    const temperature = number(info.temperature) ?? 0.2;
    close(softmaxNonzero(scores, temperature), paid.map((share) => (sum > 0 ? share / sum : 0)), one.id);
  },
};

/** Every case as a name and a function that throws if it does not hold. */
export function checks(golden) {
  return golden.cases.map((one) => ({
    name: `${one.family}: ${one.id}`,
    run() {
      ok(Object.hasOwn(families, one.family), `nothing checks the family ${one.family}`);
      families[one.family](one);
    },
  }));
}

/**
 * What a host would keep of a challenge. When a commit was judged is the host's to say, so
 * `scored_timestamp` is not looked at.
 */
class Board {
  verdicts = new Map();
  best = new Map();
  artifacts = new Set();

  /**
   * Judges the commits in turn, passing over artifacts that have been scored. Those of
   * rejected commits count as scored if `alsoRejected`.
   */
  constructor(one, rules, alsoRejected) {
    this.id = one.id;
    const info = one.input.challenge_info;
    this.pool = new UniquePool(info.max_unique_commits ?? info.comparison_config.max_unique_commits);
    for (const commit of one.input.commits_in_order) {
      if (this.artifacts.has(commit.docker_hub_id)) {
        continue;
      }
      const logs = Object.values(commit.comparison_logs).flat();
      const judged = rules.judge(
        commit.scoring_logs.map((log) => number(log.score)),
        logs.map((log) => number(log.similarity_score)),
      );
      if (judged === undefined) {
        continue;
      }
      this.record(commit, judged);
      if (judged.accepted || alsoRejected) {
        this.artifacts.add(commit.docker_hub_id);
      }
    }
  }

  record(commit, judged) {
    const id = commit.encrypted_commit;
    const uid = commit.uid ?? commit.miner_uid;
    this.best.set(uid, updateBestCommit(this.best.get(uid), bestCommit(id, judged.score), judged.accepted));
    if (judged.accepted) {
      this.pool.offer({ score: judged.score, commit: id, artifact: commit.docker_hub_id });
    }
    this.verdicts.set(id, judged);
  }

  checkVerdict(peer) {
    const ours = this.verdicts.get(peer.enc);
    equal(ours?.accepted ?? null, peer.accepted ?? null, `${this.id}: ${peer.enc}`);
    close(some(ours?.score), some(number(peer.score)), `${this.id}: score of ${peer.enc}`);
    close(some(ours?.penalty), some(number(peer.penalty)), `${this.id}: penalty of ${peer.enc}`);
  }

  checkBest(states) {
    for (const [uid, peer] of Object.entries(states)) {
      const ours = this.best.get(Number(uid));
      equal(ours?.commit ?? null, peer.best, `${this.id}: best of ${uid}`);
      close(some(ours?.score), some(number(peer.best_score)), `${this.id}: best of ${uid}`);
    }
  }

  /** The peer's heap is in the order of a heap, ours is sorted. */
  checkPool(heap) {
    const peer = [...heap].sort((a, b) => number(a[0]) - number(b[0]));
    const ours = this.pool.commits;
    close(ours.map((commit) => commit.score), peer.map(([score]) => number(score)), this.id);
    equal(ours.map(({ commit, artifact }) => [commit, artifact]), peer.map(([, ...names]) => names), this.id);
  }
}

/** A number, or one of the names that the golden file has for the others. */
function number(value) {
  const names = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity };
  if (typeof value === 'string') {
    ok(Object.hasOwn(names, value), `${value} is no number`);
    return names[value];
  }
  return value ?? undefined;
}

function some(value) {
  return value === undefined ? [] : [value];
}

function bestCommit(commit, score) {
  return { commit, score, scoredAt: 0 };
}

function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

/** The greatest number below a positive one. */
function nextDown(value) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigUint64(0, view.getBigUint64(0) - 1n);
  return view.getFloat64(0);
}
