/**
 * A number, or none.
 *
 * @typedef {number | null | undefined} Maybe
 */

/**
 * Mean of the scores of a commit's scoring logs.
 *
 * `undefined` if there are no logs, or if one of them has no score: leaving it out would let
 * a submission choose its tasks, so such a commit is not judged yet. A task that the
 * submission failed is a score of 0, not a missing one. 0 if the mean is not a finite
 * number; one NaN is enough.
 *
 * Source: `ChallengeManager.update_miner_scores`, RedTeam 9233c923.
 *
 * @param {Iterable<Maybe>} scores
 * @returns {number | undefined}
 */
export function meanScore(scores) {
  let sum = 0;
  let count = 0;
  for (const score of scores) {
    if (score === null || score === undefined) {
      return undefined;
    }
    sum += score;
    count += 1;
  }
  const mean = sum / count;
  if (count === 0) {
    return undefined;
  }
  return Number.isFinite(mean) ? mean : 0;
}

/**
 * Highest score of a commit's scoring logs.
 *
 * `undefined` if there are no logs. Logs without a finite score are passed over; 0 if no log
 * has one.
 *
 * Source: `MinerChallengeCommit.get_higest_scoring_score`, RedTeam ced9b911.
 *
 * @param {Iterable<Maybe>} scores
 * @returns {number | undefined}
 */
export function maxScore(scores) {
  /** @type {number | undefined} */
  let best;
  let any = false;
  for (const score of scores) {
    any = true;
    if (typeof score === 'number' && Number.isFinite(score)) {
      best = best === undefined ? score : Math.max(best, score);
    }
  }
  return any ? (best ?? 0) : undefined;
}
