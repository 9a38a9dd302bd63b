/**
 * Softmax over the non-zero entries: shares that sum to 1, in the order of `scores`. An
 * entry of 0 has no score and stays 0; without any score all shares are 0.
 *
 * The lower the `temperature`, the more goes to the best. At 0, and for anything else that
 * is not positive, it is the limit: the best share all of it equally.
 *
 * A negative score counts as present, with the exponent of 0, as it does for the peer;
 * filter them out if they must not be paid. An entry that is not finite is no score.
 *
 * Source: `_apply_softmax`, ab-sniffer-challenge 5e1a456.
 *
 * @param {readonly number[]} scores
 * @param {number} temperature
 * @returns {number[]}
 */
export function softmaxNonzero(scores, temperature) {
  const present = scores.map((score) =>
    Number.isFinite(score) && score !== 0 ? Math.max(score, 0) : undefined,
  );
  const best = present.reduce((/** @type {number} */ best, score) => Math.max(best, score ?? 0), 0);
  const shares = present.map((score) => {
    if (score === undefined) {
      return 0;
    }
    // Also for a temperature of 0, where the quotient would be NaN.
    if (score === best) {
      return 1;
    }
    return temperature > 0 ? Math.exp((score - best) / temperature) : 0;
  });
  const sum = shares.reduce((sum, share) => sum + share, 0);
  return sum > 0 ? shares.map((share) => share / sum) : shares;
}
