/**
 * Makes the exports of a component out of what an author's module exports. For the module
 * that `proctor plugin build` generates; authors do not need it.
 */

import { called, challengeError, checked, describe, readSettings } from './calls.js';
import { Context } from './context.js';
import { checkedSolver, solveJson } from './solver.js';
import { trace } from './trace.js';

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
export function loaded(load) {
  try {
    return load();
  } catch (error) {
    throw new Error(`\n<proctor>\n${trace(error)}\n</proctor>\n`);
  }
}

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
export function challenge(module, capabilities, { context, database, runner }) {
  const type = checked(module.default, capabilities);
  const imports = {
    execute: database.execute,
    query: database.query,
    solve: runner?.solve ?? noRunner,
  };
  /**
   * @template T
   * @param {string} method
   * @param {(challenge: Challenge, context: Context) => T} run
   */
  const call = (method, run) => {
    try {
      const of = new Context(context.seed(), context.now(), imports);
      return called(type, context.settings(), of, method, run);
    } catch (error) {
      throw challengeError(error);
    }
  };
  return {
    info: {
      describe: () => describe(type),
      validateSettings(/** @type {string} */ json) {
        const { problems } = readSettings(type, json);
        if (problems.length > 0) {
          throw problems;
        }
      },
    },
    controller: {
      evaluate: (/** @type {Submission} */ submission, /** @type {string[]} */ seedTasks) =>
        call('evaluate', (challenge, of) => challenge.evaluate(of, submission, seedTasks)),
      judge: (/** @type {Evaluated} */ evaluated) =>
        call('judge', (challenge, of) => challenge.judge(of, evaluated)),
    },
    comparer: {
      compare: (/** @type {Evaluation} */ candidate, /** @type {Evaluation[]} */ references) =>
        call('compare', (challenge, of) => challenge.compare(of, candidate, references)),
    },
    weights: {
      getWeights: (/** @type {Standing[]} */ standings) =>
        call('getWeights', (challenge, of) => challenge.getWeights(of, standings)),
    },
  };
}

/**
 * The export of a solver.
 *
 * @param {{ default?: unknown }} module The miner's module.
 */
export function solver(module) {
  const type = checkedSolver(module.default);
  return (/** @type {string} */ task) => solveJson(type, task);
}

/** @returns {never} */
function noRunner() {
  throw new TypeError('this challenge has no submission to run: it has neither `scoring` nor `comparison`');
}
