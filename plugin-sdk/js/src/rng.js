const MASK = 0xffffffffffffffffn;
/** Whole numbers below it are exact. */
const LIMIT = 2 ** 53;

/**
 * Random numbers made from a seed: xoshiro128** by Blackman and Vigna, its state filled by
 * splitmix64 from the seed and the number of the stream. The same seed and stream give the
 * same numbers everywhere and in every version of this package; other numbers than the
 * SDKs of other languages. Not for secrets.
 */
export class Rng {
  /** @type {[number, number, number, number]} */
  #state;

  /**
   * @param {bigint} seed 64 bits; more are cut off.
   * @param {bigint | number} stream Which of the streams of that seed; a whole number.
   */
  constructor(seed, stream = 0n) {
    // Seed and stream each go through the mixer, so that neighbours have nothing in common.
    const mixer = splitmix64(splitmix64(BigInt.asUintN(64, seed))() ^ mix(BigInt.asUintN(64, BigInt(stream))));
    const [a, b] = [mixer(), mixer()];
    this.#state = [low(a), low(a >> 32n), low(b), low(b >> 32n) | 1];
  }

  /** The next 32 bits: a whole number, 0 to 2³² − 1. */
  bits() {
    const s = this.#state;
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 11);
    return result;
  }

  /** A number from 0, included, to 1, excluded; 53 random bits. */
  random() {
    return this.#bits53() / LIMIT;
  }

  /**
   * A whole number from `low` to `high`, both included, each as likely as the others.
   *
   * @param {number} low A safe integer.
   * @param {number} high A safe integer, at least `low`.
   */
  integer(low, high) {
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || high < low) {
      throw new RangeError(`no whole number from ${low} to ${high}`);
    }
    const size = high - low + 1;
    if (size > LIMIT) {
      throw new RangeError(`from ${low} to ${high} is more than 2^53 numbers`);
    }
    // What is left over above the last whole multiple would favour the lowest.
    const fair = LIMIT - (LIMIT % size);
    let drawn;
    do {
      drawn = this.#bits53();
    } while (drawn >= fair);
    return low + (drawn % size);
  }

  /**
   * True with this probability.
   *
   * @param {number} probability 0 (never) to 1 (always).
   */
  chance(probability) {
    return this.random() < probability;
  }

  /**
   * One element, each as likely as the others.
   *
   * @template T
   * @param {readonly T[]} items At least one.
   * @returns {T}
   */
  choice(items) {
    if (items.length === 0) {
      throw new RangeError('nothing to choose from');
    }
    return /** @type {T} */ (items[this.integer(0, items.length - 1)]);
  }

  /**
   * `count` different elements in random order.
   *
   * @template T
   * @param {readonly T[]} items
   * @param {number} count At most `items.length`.
   * @returns {T[]}
   */
  sample(items, count) {
    if (!(count >= 0 && count <= items.length)) {
      throw new RangeError(`no ${count} of ${items.length} elements`);
    }
    return this.shuffle([...items]).slice(0, count);
  }

  /**
   * Puts an array into random order, in place, and returns it.
   *
   * @template T
   * @param {T[]} items
   * @returns {T[]}
   */
  shuffle(items) {
    for (let last = items.length - 1; last > 0; last -= 1) {
      const other = this.integer(0, last);
      const moved = /** @type {T} */ (items[last]);
      items[last] = /** @type {T} */ (items[other]);
      items[other] = moved;
    }
    return items;
  }

  #bits53() {
    const high = this.bits() >>> 5;
    return high * 2 ** 26 + (this.bits() >>> 6);
  }
}

/**
 * @param {number} bits
 * @param {number} by
 */
function rotate(bits, by) {
  return (bits << by) | (bits >>> (32 - by));
}

/** @param {bigint} bits */
function low(bits) {
  return Number(bits & 0xffffffffn);
}

/** @param {bigint} value */
function mix(value) {
  let mixed = value;
  mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return mixed ^ (mixed >> 31n);
}

/** @param {bigint} seed */
function splitmix64(seed) {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    return mix(state);
  };
}
