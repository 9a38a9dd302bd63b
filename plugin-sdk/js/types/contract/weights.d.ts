// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./types.d.ts" />
declare module 'proctor:challenge/weights@0.1.1' {
  /**
   * Turns the standings into weights. `standings` holds one entry per miner
   * that has an accepted commit, by uid. A miner left out gets nothing.
   *
   * Errors: `unavailable` (the host asks again for a while), `internal`. A
   * challenge without weights counts as nothing, and stops no other.
   */
  export function getWeights(standings: Array<Standing>): Array<HotkeyWeight>;
  export type Standing = import('proctor:challenge/types@0.1.1').Standing;
  export type HotkeyWeight = import('proctor:challenge/types@0.1.1').HotkeyWeight;
  export type ChallengeError = import('proctor:challenge/types@0.1.1').ChallengeError;
}
