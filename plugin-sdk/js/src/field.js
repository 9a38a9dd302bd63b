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
export class Field {
  /**
   * @param {Record<string, unknown>} schema JSON Schema (2020-12).
   * @param {(value: any, path: string, problems: Problem[]) => T} read Returns the value, or
   *   adds to the problems.
   * @param {Common<T>} options
   */
  constructor(schema, read, options) {
    /** JSON Schema (2020-12) of the value. */
    this.schema = { ...schema };
    if (options.description !== undefined) {
      this.schema.description = options.description;
    }
    /** Whether the value must be given. */
    this.required = options.default === undefined;
    /** What a missing value is. */
    this.default = options.default;
    /** Reads a value. */
    this.read = read;
  }
}

/**
 * A whole number, within ±(2⁵³ − 1).
 *
 * @param {Common<number> & { minimum?: number, maximum?: number }} [options] The limits are
 *   included.
 * @returns {Field<number>}
 */
export function integer(options = {}) {
  return numeric('integer', 'a whole number', Number.isSafeInteger, options);
}

/**
 * A number. JSON knows neither NaN nor infinity.
 *
 * @param {Common<number> & { minimum?: number, maximum?: number }} [options] The limits are
 *   included.
 * @returns {Field<number>}
 */
export function number(options = {}) {
  return numeric('number', 'a number', Number.isFinite, options);
}

/**
 * True or false.
 *
 * @param {Common<boolean>} [options]
 * @returns {Field<boolean>}
 */
export function boolean(options = {}) {
  const is = (/** @type {unknown} */ value) => typeof value === 'boolean';
  return plain({ type: 'boolean' }, 'true or false', is, options);
}

/**
 * A text.
 *
 * @param {Common<string> & { minLength?: number, maxLength?: number, pattern?: string }} [options]
 *   Lengths in UTF-16 units, as JavaScript counts them. The pattern is a regular expression
 *   that must match somewhere in the text.
 * @returns {Field<string>}
 */
export function string(options = {}) {
  const { minLength, maxLength, pattern } = options;
  const matcher = pattern === undefined ? undefined : new RegExp(pattern, 'u');
  const is = (/** @type {unknown} */ value) =>
    typeof value === 'string' &&
    value.length >= (minLength ?? 0) &&
    value.length <= (maxLength ?? Infinity) &&
    (matcher === undefined || matcher.test(value));
  const wanted = ['a text'];
  if (minLength !== undefined) wanted.push(`of at least ${minLength} characters`);
  if (maxLength !== undefined) wanted.push(`of at most ${maxLength} characters`);
  if (pattern !== undefined) wanted.push(`that matches ${pattern}`);
  const schema = given({ type: 'string', minLength, maxLength, pattern });
  return plain(schema, wanted.join(' '), is, options);
}

/**
 * One of a few texts.
 *
 * @template {string} T
 * @param {readonly T[]} values
 * @param {Common<T>} [options]
 * @returns {Field<T>}
 */
export function choice(values, options = {}) {
  const wanted = `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`;
  const is = (/** @type {any} */ value) => values.includes(value);
  return plain({ type: 'string', enum: [...values] }, wanted, is, options);
}

/**
 * A list of values of one shape.
 *
 * @template T
 * @param {Field<T>} items
 * @param {Common<T[]> & { minItems?: number, maxItems?: number }} [options]
 * @returns {Field<T[]>}
 */
export function list(items, options = {}) {
  const { minItems, maxItems } = options;
  const wanted = ['a list'];
  if (minItems !== undefined) wanted.push(`of at least ${minItems}`);
  if (maxItems !== undefined) wanted.push(`of at most ${maxItems}`);
  return new Field(
    given({ type: 'array', items: items.schema, minItems, maxItems }),
    (value, path, problems) => {
      const fits =
        Array.isArray(value) &&
        value.length >= (minItems ?? 0) &&
        value.length <= (maxItems ?? Infinity);
      if (!fits) {
        return wrong(value, wanted.join(' '), path, problems);
      }
      const read = [];
      for (let index = 0; index < value.length && !enough(problems); index += 1) {
        read.push(within(items, value[index], path, index, problems));
      }
      return read;
    },
    options,
  );
}

/**
 * A list of fixed length, each place with a shape of its own.
 *
 * @template {Field<any>[]} F
 * @param {[...F]} places
 * @param {Common<SettingsOf<F>>} [options]
 * @returns {Field<SettingsOf<F>>}
 */
export function tuple(places, options = {}) {
  const schema = {
    type: 'array',
    prefixItems: places.map((place) => place.schema),
    minItems: places.length,
    maxItems: places.length,
  };
  return new Field(
    schema,
    (value, path, problems) => {
      if (!Array.isArray(value) || value.length !== places.length) {
        return wrong(value, `a list of ${places.length}`, path, problems);
      }
      const read = places.map((place, index) => within(place, value[index], path, index, problems));
      return /** @type {any} */ (read);
    },
    options,
  );
}

/**
 * An object with any names and values of one shape.
 *
 * @template T
 * @param {Field<T>} values
 * @param {Common<Record<string, T>>} [options]
 * @returns {Field<Record<string, T>>}
 */
export function record(values, options = {}) {
  return new Field(
    { type: 'object', additionalProperties: values.schema },
    (value, path, problems) => {
      if (!isObject(value)) {
        return wrong(value, 'an object', path, problems);
      }
      const read = [];
      for (const [name, item] of Object.entries(value)) {
        if (enough(problems)) break;
        read.push([name, within(values, item, path, name, problems)]);
      }
      return Object.fromEntries(read);
    },
    options,
  );
}

/**
 * An object with these fields and no others. It may be left out if each of its fields may.
 *
 * @template {Record<string, Field<any>>} F
 * @param {F} fields
 * @param {Common<SettingsOf<F>>} [options]
 * @returns {Field<SettingsOf<F>>}
 */
export function object(fields, options = {}) {
  const names = Object.keys(fields);
  const required = names.filter((name) => /** @type {Field<any>} */ (fields[name]).required);
  const properties = Object.fromEntries(
    names.map((name) => {
      const field = /** @type {Field<any>} */ (fields[name]);
      return [name, given({ ...field.schema, default: asJson(field.default) })];
    }),
  );
  /** @type {Record<string, unknown>} */
  const schema = { type: 'object', properties, additionalProperties: false };
  if (required.length > 0) {
    schema.required = required;
  }
  /** @type {Field<SettingsOf<F>>['read']} */
  const read = (value, path, problems) => {
    if (!isObject(value)) {
      return wrong(value, 'an object', path, problems);
    }
    for (const name of Object.keys(value)) {
      if (enough(problems)) break;
      if (!names.includes(name)) {
        const known = names.length > 0 ? `the fields are: ${names.join(', ')}` : 'there are none';
        problems.push({ path: below(path, name), message: `unknown field; ${known}` });
      }
    }
    const entries = names.map((name) => {
      const field = /** @type {Field<any>} */ (fields[name]);
      if (Object.hasOwn(value, name)) {
        return [name, within(field, value[name], path, name, problems)];
      }
      if (field.required) {
        problems.push({ path: below(path, name), message: 'is missing' });
      }
      return [name, structured(field.default)];
    });
    return Object.fromEntries(entries);
  };
  const field = new Field(schema, read, options);
  if (field.required && required.length === 0) {
    field.required = false;
    field.default = read({}, '', []);
  }
  return field;
}

/**
 * A value, or `null`, which is the default.
 *
 * @template T
 * @param {Field<T>} field
 * @param {Common<T | null>} [options]
 * @returns {Field<T | null>}
 */
export function nullable(field, options = {}) {
  return new Field(
    { anyOf: [field.schema, { type: 'null' }] },
    (value, path, problems) => (value === null ? null : field.read(value, path, problems)),
    /** @type {Common<T | null>} */ ({ ...options, default: options.default === undefined ? null : options.default }),
  );
}

/**
 * Any JSON value.
 *
 * @param {Common<any>} [options]
 * @returns {Field<any>}
 */
export function any(options = {}) {
  return new Field({}, (value) => value, options);
}

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
export function rules(type, options = {}) {
  /** @type {Record<string, any>} */
  const defaults = /** @type {any} */ (new type(options.defaults));
  const names = Object.keys(defaults);
  const fields = names.map((name) => {
    const value = defaults[name];
    const choices = type.choices?.[name];
    if (choices !== undefined) {
      return [snake(name), choice(choices, { default: value })];
    }
    return [snake(name), typeof value === 'number' ? number({ default: value }) : rules(value.constructor, { defaults: value })];
  });
  const shape = object(Object.fromEntries(fields));
  const read = (/** @type {any} */ value, /** @type {string} */ path, /** @type {Problem[]} */ problems) => {
    const found = problems.length;
    const read = shape.read(value, path, problems);
    return problems.length > found
      ? new type()
      : new type(Object.fromEntries(names.map((name) => [name, read[snake(name)]])));
  };
  const field = new Field(shape.schema, read, { description: options.description });
  field.required = false;
  field.default = new type(options.defaults);
  return field;
}

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
export function read(field, value, limit = Infinity) {
  const problems = Object.assign(/** @type {Problem[]} */ ([]), { limit });
  const found = field.read(value, '', problems);
  return { value: found, problems: problems.slice(0, limit) };
}

/** @param {Problem[] & { limit?: number }} problems */
function enough(problems) {
  return problems.length >= (problems.limit ?? Infinity);
}

/**
 * Reads a part of a value. The path is made only for problems: there may be many parts.
 *
 * @template T
 * @param {Field<T>} field
 * @param {unknown} part
 * @param {string} path Of the whole.
 * @param {string | number} step To the part.
 * @param {Problem[]} problems
 * @returns {T}
 */
function within(field, part, path, step, problems) {
  const before = problems.length;
  const read = field.read(part, '', problems);
  for (let at = before; at < problems.length; at += 1) {
    const problem = /** @type {Problem} */ (problems[at]);
    const whole = typeof step === 'number' ? `${path}[${step}]` : below(path, step);
    const rest = problem.path;
    problem.path = rest === '' || rest.startsWith('[') ? whole + rest : `${whole}.${rest}`;
  }
  return read;
}

/**
 * Problems as one line.
 *
 * @param {readonly Problem[]} problems
 */
export function problemsText(problems) {
  return problems
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
}

/**
 * @param {'integer' | 'number'} type
 * @param {string} wanted
 * @param {(value: unknown) => boolean} is
 * @param {Common<number> & { minimum?: number, maximum?: number }} options
 */
function numeric(type, wanted, is, options) {
  const { minimum, maximum } = options;
  const fits = (/** @type {any} */ value) =>
    is(value) && value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity);
  let range = wanted;
  if (minimum !== undefined && maximum !== undefined) range += ` from ${minimum} to ${maximum}`;
  else if (minimum !== undefined) range += ` of at least ${minimum}`;
  else if (maximum !== undefined) range += ` of at most ${maximum}`;
  return plain(given({ type, minimum, maximum }), range, fits, options);
}

/**
 * @template T
 * @param {Record<string, unknown>} schema
 * @param {string} wanted
 * @param {(value: unknown) => boolean} is
 * @param {Common<T>} options
 * @returns {Field<T>}
 */
function plain(schema, wanted, is, options) {
  return new Field(
    schema,
    (value, path, problems) => (is(value) ? value : wrong(value, wanted, path, problems)),
    options,
  );
}

/**
 * @param {unknown} value
 * @param {string} wanted
 * @param {string} path
 * @param {Problem[]} problems
 * @returns {any}
 */
function wrong(value, wanted, path, problems) {
  const text = JSON.stringify(value) ?? String(value);
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  problems.push({ path, message: `is ${shown}, must be ${wanted}` });
  return undefined;
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param {string} path
 * @param {string} name
 */
function below(path, name) {
  return path === '' ? name : `${path}.${name}`;
}

/**
 * Without what is not given.
 *
 * @param {Record<string, unknown>} schema
 */
function given(schema) {
  return Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined));
}

/** @param {string} name */
function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * A default that the reader may change without changing the next one.
 *
 * @param {any} value
 * @returns {any}
 */
function structured(value) {
  if (Array.isArray(value)) {
    return value.map(structured);
  }
  if (isObject(value) && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, structured(item)]));
  }
  return value;
}

/**
 * A default as it stands in a schema: rules by their names in JSON.
 *
 * @param {any} value
 * @returns {any}
 */
function asJson(value) {
  if (Array.isArray(value)) {
    return value.map(asJson);
  }
  if (!isObject(value)) {
    return value;
  }
  const named = Object.getPrototypeOf(value) === Object.prototype ? (/** @type {string} */ n) => n : snake;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [named(name), asJson(item)]));
}
