// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./types.d.ts" />
declare module 'proctor:challenge/runner@0.1.1' {
  /**
   * Has the submission solve one task. Each call runs in a fresh sandbox, with
   * the submission's own fuel and memory, and time taken from the deadline of
   * the calling challenge: at most half of it, all calls together. After that
   * every call fails with `timeout`.
   *
   * Errors: as `solve-error` says; where the call has no submission (`judge`,
   * `get-weights`), the call traps with outcome `denied`.
   */
  export function solve(task: Task): Solution;
  export type Task = import('proctor:challenge/types@0.1.1').Json;
  export type Solution = import('proctor:challenge/types@0.1.1').Json;
  /**
   * How a submission failed a task. The names are the host's outcome codes.
   * # Variants
   *
   * ## `"guest-error"`
   *
   * The submission answered with an error of its own.
   * ## `"trap"`
   *
   * It trapped: unreachable code, a bad memory access, a panic.
   * ## `"out-of-fuel"`
   *
   * It used up its fuel: an endless loop, or too slow.
   * ## `"timeout"`
   *
   * It passed its time limit.
   * ## `"out-of-memory"`
   *
   * It asked for more memory than it may have.
   * ## `"stack-overflow"`
   *
   * Its calls nest too deep.
   * ## `"denied"`
   *
   * It tried something that it may not.
   * ## `"invalid-output"`
   *
   * Its answer is not JSON, or is too long.
   * ## `"link-error"`
   *
   * The artifact is not a `proctor:solver` component that this host can run.
   */
  export type Failure = 'guest-error' | 'trap' | 'out-of-fuel' | 'timeout' | 'out-of-memory' | 'stack-overflow' | 'denied' | 'invalid-output' | 'link-error';
  /**
   * A task that the submission failed, by its own fault.
   */
  export interface SolveFailure {
    /**
     * What happened.
     */
    code: Failure,
    /**
     * The same for people.
     */
    message: string,
  }
  /**
   * Why there is no solution.
   */
  export type SolveError = SolveErrorFailed | SolveErrorUnavailable;
  /**
   * Final, and the submission's own fault.
   */
  export interface SolveErrorFailed {
    tag: 'failed',
    val: SolveFailure,
  }
  /**
   * Try again: the artifact or the sandbox is not there now. A challenge
   * returns `challenge-error.unavailable` and scores nothing.
   */
  export interface SolveErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
}
