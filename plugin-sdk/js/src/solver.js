import { CannotSolve, Refused } from './errors.js';
import { trace } from './trace.js';

/**
 * A submission: the function that a miner's module exports by default. It gets a task, read
 * from JSON, and returns the solution, which is sent as JSON. What it throws is told to the
 * challenge, and the task scores 0. Every call starts in a fresh sandbox without files,
 * network, time or randomness of its own. It must not be async.
 *
 * @template [Task=any]
 * @template [Solution=any]
 * @typedef {(task: Task) => Solution} Solver
 */

/**
 * Refuses what is no solver, so that a miner hears of it when building.
 *
 * @param {unknown} solver What the miner's module exports by default.
 * @returns {Solver}
 */
export function checkedSolver(solver) {
  if (typeof solver !== 'function') {
    throw new Refused('the module exports no solver: it needs `export default function solve(task) { … }`');
  }
  return /** @type {Solver} */ (solver);
}

/**
 * Solves one task between JSON texts. Throws a text for people, as the contract has it.
 *
 * @param {Solver} solver
 * @param {string} task
 * @returns {string}
 */
export function solveJson(solver, task) {
  const read = parse(task);
  let solution;
  try {
    solution = solver(read);
  } catch (error) {
    throw error instanceof CannotSolve ? error.message : trace(error);
  }
  if (typeof solution?.then === 'function') {
    throw 'the solver returned a promise: it must not be async';
  }
  let json;
  try {
    json = JSON.stringify(solution);
  } catch (error) {
    throw `cannot write the solution: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (json === undefined) {
    throw `cannot write the solution: ${String(solution)} is not JSON`;
  }
  return json;
}

/** @param {string} task */
function parse(task) {
  try {
    return JSON.parse(task);
  } catch (error) {
    throw `cannot read the task: ${/** @type {Error} */ (error).message}`;
  }
}
