// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./types.d.ts" />
declare module 'proctor:challenge/comparer@0.1.1' {
  /**
   * Compares one candidate with a whole batch of references. The `runner` runs
   * the candidate, so that a reference's tasks can be replayed on it.
   *
   * Returns at least one log per reference, in any order. The host does not
   * ask about a reference with the candidate's own digest: that is a copy.
   *
   * Errors: `unavailable`, `internal`.
   */
  export function compare(candidate: Evaluation, references: Array<Evaluation>): Array<ComparisonLog>;
  export type Evaluation = import('proctor:challenge/types@0.1.1').Evaluation;
  export type ComparisonLog = import('proctor:challenge/types@0.1.1').ComparisonLog;
  export type ChallengeError = import('proctor:challenge/types@0.1.1').ChallengeError;
}
