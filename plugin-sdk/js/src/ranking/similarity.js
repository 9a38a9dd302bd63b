import { assign } from './assign.js';

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
export function similarityPenalty(similarities) {
  /** @type {number | undefined} */
  let highest;
  for (const similarity of similarities) {
    if (typeof similarity === 'number' && !Number.isNaN(similarity)) {
      highest = highest === undefined ? similarity : Math.max(highest, similarity);
    }
  }
  return highest ?? 0;
}

/**
 * How a penalty is taken off a score: nothing up to `freeBelow`, a little and linearly up to
 * `breakPoint`, then along {@link easeCircleInOut} to all of it at `fullAt`.
 *
 * Source: `_adjust_score_by_similarity`, ab-sniffer-challenge 5e1a456.
 */
export class Easing {
  /** Penalty below which a score stands as it is. Default 0.4. */
  freeBelow = 0.4;
  /** Penalty up to which the reduction is linear. Default 0.6. */
  breakPoint = 0.6;
  /** Penalty from which nothing is left of the score. Default 1. */
  fullAt = 1;

  /** @param {Partial<Pick<Easing, 'freeBelow' | 'breakPoint' | 'fullAt'>>} [rules] */
  constructor(rules = {}) {
    assign(this, rules);
  }

  /**
   * The score that is left after `penalty` (0 to 1). A penalty of 0, or below, takes
   * nothing. 0 if the score is not finite or the penalty is NaN.
   *
   * @param {number} score
   * @param {number} penalty
   */
  adjust(score, penalty) {
    if (!Number.isFinite(score) || Number.isNaN(penalty)) {
      return 0;
    }
    return score * (1 - this.#reduction(penalty));
  }

  /** @param {number} penalty */
  #reduction(penalty) {
    const { freeBelow, breakPoint, fullAt } = this;
    if (penalty < freeBelow) {
      return 0;
    }
    if (penalty > breakPoint) {
      return easeCircleInOut(progress(penalty, freeBelow, fullAt));
    }
    // The line must end where the curve begins.
    return (
      progress(penalty, freeBelow, breakPoint) *
      easeCircleInOut(progress(breakPoint, freeBelow, fullAt))
    );
  }
}

/**
 * How far `value` is on the way between two limits, 0 to 1. An empty way is done.
 *
 * @param {number} value
 * @param {number} from
 * @param {number} to
 */
function progress(value, from, to) {
  return to > from ? clamp((value - from) / (to - from)) : 1;
}

/** @param {number} value */
function clamp(value) {
  return Math.min(Math.max(value, 0), 1);
}

/**
 * A circular ease-in-out over y = x^1.5: ½(1−√(1−(2y)²)) for y < ½, else ½(1+√(1−(2y−2)²)).
 * From 0 at 0 to 1 at 1; `x` is clamped to that range, and NaN stays NaN.
 *
 * Source: `_ease_circle_in_out_shifted`, ab-sniffer-challenge 5e1a456.
 *
 * @param {number} x
 */
export function easeCircleInOut(x) {
  const y = clamp(x) ** 1.5;
  if (y < 0.5) {
    return 0.5 * (1 - Math.sqrt(1 - (2 * y) ** 2));
  }
  return 0.5 * (Math.sqrt(1 - (2 * y - 2) ** 2) + 1);
}
