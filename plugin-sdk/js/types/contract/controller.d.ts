// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./types.d.ts" />
declare module 'proctor:challenge/controller@0.1.1' {
  /**
   * Makes tasks, has the submission solve them (`runner`), and scores what
   * comes back.
   *
   * `seed-tasks` are tasks to use before any are made from the seed, so that
   * submissions can be measured by the same tasks. The same seed and settings
   * must give the same tasks.
   *
   * A task that the submission fails is a log with `error`, not an error of
   * the call. Errors: `unavailable` if the runner is, `invalid-submission`,
   * `internal`.
   */
  export function evaluate(submission: Submission, seedTasks: Array<Task>): Array<ScoringLog>;
  /**
   * Turns logs and comparisons into score, penalty and acceptance. Called once
   * all comparisons are there. The runner is not available here.
   *
   * Errors: `unavailable`, `internal`.
   */
  export function judge(evaluated: Evaluated): Verdict;
  export type Submission = import('proctor:challenge/types@0.1.1').Submission;
  export type Task = import('proctor:challenge/types@0.1.1').Json;
  export type ScoringLog = import('proctor:challenge/types@0.1.1').ScoringLog;
  export type Evaluated = import('proctor:challenge/types@0.1.1').Evaluated;
  export type Verdict = import('proctor:challenge/types@0.1.1').Verdict;
  export type ChallengeError = import('proctor:challenge/types@0.1.1').ChallengeError;
}
