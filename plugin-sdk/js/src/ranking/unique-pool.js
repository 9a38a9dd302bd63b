/**
 * A commit in the {@link UniquePool}.
 *
 * @typedef {object} UniqueCommit
 * @property {number} score The score, penalty applied.
 * @property {string} commit What the commit is known by, as the miner published it.
 * @property {string} artifact What it points to.
 */

/**
 * The best accepted commits of a challenge, at most `capacity` of them: those that later
 * ones are compared with.
 *
 * Source: `ChallengeManager._try_add_unique_commit`, RedTeam ced9b911, where the size is
 * `max_unique_commits`, 15 for its challenges.
 */
export class UniquePool {
  #capacity;
  /** @type {UniqueCommit[]} */
  #commits = [];

  /** @param {number} capacity With 0 the pool stays empty. */
  constructor(capacity) {
    this.#capacity = capacity;
  }

  /**
   * Offers an accepted commit, and says whether it was taken.
   *
   * A full pool gives up its lowest commit (by score, then commit, then artifact) for one
   * with a strictly higher score. A commit that is in the pool already, or whose score is
   * not finite, is not taken.
   *
   * @param {UniqueCommit} offered
   * @returns {boolean}
   */
  offer(offered) {
    const known = this.#commits.some((commit) => commit.commit === offered.commit);
    if (known || !Number.isFinite(offered.score)) {
      return false;
    }
    if (this.#commits.length >= this.#capacity) {
      const lowest = this.#commits[0];
      if (lowest === undefined || offered.score <= lowest.score) {
        return false;
      }
      this.#commits.shift();
    }
    const position = this.#commits.findIndex((commit) => !before(commit, offered));
    this.#commits.splice(position === -1 ? this.#commits.length : position, 0, { ...offered });
    return true;
  }

  /** The commits, the lowest first. */
  get commits() {
    return this.#commits.map((commit) => ({ ...commit }));
  }
}

/**
 * @param {UniqueCommit} a
 * @param {UniqueCommit} b
 */
function before(a, b) {
  if (a.score !== b.score) {
    return a.score < b.score;
  }
  return a.commit === b.commit ? less(a.artifact, b.artifact) : less(a.commit, b.commit);
}

/**
 * The order of code points, which is that of UTF-8: JavaScript's own, by UTF-16 units,
 * differs beyond the first 65 536 characters.
 *
 * @param {string} a
 * @param {string} b
 */
function less(a, b) {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (const [index, character] of left.entries()) {
    const other = right[index];
    if (other === undefined) {
      return false;
    }
    if (character !== other) {
      return /** @type {number} */ (character.codePointAt(0)) < /** @type {number} */ (other.codePointAt(0));
    }
  }
  return left.length < right.length;
}
