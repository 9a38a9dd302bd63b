/**
 * A miner's best accepted commit of one challenge.
 *
 * @typedef {object} BestCommit
 * @property {string} commit What the commit is known by, as the miner published it.
 * @property {number} score The score, penalty applied.
 * @property {number} scoredAt When the commit was judged, in seconds since the Unix epoch.
 */
/**
 * A miner's best commit after one more has been judged.
 *
 * An accepted commit becomes the best if there is none, or if its score is higher. One with
 * a score of exactly 1 always does: its miner could not improve on it, and the decay must
 * not punish that. If the best commit itself is no longer accepted, there is none until the
 * next. A score that is not finite never becomes the best.
 *
 * Source: `MinerChallengeInfo.update_best_commit`, RedTeam ced9b911.
 *
 * @param {BestCommit | undefined} best The best so far.
 * @param {BestCommit} judged
 * @param {boolean} accepted
 * @returns {BestCommit | undefined}
 */
export function updateBestCommit(best: BestCommit | undefined, judged: BestCommit, accepted: boolean): BestCommit | undefined;
/**
 * A miner's best accepted commit of one challenge.
 */
export type BestCommit = {
    /**
     * What the commit is known by, as the miner published it.
     */
    commit: string;
    /**
     * The score, penalty applied.
     */
    score: number;
    /**
     * When the commit was judged, in seconds since the Unix epoch.
     */
    scoredAt: number;
};
