/** Runs a challenge in Node, with imports that a test provides: no WebAssembly is needed. */

import { called, checked, describe, readSettings } from './calls.js';
import { Context } from './context.js';
import { solveJson } from './solver.js';
import { SolveFailed, Unavailable } from './errors.js';

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
  #type;
  #settings;
  #options;
  #imports;

  /**
   * @param {ChallengeClass} type
   * @param {HarnessOptions} [options]
   */
  constructor(type, options = {}) {
    this.#type = checked(type, []);
    this.#options = options;
    this.#settings = JSON.stringify(options.settings ?? {});
    this.#imports = {
      solve: solve(options),
      execute: options.database?.execute ?? noDatabase,
      query: options.database?.query ?? noDatabase,
    };
  }

  /**
   * What the challenge tells of itself.
   *
   * @returns {Description}
   */
  describe() {
    return describe(this.#type);
  }

  /**
   * Checks the settings: every problem found.
   *
   * @returns {Problem[]}
   */
  validateSettings() {
    return readSettings(this.#type, this.#settings).problems;
  }

  /**
   * Evaluates the submission.
   *
   * @param {string[]} [seedTasks] JSON texts.
   * @returns {ScoringLog[]}
   */
  evaluate(seedTasks = []) {
    const submission = { digest: '0'.repeat(64) };
    return this.#call('evaluate', (challenge, context) => challenge.evaluate(context, submission, seedTasks));
  }

  /**
   * Judges a commit.
   *
   * @param {Evaluated} evaluated
   * @returns {Verdict}
   */
  judge(evaluated) {
    return this.#call('judge', (challenge, context) => challenge.judge(context, evaluated));
  }

  /**
   * Compares a candidate with references; the submission is the candidate.
   *
   * @param {Evaluation} candidate
   * @param {Evaluation[]} references
   * @returns {ComparisonLog[]}
   */
  compare(candidate, references) {
    return this.#call('compare', (challenge, context) => challenge.compare(context, candidate, references));
  }

  /**
   * Turns standings into weights.
   *
   * @param {Standing[]} standings
   * @returns {HotkeyWeight[]}
   */
  getWeights(standings) {
    return this.#call('getWeights', (challenge, context) => challenge.getWeights(context, standings));
  }

  /**
   * @template T
   * @param {string} method
   * @param {(challenge: Challenge, context: Context) => T} run
   */
  #call(method, run) {
    const { seed = 0, now = 0 } = this.#options;
    const context = new Context(BigInt.asUintN(64, BigInt(seed)), now, this.#imports);
    return called(this.#type, this.#settings, context, method, run);
  }
}

/**
 * @param {HarnessOptions} options
 * @returns {(task: string) => string}
 */
function solve({ solver, solutions }) {
  if (solver !== undefined) {
    return (task) => solved(solver, task);
  }
  if (solutions === undefined) {
    return () => {
      throw new Unavailable('the test has no solver');
    };
  }
  let next = 0;
  return () => {
    const answer = solutions[next];
    next += 1;
    if (answer === undefined) {
      throw new TypeError(`the test has only ${solutions.length} solutions`);
    }
    if (typeof answer === 'string') {
      return answer;
    }
    if ('error' in answer) {
      throw new SolveFailed('guest_error', answer.error);
    }
    throw new SolveFailed(answer.failure, answer.message ?? '');
  };
}

/**
 * @param {Solver} solver
 * @param {string} task
 */
function solved(solver, task) {
  /** @type {unknown} */
  let failure;
  try {
    return solveJson((read) => {
      try {
        return solver(read);
      } catch (error) {
        failure = error;
        throw error;
      }
    }, task);
  } catch (message) {
    if (failure instanceof SolveFailed || failure instanceof Unavailable) {
      throw failure;
    }
    throw new SolveFailed('guest_error', String(message));
  }
}

/** @returns {never} */
function noDatabase() {
  throw new Unavailable('the test has no database');
}
