/** @import { Challenge, ChallengeClass } from './challenge.js' */
/** @import { Problem } from './field.js' */
/** @import { Solver } from './solver.js' */
/** @import { ComparisonLog, Description, Evaluated, Evaluation, HotkeyWeight, Rows, ScoringLog, Standing, Value, Verdict } from '@proctor/sdk/contract' */
/**
 * A recorded answer, as in a case: a JSON text, an error of the submission's own, or a
 * failure with the host's outcome code.
 *
 * @typedef {string | { error: string } | { failure: string, message?: string }} Recorded
 */
/**
 * @typedef {object} HarnessOptions
 * @property {object} [settings] Default `{}`.
 * @property {bigint | number} [seed] Default 0.
 * @property {number} [now] The logical time, in seconds since the Unix epoch. Default 0.
 * @property {Solver} [solver] The submission: a solver's default export. What it throws is a
 *   failure with the code `guest_error`; `SolveFailed` and `Unavailable` go through.
 * @property {readonly Recorded[]} [solutions] Instead of a solver: its answers, in order.
 * @property {{ execute?: (sql: string, parameters: Value[]) => bigint, query?: (sql: string, parameters: Value[]) => Rows }} [database]
 *   What the database does.
 */
/**
 * Calls a challenge as the host would: settings read and checked, an instance and a context
 * of its own for each call. What it throws is thrown. Imports that the test does not provide
 * are `Unavailable`.
 */
export class Harness {
    /**
     * @param {ChallengeClass} type
     * @param {HarnessOptions} [options]
     */
    constructor(type: ChallengeClass, options?: HarnessOptions);
    /**
     * What the challenge tells of itself.
     *
     * @returns {Description}
     */
    describe(): Description;
    /**
     * Checks the settings: every problem found.
     *
     * @returns {Problem[]}
     */
    validateSettings(): Problem[];
    /**
     * Evaluates the submission.
     *
     * @param {string[]} [seedTasks] JSON texts.
     * @returns {ScoringLog[]}
     */
    evaluate(seedTasks?: string[]): ScoringLog[];
    /**
     * Judges a commit.
     *
     * @param {Evaluated} evaluated
     * @returns {Verdict}
     */
    judge(evaluated: Evaluated): Verdict;
    /**
     * Compares a candidate with references; the submission is the candidate.
     *
     * @param {Evaluation} candidate
     * @param {Evaluation[]} references
     * @returns {ComparisonLog[]}
     */
    compare(candidate: Evaluation, references: Evaluation[]): ComparisonLog[];
    /**
     * Turns standings into weights.
     *
     * @param {Standing[]} standings
     * @returns {HotkeyWeight[]}
     */
    getWeights(standings: Standing[]): HotkeyWeight[];
    #private;
}
/**
 * A recorded answer, as in a case: a JSON text, an error of the submission's own, or a
 * failure with the host's outcome code.
 */
export type Recorded = string | {
    error: string;
} | {
    failure: string;
    message?: string;
};
export type HarnessOptions = {
    /**
     * Default `{}`.
     */
    settings?: object | undefined;
    /**
     * Default 0.
     */
    seed?: number | bigint | undefined;
    /**
     * The logical time, in seconds since the Unix epoch. Default 0.
     */
    now?: number | undefined;
    /**
     * The submission: a solver's default export. What it throws is a
     * failure with the code `guest_error`; `SolveFailed` and `Unavailable` go through.
     */
    solver?: Solver | undefined;
    /**
     * Instead of a solver: its answers, in order.
     */
    solutions?: readonly Recorded[] | undefined;
    /**
     * What the database does.
     */
    database?: {
        execute?: (sql: string, parameters: Value[]) => bigint;
        query?: (sql: string, parameters: Value[]) => Rows;
    } | undefined;
};
import type { Description } from '@proctor/sdk/contract';
import type { Problem } from './field.js';
import type { ScoringLog } from '@proctor/sdk/contract';
import type { Evaluated } from '@proctor/sdk/contract';
import type { Verdict } from '@proctor/sdk/contract';
import type { Evaluation } from '@proctor/sdk/contract';
import type { ComparisonLog } from '@proctor/sdk/contract';
import type { Standing } from '@proctor/sdk/contract';
import type { HotkeyWeight } from '@proctor/sdk/contract';
import type { ChallengeClass } from './challenge.js';
import type { Solver } from './solver.js';
import type { Value } from '@proctor/sdk/contract';
import type { Rows } from '@proctor/sdk/contract';
