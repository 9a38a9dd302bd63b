/**
 * A whole number, within ±(2⁵³ − 1).
 *
 * @param {Common<number> & { minimum?: number, maximum?: number }} [options] The limits are
 *   included.
 * @returns {Field<number>}
 */
export function integer(options?: Common<number> & {
    minimum?: number;
    maximum?: number;
}): Field<number>;
/**
 * A number. JSON knows neither NaN nor infinity.
 *
 * @param {Common<number> & { minimum?: number, maximum?: number }} [options] The limits are
 *   included.
 * @returns {Field<number>}
 */
export function number(options?: Common<number> & {
    minimum?: number;
    maximum?: number;
}): Field<number>;
/**
 * True or false.
 *
 * @param {Common<boolean>} [options]
 * @returns {Field<boolean>}
 */
export function boolean(options?: Common<boolean>): Field<boolean>;
/**
 * A text.
 *
 * @param {Common<string> & { minLength?: number, maxLength?: number, pattern?: string }} [options]
 *   Lengths in UTF-16 units, as JavaScript counts them. The pattern is a regular expression
 *   that must match somewhere in the text.
 * @returns {Field<string>}
 */
export function string(options?: Common<string> & {
    minLength?: number;
    maxLength?: number;
    pattern?: string;
}): Field<string>;
/**
 * One of a few texts.
 *
 * @template {string} T
 * @param {readonly T[]} values
 * @param {Common<T>} [options]
 * @returns {Field<T>}
 */
export function choice<T extends string>(values: readonly T[], options?: Common<T>): Field<T>;
/**
 * A list of values of one shape.
 *
 * @template T
 * @param {Field<T>} items
 * @param {Common<T[]> & { minItems?: number, maxItems?: number }} [options]
 * @returns {Field<T[]>}
 */
export function list<T>(items: Field<T>, options?: Common<T[]> & {
    minItems?: number;
    maxItems?: number;
}): Field<T[]>;
/**
 * A list of fixed length, each place with a shape of its own.
 *
 * @template {Field<any>[]} F
 * @param {[...F]} places
 * @param {Common<SettingsOf<F>>} [options]
 * @returns {Field<SettingsOf<F>>}
 */
export function tuple<F extends Field<any>[]>(places: [...F], options?: Common<SettingsOf<F>>): Field<SettingsOf<F>>;
/**
 * An object with any names and values of one shape.
 *
 * @template T
 * @param {Field<T>} values
 * @param {Common<Record<string, T>>} [options]
 * @returns {Field<Record<string, T>>}
 */
export function record<T>(values: Field<T>, options?: Common<Record<string, T>>): Field<Record<string, T>>;
/**
 * An object with these fields and no others. It may be left out if each of its fields may.
 *
 * @template {Record<string, Field<any>>} F
 * @param {F} fields
 * @param {Common<SettingsOf<F>>} [options]
 * @returns {Field<SettingsOf<F>>}
 */
export function object<F extends Record<string, Field<any>>>(fields: F, options?: Common<SettingsOf<F>>): Field<SettingsOf<F>>;
/**
 * A value, or `null`, which is the default.
 *
 * @template T
 * @param {Field<T>} field
 * @param {Common<T | null>} [options]
 * @returns {Field<T | null>}
 */
export function nullable<T>(field: Field<T>, options?: Common<T | null>): Field<T | null>;
/**
 * Any JSON value.
 *
 * @param {Common<any>} [options]
 * @returns {Field<any>}
 */
export function any(options?: Common<any>): Field<any>;
/**
 * Rules of `@proctor/sdk/ranking`, as in `rules(VerdictRules)`. In JSON their names are
 * those of the Rust SDK, `min_score` for `minScore`; each may be left out. `defaults` are
 * rules of the challenge's own, as in `{ acceptance: { minScore: 0.1 } }`.
 *
 * @template T
 * @param {{ new (rules?: any): T, choices?: Record<string, readonly string[]> }} type
 * @param {{ description?: string, defaults?: any }} [options]
 * @returns {Field<T>}
 */
export function rules<T>(type: {
    new (rules?: any): T;
    choices?: Record<string, readonly string[]>;
}, options?: {
    description?: string;
    defaults?: any;
}): Field<T>;
/**
 * Reads a value.
 *
 * @template T
 * @param {Field<T>} field
 * @param {unknown} value
 * @param {number} [limit] Problems to stop at: one for what a submission sent, so that a
 *   hostile answer costs no more than a good one. Default: all.
 * @returns {{ value: T, problems: Problem[] }} The value counts only if there are no problems.
 */
export function read<T>(field: Field<T>, value: unknown, limit?: number): {
    value: T;
    problems: Problem[];
};
/**
 * Problems as one line.
 *
 * @param {readonly Problem[]} problems
 */
export function problemsText(problems: readonly Problem[]): string;
/**
 * Shapes of JSON values: they give a JSON Schema, and read values with problems that name
 * their path. For settings, and for what is sent to and comes from submissions.
 */
/**
 * Something wrong with a value.
 *
 * @typedef {object} Problem
 * @property {string} path Path of the value, as in `limits.tasks`; empty for the whole.
 * @property {string} message What is wrong, and what is allowed.
 */
/**
 * @template T
 * @typedef {object} Common
 * @property {T} [default] What a missing value is. Without a default the field is required.
 * @property {string} [description] What it is, for people.
 */
/**
 * The value that a field reads.
 *
 * @template F
 * @typedef {F extends Field<infer T> ? T : never} ValueOf
 */
/**
 * The values that an object of fields reads, as in `SettingsOf<typeof Sum.settings>`.
 *
 * @template F
 * @typedef {{ [K in keyof F]: ValueOf<F[K]> }} SettingsOf
 */
/**
 * The shape of one value.
 *
 * @template T
 */
export class Field<T> {
    /**
     * @param {Record<string, unknown>} schema JSON Schema (2020-12).
     * @param {(value: any, path: string, problems: Problem[]) => T} read Returns the value, or
     *   adds to the problems.
     * @param {Common<T>} options
     */
    constructor(schema: Record<string, unknown>, read: (value: any, path: string, problems: Problem[]) => T, options: Common<T>);
    /** JSON Schema (2020-12) of the value. */
    schema: {
        [x: string]: unknown;
    };
    /** Whether the value must be given. */
    required: boolean;
    /** What a missing value is. */
    default: T | undefined;
    /** Reads a value. */
    read: (value: any, path: string, problems: Problem[]) => T;
}
/**
 * Something wrong with a value.
 */
export type Problem = {
    /**
     * Path of the value, as in `limits.tasks`; empty for the whole.
     */
    path: string;
    /**
     * What is wrong, and what is allowed.
     */
    message: string;
};
export type Common<T> = {
    /**
     * What a missing value is. Without a default the field is required.
     */
    default?: T | undefined;
    /**
     * What it is, for people.
     */
    description?: string | undefined;
};
/**
 * The value that a field reads.
 */
export type ValueOf<F> = F extends Field<infer T> ? T : never;
/**
 * The values that an object of fields reads, as in `SettingsOf<typeof Sum.settings>`.
 */
export type SettingsOf<F> = { [K in keyof F]: ValueOf<F[K]>; };
