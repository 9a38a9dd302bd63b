import { DatabaseError, SolveFailed, Unavailable } from './errors.js';
import { Rng } from './rng.js';

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
  #imports;

  /**
   * @param {bigint} seed
   * @param {number} now
   * @param {Imports} imports
   */
  constructor(seed, now, imports) {
    /** The seed of the call, 64 bits. Everything random must come from it. */
    this.seed = seed;
    /** The logical time of the call, in seconds since the Unix epoch. */
    this.now = now;
    /** SQL on the challenge's own SQLite file. */
    this.database = new Database(imports);
    this.#imports = imports;
  }

  /**
   * Random numbers made from the seed. Each stream is independent of the others; the index
   * of a task makes a good one.
   *
   * @param {bigint | number} stream A whole number.
   */
  rng(stream) {
    return new Rng(this.seed, stream);
  }

  /**
   * Has the submission solve one task; JSON text in, JSON text out.
   *
   * @param {string} task
   * @returns {string}
   * @throws {SolveFailed} if the submission failed it.
   * @throws {Unavailable} if it cannot be run now; do not catch it.
   */
  solve(task) {
    try {
      return this.#imports.solve(task);
    } catch (thrown) {
      const error = payload(thrown);
      if (error?.tag === 'failed') {
        throw new SolveFailed(error.val.code.replaceAll('-', '_'), error.val.message);
      }
      if (error?.tag === 'unavailable') {
        throw new Unavailable(error.val);
      }
      throw thrown;
    }
  }
}

/**
 * A value of SQLite. Numbers without a fraction are stored as integers, others as reals;
 * integers beyond ±2⁵³ are read as `bigint`.
 *
 * @typedef {null | number | bigint | string | Uint8Array} SqlValue
 */

/** SQL on the challenge's own SQLite file. The operator grants it (`database = true`). */
export class Database {
  #imports;

  /** @param {Imports} imports */
  constructor(imports) {
    this.#imports = imports;
  }

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
  execute(sql, ...parameters) {
    return Number(translated(() => this.#imports.execute(sql, parameters.map(toSql))));
  }

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
  query(sql, ...parameters) {
    const found = translated(() => this.#imports.query(sql, parameters.map(toSql)));
    return found.rows.map((row) =>
      Object.fromEntries(row.map((value, index) => [found.columns[index], fromSql(value)])),
    );
  }
}

/**
 * What an import failed with: the bindings throw an error that has it.
 *
 * @param {any} thrown
 */
function payload(thrown) {
  return thrown?.payload ?? thrown;
}

/**
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
function translated(call) {
  try {
    return call();
  } catch (thrown) {
    const error = payload(thrown);
    if (error?.tag === 'unavailable') {
      throw new Unavailable(error.val);
    }
    if (typeof error?.tag === 'string') {
      const code = error.tag.replaceAll('-', '_');
      throw new DatabaseError(code, error.val ?? code);
    }
    throw thrown;
  }
}

/**
 * @param {SqlValue} value
 * @returns {import('@proctor/sdk/contract').Value}
 */
function toSql(value) {
  if (value === null || value === undefined) {
    return { tag: 'null' };
  }
  switch (typeof value) {
    case 'bigint':
      return { tag: 'integer', val: value };
    case 'number':
      return Number.isSafeInteger(value)
        ? { tag: 'integer', val: BigInt(value) }
        : { tag: 'real', val: value };
    case 'string':
      return { tag: 'text', val: value };
    default:
  }
  if (value instanceof Uint8Array) {
    return { tag: 'blob', val: value };
  }
  throw new TypeError(`SQLite has no value for ${String(value)}`);
}

/**
 * @param {import('@proctor/sdk/contract').Value} value
 * @returns {SqlValue}
 */
function fromSql(value) {
  if (value.tag === 'null') {
    return null;
  }
  if (value.tag === 'integer') {
    const number = Number(value.val);
    return Number.isSafeInteger(number) ? number : value.val;
  }
  return value.val;
}
