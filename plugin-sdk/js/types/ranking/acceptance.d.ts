/**
 * What a commit must reach to be accepted.
 *
 * Source: `update_miner_scores`, ab-sniffer-challenge 5e1a456. The peer's challenges set
 * the least score to 0.4 (`ab_sniffer_v6`), 0.85 (`bot_virus_v1`) or 0.1 (before October
 * 2025), and the highest penalty to 0.6.
 */
export class Acceptance {
    /** @param {Partial<Pick<Acceptance, 'minScore' | 'maxPenalty'>>} [rules] */
    constructor(rules?: Partial<Pick<Acceptance, "minScore" | "maxPenalty">>);
    /** Lowest score that is accepted, before any penalty is taken off it. Default 0.4. */
    minScore: number;
    /** Highest penalty that is accepted. Default 0.6. */
    maxPenalty: number;
    /**
     * Whether 0 ≤ `penalty` ≤ `maxPenalty` and `score` ≥ `minScore`, where `score` is the one
     * before `Easing.adjust`. Never, if either is NaN.
     *
     * @param {number} score
     * @param {number} penalty
     */
    admits(score: number, penalty: number): boolean;
}
