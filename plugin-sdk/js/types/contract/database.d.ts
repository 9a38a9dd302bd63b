// Generated from wit/ by `npm run contract`. Do not edit.
declare module 'proctor:challenge/database@0.1.1' {
  /**
   * Runs one statement; `?1`, `?2`, … stand for `parameters`. Returns the
   * number of rows changed.
   *
   * Errors: any `database-error`.
   */
  export function execute(sql: string, parameters: Array<Value>): bigint;
  /**
   * Runs one statement and returns its rows; parameters as in `execute`.
   *
   * Errors: any `database-error`.
   */
  export function query(sql: string, parameters: Array<Value>): Rows;
  /**
   * A value of SQLite.
   */
  export type Value = ValueNull | ValueInteger | ValueReal | ValueText | ValueBlob;
  /**
   * NULL.
   */
  export interface ValueNull {
    tag: 'null',
  }
  /**
   * A 64-bit integer.
   */
  export interface ValueInteger {
    tag: 'integer',
    val: bigint,
  }
  /**
   * A 64-bit float.
   */
  export interface ValueReal {
    tag: 'real',
    val: number,
  }
  /**
   * A text, UTF-8.
   */
  export interface ValueText {
    tag: 'text',
    val: string,
  }
  /**
   * Bytes.
   */
  export interface ValueBlob {
    tag: 'blob',
    val: Uint8Array,
  }
  /**
   * What a query found.
   */
  export interface Rows {
    /**
     * Names of the columns.
     */
    columns: Array<string>,
    /**
     * One list per row, one value per column.
     */
    rows: Array<Array<Value>>,
  }
  /**
   * Why a statement had no effect.
   */
  export type DatabaseError = DatabaseErrorDenied | DatabaseErrorInvalid | DatabaseErrorConstraint | DatabaseErrorFull | DatabaseErrorTimeout | DatabaseErrorTooLarge | DatabaseErrorUnavailable;
  /**
   * The statement is not allowed in a sandbox.
   */
  export interface DatabaseErrorDenied {
    tag: 'denied',
    val: string,
  }
  /**
   * The SQL or its parameters are wrong.
   */
  export interface DatabaseErrorInvalid {
    tag: 'invalid',
    val: string,
  }
  /**
   * A constraint of the schema does not hold.
   */
  export interface DatabaseErrorConstraint {
    tag: 'constraint',
    val: string,
  }
  /**
   * The file has reached its size limit.
   */
  export interface DatabaseErrorFull {
    tag: 'full',
  }
  /**
   * The statement passed its time limit.
   */
  export interface DatabaseErrorTimeout {
    tag: 'timeout',
  }
  /**
   * The result is larger than a call may read.
   */
  export interface DatabaseErrorTooLarge {
    tag: 'too-large',
  }
  /**
   * Try again: the file is not there or is locked.
   */
  export interface DatabaseErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
}
