/**
 * What a challenge imports, as the contract has it. The component's own are the host's;
 * tests bring theirs.
 *
 * @typedef {object} Imports
 * @property {(task: string) => string} solve
 * @property {(sql: string, parameters: import('@proctor/sdk/contract').Value[]) => bigint} execute
 * @property {(sql: string, parameters: import('@proctor/sdk/contract').Value[]) => import('@proctor/sdk/contract').Rows} query
 */
/** What a call is about, and what it may reach. Constant for the call. */
export class Context {
    /**
     * @param {bigint} seed
     * @param {number} now
     * @param {Imports} imports
     */
    constructor(seed: bigint, now: number, imports: Imports);
    /** The seed of the call, 64 bits. Everything random must come from it. */
    seed: bigint;
    /** The logical time of the call, in seconds since the Unix epoch. */
    now: number;
    /** SQL on the challenge's own SQLite file. */
    database: Database;
    /**
     * Random numbers made from the seed. Each stream is independent of the others; the index
     * of a task makes a good one.
     *
     * @param {bigint | number} stream A whole number.
     */
    rng(stream: bigint | number): Rng;
    /**
     * Has the submission solve one task; JSON text in, JSON text out.
     *
     * @param {string} task
     * @returns {string}
     * @throws {SolveFailed} if the submission failed it.
     * @throws {Unavailable} if it cannot be run now; do not catch it.
     */
    solve(task: string): string;
    #private;
}
/**
 * A value of SQLite. Numbers without a fraction are stored as integers, others as reals;
 * integers beyond ±2⁵³ are read as `bigint`.
 *
 * @typedef {null | number | bigint | string | Uint8Array} SqlValue
 */
/** SQL on the challenge's own SQLite file. The operator grants it (`database = true`). */
export class Database {
    /** @param {Imports} imports */
    constructor(imports: Imports);
    /**
     * Runs one statement; `?1`, `?2`, … stand for the parameters. Returns the number of rows
     * changed.
     *
     * @param {string} sql
     * @param {...SqlValue} parameters
     * @returns {number}
     * @throws {DatabaseError} if it had no effect.
     * @throws {Unavailable} if the file is not there or is locked.
     */
    execute(sql: string, ...parameters: SqlValue[]): number;
    /**
     * Runs one statement and returns its rows, each an object by name of column; of columns
     * with the same name the last counts.
     *
     * @param {string} sql
     * @param {...SqlValue} parameters
     * @returns {Record<string, SqlValue>[]}
     * @throws {DatabaseError} if it had no effect.
     * @throws {Unavailable} if the file is not there or is locked.
     */
    query(sql: string, ...parameters: SqlValue[]): Record<string, SqlValue>[];
    #private;
}
/**
 * What a challenge imports, as the contract has it. The component's own are the host's;
 * tests bring theirs.
 */
export type Imports = {
    solve: (task: string) => string;
    execute: (sql: string, parameters: import("@proctor/sdk/contract").Value[]) => bigint;
    query: (sql: string, parameters: import("@proctor/sdk/contract").Value[]) => import("@proctor/sdk/contract").Rows;
};
/**
 * A value of SQLite. Numbers without a fraction are stored as integers, others as reals;
 * integers beyond ±2⁵³ are read as `bigint`.
 */
export type SqlValue = null | number | bigint | string | Uint8Array;
import { Rng } from './rng.js';
