import { assign } from './assign.js';

/**
 * What a commit must reach to be accepted.
 *
 * Source: `update_miner_scores`, ab-sniffer-challenge 5e1a456. The peer's challenges set
 * the least score to 0.4 (`ab_sniffer_v6`), 0.85 (`bot_virus_v1`) or 0.1 (before October
 * 2025), and the highest penalty to 0.6.
 */
export class Acceptance {
  /** Lowest score that is accepted, before any penalty is taken off it. Default 0.4. */
  minScore = 0.4;
  /** Highest penalty that is accepted. Default 0.6. */
  maxPenalty = 0.6;

  /** @param {Partial<Pick<Acceptance, 'minScore' | 'maxPenalty'>>} [rules] */
  constructor(rules = {}) {
    assign(this, rules);
  }

  /**
   * Whether 0 ≤ `penalty` ≤ `maxPenalty` and `score` ≥ `minScore`, where `score` is the one
   * before `Easing.adjust`. Never, if either is NaN.
   *
   * @param {number} score
   * @param {number} penalty
   */
  admits(score, penalty) {
    return penalty >= 0 && penalty <= this.maxPenalty && score >= this.minScore;
  }
}
