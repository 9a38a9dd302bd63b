// What no golden case shows; the same as the unit tests of the Rust SDK.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Acceptance,
  Easing,
  EmissionRules,
  FoldRules,
  SameScore,
  Screening,
  UniquePool,
  VerdictRules,
  easeCircleInOut,
  excludeSameMiner,
  maxScore,
  meanScore,
  repositoryOwner,
  similarityPenalty,
  softmaxNonzero,
  updateBestCommit,
} from '@proctor/sdk/ranking';

test('without logs there is no score', () => {
  assert.equal(meanScore([]), undefined);
  assert.equal(maxScore([]), undefined);
});

test('a log without score leaves the mean open and does not count for the maximum', () => {
  assert.equal(meanScore([0.5, null]), undefined);
  assert.equal(maxScore([0.5, undefined]), 0.5);
  assert.equal(maxScore([null]), 0);
});

test('what is not finite is worth nothing', () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    assert.equal(meanScore([bad, 0.5]), 0);
    assert.equal(maxScore([bad, 0.5]), 0.5);
    assert.equal(maxScore([bad]), 0);
    assert.equal(new UniquePool(2).offer({ commit: 'a', artifact: 'b', score: bad }), false);
    assert.equal(updateBestCommit(undefined, { commit: 'a', score: bad, scoredAt: 0 }, true), undefined);
    assert.deepEqual(softmaxNonzero([bad, 0.5], 0.2), [0, 1]);
    const at = [0, bad].map((scoredAt) => ({ score: 0.5, scoredAt }));
    assert.deepEqual(new EmissionRules().weights(at, 0), [1, 0]);
  }
  const easing = new Easing();
  assert.deepEqual([easing.adjust(0.8, NaN), easing.adjust(NaN, 0.1), easing.adjust(Infinity, 1)], [0, 0, 0]);
  assert.ok(Number.isNaN(easeCircleInOut(NaN)));
});

test('similarities: the highest counts, and missing ones are passed over', () => {
  assert.equal(similarityPenalty([0.2, 0.9, 0.3]), 0.9);
  assert.equal(similarityPenalty([null, 0.2, NaN]), 0.2);
  assert.equal(similarityPenalty([]), 0);
  assert.equal(similarityPenalty([0.1, Infinity]), Infinity);
  assert.equal(new Easing().adjust(0.8, Infinity), 0);
});

test('more similarity never pays more', () => {
  const scores = Array.from({ length: 131 }, (_, step) => new Easing().adjust(0.8, (step - 10) / 100));
  assert.ok(scores.every((score, index) => index === 0 || score <= scores[index - 1]));
  assert.deepEqual([scores[0], scores.at(-1)], [0.8, 0]);
});

test('limits of acceptance are inclusive, and what is no number is refused', () => {
  const acceptance = new Acceptance();
  assert.ok(acceptance.admits(0.4, 0.6));
  assert.ok(!acceptance.admits(0.4 - Number.EPSILON, 0.6) && !acceptance.admits(0.4, 0.6 + Number.EPSILON));
  for (const penalty of [NaN, Infinity, -Infinity, -0.1]) {
    assert.ok(!acceptance.admits(1, penalty));
  }
  assert.ok(!acceptance.admits(NaN, 0));
});

test('acceptance looks at the score before the penalty', () => {
  const judged = new VerdictRules().judge([0.4], [0.5]);
  assert.ok(judged.accepted && judged.score < 0.4);
});

test('a misspelt rule is refused', () => {
  assert.throws(() => new VerdictRules({ acceptence: {} }), /no rule `acceptence`/);
  assert.throws(() => new VerdictRules({ acceptance: { min_score: 1 } }), /no rule `min_score`/);
  assert.throws(() => new VerdictRules({ aggregate: 'median' }), /must be mean or max/);
});

test('without a temperature the best share equally', () => {
  for (const temperature of [0, -1, NaN]) {
    assert.deepEqual(softmaxNonzero([0.9, 0.5, 0.9, 0], temperature), [0.5, 0, 0.5, 0]);
  }
  assert.deepEqual(softmaxNonzero([-0.5, -0.1], 0.2), [0.5, 0.5]);
  assert.deepEqual(softmaxNonzero([0, -0], 0.2), [0, 0]);
});

test('a pool gives up its lowest for a higher score only, and takes a commit once', () => {
  const pool = new UniquePool(3);
  const offer = (commit, score) => pool.offer({ commit, score, artifact: 'x' });
  for (const commit of ['b', 'c', 'a']) assert.ok(offer(commit, 0.5));
  assert.ok(!offer('d', 0.5) && !offer('a', 0.9));
  assert.ok(offer('d', 0.6));
  assert.deepEqual(pool.commits.map(({ commit }) => commit), ['b', 'c', 'd']);
  assert.ok(!new UniquePool(0).offer({ commit: 'a', score: 1, artifact: 'x' }));
});

test('names in a pool are ordered as in UTF-8', () => {
  const pool = new UniquePool(2);
  pool.offer({ commit: '\u{1f600}', score: 0.5, artifact: 'x' });
  pool.offer({ commit: '\uff5e', score: 0.5, artifact: 'x' });
  assert.deepEqual(pool.commits.map(({ commit }) => commit), ['\uff5e', '\u{1f600}']);
});

test('a bridging miner joins two groups whatever the order', () => {
  const of = (score, axonIp, coldkey, repositoryOwner) => ({ score, axonIp, coldkey, repositoryOwner });
  const [a, b] = [of(0.3, '1.1.1.1', 'a', 'alice'), of(0.4, '2.2.2.2', 'b', 'bob')];
  const [bridge, other] = [of(0.2, '1.1.1.1', 'c', 'bob'), of(0.4, '3.3.3.3', 'd', 'carol')];
  assert.deepEqual(excludeSameMiner([a, b, bridge, other]), [0, 0.5, 0, 0.5]);
  assert.deepEqual(excludeSameMiner([bridge, other, b, a]), [0, 0.5, 0.5, 0]);
  const silent = { ...a, score: 0, repositoryOwner: 'bob' };
  assert.deepEqual(excludeSameMiner([{ ...a, score: 0.4 }, silent, b]), [0.5, 0, 0.5]);
});

test('addresses are compared as such, and kinds of identity are kept apart', () => {
  const shares = (...contenders) => excludeSameMiner(contenders.map((one) => ({ score: 0.5, ...one })));
  assert.deepEqual(shares({ axonIp: '1.2.3.4' }, { axonIp: '::ffff:1.2.3.4' }), [1, 0]);
  assert.deepEqual(shares({ axonIp: '2001:db8::1' }, { axonIp: '2001:0DB8:0:0:0:0:0:1' }), [1, 0]);
  assert.deepEqual(shares({ coldkey: 'bob' }, { repositoryOwner: 'bob' }), [0.5, 0.5]);
  for (const axonIp of ['0.0.0.0', '::', '', 'no address', '01.2.3.4', '1.2.3', '::ffff:0.0.0.0', '1::2::3']) {
    assert.deepEqual(shares({ axonIp }, { axonIp }), [0.5, 0.5], axonIp);
  }
});

test('owner of a repository', () => {
  for (const [artifact, owner] of [
    ['bob/solver@sha256:00', 'bob'],
    ['bob/deep/solver:v1@sha256:00', 'bob'],
    ['docker.io/bob/solver@sha256:00', 'bob'],
    ['ghcr.io/bob/solver@sha256:00', 'ghcr.io/bob'],
    ['localhost:5000/bob/solver', 'localhost:5000/bob'],
    ['ghcr.io/solver@sha256:00', undefined],
    ['solver@sha256:00', undefined],
    ['sha256:00', undefined],
    ['/solver', undefined],
    ['', undefined],
  ]) {
    assert.equal(repositoryOwner(artifact), owner, artifact);
  }
});

test('averages of rewards: fade, are forgotten, and take no bad number', () => {
  const half = new FoldRules({ alpha: 0.5, forgetAfterS: 60 });
  let averages = half.fold(new Map(), [['b', 1], ['a', 1], ['never', 0]], 0);
  assert.deepEqual([...averages], [['a', { score: 0.5, at: 0 }], ['b', { score: 0.5, at: 0 }]]);
  for (const bad of [-1, NaN, Infinity]) {
    assert.equal(half.fold(averages, [['a', bad]], 1).get('a').score, 0.25);
  }
  assert.deepEqual([...half.fold(averages, [['a', 1]], 60.5).keys()], ['a']);
  for (const [alpha, score] of [[-1, 0.5], [NaN, 0.5], [0, 0.5], [1, 1], [9, 1]]) {
    const folded = new FoldRules({ alpha }).fold(averages, [['a', 1]], 0);
    assert.equal(folded.get('a').score, score);
  }
});

test('screening and comparing again begin at their limits', () => {
  const screening = new Screening();
  assert.ok(screening.isCopy(0.6) && !screening.isCopy(0.59) && !screening.isCopy(NaN));
  assert.ok(screening.counts(0.1, false) && !screening.counts(0.79, true) && screening.counts(0.8, true));
  const same = new SameScore();
  assert.ok(same.applies(1, 0.95) && !same.applies(0.9, 0.9) && !same.applies(1, 0.8) && !same.applies(NaN, 1));
  assert.ok(same.counts(0.6) && !same.counts(NaN));
});
