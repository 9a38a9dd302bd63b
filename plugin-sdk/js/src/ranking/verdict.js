import { Acceptance } from './acceptance.js';
import { assign } from './assign.js';
import { maxScore, meanScore } from './score.js';
import { Easing, similarityPenalty } from './similarity.js';

/** @import { Maybe } from './score.js' */

/**
 * What a commit is worth.
 *
 * @typedef {object} Judgement
 * @property {number} score The score, penalty applied. Finite; below 0 only if the scores
 *   are, as they can be where a baseline is subtracted.
 * @property {number} penalty The highest similarity found.
 * @property {boolean} accepted Whether the commit may earn. Decided on the score before the
 *   penalty.
 */

/** The rules by which a commit is judged. */
export class VerdictRules {
  /**
   * How the scores of a commit's tasks become one: `meanScore`, as the peer's base manager
   * does, or `maxScore`, as the managers of its challenges do. Default the mean.
   *
   * @type {'mean' | 'max'}
   */
  aggregate = 'mean';
  /** What is accepted. */
  acceptance = new Acceptance();
  /** What a penalty takes off the score. */
  easing = new Easing();

  static choices = { aggregate: /** @type {const} */ (['mean', 'max']) };

  /**
   * @param {object} [rules]
   * @param {'mean' | 'max'} [rules.aggregate]
   * @param {ConstructorParameters<typeof Acceptance>[0]} [rules.acceptance]
   * @param {ConstructorParameters<typeof Easing>[0]} [rules.easing]
   */
  constructor(rules = {}) {
    assign(this, rules);
    if (!VerdictRules.choices.aggregate.includes(this.aggregate)) {
      throw new TypeError(`aggregate is ${this.aggregate}, must be mean or max`);
    }
  }

  /**
   * Judges a commit by the scores of its tasks and its similarities to all references.
   * `undefined` if it has no score yet, see {@link meanScore} and {@link maxScore}.
   *
   * Source: `update_miner_scores`, ab-sniffer-challenge 5e1a456.
   *
   * @param {Iterable<Maybe>} scores
   * @param {Iterable<Maybe>} similarities
   * @returns {Judgement | undefined}
   */
  judge(scores, similarities) {
    const score = this.aggregate === 'max' ? maxScore(scores) : meanScore(scores);
    if (score === undefined) {
      return undefined;
    }
    const penalty = similarityPenalty(similarities);
    return {
      score: this.easing.adjust(score, penalty),
      penalty,
      accepted: this.acceptance.admits(score, penalty),
    };
  }
}
