/**
 * What the author of a Proctor challenge, or of a submission to one, depends on.
 */

export { Challenge } from './challenge.js';
export { Context, Database } from './context.js';
export {
  CannotSolve,
  DatabaseError,
  InvalidSolution,
  InvalidSubmission,
  SolveFailed,
  Unavailable,
} from './errors.js';
export * as field from './field.js';
export { sameJson } from './json.js';
export * as ranking from './ranking/index.js';
export { Rng } from './rng.js';

/**
 * @template T
 * @typedef {import('./field.js').Field<T>} Field
 */
/** @typedef {import('./field.js').Problem} Problem */
/**
 * @template F
 * @typedef {import('./field.js').SettingsOf<F>} SettingsOf
 */
/**
 * @template F
 * @typedef {import('./field.js').ValueOf<F>} ValueOf
 */
/** @typedef {import('./context.js').SqlValue} SqlValue */
/**
 * @template [Task=any]
 * @template [Solution=any]
 * @typedef {import('./solver.js').Solver<Task, Solution>} Solver
 */
/** @typedef {import('@proctor/sdk/contract').ChallengeError} ChallengeError */
/** @typedef {import('@proctor/sdk/contract').Commit} Commit */
/** @typedef {import('@proctor/sdk/contract').Comparison} Comparison */
/** @typedef {import('@proctor/sdk/contract').ComparisonLog} ComparisonLog */
/** @typedef {import('@proctor/sdk/contract').Evaluated} Evaluated */
/** @typedef {import('@proctor/sdk/contract').Evaluation} Evaluation */
/** @typedef {import('@proctor/sdk/contract').HotkeyWeight} HotkeyWeight */
/** @typedef {import('@proctor/sdk/contract').Miner} Miner */
/** @typedef {import('@proctor/sdk/contract').ScoringLog} ScoringLog */
/** @typedef {import('@proctor/sdk/contract').Standing} Standing */
/** @typedef {import('@proctor/sdk/contract').Submission} Submission */
/** @typedef {import('@proctor/sdk/contract').Verdict} Verdict */
