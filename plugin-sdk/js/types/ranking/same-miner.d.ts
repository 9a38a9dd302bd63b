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
export function excludeSameMiner(contenders: readonly Contender[]): number[];
/**
 * The owner of the repository that an artifact reference names, with the registry if it is
 * not Docker's: `bob` for `bob/solver@sha256:…`, `ghcr.io/bob` for
 * `ghcr.io/bob/solver@sha256:…`. `undefined` if the reference has no owner, as `sha256:…`
 * and `solver@sha256:…`.
 *
 * @param {string} artifact
 * @returns {string | undefined}
 */
export function repositoryOwner(artifact: string): string | undefined;
/**
 * A hotkey's share, and what tells who is behind the hotkey.
 */
export type Contender = {
    /**
     * The share or score. What is not finite and positive is nothing.
     */
    score: number;
    /**
     * IP address of the axon.
     */
    axonIp?: string | null | undefined;
    /**
     * The coldkey that owns the hotkey.
     */
    coldkey?: string | null | undefined;
    /**
     * Owner of the artifact's repository, see
     * {@link repositoryOwner}.
     */
    repositoryOwner?: string | null | undefined;
};
