import { Refused } from './errors.js';

/** Errors for people: what was thrown, and the end of its stack, in the author's files. */

/** Frames that are shown: the innermost. */
const SHOWN = 6;

/**
 * An error and where it came from, one line each.
 *
 * @param {unknown} thrown
 * @returns {string}
 */
export function trace(thrown) {
  if (!(thrown instanceof Error)) {
    return `threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : String(thrown)}, which is no Error`;
  }
  if (thrown instanceof Refused) {
    return thrown.message;
  }
  const lines = [`${thrown.name}: ${thrown.message}`];
  const frames = (thrown.stack ?? '').split('\n').map(frame).filter((shown) => shown !== undefined);
  lines.push(...frames.slice(0, SHOWN).map((shown) => `  at ${shown}`));
  return lines.join('\n');
}

/**
 * One line of a stack, `name@file:line:column` in the sandbox and `at name (file:…)` in Node,
 * as `name (file:line:column)`; nothing for what the author did not write.
 *
 * @param {string} line
 * @returns {string | undefined}
 */
function frame(line) {
  const found = /^(.*)@(.+):(\d+):(\d+)$/.exec(line) ?? /^\s+at (?:(.*) \()?(.+?):(\d+):(\d+)\)?$/.exec(line);
  if (found === null) {
    return undefined;
  }
  const [, name = '', file = '', row, column] = found;
  const place = original(file, Number(row), Number(column));
  if (place === undefined || /\binitializer\.js:|^node:/.test(place)) {
    return undefined;
  }
  return name === '' ? place : `${name} (${place})`;
}

/**
 * Where in the author's files each line of the bundle is from: the build puts it before the
 * bundle.
 *
 * @typedef {object} Places
 * @property {string} file The bundle.
 * @property {string[]} sources The author's files.
 * @property {Record<string, number[]>} lines By line, parts by column: four numbers each, the
 *   column, the file, and its line and column. All but the file counted from 1.
 */

/**
 * Where a position of the bundle is in the author's files.
 *
 * @param {string} file
 * @param {number} row
 * @param {number} column
 * @returns {string | undefined} `undefined` for what the author did not write.
 */
function original(file, row, column) {
  const places = /** @type {Places | undefined} */ (/** @type {any} */ (globalThis).__proctorPlaces);
  if (places === undefined || !file.endsWith(places.file)) {
    return `${file}:${row}:${column}`;
  }
  const parts = places.lines[row] ?? [];
  let found;
  for (let at = 0; at < parts.length && /** @type {number} */ (parts[at]) <= column; at += 4) {
    const [source, line, place] = parts.slice(at + 1, at + 4);
    found = `${places.sources[/** @type {number} */ (source)]}:${line}:${place}`;
  }
  return found;
}
