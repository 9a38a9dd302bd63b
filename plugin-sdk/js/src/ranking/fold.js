import { assign } from './assign.js';

/**
 * What a miner's rewards have come to.
 *
 * @typedef {object} Average
 * @property {number} score The moving average: finite, at least 0, in the unit of the rewards.
 * @property {number} at When the last reward was taken in, in seconds since the Unix epoch.
 */

/** An exponential moving average of each miner's rewards. */
export class FoldRules {
  /**
   * The part of a new average that the newest reward makes, 0 (none) to 1 (all of it).
   * Default 0.1: half of an average is of the last seven rewards.
   */
  alpha = 0.1;
  /** Averages below this are forgotten. Default 1e-9. */
  least = 1e-9;
  /**
   * Seconds after which a miner without a reward, be it 0, is forgotten: it is not asked any
   * more, so nothing else would ever take its average down. Default 604 800, seven days.
   */
  forgetAfterS = 604_800;

  /** @param {Partial<Pick<FoldRules, 'alpha' | 'least' | 'forgetAfterS'>>} [rules] */
  constructor(rules = {}) {
    assign(this, rules);
  }

  /**
   * Takes rewards, by hotkey, into the averages and returns them, by hotkey in order:
   * `(1 − alpha) · score + alpha · reward`, from 0 for a miner that is new. Others keep
   * theirs until they are forgotten. What was passed in is not changed.
   *
   * A reward below 0, or that is not finite, counts as 0. `alpha` is clamped to 0..1; NaN
   * is 0.
   *
   * @param {ReadonlyMap<string, Average>} averages
   * @param {Iterable<readonly [hotkey: string, reward: number]>} rewards
   * @param {number} now Seconds since the Unix epoch.
   * @returns {Map<string, Average>}
   */
  fold(averages, rewards, now) {
    const alpha = Number.isNaN(this.alpha) ? 0 : Math.min(Math.max(this.alpha, 0), 1);
    const folded = new Map(averages);
    for (const [hotkey, reward] of rewards) {
      const earned = Number.isFinite(reward) ? Math.max(reward, 0) : 0;
      const score = folded.get(hotkey)?.score ?? 0;
      folded.set(hotkey, { score: (1 - alpha) * score + alpha * earned, at: now });
    }
    const kept = [...folded].filter(
      ([, average]) => average.score >= this.least && now - average.at <= this.forgetAfterS,
    );
    return new Map(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
