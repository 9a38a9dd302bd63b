/**
 * Sets the rules that are given. A misspelt one would otherwise go unnoticed.
 *
 * @param {any} target
 * @param {Record<string, any>} given
 */
export function assign(target: any, given: Record<string, any>): void;
