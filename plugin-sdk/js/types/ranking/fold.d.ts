/**
 * What a miner's rewards have come to.
 *
 * @typedef {object} Average
 * @property {number} score The moving average: finite, at least 0, in the unit of the rewards.
 * @property {number} at When the last reward was taken in, in seconds since the Unix epoch.
 */
/** An exponential moving average of each miner's rewards. */
export class FoldRules {
    /** @param {Partial<Pick<FoldRules, 'alpha' | 'least' | 'forgetAfterS'>>} [rules] */
    constructor(rules?: Partial<Pick<FoldRules, "alpha" | "least" | "forgetAfterS">>);
    /**
     * The part of a new average that the newest reward makes, 0 (none) to 1 (all of it).
     * Default 0.1: half of an average is of the last seven rewards.
     */
    alpha: number;
    /** Averages below this are forgotten. Default 1e-9. */
    least: number;
    /**
     * Seconds after which a miner without a reward, be it 0, is forgotten: it is not asked any
     * more, so nothing else would ever take its average down. Default 604 800, seven days.
     */
    forgetAfterS: number;
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
    fold(averages: ReadonlyMap<string, Average>, rewards: Iterable<readonly [hotkey: string, reward: number]>, now: number): Map<string, Average>;
}
/**
 * What a miner's rewards have come to.
 */
export type Average = {
    /**
     * The moving average: finite, at least 0, in the unit of the rewards.
     */
    score: number;
    /**
     * When the last reward was taken in, in seconds since the Unix epoch.
     */
    at: number;
};
