/**
 * The ranking rules that challenges share: pure functions from logs to score, penalty and
 * acceptance, and from standings to shares. The same rules as the crate `proctor-sdk` has,
 * with the same numbers (`ranking.rs` there says where they differ from the system that they
 * come from); names are in camelCase, and `undefined` is no score.
 *
 * The time is always an argument, sums run in the order of the input, and nothing fails:
 * what is not a finite number is worth nothing. Run in Wasm, the same input gives the same
 * bytes everywhere; natively, `Math.exp` and `**` are the engine's and may differ in the
 * last digit.
 */

export { Acceptance } from './acceptance.js';
export { updateBestCommit } from './best-commit.js';
export { EmissionRules } from './emission.js';
export { FoldRules } from './fold.js';
export { excludeSameMiner, repositoryOwner } from './same-miner.js';
export { maxScore, meanScore } from './score.js';
export { SameScore, Screening } from './screening.js';
export { Easing, easeCircleInOut, similarityPenalty } from './similarity.js';
export { softmaxNonzero } from './softmax.js';
export { UniquePool } from './unique-pool.js';
export { VerdictRules } from './verdict.js';

/** @typedef {import('./best-commit.js').BestCommit} BestCommit */
/** @typedef {import('./emission.js').Scored} Scored */
/** @typedef {import('./fold.js').Average} Average */
/** @typedef {import('./same-miner.js').Contender} Contender */
/** @typedef {import('./score.js').Maybe} Maybe */
/** @typedef {import('./unique-pool.js').UniqueCommit} UniqueCommit */
/** @typedef {import('./verdict.js').Judgement} Judgement */
