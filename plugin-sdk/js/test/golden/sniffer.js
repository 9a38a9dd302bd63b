// A challenge after the peer's `ab_sniffer`, as its author would port it, and a day of
// commits put through it as the host does. The same as plugin-sdk/tests/controller_golden,
// which says more.

import { Challenge, SolveFailed, Unavailable, field } from '@proctor/sdk';
import { SameScore, Screening, VerdictRules, similarityPenalty } from '@proctor/sdk/ranking';
import { Harness } from '@proctor/sdk/testing';

/** Similarity to any other miner's script from which nothing else is looked at. */
const ALIKE = 0.6;
const INVALID = 'Invalid submission';
const DAY = 86_400;

/** What a comparison log was taken from, by the names of the default answers. */
export const [ALL, ONE, SAME_SCORE] = ['compare/all', 'compare', 'same-score'];
/** The mark of a reference that scored too little to be copied. */
const POOR = 'below the least score';
const KINDS = [ALL, ONE, SAME_SCORE, POOR];

export class Sniffer extends Challenge {
  static name = 'sniffer';
  static version = '1.0.0';
  static settings = {
    tasks: field.integer(),
    identifier: field.string({ description: 'Name of the script in a solution.' }),
    rules: field.rules(VerdictRules),
    screening: field.rules(Screening),
    same_score: field.rules(SameScore),
    least_score: field.number({ description: 'Score from which a commit of the same day is a reference.' }),
    max_references: field.nullable(field.integer()),
    services: field.object({ answers: field.any(), defaults: field.any() }),
  };

  makeTask(_context, index) {
    return { t: index + 1 };
  }

  // A failing service is not the submission's fault, so the default is of no use.
  evaluate(context) {
    return Array.from({ length: this.settings.tasks }, (_, index) => {
      const task = JSON.stringify(this.makeTask(context, index));
      let solution;
      try {
        solution = context.solve(task);
      } catch (error) {
        if (error instanceof SolveFailed) {
          return { task, score: 0, error: `${error.code}: ${error.message}` };
        }
        throw error;
      }
      const script = this.script(solution);
      return this.isValid(script)
        ? { task, solution, score: this.scoreOf(script) }
        : { task, solution, score: 0, error: INVALID };
    });
  }

  judge(_context, evaluated) {
    const { rules, screening } = this.settings;
    const { commit } = evaluated;
    const references = evaluated.comparisons.filter(
      (reference) => !(sameDay(commit, reference) && worthless(reference)),
    );
    const others = references.filter(({ reference }) => reference.miner.uid !== commit.miner.uid);
    const alike = similarityPenalty(others.flatMap((reference) => found(reference, ALL)));
    let similarities;
    if (alike >= ALIKE) {
      similarities = [alike];
    } else if (evaluated.scoringLogs.find((log) => log.error !== undefined)?.error === INVALID) {
      similarities = [1];
    } else {
      similarities = this.similarities(evaluated, references);
    }
    const copy = screening.isCopy(similarityPenalty(similarities));
    if (!copy) {
      // Like the peer, among the references of earlier days only.
      const earlier = evaluated.comparisons.filter((reference) => !sameDay(commit, reference));
      const again = earlier.flatMap((reference) => found(reference, SAME_SCORE));
      similarities.push(...again.filter((similarity) => this.settings.same_score.counts(similarity)));
    }
    return rules.judge(
      evaluated.scoringLogs.map((log) => (copy ? 0 : log.score)),
      similarities,
    );
  }

  compare(_context, candidate, references) {
    return references.flatMap((reference) => {
      const [score, referenceScore] = [best(candidate), best(reference)];
      const kinds = [[ALL, 'all'], [ONE, 'cmp']];
      if (this.settings.same_score.applies(score, referenceScore)) {
        kinds.push([SAME_SCORE, 'same']);
      }
      const log = (reason, similarity) => ({ reference: reference.submission.digest, similarity, reason });
      const pair = [candidate, reference].map(({ scoringLogs }) => python(this.scriptOf(scoringLogs)));
      const logs = kinds.map(([kind, service]) => {
        const answer = this.answer(service, `(${pair.join(', ')})`, kind);
        return log(kind, asked(kind, answer, typeof answer === 'number'));
      });
      return referenceScore < this.settings.least_score ? [...logs, log(POOR, 0)] : logs;
    });
  }

  /** What counts, up to the first reference that the commit copies; with the baseline's, if none. */
  similarities(evaluated, references) {
    const { screening, max_references: limit } = this.settings;
    const similarities = [];
    for (const reference of references.slice(0, limit ?? undefined)) {
      const own = reference.reference.miner.hotkey === evaluated.commit.miner.hotkey;
      for (const similarity of found(reference, ONE).filter((s) => screening.counts(s, own))) {
        similarities.push(similarity);
        if (similarity > screening.copyFrom) {
          return similarities;
        }
      }
    }
    if (evaluated.scoringLogs.some((log) => log.solution !== undefined)) {
      const answer = this.settings.services.answers.baseline ?? this.settings.services.defaults.baseline;
      const scripts = asked('baseline', answer, Array.isArray(answer));
      similarities.push(...scripts.map((script) => script.similarity_score));
    }
    return similarities;
  }

  script(solution) {
    const script = JSON.parse(solution)[this.settings.identifier];
    return typeof script === 'string' ? script : undefined;
  }

  scriptOf(logs) {
    const solved = logs.find((log) => log.solution !== undefined);
    return solved === undefined ? undefined : this.script(solved.solution);
  }

  isValid(script) {
    if (!script) {
      return false;
    }
    const answer = this.answer('valid', script, 'is_valid');
    return asked('check', answer, typeof answer === 'boolean');
  }

  scoreOf(script) {
    const answer = this.answer('score', script, 'score');
    if (typeof answer !== 'number') {
      throw new TypeError(`a score of ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  answer(service, key, byDefault) {
    const { answers, defaults } = this.settings.services;
    return answers[service]?.[key] ?? defaults[byDefault];
  }
}

/** A text stands for an exception at the service. */
function asked(service, answer, isAnswer) {
  if (!isAnswer) {
    throw new Unavailable(`${service} answered ${JSON.stringify(answer)}`);
  }
  return answer;
}

function python(script) {
  return script === undefined ? 'None' : `'${script}'`;
}

function sameDay(commit, { reference }) {
  return Math.floor(commit.committedAt / DAY) === Math.floor(reference.committedAt / DAY);
}

function worthless({ referenceScore, logs }) {
  return referenceScore === 0 || logs.some((log) => log.reason === POOR);
}

/** Similarities of one kind, and what the host itself says of the same artifact. */
function found({ logs }, kind) {
  return logs
    .filter(({ reason = '' }) => reason === kind || !KINDS.includes(reason))
    .map((log) => log.similarity);
}

function best({ scoringLogs }) {
  return scoringLogs.length === 0 ? NaN : Math.max(...scoringLogs.map((log) => log.score));
}

/** What comes of each commit of a case: `{ refused }`, `{ error }`, or all that was judged. */
export function run(one) {
  const { reference_commits: references, miner_commits: commits } = one.input;
  const known = references.map((commit, index) => ({
    commit: commitOf(index, commit, -1),
    score: commit.score ?? undefined,
    logs: commit.scoring_logs.map((log) => ({
      task: JSON.stringify(log.miner_input),
      solution: log.miner_output === null ? undefined : JSON.stringify(log.miner_output),
      score: log.score ?? 0,
    })),
    sameDay: false,
  }));
  return commits.map((raw) => {
    if (!hasDigest(raw.docker_hub_id)) {
      return { refused: true };
    }
    const commit = commitOf(known.length, raw, raw.commit_timestamp);
    try {
      const judged = verdict(one, raw, commit, known);
      known.push({ commit, score: judged.verdict.score, logs: judged.logs, sameDay: true });
      return judged;
    } catch (error) {
      return { error };
    }
  });
}

function verdict(one, raw, commit, known) {
  const harness = new Harness(Sniffer, { settings: settings(one), solver: () => solve(one, raw) });
  const logs = harness.evaluate();
  const solved = (logs) => logs.some((log) => log.solution !== undefined);
  const evaluation = ({ submission }, scoringLogs) => ({ submission, scoringLogs });
  let comparisons = [];
  // What solved nothing resembles nothing.
  if (solved(logs)) {
    const references = known.filter((reference) => {
      const own = reference.commit.miner.uid === commit.miner.uid;
      return solved(reference.logs) && !(reference.sameDay && own);
    });
    const found = harness.compare(
      evaluation(commit, logs),
      references.map((reference) => evaluation(reference.commit, reference.logs)),
    );
    comparisons = references.map((reference) => ({
      reference: reference.commit,
      referenceScore: reference.score,
      logs: found.filter((log) => log.reference === reference.commit.submission.digest),
    }));
  }
  const judged = harness.judge({ commit, scoringLogs: logs, comparisons });
  return { logs, comparisons, verdict: judged };
}

/** The digest is made up: the cases have the same for an old and a new commit. */
function commitOf(index, { miner_uid: uid, miner_hotkey: hotkey }, committedAt) {
  return { miner: { uid, hotkey }, committedAt, submission: { digest: index.toString(16).padStart(64, '0') } };
}

export function hasDigest(artifact) {
  return /^.+@sha256:[0-9a-fA-F]{64}$/.test(artifact);
}

/** The settings that the peer's configuration comes to. */
export function settings(one) {
  const info = one.input.challenge_info;
  const compare = info.comparison_config ?? {};
  const limit = compare.min_acceptable_score;
  return {
    tasks: info.num_tasks ?? 1,
    identifier: info.script_path_identifier,
    rules: { aggregate: 'max', acceptance: { max_penalty: limit ?? 0.7 } },
    screening: { copy_from: limit ?? 0.6, own_from: compare.max_self_comparison_score ?? 0.9 },
    same_score: { counts_from: limit ?? 0.6 },
    least_score: info.challenge_min_acceptable_score ?? 0.6,
    max_references: compare.max_unique_commits ?? null,
    services: { answers: one.input.service_answers, defaults: one.input.defaults },
  };
}

/** A text stands for an exception, without message for a timeout. */
function solve(one, commit) {
  const scripted = one.input.service_answers.solve?.[commit.docker_hub_id];
  if (scripted === undefined) {
    const answer = JSON.stringify(one.input.defaults.solve);
    return JSON.parse(answer.replaceAll('<uid>', String(commit.miner_uid)));
  }
  if (typeof scripted === 'object') {
    return scripted;
  }
  throw new SolveFailed(scripted === '' ? 'timeout' : 'guest_error', JSON.stringify(scripted));
}

