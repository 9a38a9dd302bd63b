/**
 * What a challenge throws, and what is thrown at it. Anything else that a challenge
 * throws is its own fault: nothing is scored, and the host tells the error and the end of
 * its stack.
 */

/**
 * Final, and the fault of the submission: it scores 0. The message says why. For one
 * solution of several see {@link InvalidSolution}.
 */
export class InvalidSubmission extends Error {
  name = 'InvalidSubmission';
}

/**
 * Try again: something that the challenge needs is not there now. Nothing is scored, and
 * the host calls again later, with growing pauses.
 */
export class Unavailable extends Error {
  name = 'Unavailable';
}

/**
 * Thrown by `score`: the solution is worth nothing, and the message says why. The task
 * scores 0, before the baseline, with the message as the error of its log.
 */
export class InvalidSolution extends Error {
  name = 'InvalidSolution';
}

/**
 * Thrown by a solver: it cannot solve the task. The challenge is told the message, without
 * the stack that it is told of any other error.
 */
export class CannotSolve extends Error {
  name = 'CannotSolve';
}

/**
 * Thrown by `Context.solve`: the submission failed the task, by its own fault. Who does not
 * catch it has the submission score 0.
 */
export class SolveFailed extends InvalidSubmission {
  name = 'SolveFailed';

  /**
   * @param {string} code What happened, by the host's outcome code: `guest_error`,
   *   `trap`, `out_of_fuel`, `timeout`, `out_of_memory`, `stack_overflow`, `denied`,
   *   `invalid_output` or `link_error`.
   * @param {string} message The same for people.
   */
  constructor(code, message) {
    super(message);
    /** The host's outcome code, as in `out_of_fuel`. */
    this.code = code;
  }
}

/**
 * Not for authors: a failure in one line.
 *
 * @param {SolveFailed} failure
 */
export function failureText({ code, message }) {
  return message === '' ? code : `${code}: ${message}`;
}

/**
 * Thrown by `Database`: the statement had no effect. If the file is not there or is
 * locked, {@link Unavailable} is thrown instead.
 */
export class DatabaseError extends Error {
  name = 'DatabaseError';

  /**
   * @param {string} code `denied`, `invalid`, `constraint`, `full`, `timeout` or
   *   `too_large`.
   * @param {string} message The same for people.
   */
  constructor(code, message) {
    super(message);
    /** Why, as in `constraint`. */
    this.code = code;
  }
}

/**
 * Not for authors: what keeps a module from being built. The message says it all.
 */
export class Refused extends Error {
  name = 'Refused';
}
