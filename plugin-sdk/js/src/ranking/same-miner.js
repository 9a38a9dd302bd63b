import { canonicalAddress } from './address.js';

/**
 * A hotkey's share, and what tells who is behind the hotkey.
 *
 * @typedef {object} Contender
 * @property {number} score The share or score. What is not finite and positive is nothing.
 * @property {string | null} [axonIp] IP address of the axon.
 * @property {string | null} [coldkey] The coldkey that owns the hotkey.
 * @property {string | null} [repositoryOwner] Owner of the artifact's repository, see
 *   {@link repositoryOwner}.
 */

/**
 * Leaves each miner its best score only, the first on a tie, and normalizes to a sum of 1;
 * all 0 if nobody has a score. In the order of `contenders`.
 *
 * Contenders are the same miner if they share an axon IP, a coldkey or a repository owner,
 * directly or through others. Only contenders with a score count: an axon IP is the hotkey's
 * own claim, and claiming somebody's without earning anything must not bind that somebody to
 * a third.
 *
 * An axon that is not served (`0.0.0.0`, `::`), an address that does not parse and an empty
 * name identify nobody.
 *
 * Source: `MinerManager.exclude_same_miner`, RedTeam ced9b911, made transitive.
 *
 * @param {readonly Contender[]} contenders
 * @returns {number[]}
 */
export function excludeSameMiner(contenders) {
  const groups = new Groups(contenders.length);
  /** @type {Map<string, number>} */
  const holders = new Map();
  const scored = [...contenders.entries()].filter(([, { score }]) => Number.isFinite(score) && score > 0);
  for (const [index, contender] of scored) {
    for (const identity of identities(contender)) {
      const holder = holders.get(identity);
      if (holder === undefined) {
        holders.set(identity, index);
      } else {
        groups.join(holder, index);
      }
    }
  }
  /** @type {Map<number, { keeper: number, score: number }>} */
  const best = new Map();
  for (const [keeper, { score }] of scored) {
    const root = groups.root(keeper);
    const highest = best.get(root);
    if (highest === undefined || score > highest.score) {
      best.set(root, { keeper, score });
    }
  }
  // A root is the first of its group, and sums run in the order of the input.
  const kept = [...best].sort(([a], [b]) => a - b).map(([, keeper]) => keeper);
  const sum = kept.reduce((sum, { score }) => sum + score, 0);
  const shares = contenders.map(() => 0);
  for (const { keeper, score } of kept) {
    shares[keeper] = score / sum;
  }
  return shares;
}

/**
 * The owner of the repository that an artifact reference names, with the registry if it is
 * not Docker's: `bob` for `bob/solver@sha256:…`, `ghcr.io/bob` for
 * `ghcr.io/bob/solver@sha256:…`. `undefined` if the reference has no owner, as `sha256:…`
 * and `solver@sha256:…`.
 *
 * @param {string} artifact
 * @returns {string | undefined}
 */
export function repositoryOwner(artifact) {
  let repository = /** @type {string} */ (artifact.split('@')[0]);
  const docker = ['docker.io/', 'index.docker.io/'].find((registry) => repository.startsWith(registry));
  repository = repository.slice(docker?.length ?? 0);
  const parts = repository.split('/');
  const first = /** @type {string} */ (parts[0]);
  if (parts.length < 2) {
    return undefined;
  }
  // As Docker reads a reference: a host has a dot or a port, an owner does not.
  const isHost = /[.:]/.test(first) || first === 'localhost';
  if (isHost) {
    return parts.length < 3 ? undefined : `${first}/${parts[1]}`;
  }
  return first === '' ? undefined : first;
}

/**
 * What a contender may have in common with others.
 *
 * @param {Contender} contender
 */
function identities({ axonIp, coldkey, repositoryOwner: owner }) {
  const found = [];
  const address = axonIp ? canonicalAddress(axonIp) : undefined;
  if (address !== undefined && address !== '0.0.0.0' && address !== '::') {
    found.push(`ip ${address}`);
  }
  if (coldkey) {
    found.push(`coldkey ${coldkey}`);
  }
  if (owner) {
    found.push(`owner ${owner}`);
  }
  return found;
}

/** A union-find: the parent of each index, a root being its own. */
class Groups {
  /** @type {number[]} */
  #parents;

  /** @param {number} size */
  constructor(size) {
    this.#parents = Array.from({ length: size }, (_, index) => index);
  }

  /** @param {number} index */
  #parent(index) {
    return /** @type {number} */ (this.#parents[index]);
  }

  /** @param {number} index */
  root(index) {
    let at = index;
    while (this.#parent(at) !== at) {
      // Halving the path keeps long chains cheap.
      const grandparent = this.#parent(this.#parent(at));
      this.#parents[at] = grandparent;
      at = grandparent;
    }
    return at;
  }

  /**
   * @param {number} a
   * @param {number} b
   */
  join(a, b) {
    const [left, right] = [this.root(a), this.root(b)];
    this.#parents[Math.max(left, right)] = Math.min(left, right);
  }
}
