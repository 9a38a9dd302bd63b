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
export function checkedSolver(solver: unknown): Solver;
/**
 * Solves one task between JSON texts. Throws a text for people, as the contract has it.
 *
 * @param {Solver} solver
 * @param {string} task
 * @returns {string}
 */
export function solveJson(solver: Solver, task: string): string;
/**
 * A submission: the function that a miner's module exports by default. It gets a task, read
 * from JSON, and returns the solution, which is sent as JSON. What it throws is told to the
 * challenge, and the task scores 0. Every call starts in a fresh sandbox without files,
 * network, time or randomness of its own. It must not be async.
 */
export type Solver<Task = any, Solution = any> = (task: Task) => Solution;
