/**
 * Whether two JSON texts are the same value, however they are written: the order of names in
 * objects and spaces are no difference. False if either is no JSON.
 *
 * @param {string} a
 * @param {string} b
 * @returns {boolean}
 */
export function sameJson(a, b) {
  try {
    return same(JSON.parse(a), JSON.parse(b));
  } catch {
    return false;
  }
}

/**
 * @param {any} a
 * @param {any} b
 * @returns {boolean}
 */
function same(a, b) {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return a === b;
  }
  const names = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
  );
}
