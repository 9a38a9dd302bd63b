/**
 * Refuses a promise: nothing would ever wait for it.
 *
 * @template T
 * @param {T} value
 * @param {string} method
 * @returns {T}
 */
export function now<T>(value: T, method: string): T;
/** @import { Context } from './context.js' */
/** @import { Field, Problem } from './field.js' */
/** @import { ComparisonLog, Evaluated, Evaluation, HotkeyWeight, ScoringLog, Standing, Submission, Verdict } from '@proctor/sdk/contract' */
/**
 * A challenge. An instance lives for one call of the host and is made from the settings, so
 * that nothing can leak from one submission to the next. No method may be async: a call
 * runs to its end without waiting.
 *
 * `makeTask` and `score` are enough for the capability `scoring`, `similarity` for
 * `comparison`; `get_weights` needs nothing. What a method throws is the challenge's own
 * fault, unless it is one of the errors of this package.
 *
 * @template [Settings=any] What `static settings` reads.
 * @template [Task=any] The challenge's input to a submission, sent as JSON.
 * @template [Solution=any] A submission's answer, read from JSON.
 */
export class Challenge<Settings = any, Task = any, Solution = any> {
    /**
     * Name that commits call the challenge by: 1 to 64 of `a-z`, `0-9`, `-`, `_`, first a
     * letter or digit.
     *
     * @type {string}
     */
    static name: string;
    /**
     * Version of the plugin (semver).
     *
     * @type {string}
     */
    static version: string;
    /** One sentence for people. */
    static summary: string;
    /**
     * The settings, by name. Give each a default, so that `{}` is valid. Unknown ones are
     * refused.
     *
     * @type {Record<string, Field<any>>}
     */
    static settings: Record<string, Field<any>>;
    /**
     * The shape of a solution. A solution of another shape scores 0 and never reaches `score`,
     * as is right: it is the submission's fault. Without it `score` gets any JSON value.
     *
     * @type {Field<any> | undefined}
     */
    static solution: Field<any> | undefined;
    /** Most bytes (UTF-8) of a solution. A longer one is not even read, and scores 0. */
    static maxSolutionBytes: number;
    /**
     * The shape of a task, by which tasks are read: those of `makeTask`, once they are JSON,
     * and seed tasks.
     *
     * @type {Field<any> | undefined}
     */
    static task: Field<any> | undefined;
    /**
     * What the shapes of the settings cannot say: how fields belong together. Returns every
     * problem; none by default.
     *
     * @param {any} _settings
     * @returns {Problem[]}
     */
    static checkSettings(_settings: any): Problem[];
    /** @param {Settings} settings They have passed all checks. */
    constructor(settings: Settings);
    /** The settings, defaults filled in. */
    settings: Settings;
    /**
     * How many tasks a submission gets; by default the setting `tasks`.
     *
     * @returns {number}
     */
    taskCount(): number;
    /**
     * Makes task number `index`, counted from 0, from the context's seed: anything that JSON
     * has. The same seed and index must give the same task.
     *
     * @param {Context} _context
     * @param {number} _index
     * @returns {Task}
     */
    makeTask(_context: Context, _index: number): Task;
    /**
     * Scores one solution; usually 0 (worthless) to 1 (perfect), and finite.
     *
     * @param {Task} _task
     * @param {Solution} _solution
     * @returns {number}
     * @throws {InvalidSolution} if the solution is worth nothing, with why.
     */
    score(_task: Task, _solution: Solution): number;
    /**
     * What a reference solution of the challenge's own scores on a task. It is subtracted from
     * each submission's score, also from the 0 of a submission that failed. None by default.
     *
     * @param {Task} _task
     * @returns {number | undefined}
     */
    baseline(_task: Task): number | undefined;
    /** How score and similarity become a verdict. */
    verdictRules(): VerdictRules;
    /**
     * Evaluates one submission: the seed tasks first, then tasks of its own up to
     * `taskCount`. A task that the submission fails scores 0 with the failure as its error.
     *
     * @param {Context} context
     * @param {Submission} _submission
     * @param {string[]} seedTasks JSON texts.
     * @returns {ScoringLog[]}
     */
    evaluate(context: Context, _submission: Submission, seedTasks: string[]): ScoringLog[];
    /**
     * Judges a commit by `verdictRules`.
     *
     * @param {Context} _context
     * @param {Evaluated} evaluated
     * @returns {Verdict}
     */
    judge(_context: Context, evaluated: Evaluated): Verdict;
    /**
     * How alike a candidate and one reference are: 0 (nothing in common) to 1 (the same). A
     * number, or a log that also says what it was taken from.
     *
     * @param {Context} _context Its submission is the candidate.
     * @param {Evaluation} _candidate
     * @param {Evaluation} _reference
     * @returns {number | { similarity: number, reason?: string }}
     */
    similarity(_context: Context, _candidate: Evaluation, _reference: Evaluation): number | {
        similarity: number;
        reason?: string;
    };
    /**
     * Compares a candidate with a batch of references; by default one `similarity` each.
     *
     * @param {Context} context
     * @param {Evaluation} candidate
     * @param {Evaluation[]} references
     * @returns {ComparisonLog[]}
     */
    compare(context: Context, candidate: Evaluation, references: Evaluation[]): ComparisonLog[];
    /** How a standing's worth decays and spreads. */
    emissionRules(): EmissionRules;
    /**
     * Turns standings into weights; by default decay, then softmax over the standings that are
     * worth anything, by `emissionRules`.
     *
     * @param {Context} context
     * @param {Standing[]} standings
     * @returns {HotkeyWeight[]}
     */
    getWeights(context: Context, standings: Standing[]): HotkeyWeight[];
    #private;
}
/**
 * A class of challenges, whatever its settings, tasks and solutions are.
 */
export type ChallengeClass = Omit<typeof Challenge, "prototype"> & (new (settings: any) => Challenge<any, any, any>);
import type { Context } from './context.js';
import { VerdictRules } from './ranking/index.js';
import type { Submission } from '@proctor/sdk/contract';
import type { ScoringLog } from '@proctor/sdk/contract';
import type { Evaluated } from '@proctor/sdk/contract';
import type { Verdict } from '@proctor/sdk/contract';
import type { Evaluation } from '@proctor/sdk/contract';
import type { ComparisonLog } from '@proctor/sdk/contract';
import { EmissionRules } from './ranking/index.js';
import type { Standing } from '@proctor/sdk/contract';
import type { HotkeyWeight } from '@proctor/sdk/contract';
import type { Field } from './field.js';
import type { Problem } from './field.js';
