// Make the shortest JSON Patch that turns one document into another.
//
// A patch that is applied and found right is proof enough, so the task need not hide anything.
// What is paid is what a submission saves over the plain patch, which compares name by name and
// index by index.

import { Challenge, InvalidSolution, field } from '@proctor/sdk';
import { VerdictRules } from '@proctor/sdk/ranking';
import { makeTask } from './documents.js';
import { PatchError, apply, canonical, plainDiff } from './patch.js';

export default class JsonPatch extends Challenge {
  static name = 'json-patch';
  static version = '0.1.0';
  static summary = 'Make the shortest JSON Patch that turns one document into another.';

  static settings = {
    tasks: field.integer({ default: 8, minimum: 1, maximum: 100, description: 'Tasks for each submission.' }),
    edits: field.integer({ default: 6, minimum: 1, maximum: 50, description: 'Changes between the two documents.' }),
    max_operations: field.integer({ default: 500, minimum: 1, description: 'Most operations of a patch.' }),
    rules: field.rules(VerdictRules, {
      description: 'How score and similarity become a verdict.',
      // A score is what is saved, so nobody comes near 1.
      defaults: { acceptance: { minScore: 0.05 } },
    }),
  };

  static task = field.object({ from: field.any(), to: field.any() });

  static solution = field.list(
    field.object({
      op: field.choice(['add', 'remove', 'replace', 'move', 'copy']),
      path: field.string(),
      from: field.nullable(field.string()),
      value: field.any({ default: null }),
    }),
  );

  makeTask(context, index) {
    return makeTask(context.rng(index), this.settings.edits);
  }

  score(task, patch) {
    const most = this.settings.max_operations;
    if (patch.length > most) {
      throw new InvalidSolution(`the patch has ${patch.length} operations, and may have ${most}`);
    }
    let made;
    try {
      made = apply(task.from, patch, 4 * JSON.stringify(task.to).length);
    } catch (error) {
      if (error instanceof PatchError) {
        throw new InvalidSolution(`the patch cannot be applied: ${error.message}`);
      }
      throw error;
    }
    if (canonical(made) !== canonical(task.to)) {
      throw new InvalidSolution('the patch makes another document');
    }
    return worth(task, patch);
  }

  baseline(task) {
    return worth(task, plainDiff(task.from, task.to));
  }

  verdictRules() {
    return this.settings.rules;
  }

  // There are many short patches of one task, and honest submissions have in common what is
  // plain. So what the plain patch has as well does not count, and of the rest it is the share
  // that both have. References of other days had other tasks: these are given to the candidate.
  similarity(context, candidate, reference) {
    let [shared, all] = [0, 0];
    for (const log of reference.scoringLogs) {
      const theirs = operations(log.solution);
      if (theirs === undefined) {
        continue;
      }
      const known = candidate.scoringLogs.find(({ task }) => task === log.task);
      const ours = operations(known === undefined ? solved(context, log.task) : known.solution);
      const { from, to } = JSON.parse(log.task);
      const plain = new Set(plainDiff(from, to).map(canonical));
      const [left, right] = [theirs, ours ?? []].map((list) => list.filter((one) => !plain.has(one)));
      all += left.length + right.length;
      shared += 2 * common(left, right);
    }
    return {
      similarity: all === 0 ? 0 : shared / all,
      reason: `${shared} of ${all} operations that are not plain are in both`,
    };
  }
}

/** 1 for a patch without any size, 0 for one that is no shorter than to replace everything. */
function worth({ to }, patch) {
  const everything = size([{ op: 'replace', path: '', value: to }]);
  return Math.max(0, 1 - size(patch) / everything);
}

/** Characters of JSON, of no more than each operation needs. */
function size(patch) {
  return JSON.stringify(patch.map(needed)).length;
}

function needed({ op, path, from, value }) {
  switch (op) {
    case 'add':
    case 'replace':
      return { op, path, value };
    case 'remove':
      return { op, path };
    default:
      return { op, path, from };
  }
}

/** The operations of a solution as texts that can be compared; none if it is no list. */
function operations(solution) {
  const patch = solution === undefined ? undefined : JSON.parse(solution);
  const isPatch = Array.isArray(patch) && patch.every((one) => typeof one === 'object' && one !== null);
  return isPatch ? patch.map((one) => canonical(needed(one))) : undefined;
}

/** What the candidate answers to a task; nothing if it fails. */
function solved(context, task) {
  try {
    return context.solve(task);
  } catch (error) {
    if (error.name === 'SolveFailed') {
      return undefined;
    }
    throw error;
  }
}

/** How many of two lists pair up. */
function common(left, right) {
  const open = [...right];
  return left.filter((one) => {
    const at = open.indexOf(one);
    if (at >= 0) {
      open.splice(at, 1);
    }
    return at >= 0;
  }).length;
}
