import { assign } from './assign.js';
import { softmaxNonzero } from './softmax.js';

const SECONDS_PER_DAY = 86_400;

/**
 * What an emission is computed from: a commit's score, and since when it stands.
 *
 * @typedef {object} Scored
 * @property {number} score The score, penalty applied.
 * @property {number} scoredAt When the commit was judged, in seconds since the Unix epoch.
 */

/**
 * How scores turn into a challenge's emission.
 *
 * Source: `ABSChallengeManager`, ab-sniffer-challenge 5e1a456.
 */
export class EmissionRules {
  /** Days for which a score stays whole. Default 10. */
  stablePeriodDays = 10;
  /** Days after which nothing is left of a score. Default 15. */
  expirationDays = 15;
  /** Rate of the slow exponential loss, per day. Default 0.002. */
  alpha = 0.002;
  /** Days after which the exponential loss goes no further. Default 10. */
  tMax = 10;
  /** Temperature of the softmax: the lower, the more goes to the best. Default 0.2. */
  rewardTemperature = 0.2;

  /**
   * @param {Partial<Pick<EmissionRules, 'stablePeriodDays' | 'expirationDays' | 'alpha' | 'tMax' | 'rewardTemperature'>>} [rules]
   */
  constructor(rules = {}) {
    assign(this, rules);
  }

  /**
   * Parabolic decay: 1 through the stable period, then 1 − p² where p is the part of the way
   * to expiration that has gone by, then 0. 0 for NaN.
   *
   * Source: `_calculate_decayed_score`.
   *
   * @param {number} ageDays
   */
  decay(ageDays) {
    const { stablePeriodDays: stable, expirationDays: expiration } = this;
    if (ageDays <= stable) {
      return 1;
    }
    return ageDays <= expiration ? 1 - ((ageDays - stable) / (expiration - stable)) ** 2 : 0;
  }

  /**
   * Saturating time factor: e^(−`alpha` · age) up to `tMax` days, constant after. Above 1
   * for a negative age, that is if the clock was set back.
   *
   * Source: `_time_factor_saturating`.
   *
   * @param {number} ageDays
   */
  timeFactor(ageDays) {
    // As the minimum of Rust: with a number that is none, the other.
    const age = Number.isNaN(ageDays) ? this.tMax : Math.min(ageDays, this.tMax);
    return Math.exp(-this.alpha * age);
  }

  /**
   * Weights of the best commits at the time `now` (seconds since the Unix epoch), in their
   * order: each score times `decay` times `timeFactor`, then {@link softmaxNonzero}.
   *
   * They sum to 1, or are all 0 if every commit has expired. A commit whose score or age is
   * not finite has none.
   *
   * Source: `get_challenge_scores`.
   *
   * @param {Iterable<Scored>} best
   * @param {number} now
   * @returns {number[]}
   */
  weights(best, now) {
    const current = Array.from(best, ({ score, scoredAt }) => {
      const ageDays = (now - scoredAt) / SECONDS_PER_DAY;
      return score * this.decay(ageDays) * this.timeFactor(ageDays);
    });
    return softmaxNonzero(current, this.rewardTemperature);
  }
}
