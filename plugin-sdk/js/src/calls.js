/** What happens for each call of the host, in a component as in a test. */

import { Challenge, now } from './challenge.js';
import { InvalidSubmission, Refused, SolveFailed, Unavailable, failureText } from './errors.js';
import { object, problemsText, read } from './field.js';
import { trace } from './trace.js';

/** @import { Context } from './context.js' */
/** @import { Problem } from './field.js' */
/** @import { ChallengeError, Description } from '@proctor/sdk/contract' */

/** Methods that a capability cannot do without: one of each list. */
const NEEDS = /** @type {const} */ ({
  scoring: [['evaluate', 'makeTask'], ['evaluate', 'score']],
  comparison: [['compare', 'similarity']],
  get_weights: [],
});

/** @typedef {keyof typeof NEEDS} Capability */

/**
 * Refuses what is no challenge, so that an author hears of it when building.
 *
 * @param {unknown} type What the author's module exports by default.
 * @param {readonly string[]} capabilities
 * @returns {typeof Challenge}
 */
export function checked(type, capabilities) {
  if (typeof type !== 'function' || !(type.prototype instanceof Challenge)) {
    throw new Refused(
      'the module exports no challenge: it needs `export default class … extends Challenge`, and no `await` before it',
    );
  }
  const challenge = /** @type {typeof Challenge} */ (type);
  const name = nameOf(challenge);
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name)) {
    throw new Refused(
      `the challenge has the name ${JSON.stringify(name)}: write \`static name = 'my-challenge';\`, ` +
        '1 to 64 of a-z, 0-9, - and _, first a letter or digit',
    );
  }
  if (typeof challenge.version !== 'string' || !/^\d+\.\d+\.\d+/.test(challenge.version)) {
    throw new Refused(`${name} has no version: write \`static version = '0.1.0';\``);
  }
  for (const capability of capabilities) {
    if (!Object.hasOwn(NEEDS, capability)) {
      const known = Object.keys(NEEDS).join(', ');
      throw new Refused(`no capability \`${capability}\` in JavaScript: there are ${known}; write others in Rust`);
    }
    for (const either of NEEDS[/** @type {Capability} */ (capability)]) {
      const written = either.some((method) => challenge.prototype[method] !== Challenge.prototype[method]);
      if (!written) {
        const method = either.at(-1);
        throw new Refused(`${name} has the capability \`${capability}\` and no method \`${method}\``);
      }
    }
  }
  return challenge;
}

/**
 * The name that a class or one that it extends was given: every class has one of its own,
 * that it is declared by, and it is read-only.
 *
 * @param {typeof Challenge} type
 * @returns {string}
 */
function nameOf(type) {
  for (let at = type; at !== Challenge; at = Object.getPrototypeOf(at)) {
    const own = Object.getOwnPropertyDescriptor(at, 'name');
    if (own !== undefined && (own.writable === true || own.get !== undefined)) {
      return String(at.name);
    }
  }
  return type.name;
}

/**
 * What the challenge tells of itself.
 *
 * @param {typeof Challenge} type
 * @returns {Description}
 */
export function describe(type) {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings',
    ...object(type.settings).schema,
  };
  return {
    name: nameOf(type),
    version: type.version,
    summary: type.summary,
    settingsSchema: JSON.stringify(schema),
  };
}

/**
 * Reads settings and checks them.
 *
 * @param {typeof Challenge} type
 * @param {string} json
 * @returns {{ settings: any, problems: Problem[] }} The settings count only if there are no
 *   problems.
 */
export function readSettings(type, json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const message = `not JSON: ${/** @type {Error} */ (error).message}`;
    return { settings: undefined, problems: [{ path: '', message }] };
  }
  const { value: settings, problems } = read(object(type.settings), value);
  return { settings, problems: shortened(problems.length > 0 ? problems : checkedSettings(type, settings)) };
}

/**
 * What `checkSettings` finds. That it fails is a problem too: the host hears of it.
 *
 * @param {typeof Challenge} type
 * @param {any} settings
 * @returns {Problem[]}
 */
function checkedSettings(type, settings) {
  /** @type {unknown} */
  let found;
  try {
    found = type.checkSettings(settings);
  } catch (error) {
    return [{ path: '', message: `checkSettings failed: ${trace(error).replaceAll(/\n\s*/g, ' ')}` }];
  }
  const are = (/** @type {any} */ each) => typeof each?.path === 'string' && typeof each.message === 'string';
  if (!Array.isArray(found) || !found.every(are)) {
    return [{ path: '', message: 'checkSettings must return a list of { path, message }, and not be async' }];
  }
  return found;
}

/**
 * The first 20 problems, and how many more.
 *
 * @param {Problem[]} problems
 * @returns {Problem[]}
 */
function shortened(problems) {
  const more = problems.length - 20;
  return more > 0 ? [...problems.slice(0, 20), { path: '', message: `… and ${more} more` }] : problems;
}

/**
 * Makes the challenge from its settings and calls it.
 *
 * @template T
 * @param {typeof Challenge} type
 * @param {string} json The settings.
 * @param {Context} context
 * @param {string} method For messages.
 * @param {(challenge: Challenge, context: Context) => T} call
 * @returns {T}
 */
export function called(type, json, context, method, call) {
  const { settings, problems } = readSettings(type, json);
  if (problems.length > 0) {
    throw new TypeError(`settings: ${problemsText(problems)}`);
  }
  return now(call(new type(settings), context), method);
}

/**
 * What was thrown, as the contract has it.
 *
 * @param {unknown} thrown
 * @returns {ChallengeError}
 */
export function challengeError(thrown) {
  if (thrown instanceof SolveFailed) {
    return { tag: 'invalid-submission', val: failureText(thrown) };
  }
  if (thrown instanceof InvalidSubmission) {
    return { tag: 'invalid-submission', val: thrown.message };
  }
  if (thrown instanceof Unavailable) {
    return { tag: 'unavailable', val: thrown.message };
  }
  return { tag: 'internal', val: trace(thrown) };
}
