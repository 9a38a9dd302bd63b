/** @import { Maybe } from './score.js' */
/**
 * The penalty of a commit: the highest similarity that any of its comparison logs, with
 * whatever reference, has found. 0 if there is none.
 *
 * Similarities are 0 (nothing in common) to 1 (the same). Missing ones and NaN are passed
 * over. A number out of range is not corrected here, so that `Acceptance.admits` refuses it.
 *
 * Source: `MinerChallengeCommit.get_higest_comparison_score`, RedTeam ced9b911.
 *
 * @param {Iterable<Maybe>} similarities
 * @returns {number}
 */
export function similarityPenalty(similarities: Iterable<Maybe>): number;
/**
 * A circular ease-in-out over y = x^1.5: ½(1−√(1−(2y)²)) for y < ½, else ½(1+√(1−(2y−2)²)).
 * From 0 at 0 to 1 at 1; `x` is clamped to that range, and NaN stays NaN.
 *
 * Source: `_ease_circle_in_out_shifted`, ab-sniffer-challenge 5e1a456.
 *
 * @param {number} x
 */
export function easeCircleInOut(x: number): number;
/**
 * How a penalty is taken off a score: nothing up to `freeBelow`, a little and linearly up to
 * `breakPoint`, then along {@link easeCircleInOut} to all of it at `fullAt`.
 *
 * Source: `_adjust_score_by_similarity`, ab-sniffer-challenge 5e1a456.
 */
export class Easing {
    /** @param {Partial<Pick<Easing, 'freeBelow' | 'breakPoint' | 'fullAt'>>} [rules] */
    constructor(rules?: Partial<Pick<Easing, "freeBelow" | "breakPoint" | "fullAt">>);
    /** Penalty below which a score stands as it is. Default 0.4. */
    freeBelow: number;
    /** Penalty up to which the reduction is linear. Default 0.6. */
    breakPoint: number;
    /** Penalty from which nothing is left of the score. Default 1. */
    fullAt: number;
    /**
     * The score that is left after `penalty` (0 to 1). A penalty of 0, or below, takes
     * nothing. 0 if the score is not finite or the penalty is NaN.
     *
     * @param {number} score
     * @param {number} penalty
     */
    adjust(score: number, penalty: number): number;
    #private;
}
import type { Maybe } from './score.js';
