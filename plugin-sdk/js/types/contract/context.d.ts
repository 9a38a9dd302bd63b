// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./types.d.ts" />
declare module 'proctor:challenge/context@0.1.1' {
  /**
   * The challenge's settings: what the operator set, `{}` if nothing. They have
   * passed `validate-settings`.
   */
  export function settings(): Json;
  /**
   * The seed of this call. Everything random must come from it. `wasi:random`
   * is seeded with it as well.
   */
  export function seed(): bigint;
  /**
   * The logical time of this call. `wasi:clocks` starts here and does not
   * follow the wall clock.
   */
  export function now(): Timestamp;
  export type Json = import('proctor:challenge/types@0.1.1').Json;
  export type Timestamp = import('proctor:challenge/types@0.1.1').Timestamp;
}
