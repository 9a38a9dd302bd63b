/**
 * An IP address in one form: an IPv4 address that is mapped into IPv6 as IPv4, IPv6 as eight
 * groups, or `::`. `undefined` if it is no address.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function canonicalAddress(text: string): string | undefined;
