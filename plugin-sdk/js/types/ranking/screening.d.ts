/**
 * Which similarities are held against a commit, and from where on it is a copy, whose score
 * counts as 0 whatever it solves.
 *
 * Nothing found is nothing held against it: without a reference, or with similarities of 0,
 * a commit is scored like any other.
 *
 * Source: `Controller._run_reference_comparison_inputs`, RedTeam ced9b911, and
 * `ABSController._score_miner_with_new_inputs`, ab-sniffer-challenge 5e1a456.
 */
export class Screening {
    /** @param {Partial<Pick<Screening, 'copyFrom' | 'ownFrom'>>} [rules] */
    constructor(rules?: Partial<Pick<Screening, "copyFrom" | "ownFrom">>);
    /**
     * Similarity, 0 to 1, from which a commit is a copy. Default 0.6. This limit is refused and
     * `Acceptance.maxPenalty` is admitted. Where both are the same number, screening decides.
     */
    copyFrom: number;
    /**
     * Similarity, 0 to 1, from which a miner's own earlier commit is held against it. Default
     * 0.8: to improve on one's own work is no copying.
     */
    ownFrom: number;
    /**
     * Whether a similarity is held against a commit; `own` if the reference is an earlier commit
     * of the same miner. One with another miner always is.
     *
     * @param {number} similarity
     * @param {boolean} own
     */
    counts(similarity: number, own: boolean): boolean;
    /**
     * Whether a similarity that counts makes the commit a copy. Never, if it is NaN.
     *
     * @param {number} similarity
     */
    isCopy(similarity: number): boolean;
}
/**
 * When a commit is compared once more, with a reference that does as well as it does: a copy
 * that was rewritten until it looked different still scores like its source.
 *
 * Source: `ABSController.same_score_comparison`, ab-sniffer-challenge 5e1a456. The peer's
 * base controller has 0.4 for `above`, and leaves out a miner's own commits by
 * `Screening.counts`.
 */
export class SameScore {
    /** @param {Partial<Pick<SameScore, 'above' | 'within' | 'countsFrom'>>} [rules] */
    constructor(rules?: Partial<Pick<SameScore, "above" | "within" | "countsFrom">>);
    /** Score above which a commit is compared. Default 0.9. */
    above: number;
    /** Most that the scores may differ, before any penalty. Default 0.1. */
    within: number;
    /**
     * Similarity, 0 to 1, from which this comparison counts. Default 0.6. It is not a reason to
     * leave the commit unscored.
     */
    countsFrom: number;
    /**
     * Whether a commit and a reference with these scores are compared. Never, if either is NaN.
     *
     * @param {number} score
     * @param {number} reference
     */
    applies(score: number, reference: number): boolean;
    /**
     * Whether what the comparison found is held against the commit. Never, if it is NaN.
     *
     * @param {number} similarity
     */
    counts(similarity: number): boolean;
}
