// The peer's newest controller against numbers that its own code gave, through the traits of
// the SDK. Where Proctor differs, the test is named after the peer's bug.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Unavailable } from '@proctor/sdk';
import { Acceptance, Easing } from '@proctor/sdk/ranking';
import { Harness } from '@proctor/sdk/testing';
import { ALL, ONE, SAME_SCORE, Sniffer, hasDigest, run, settings } from './golden/sniffer.js';

const url = new URL('../../../tests/golden/controller.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(url, 'utf8'));
const find = (id) => cases.find((one) => one.id === id);
const SKIPPED = 'Skipped scoring due to high comparison score.';

/** What the peer made of the commit at `index`: score, penalty and acceptance. */
function peer(one, index) {
  const { score, penalty, accepted } = one.expected.after_update_miner_scores[index];
  return [score, penalty, accepted];
}

function worth({ error, verdict }) {
  assert.equal(error, undefined);
  return [verdict.score, verdict.penalty, verdict.accepted];
}

function assertWorth(ours, expected, about) {
  const [score, penalty, accepted] = worth(ours);
  const close = (a, b) => Math.abs(a - b) <= 1e-12;
  const same = close(score, expected[0]) && close(penalty, expected[1]) && accepted === expected[2];
  assert.ok(same, `${about}: ${worth(ours)} is not ${expected}`);
}

/** The scoring logs and the comparisons, as far as Proctor has the notion. */
function assertLogs(one, index, judged) {
  const after = one.expected.after_controller[index];
  assert.equal(judged.logs.length, after.scoring_logs.length);
  // The peer puts the log of each further task before the others.
  const peers = [...after.scoring_logs].reverse();
  for (const [at, ours] of judged.logs.entries()) {
    const theirs = peers[at];
    assert.equal(ours.solution !== undefined, theirs.has_output);
    if (theirs.error === SKIPPED) {
      // The log keeps what the solution is worth; the verdict is 0.
      assert.equal(judged.verdict.score, 0);
    } else if (typeof theirs.score === 'number') {
      assert.ok(Math.abs(ours.score - theirs.score) <= 1e-12);
    } else if (!theirs.has_output) {
      assert.ok(ours.score === 0 && ours.error !== undefined);
    }
  }
  for (const [key, logs] of Object.entries(after.comparison_logs)) {
    // Neither is a comparison with a commit.
    if (key === 'check/validation' || key.startsWith('baseline_')) {
      continue;
    }
    const of = (uid) => key === 'skipped' || String(uid) === key.split('_')[0];
    const kinds = key === 'skipped' ? [ALL] : [ONE, SAME_SCORE];
    const found = judged.comparisons
      .filter(({ reference }) => of(reference.miner.uid))
      .flatMap((comparison) => comparison.logs)
      .filter((log) => kinds.includes(log.reason ?? ''))
      .map((log) => log.similarity);
    for (const log of logs) {
      assert.ok(found.includes(log.similarity_score), `${one.id} ${index}: ${key}: ${found}`);
    }
  }
}

/** Whether the peer left the commit unscored because it resembled nothing. */
function resembledNothing(one, index) {
  return one.expected.after_controller[index].scoring_logs[0]?.error === SKIPPED && peer(one, index)[1] === 0;
}

/** Whether the case scripts a service that fails, or a score that is no number. */
function aServiceFails(one) {
  return Object.entries(one.input.service_answers).some(([name, answers]) => {
    const all = typeof answers === 'object' && !Array.isArray(answers) ? Object.values(answers) : [answers];
    return name !== 'solve' && all.some((answer) => typeof answer === 'string');
  });
}

for (const one of cases) {
  test(`${one.id}: as the peer's controller, but for its bugs`, () => {
    for (const [index, ours] of run(one).entries()) {
      if (ours.refused) {
        assert.ok(!hasDigest(one.input.miner_commits[index].docker_hub_id));
      } else if (ours.error !== undefined) {
        assert.ok(aServiceFails(one), String(ours.error));
      } else if (resembledNothing(one, index)) {
        const left = new Easing().adjust(ours.logs[0].score, ours.verdict.penalty);
        assert.equal(ours.verdict.score, left);
        // It is one more for later commits to be compared with.
        break;
      } else {
        assertWorth(ours, peer(one, index), `${one.id} ${index}`);
        assertLogs(one, index, ours);
      }
    }
  });
}

test('the first submission ever is scored although nothing resembles it', () => {
  const one = find('ctl_abs_first_ever_no_baseline');
  assert.deepEqual(peer(one, 0), [0, 0, false]);
  const [ours] = run(one);
  assertWorth(ours, [0.9, 0, true], 'the scripted score, unreduced');
  assert.equal(ours.logs[0].error, undefined);
});

test('a commit without a digest never reaches a controller', () => {
  const one = find('ctl_abs_bad_digest');
  assert.deepEqual(peer(one, 0), [0, 0, false]);
  assert.ok(run(one)[0].refused);
});

test("a score that is no number is the challenge's fault and no score of 0", () => {
  const one = find('ctl_abs_non_numeric_score');
  assert.deepEqual([peer(one, 0), peer(one, 1)], [[0, 0.3, false], [1, 0.3, true]]);
  const ours = run(one);
  assert.ok(ours[0].error instanceof TypeError && ours[0].error.message.includes('0.9'));
  assertWorth(ours[1], [1, 0.3, true], 'an integer is a number');
});

test('a host that cannot run a submission is no timeout of the miner', () => {
  const one = find('ctl_abs_miner_timeout');
  assert.deepEqual(peer(one, 0), [0, 0, false]);
  const away = new Harness(Sniffer, {
    settings: settings(one),
    solver() {
      throw new Unavailable('no room');
    },
  });
  assert.throws(() => away.evaluate(), (error) => error instanceof Unavailable && error.message === 'no room');
  const [ours] = run(one);
  assertWorth(ours, [0, 0, false], 'late');
  assert.ok(ours.logs[0].solution === undefined && ours.logs[0].error.startsWith('timeout'));
});

test('a service that fails is asked again whatever the peer took it for', () => {
  for (const [id, peers] of [
    // Its caller expects another type, so that nothing is scored: a 0.
    ['ctl_abs_compare_fails', [0, 0, false]],
    // Nothing in common, so that a copy would pass.
    ['ctl_abs_compare_all_fails', [0.9, 0.3, true]],
    // An invalid submission.
    ['ctl_abs_validation_fails', [0, 1, false]],
  ]) {
    assert.deepEqual(peer(find(id), 0), peers, id);
    const [{ error }] = run(find(id));
    assert.ok(error instanceof Unavailable && error.message.includes('refused'), id);
  }
});

test('a similarity of exactly the limit is a copy although acceptance alone admits it', () => {
  const one = find('ctl_abs_compare_all_exactly_0.6');
  assert.deepEqual(peer(one, 0), [0, 0.6, false]);
  assertWorth(run(one)[0], [0, 0.6, false], 'screened');
  assert.ok(new Acceptance().admits(0.9, 0.6));
  // Found only after the score, it is no reason not to score.
  const late = find('ctl_abs_same_score_exactly_0.6');
  assert.ok(peer(late, 0)[0] > 0.9 && peer(late, 0)[2]);
  assertWorth(run(late)[0], peer(late, 0), 'accepted');
});

test('a copy is no reference for later commits of its day', () => {
  const ours = run(find('ctl_abs_batch'));
  assertWorth(ours[2], [0, 0.75, false], 'a copy of the second');
  assert.equal(ours[2].logs[0].score, 0.9);
  // It resembles that copy by 0.9.
  assertWorth(ours[3], peer(find('ctl_abs_batch'), 3), 'the fourth');
  assert.ok(worth(ours[3])[2]);
});
