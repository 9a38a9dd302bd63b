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
    static choices: {
        aggregate: readonly ["mean", "max"];
    };
    /**
     * @param {object} [rules]
     * @param {'mean' | 'max'} [rules.aggregate]
     * @param {ConstructorParameters<typeof Acceptance>[0]} [rules.acceptance]
     * @param {ConstructorParameters<typeof Easing>[0]} [rules.easing]
     */
    constructor(rules?: {
        aggregate?: "mean" | "max" | undefined;
        acceptance?: ConstructorParameters<typeof Acceptance>[0];
        easing?: ConstructorParameters<typeof Easing>[0];
    });
    /**
     * How the scores of a commit's tasks become one: `meanScore`, as the peer's base manager
     * does, or `maxScore`, as the managers of its challenges do. Default the mean.
     *
     * @type {'mean' | 'max'}
     */
    aggregate: "mean" | "max";
    /** What is accepted. */
    acceptance: Acceptance;
    /** What a penalty takes off the score. */
    easing: Easing;
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
    judge(scores: Iterable<Maybe>, similarities: Iterable<Maybe>): Judgement | undefined;
}
/**
 * What a commit is worth.
 */
export type Judgement = {
    /**
     * The score, penalty applied. Finite; below 0 only if the scores
     * are, as they can be where a baseline is subtracted.
     */
    score: number;
    /**
     * The highest similarity found.
     */
    penalty: number;
    /**
     * Whether the commit may earn. Decided on the score before the
     * penalty.
     */
    accepted: boolean;
};
import { Acceptance } from './acceptance.js';
import { Easing } from './similarity.js';
import type { Maybe } from './score.js';
