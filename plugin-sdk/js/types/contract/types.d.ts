// Generated from wit/ by `npm run contract`. Do not edit.
declare module 'proctor:challenge/types@0.1.1' {
  /**
   * A JSON text (RFC 8259), UTF-8.
   */
  export type Json = string;
  /**
   * Seconds since the Unix epoch, UTC, with a fraction.
   */
  export type Timestamp = number;
  /**
   * The public key of a neuron in SS58 form.
   */
  export type Hotkey = string;
  /**
   * The challenge's input to a submission. The challenge owns its shape.
   */
  export type Task = Json;
  /**
   * A submission's answer to one task. The challenge owns its shape.
   */
  export type Solution = Json;
  /**
   * Who published a commit, as the metagraph had it.
   */
  export interface Miner {
    /**
     * The miner's slot on the subnet.
     */
    uid: number,
    /**
     * The miner's hotkey.
     */
    hotkey: Hotkey,
    /**
     * The coldkey that owns the hotkey; none if the metagraph does not say.
     */
    coldkey?: string,
    /**
     * The IP address of the miner's axon; none if it serves none.
     */
    axonIp?: string,
  }
  /**
   * What is evaluated: an artifact by content. It says nothing of who
   * published it, because an artifact is evaluated once, however many miners
   * commit it.
   */
  export interface Submission {
    /**
     * SHA-256 of the artifact, 64 lower-case hexadecimal digits.
     */
    digest: string,
  }
  /**
   * What one task on one submission came to.
   */
  export interface ScoringLog {
    /**
     * The input that the submission got.
     */
    task: Task,
    /**
     * The submission's answer; none if it gave none.
     */
    solution?: Solution,
    /**
     * The score of this task, after `baseline-score` was subtracted. Finite.
     */
    score: number,
    /**
     * What the challenge's baseline scored on this task, if it has one.
     */
    baselineScore?: number,
    /**
     * Why there is no solution, or why it is worth nothing.
     */
    error?: string,
  }
  /**
   * A submission with what its evaluation came to.
   */
  export interface Evaluation {
    /**
     * What was evaluated.
     */
    submission: Submission,
    /**
     * One entry per task, in the order of the tasks.
     */
    scoringLogs: Array<ScoringLog>,
  }
  /**
   * How alike a candidate and one reference are.
   */
  export interface ComparisonLog {
    /**
     * `submission.digest` of the reference.
     */
    reference: string,
    /**
     * 0 (nothing in common) to 1 (the same). Finite.
     */
    similarity: number,
    /**
     * What the number was taken from, for people.
     */
    reason?: string,
  }
  /**
   * A submission as one miner committed it.
   */
  export interface Commit {
    /**
     * Who committed it.
     */
    miner: Miner,
    /**
     * When it was first seen on the subnet.
     */
    committedAt: Timestamp,
    /**
     * What was committed.
     */
    submission: Submission,
  }
  /**
   * A reference that a commit was compared with.
   */
  export interface Comparison {
    /**
     * The earlier commit.
     */
    reference: Commit,
    /**
     * The verdict's score of the reference; none if it has no verdict yet.
     */
    referenceScore?: number,
    /**
     * What the comparison found.
     */
    logs: Array<ComparisonLog>,
  }
  /**
   * All that is known of a commit when it is judged.
   */
  export interface Evaluated {
    /**
     * The commit to judge.
     */
    commit: Commit,
    /**
     * One entry per task.
     */
    scoringLogs: Array<ScoringLog>,
    /**
     * One entry per reference, by time of commit.
     */
    comparisons: Array<Comparison>,
  }
  /**
   * What a commit is worth.
   */
  export interface Verdict {
    /**
     * The score that standings are made of, penalty applied. Finite, at least 0.
     */
    score: number,
    /**
     * How much the commit resembles earlier ones: 0 not at all, 1 a copy.
     */
    penalty: number,
    /**
     * Whether the commit may earn, and may be a reference for later ones.
     */
    accepted: boolean,
    /**
     * Why not, or what the score was reduced for; for people.
     */
    reason?: string,
  }
  /**
   * A miner's best accepted commit of one challenge.
   */
  export interface Standing {
    /**
     * The commit.
     */
    commit: Commit,
    /**
     * `verdict.score` of the commit.
     */
    score: number,
    /**
     * When the commit was judged.
     */
    scoredAt: Timestamp,
  }
  /**
   * What a challenge pays one miner.
   */
  export interface HotkeyWeight {
    /**
     * Who is paid. One entry per hotkey.
     */
    hotkey: Hotkey,
    /**
     * The share, in any unit: the host normalizes. Finite, at least 0.
     */
    weight: number,
  }
  /**
   * Why a challenge has no answer.
   */
  export type ChallengeError = ChallengeErrorInvalidSubmission | ChallengeErrorUnavailable | ChallengeErrorInternal;
  /**
   * Final. What was passed in cannot be worked with, and that is the fault
   * of the submission. The submission scores 0; the text says why.
   */
  export interface ChallengeErrorInvalidSubmission {
    tag: 'invalid-submission',
    val: string,
  }
  /**
   * Try again. Something that the challenge needs is not there now. Nothing
   * is scored; the host calls again later, with growing pauses.
   */
  export interface ChallengeErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
  /**
   * The challenge itself is at fault. Nothing is scored until a new version
   * of the plugin is loaded.
   */
  export interface ChallengeErrorInternal {
    tag: 'internal',
    val: string,
  }
}
