/**
 * Sets the rules that are given. A misspelt one would otherwise go unnoticed.
 *
 * @param {any} target
 * @param {Record<string, any>} given
 */
export function assign(target, given) {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(target, name)) {
      const known = Object.keys(target).join(', ');
      throw new TypeError(`${target.constructor.name} has no rule \`${name}\`: there are ${known}`);
    }
    if (value !== undefined) {
      const nested = typeof target[name] === 'object';
      target[name] = nested ? new target[name].constructor(value) : value;
    }
  }
}
