// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./comparer.d.ts" />
/// <reference path="./context.d.ts" />
/// <reference path="./controller.d.ts" />
/// <reference path="./database.d.ts" />
/// <reference path="./info.d.ts" />
/// <reference path="./runner.d.ts" />
/// <reference path="./types.d.ts" />
/// <reference path="./weights.d.ts" />
export type { Json, Timestamp, Hotkey, Task, Solution, Miner, Submission, ScoringLog, Evaluation, ComparisonLog, Commit, Comparison, Evaluated, Verdict, Standing, HotkeyWeight, ChallengeError, ChallengeErrorInvalidSubmission, ChallengeErrorUnavailable, ChallengeErrorInternal } from 'proctor:challenge/types@0.1.1';
export type { Description, SettingsProblem } from 'proctor:challenge/info@0.1.1';
export type { Failure, SolveFailure, SolveError, SolveErrorFailed, SolveErrorUnavailable } from 'proctor:challenge/runner@0.1.1';
export type { Value, ValueNull, ValueInteger, ValueReal, ValueText, ValueBlob, Rows, DatabaseError, DatabaseErrorDenied, DatabaseErrorInvalid, DatabaseErrorConstraint, DatabaseErrorFull, DatabaseErrorTimeout, DatabaseErrorTooLarge, DatabaseErrorUnavailable } from 'proctor:challenge/database@0.1.1';
