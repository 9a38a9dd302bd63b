/**
 * Whether two JSON texts are the same value, however they are written: the order of names in
 * objects and spaces are no difference. False if either is no JSON.
 *
 * @param {string} a
 * @param {string} b
 * @returns {boolean}
 */
export function sameJson(a: string, b: string): boolean;
