/**
 * Random numbers made from a seed: xoshiro128** by Blackman and Vigna, its state filled by
 * splitmix64 from the seed and the number of the stream. The same seed and stream give the
 * same numbers everywhere and in every version of this package; other numbers than the
 * SDKs of other languages. Not for secrets.
 */
export class Rng {
    /**
     * @param {bigint} seed 64 bits; more are cut off.
     * @param {bigint | number} stream Which of the streams of that seed; a whole number.
     */
    constructor(seed: bigint, stream?: bigint | number);
    /** The next 32 bits: a whole number, 0 to 2³² − 1. */
    bits(): number;
    /** A number from 0, included, to 1, excluded; 53 random bits. */
    random(): number;
    /**
     * A whole number from `low` to `high`, both included, each as likely as the others.
     *
     * @param {number} low A safe integer.
     * @param {number} high A safe integer, at least `low`.
     */
    integer(low: number, high: number): number;
    /**
     * True with this probability.
     *
     * @param {number} probability 0 (never) to 1 (always).
     */
    chance(probability: number): boolean;
    /**
     * One element, each as likely as the others.
     *
     * @template T
     * @param {readonly T[]} items At least one.
     * @returns {T}
     */
    choice<T>(items: readonly T[]): T;
    /**
     * `count` different elements in random order.
     *
     * @template T
     * @param {readonly T[]} items
     * @param {number} count At most `items.length`.
     * @returns {T[]}
     */
    sample<T>(items: readonly T[], count: number): T[];
    /**
     * Puts an array into random order, in place, and returns it.
     *
     * @template T
     * @param {T[]} items
     * @returns {T[]}
     */
    shuffle<T>(items: T[]): T[];
    #private;
}
