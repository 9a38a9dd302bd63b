/** @typedef {keyof typeof NEEDS} Capability */
/**
 * Refuses what is no challenge, so that an author hears of it when building.
 *
 * @param {unknown} type What the author's module exports by default.
 * @param {readonly string[]} capabilities
 * @returns {typeof Challenge}
 */
export function checked(type: unknown, capabilities: readonly string[]): typeof Challenge;
/**
 * What the challenge tells of itself.
 *
 * @param {typeof Challenge} type
 * @returns {Description}
 */
export function describe(type: typeof Challenge): Description;
/**
 * Reads settings and checks them.
 *
 * @param {typeof Challenge} type
 * @param {string} json
 * @returns {{ settings: any, problems: Problem[] }} The settings count only if there are no
 *   problems.
 */
export function readSettings(type: typeof Challenge, json: string): {
    settings: any;
    problems: Problem[];
};
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
export function called<T>(type: typeof Challenge, json: string, context: Context, method: string, call: (challenge: Challenge, context: Context) => T): T;
/**
 * What was thrown, as the contract has it.
 *
 * @param {unknown} thrown
 * @returns {ChallengeError}
 */
export function challengeError(thrown: unknown): ChallengeError;
export type Capability = keyof typeof NEEDS;
import { Challenge } from './challenge.js';
import type { Description } from '@proctor/sdk/contract';
import type { Problem } from './field.js';
import type { Context } from './context.js';
import type { ChallengeError } from '@proctor/sdk/contract';
declare namespace NEEDS {
    let scoring: readonly [readonly ["evaluate", "makeTask"], readonly ["evaluate", "score"]];
    let comparison: readonly [readonly ["compare", "similarity"]];
    let get_weights: readonly [];
}
export {};
