/** @import { Challenge } from './challenge.js' */
/** @import { Imports } from './context.js' */
/** @import { Evaluated, Evaluation, Standing, Submission } from '@proctor/sdk/contract' */
/**
 * Runs what is run once, when a component is built. What it throws is told with the place in
 * the author's files, between two lines that the build looks for.
 *
 * @template T
 * @param {() => T} load
 * @returns {T}
 */
export function loaded<T>(load: () => T): T;
/**
 * The imports of a challenge: each an interface of the contract. A challenge without
 * submissions to run has no `runner`.
 *
 * @typedef {object} Interfaces
 * @property {{ settings(): string, seed(): bigint, now(): number }} context
 * @property {Pick<Imports, 'execute' | 'query'>} database
 * @property {Pick<Imports, 'solve'>} [runner]
 */
/**
 * The exports of a challenge with these capabilities, by interface; those that it has not
 * are to be left out.
 *
 * @param {{ default?: unknown }} module The author's module.
 * @param {readonly string[]} capabilities As `project.toml` names them.
 * @param {Interfaces} interfaces
 */
export function challenge(module: {
    default?: unknown;
}, capabilities: readonly string[], { context, database, runner }: Interfaces): {
    info: {
        describe: () => import("proctor:challenge/info@0.1.1").Description;
        validateSettings(json: string): void;
    };
    controller: {
        evaluate: (submission: Submission, seedTasks: string[]) => import("proctor:challenge/types@0.1.1").ScoringLog[];
        judge: (evaluated: Evaluated) => import("proctor:challenge/types@0.1.1").Verdict;
    };
    comparer: {
        compare: (candidate: Evaluation, references: Evaluation[]) => import("proctor:challenge/types@0.1.1").ComparisonLog[];
    };
    weights: {
        getWeights: (standings: Standing[]) => import("proctor:challenge/types@0.1.1").HotkeyWeight[];
    };
};
/**
 * The export of a solver.
 *
 * @param {{ default?: unknown }} module The miner's module.
 */
export function solver(module: {
    default?: unknown;
}): (/** @type {string} */ task: string) => string;
/**
 * The imports of a challenge: each an interface of the contract. A challenge without
 * submissions to run has no `runner`.
 */
export type Interfaces = {
    context: {
        settings(): string;
        seed(): bigint;
        now(): number;
    };
    database: Pick<Imports, "execute" | "query">;
    runner?: Pick<Imports, "solve"> | undefined;
};
import type { Submission } from '@proctor/sdk/contract';
import type { Evaluated } from '@proctor/sdk/contract';
import type { Evaluation } from '@proctor/sdk/contract';
import type { Standing } from '@proctor/sdk/contract';
import type { Imports } from './context.js';
