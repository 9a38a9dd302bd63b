/**
 * An IP address in one form: an IPv4 address that is mapped into IPv6 as IPv4, IPv6 as eight
 * groups, or `::`. `undefined` if it is no address.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function canonicalAddress(text) {
  if (!text.includes(':')) {
    return v4(text)?.join('.');
  }
  const groups = v6(text);
  if (groups === undefined) {
    return undefined;
  }
  const [mark, high, low] = /** @type {[number, number, number]} */ (groups.slice(5));
  if (groups.slice(0, 5).every((group) => group === 0) && mark === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return groups.every((group) => group === 0) ? '::' : groups.map((group) => group.toString(16)).join(':');
}

/**
 * @param {string} text
 * @returns {number[] | undefined}
 */
function v4(text) {
  const parts = text.split('.');
  const valid = parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
  return parts.length === 4 && valid ? parts.map(Number) : undefined;
}

/**
 * @param {string} text
 * @returns {number[] | undefined}
 */
function v6(text) {
  const halves = text.split('::');
  if (halves.length > 2) {
    return undefined;
  }
  const parsed = halves.map((half, index) => groupsOf(half, index === halves.length - 1));
  const [head, tail] = parsed;
  if (head === undefined || (halves.length === 2 && tail === undefined)) {
    return undefined;
  }
  if (halves.length === 1) {
    return head.length === 8 ? head : undefined;
  }
  const end = /** @type {number[]} */ (tail);
  const missing = 8 - head.length - end.length;
  return missing >= 1 ? [...head, ...Array.from({ length: missing }, () => 0), ...end] : undefined;
}

/**
 * The groups of one side of `::`. The last two of an address may be written as IPv4.
 *
 * @param {string} text
 * @param {boolean} last
 * @returns {number[] | undefined}
 */
function groupsOf(text, last) {
  if (text === '') {
    return [];
  }
  const groups = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const dotted = last && index === parts.length - 1 ? v4(part) : undefined;
    if (dotted !== undefined) {
      const [a, b, c, d] = /** @type {[number, number, number, number]} */ (/** @type {unknown} */ (dotted));
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}
