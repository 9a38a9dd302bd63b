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
    /**
     * @param {Partial<Pick<EmissionRules, 'stablePeriodDays' | 'expirationDays' | 'alpha' | 'tMax' | 'rewardTemperature'>>} [rules]
     */
    constructor(rules?: Partial<Pick<EmissionRules, "stablePeriodDays" | "expirationDays" | "alpha" | "tMax" | "rewardTemperature">>);
    /** Days for which a score stays whole. Default 10. */
    stablePeriodDays: number;
    /** Days after which nothing is left of a score. Default 15. */
    expirationDays: number;
    /** Rate of the slow exponential loss, per day. Default 0.002. */
    alpha: number;
    /** Days after which the exponential loss goes no further. Default 10. */
    tMax: number;
    /** Temperature of the softmax: the lower, the more goes to the best. Default 0.2. */
    rewardTemperature: number;
    /**
     * Parabolic decay: 1 through the stable period, then 1 − p² where p is the part of the way
     * to expiration that has gone by, then 0. 0 for NaN.
     *
     * Source: `_calculate_decayed_score`.
     *
     * @param {number} ageDays
     */
    decay(ageDays: number): number;
    /**
     * Saturating time factor: e^(−`alpha` · age) up to `tMax` days, constant after. Above 1
     * for a negative age, that is if the clock was set back.
     *
     * Source: `_time_factor_saturating`.
     *
     * @param {number} ageDays
     */
    timeFactor(ageDays: number): number;
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
    weights(best: Iterable<Scored>, now: number): number[];
}
/**
 * What an emission is computed from: a commit's score, and since when it stands.
 */
export type Scored = {
    /**
     * The score, penalty applied.
     */
    score: number;
    /**
     * When the commit was judged, in seconds since the Unix epoch.
     */
    scoredAt: number;
};
