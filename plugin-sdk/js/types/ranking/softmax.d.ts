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
export function softmaxNonzero(scores: readonly number[], temperature: number): number[];
