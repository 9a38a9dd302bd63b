/**
 * A commit in the {@link UniquePool}.
 *
 * @typedef {object} UniqueCommit
 * @property {number} score The score, penalty applied.
 * @property {string} commit What the commit is known by, as the miner published it.
 * @property {string} artifact What it points to.
 */
/**
 * The best accepted commits of a challenge, at most `capacity` of them: those that later
 * ones are compared with.
 *
 * Source: `ChallengeManager._try_add_unique_commit`, RedTeam ced9b911, where the size is
 * `max_unique_commits`, 15 for its challenges.
 */
export class UniquePool {
    /** @param {number} capacity With 0 the pool stays empty. */
    constructor(capacity: number);
    /**
     * Offers an accepted commit, and says whether it was taken.
     *
     * A full pool gives up its lowest commit (by score, then commit, then artifact) for one
     * with a strictly higher score. A commit that is in the pool already, or whose score is
     * not finite, is not taken.
     *
     * @param {UniqueCommit} offered
     * @returns {boolean}
     */
    offer(offered: UniqueCommit): boolean;
    /** The commits, the lowest first. */
    get commits(): {
        /**
         * The score, penalty applied.
         */
        score: number;
        /**
         * What the commit is known by, as the miner published it.
         */
        commit: string;
        /**
         * What it points to.
         */
        artifact: string;
    }[];
    #private;
}
/**
 * A commit in the {@link UniquePool}.
 */
export type UniqueCommit = {
    /**
     * The score, penalty applied.
     */
    score: number;
    /**
     * What the commit is known by, as the miner published it.
     */
    commit: string;
    /**
     * What it points to.
     */
    artifact: string;
};
