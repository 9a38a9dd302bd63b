import { InvalidSolution, SolveFailed, failureText } from './errors.js';
import { problemsText, read } from './field.js';
import { EmissionRules, VerdictRules } from './ranking/index.js';

/** How deep an answer may nest, the same as in the other SDKs. */
const MAX_DEPTH = 128;

/** Most characters of a log's error. */
const MAX_ERROR = 1000;

/** @import { Context } from './context.js' */
/** @import { Field, Problem } from './field.js' */
/** @import { ComparisonLog, Evaluated, Evaluation, HotkeyWeight, ScoringLog, Standing, Submission, Verdict } from '@proctor/sdk/contract' */

/**
 * A challenge. An instance lives for one call of the host and is made from the settings, so
 * that nothing can leak from one submission to the next. No method may be async: a call
 * runs to its end without waiting.
 *
 * `makeTask` and `score` are enough for the capability `scoring`, `similarity` for
 * `comparison`; `get_weights` needs nothing. What a method throws is the challenge's own
 * fault, unless it is one of the errors of this package.
 *
 * @template [Settings=any] What `static settings` reads.
 * @template [Task=any] The challenge's input to a submission, sent as JSON.
 * @template [Solution=any] A submission's answer, read from JSON.
 */
export class Challenge {
  /**
   * Name that commits call the challenge by: 1 to 64 of `a-z`, `0-9`, `-`, `_`, first a
   * letter or digit.
   *
   * @type {string}
   */
  static name;

  /**
   * Version of the plugin (semver).
   *
   * @type {string}
   */
  static version;

  /** One sentence for people. */
  static summary = '';

  /**
   * The settings, by name. Give each a default, so that `{}` is valid. Unknown ones are
   * refused.
   *
   * @type {Record<string, Field<any>>}
   */
  static settings = {};

  /**
   * The shape of a solution. A solution of another shape scores 0 and never reaches `score`,
   * as is right: it is the submission's fault. Without it `score` gets any JSON value.
   *
   * @type {Field<any> | undefined}
   */
  static solution = undefined;

  /** Most bytes (UTF-8) of a solution. A longer one is not even read, and scores 0. */
  static maxSolutionBytes = 64 * 1024;

  /**
   * The shape of a task, by which tasks are read: those of `makeTask`, once they are JSON,
   * and seed tasks.
   *
   * @type {Field<any> | undefined}
   */
  static task = undefined;

  /**
   * What the shapes of the settings cannot say: how fields belong together. Returns every
   * problem; none by default.
   *
   * @param {any} _settings
   * @returns {Problem[]}
   */
  static checkSettings(_settings) {
    return [];
  }

  /** @param {Settings} settings They have passed all checks. */
  constructor(settings) {
    /** The settings, defaults filled in. */
    this.settings = settings;
  }

  /**
   * How many tasks a submission gets; by default the setting `tasks`.
   *
   * @returns {number}
   */
  taskCount() {
    const tasks = /** @type {any} */ (this.settings)?.tasks;
    if (!Number.isSafeInteger(tasks)) {
      throw new TypeError('there is no setting `tasks`: add it to `static settings`, or write taskCount()');
    }
    return tasks;
  }

  /**
   * Makes task number `index`, counted from 0, from the context's seed: anything that JSON
   * has. The same seed and index must give the same task.
   *
   * @param {Context} _context
   * @param {number} _index
   * @returns {Task}
   */
  makeTask(_context, _index) {
    throw new TypeError('the challenge has no method makeTask(context, index)');
  }

  /**
   * Scores one solution; usually 0 (worthless) to 1 (perfect), and finite.
   *
   * @param {Task} _task
   * @param {Solution} _solution
   * @returns {number}
   * @throws {InvalidSolution} if the solution is worth nothing, with why.
   */
  score(_task, _solution) {
    throw new TypeError('the challenge has no method score(task, solution)');
  }

  /**
   * What a reference solution of the challenge's own scores on a task. It is subtracted from
   * each submission's score, also from the 0 of a submission that failed. None by default.
   *
   * @param {Task} _task
   * @returns {number | undefined}
   */
  baseline(_task) {
    return undefined;
  }

  /** How score and similarity become a verdict. */
  verdictRules() {
    return new VerdictRules();
  }

  /**
   * Evaluates one submission: the seed tasks first, then tasks of its own up to
   * `taskCount`. A task that the submission fails scores 0 with the failure as its error.
   *
   * @param {Context} context
   * @param {Submission} _submission
   * @param {string[]} seedTasks JSON texts.
   * @returns {ScoringLog[]}
   */
  evaluate(context, _submission, seedTasks) {
    const tasks = seedTasks.map((json, index) => ({ json, task: this.#seedTask(json, index) }));
    for (let index = tasks.length; index < this.taskCount(); index += 1) {
      const made = now(this.makeTask(context, index), 'makeTask');
      const json = JSON.stringify(made);
      if (json === undefined) {
        throw new TypeError(`makeTask made ${String(made)} of ${index}, which is not JSON`);
      }
      // As the submission reads it: `null`, not `NaN`.
      const { value: task, error } = this.#read(json, 'task');
      if (error !== undefined) {
        throw new TypeError(`makeTask made no task of the shape \`static task\`: ${error}`);
      }
      tasks.push({ json, task });
    }
    return tasks.map(({ json, task }) => this.#attempt(context, json, task));
  }

  /**
   * Judges a commit by `verdictRules`.
   *
   * @param {Context} _context
   * @param {Evaluated} evaluated
   * @returns {Verdict}
   */
  judge(_context, evaluated) {
    const scores = evaluated.scoringLogs.map((log) => log.score);
    const similarities = evaluated.comparisons.flatMap((comparison) =>
      comparison.logs.map((log) => log.similarity),
    );
    const judged = this.verdictRules().judge(scores, similarities);
    if (judged === undefined) {
      throw new TypeError('judged without scoring logs');
    }
    // Below zero only if the submission did worse than the baseline.
    return { ...judged, score: Math.max(judged.score, 0) };
  }

  /**
   * How alike a candidate and one reference are: 0 (nothing in common) to 1 (the same). A
   * number, or a log that also says what it was taken from.
   *
   * @param {Context} _context Its submission is the candidate.
   * @param {Evaluation} _candidate
   * @param {Evaluation} _reference
   * @returns {number | { similarity: number, reason?: string }}
   */
  similarity(_context, _candidate, _reference) {
    throw new TypeError('the challenge has no method similarity(context, candidate, reference)');
  }

  /**
   * Compares a candidate with a batch of references; by default one `similarity` each.
   *
   * @param {Context} context
   * @param {Evaluation} candidate
   * @param {Evaluation[]} references
   * @returns {ComparisonLog[]}
   */
  compare(context, candidate, references) {
    return references.map((reference) => {
      const found = now(this.similarity(context, candidate, reference), 'similarity');
      const log = typeof found === 'number' ? { similarity: found } : found;
      return { ...log, similarity: finite(log?.similarity, 'similarity'), reference: reference.submission.digest };
    });
  }

  /** How a standing's worth decays and spreads. */
  emissionRules() {
    return new EmissionRules();
  }

  /**
   * Turns standings into weights; by default decay, then softmax over the standings that are
   * worth anything, by `emissionRules`.
   *
   * @param {Context} context
   * @param {Standing[]} standings
   * @returns {HotkeyWeight[]}
   */
  getWeights(context, standings) {
    const weights = this.emissionRules().weights(standings, context.now);
    return standings.map((standing, index) => ({
      hotkey: standing.commit.miner.hotkey,
      weight: /** @type {number} */ (weights[index]),
    }));
  }

  /**
   * @param {string} json
   * @param {'task' | 'solution'} what
   */
  #read(json, what) {
    return parse(json, /** @type {typeof Challenge} */ (this.constructor)[what]);
  }

  /**
   * @param {string} json
   * @param {number} index
   */
  #seedTask(json, index) {
    const parsed = this.#read(json, 'task');
    if (parsed.error !== undefined) {
      throw new TypeError(`seed task ${index}: ${parsed.error}`);
    }
    return parsed.value;
  }

  /**
   * @param {Context} context
   * @param {string} json
   * @param {Task} task
   * @returns {ScoringLog}
   */
  #attempt(context, json, task) {
    // Failing is worth 0 before the baseline is taken off, like any other worthless answer:
    // to give up must not pay.
    const baseline = now(this.baseline(task), 'baseline') ?? undefined;
    const baselineScore = baseline === undefined ? undefined : finite(baseline, 'baseline');
    const log = (/** @type {number} */ score, /** @type {Partial<ScoringLog>} */ rest) => ({
      task: json,
      score: score - (baselineScore ?? 0),
      baselineScore,
      ...rest,
    });
    let solution;
    try {
      solution = context.solve(json);
    } catch (error) {
      if (error instanceof SolveFailed) {
        return log(0, { error: short(failureText(error)) });
      }
      throw error;
    }
    const limit = /** @type {typeof Challenge} */ (this.constructor).maxSolutionBytes;
    const size = bytes(solution);
    if (size > limit) {
      return log(0, { error: `malformed solution: ${size} bytes, at most ${limit}` });
    }
    const parsed = this.#read(solution, 'solution');
    if (parsed.error !== undefined) {
      return log(0, { solution, error: short(`malformed solution: ${parsed.error}`) });
    }
    try {
      return log(finite(now(this.score(task, parsed.value), 'score'), 'score'), { solution });
    } catch (error) {
      if (error instanceof InvalidSolution) {
        return log(0, { solution, error: short(error.message) });
      }
      throw error;
    }
  }
}

/**
 * A class of challenges, whatever its settings, tasks and solutions are.
 *
 * @typedef {Omit<typeof Challenge, 'prototype'> & (new (settings: any) => Challenge<any, any, any>)} ChallengeClass
 */

/**
 * Reads a JSON text of a shape.
 *
 * @param {string} json
 * @param {Field<any> | undefined} field
 * @returns {{ value?: any, error?: string }}
 */
function parse(json, field) {
  let value;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return { error: /** @type {Error} */ (error).message };
  }
  if (deeper(value, MAX_DEPTH)) {
    return { error: `nested deeper than ${MAX_DEPTH} levels` };
  }
  if (field === undefined) {
    return { value };
  }
  const found = read(field, value, 1);
  return found.problems.length > 0 ? { error: problemsText(found.problems) } : { value: found.value };
}

/**
 * @param {any} value
 * @param {number} levels
 * @returns {boolean}
 */
function deeper(value, levels) {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  return levels === 0 || Object.values(value).some((part) => deeper(part, levels - 1));
}

/**
 * The length of a text in UTF-8.
 *
 * @param {string} text
 * @returns {number}
 */
function bytes(text) {
  const { TextEncoder } = /** @type {any} */ (globalThis);
  return new TextEncoder().encode(text).length;
}

/** @param {string} text */
function short(text) {
  return text.length > MAX_ERROR ? `${text.slice(0, MAX_ERROR - 1)}…` : text;
}

/**
 * Refuses a promise: nothing would ever wait for it.
 *
 * @template T
 * @param {T} value
 * @param {string} method
 * @returns {T}
 */
export function now(value, method) {
  if (typeof (/** @type {any} */ (value)?.then) === 'function') {
    throw new TypeError(`${method} returned a promise: methods of a challenge must not be async`);
  }
  return value;
}

/**
 * @param {unknown} value
 * @param {string} method
 * @returns {number}
 */
function finite(value, method) {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    const shown = typeof value === 'string' ? `'${value}'` : String(value);
    throw new TypeError(`${method} returned ${shown}, must be a finite number`);
  }
  return value;
}
