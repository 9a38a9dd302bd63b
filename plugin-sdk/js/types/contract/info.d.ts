// Generated from wit/ by `npm run contract`. Do not edit.
/// <reference path="./types.d.ts" />
declare module 'proctor:challenge/info@0.1.1' {
  /**
   * Name, version and settings of the challenge. Must not fail, and must give
   * the same answer on every call.
   */
  export function describe(): Description;
  /**
   * Checks settings before they are used.
   *
   * Errors: every problem found, at least one.
   */
  export function validateSettings(settings: Json): void;
  export type Json = import('proctor:challenge/types@0.1.1').Json;
  /**
   * A plugin's own account of itself.
   */
  export interface Description {
    /**
     * Name of the challenge: 1 to 64 of `a-z`, `0-9`, `-`, `_`, first a letter
     * or digit. Commits name their challenge by it.
     */
    name: string,
    /**
     * Version of the plugin (semver).
     */
    version: string,
    /**
     * One sentence for people.
     */
    summary: string,
    /**
     * JSON Schema (2020-12) of the settings.
     */
    settingsSchema: Json,
  }
  /**
   * Something wrong with the settings.
   */
  export interface SettingsProblem {
    /**
     * Path of the setting, as in `batch_size` or `limits.tasks`; empty for the
     * settings as a whole.
     */
    path: string,
    /**
     * What is wrong, and what is allowed.
     */
    message: string,
  }
}
