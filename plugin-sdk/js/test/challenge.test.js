import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CannotSolve,
  Challenge,
  DatabaseError,
  InvalidSolution,
  InvalidSubmission,
  SolveFailed,
  Unavailable,
  field,
  sameJson,
} from '@proctor/sdk';
import { challenge as component, solver as solverComponent } from '@proctor/sdk/guest';
import { Harness } from '@proctor/sdk/testing';

class Halving extends Challenge {
  static name = 'halving';
  static version = '1.0.0';
  static solution = field.number();
  static task = field.integer();

  taskCount() {
    return 2;
  }

  makeTask(_context, index) {
    return index;
  }

  score(_task, solution) {
    if (solution < 0) throw new InvalidSolution('negative');
    return solution;
  }

  baseline() {
    return 0.5;
  }
}

const first = (answer) => {
  const [log] = new Harness(Halving, { solutions: [answer, answer] }).evaluate();
  return [log.score, log.error];
};

test('failing does not pay more than answering badly', () => {
  assert.deepEqual(first('0.3'), [0.3 - 0.5, undefined]);
  assert.deepEqual(first('-1'), [-0.5, 'negative']);
  assert.equal(first('{')[0], -0.5);
  assert.match(first('{')[1], /^malformed solution: /);
  assert.deepEqual(first({ failure: 'out_of_fuel', message: 'no fuel' }), [-0.5, 'out_of_fuel: no fuel']);
  assert.deepEqual(first({ failure: 'out_of_fuel' }), [-0.5, 'out_of_fuel']);
  assert.deepEqual(first({ error: 'no idea' }), [-0.5, 'guest_error: no idea']);
});

test('a solution of another shape is the fault of the submission', () => {
  assert.deepEqual(first('"7"'), [-0.5, 'malformed solution: is "7", must be a number']);
  assert.equal(first('null')[0], -0.5);
});

const one = (answer, solution, over = {}) => {
  class One extends Halving {
    static solution = solution;
    score() {
      return 1;
    }
  }
  Object.assign(One, over);
  const [log] = new Harness(One, { solutions: [answer, answer] }).evaluate();
  return log;
};

test('a hostile answer costs little and is told shortly', () => {
  const whole = field.list(field.integer());
  const hostile = `[${'[],'.repeat(340_000)}1]`;
  const log = one(hostile, whole);
  assert.equal(log.error, 'malformed solution: 1020003 bytes, at most 65536');
  assert.deepEqual([log.score, log.solution], [-0.5, undefined]);
  assert.equal(one(`[${'1,'.repeat(500_000)}1]`, whole).error, 'malformed solution: 1000003 bytes, at most 65536');
  assert.equal(one(`"${'é'.repeat(40_000)}"`, field.string()).error, 'malformed solution: 80002 bytes, at most 65536');
  // Where the challenge takes more, it is read up to the first problem.
  const more = { maxSolutionBytes: 2_000_000 };
  assert.equal(one(hostile, whole, more).error, 'malformed solution: [0]: is [], must be a whole number');
  assert.equal(one(`[${'1,'.repeat(500_000)}1]`, whole, more).error, undefined);
  const names = JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`n${n}`, n])));
  assert.match(one(names, field.object({ a: field.any() })).error, /^malformed solution: n0: unknown field; the fields are: a$/);
  assert.match(one(names, field.record(field.string())).error, /^malformed solution: n0: is 0, must be a text$/);
});

test('a solution of nothing but brackets is refused, whatever the shape', () => {
  const nested = (levels) => '['.repeat(levels) + ']'.repeat(levels);
  for (const shape of [undefined, field.any(), field.number()]) {
    assert.equal(one(nested(30_000), shape).error, 'malformed solution: nested deeper than 128 levels');
  }
  assert.equal(one(nested(128), undefined).error, undefined);
});

test('the error of a log is cut', () => {
  const long = 'x'.repeat(5000);
  for (const answer of [{ error: long }, { failure: 'trap', message: long }, '1']) {
    class Long extends Halving {
      score() {
        throw new InvalidSolution(long);
      }
    }
    const [log] = new Harness(Long, { solutions: [answer, answer] }).evaluate();
    assert.equal(log.error.length, 1000);
    assert.ok(log.error.endsWith('x…'));
  }
});

test('a task reaches score as it would from JSON', () => {
  const scored = (made, task) => {
    const seen = [];
    class Made extends Halving {
      static task = task;
      makeTask() {
        return made;
      }
      score(given) {
        seen.push(given);
        return 1;
      }
    }
    new Harness(Made, { solver: () => 1 }).evaluate();
    return seen[0];
  };
  assert.deepEqual(scored({ a: NaN, b: undefined, at: new Date(0) }), { a: null, at: '1970-01-01T00:00:00.000Z' });
  assert.deepEqual(scored({}, field.object({ a: field.integer({ default: 3 }) })), { a: 3 });
  assert.throws(() => scored(NaN, field.number()), /makeTask made no task of the shape `static task`: is null/);
});

test('seed tasks come first and count', () => {
  const harness = new Harness(Halving, { solver: (task) => task });
  const tasks = (seeds) => harness.evaluate(seeds).map((log) => log.task);
  assert.deepEqual(tasks(['7']), ['7', '1']);
  assert.deepEqual(tasks(['7', '8', '9']), ['7', '8', '9']);
  assert.throws(() => harness.evaluate(['x']), /seed task 0/);
  assert.throws(() => harness.evaluate(['"x"']), /seed task 0: is "x"/);
});

test('nothing is scored while the runner is away', () => {
  assert.throws(() => new Harness(Halving).evaluate(), Unavailable);
});

test('a score that is no number is the fault of the challenge', () => {
  for (const score of [NaN, Infinity, undefined, '1', Promise.resolve(1)]) {
    class Wrong extends Halving {
      score() {
        return score;
      }
    }
    assert.throws(() => new Harness(Wrong, { solver: () => 1 }).evaluate(), TypeError);
    if (score === '1') {
      assert.throws(() => new Harness(Wrong, { solver: () => 1 }).evaluate(), /returned '1', must be a finite number/);
    }
  }
  class Endless extends Halving {
    baseline() {
      return Infinity;
    }
  }
  assert.throws(() => new Harness(Endless, { solver: () => 1 }).evaluate(), /baseline returned Infinity/);
});

const commit = { miner: { uid: 1, hotkey: '5F' }, committedAt: 0, submission: { digest: 'a' } };

test('a verdict is not below 0', () => {
  const scoringLogs = [{ task: '1', score: -0.5 }];
  const verdict = new Harness(Halving).judge({ commit, scoringLogs, comparisons: [] });
  assert.deepEqual(verdict, { score: 0, penalty: 0, accepted: false });
  assert.throws(() => new Harness(Halving).judge({ commit, scoringLogs: [], comparisons: [] }), TypeError);
});

test('a similarity takes of the score', () => {
  const logs = [{ reference: 'b', similarity: 0.5 }];
  const comparisons = [{ reference: commit, logs }];
  const verdict = new Harness(Halving).judge({ commit, scoringLogs: [{ task: '1', score: 1 }], comparisons });
  assert.equal(verdict.penalty, 0.5);
  assert.ok(verdict.accepted && verdict.score < 1);
});

test('by default the best are paid the most, and nobody without a score', () => {
  const standing = (hotkey, score) => ({
    commit: { ...commit, miner: { uid: 1, hotkey } },
    score,
    scoredAt: 0,
  });
  const standings = [standing('a', 0.5), standing('b', 0.9), standing('c', 0)];
  const weights = new Harness(Halving).getWeights(standings).map(({ weight }) => weight);
  assert.ok(weights[1] > weights[0] && weights[0] > 0);
  assert.equal(weights[2], 0);
});

test('one similarity for each reference', () => {
  class Alike extends Halving {
    similarity(_context, candidate, reference) {
      return candidate.scoringLogs.length === reference.scoringLogs.length ? 1 : { similarity: 0.25, reason: 'shorter' };
    }
  }
  const evaluation = (digest, scoringLogs) => ({ submission: { digest }, scoringLogs });
  const logs = new Harness(Alike).compare(evaluation('a', []), [
    evaluation('b', []),
    evaluation('c', [{ task: '1', score: 1 }]),
  ]);
  assert.deepEqual(logs, [
    { similarity: 1, reference: 'b' },
    { similarity: 0.25, reason: 'shorter', reference: 'c' },
  ]);
});

const world = (over = {}) => ({
  context: { settings: () => '{}', seed: () => 1n, now: () => 0 },
  database: { execute: () => 0n, query: () => ({ columns: [], rows: [] }) },
  runner: { solve: () => '1' },
  ...over,
});

const thrown = (call) => {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

test('what a challenge throws becomes an error of the contract', () => {
  const failing = (error) => {
    class Failing extends Halving {
      makeTask() {
        throw error;
      }
    }
    const { controller } = component({ default: Failing }, ['scoring'], world());
    return thrown(() => controller.evaluate({ digest: 'a' }, []));
  };
  assert.deepEqual(failing(new InvalidSubmission('empty')), { tag: 'invalid-submission', val: 'empty' });
  assert.deepEqual(failing(new Unavailable('later')), { tag: 'unavailable', val: 'later' });
  const failed = new SolveFailed('timeout', 'late');
  assert.ok(failed instanceof InvalidSubmission);
  assert.deepEqual(failing(failed), { tag: 'invalid-submission', val: 'timeout: late' });
  assert.deepEqual(failing(new SolveFailed('timeout', '')), { tag: 'invalid-submission', val: 'timeout' });
  const internal = failing(new TypeError('x is undefined'));
  assert.equal(internal.tag, 'internal');
  assert.match(internal.val, /^TypeError: x is undefined\n  at .*challenge\.test\.js:\d+:\d+/);
  assert.match(failing('text').val, /threw "text", which is no Error/);
  assert.equal(failing(null).tag, 'internal');
});

test('what the imports fail with has classes of its own', () => {
  const evaluate = (payload) => {
    const runner = {
      solve() {
        throw Object.assign(new Error('import'), { payload });
      },
    };
    const { controller } = component({ default: Halving }, ['scoring'], world({ runner }));
    return controller.evaluate({ digest: 'a' }, []);
  };
  const failed = { tag: 'failed', val: { code: 'out-of-memory', message: 'too much' } };
  assert.equal(evaluate(failed)[0].error, 'out_of_memory: too much');
  const away = thrown(() => evaluate({ tag: 'unavailable', val: 'no room' }));
  assert.deepEqual(away, { tag: 'unavailable', val: 'no room' });
});

test('the database speaks JavaScript', () => {
  const asked = [];
  class Keeping extends Halving {
    evaluate(context) {
      asked.push(context.database.execute('insert', 1, 1.5, 2n ** 60n, 'a', null, new Uint8Array([1])));
      return context.database.query('select').map((row) => ({ task: JSON.stringify(row), score: 0 }));
    }
  }
  const database = {
    execute(sql, parameters) {
      asked.push(parameters);
      return 3n;
    },
    query: () => ({
      columns: ['n', 't'],
      rows: [[{ tag: 'integer', val: 5n }, { tag: 'null' }]],
    }),
  };
  const [log] = new Harness(Keeping, { database }).evaluate();
  assert.equal(log.task, '{"n":5,"t":null}');
  assert.equal(asked[1], 3);
  assert.deepEqual(asked[0].map(({ tag }) => tag), ['integer', 'real', 'integer', 'text', 'null', 'blob']);
  const failing = (payload) =>
    thrown(() => new Harness(Keeping, { database: { execute: () => { throw { payload }; } } }).evaluate());
  assert.ok(failing({ tag: 'unavailable', val: 'locked' }) instanceof Unavailable);
  const full = failing({ tag: 'too-large' });
  assert.ok(full instanceof DatabaseError && full.code === 'too_large');
});

test('what is no challenge is refused when it is built', () => {
  const refused = (type, capabilities = []) => thrown(() => component({ default: type }, capabilities, world())).message;
  assert.match(refused(undefined), /exports no challenge/);
  assert.match(refused(class {}), /exports no challenge/);
  assert.match(refused(class Sum extends Challenge {}), /static name = /);
  assert.match(refused(class extends Challenge { static name = 'a'; }), /static version = /);
  assert.match(refused(Halving, ['comparison']), /no method `similarity`/);
  assert.match(refused(Halving, ['proxy_routes']), /write others in Rust/);
  assert.match(refused(class extends Challenge { static name = 'a'; static version = '1.0.0'; }, ['scoring']), /makeTask/);
});

test('settings are checked before anything is called', () => {
  const context = { settings: () => '{"a": 1}', seed: () => 1n, now: () => 0 };
  const { info, controller } = component({ default: Halving }, ['scoring'], world({ context }));
  assert.deepEqual(thrown(() => info.validateSettings('{"a": 1}')), [
    { path: 'a', message: 'unknown field; there are none' },
  ]);
  assert.equal(info.validateSettings('{}'), undefined);
  assert.match(thrown(() => info.validateSettings('{'))[0].message, /^not JSON/);
  assert.match(thrown(() => controller.evaluate({ digest: 'a' }, [])).val, /settings: a: unknown field/);
});

test('a solver is a function between JSON values', () => {
  const solve = (solver, task = '[1, 2]') => solverComponent({ default: solver })(task);
  assert.equal(solve(([a, b]) => ({ sum: a + b })), '{"sum":3}');
  assert.equal(thrown(() => solve(() => { throw new CannotSolve('too large'); })), 'too large');
  assert.match(thrown(() => solve((task) => task.a.b)), /^TypeError: .*\n  at .*challenge\.test\.js/);
  assert.match(thrown(() => solve(() => undefined)), /undefined is not JSON/);
  assert.match(thrown(() => solve(async () => 1)), /must not be async/);
  assert.match(thrown(() => solve(() => 1n)), /^cannot write the solution: .*BigInt/);
  const cycle = {};
  cycle.self = cycle;
  assert.match(thrown(() => solve(() => cycle)), /^cannot write the solution: .*circular/);
  assert.match(thrown(() => solve((a) => a, '{')), /cannot read the task/);
  assert.match(thrown(() => solverComponent({})).message, /export default function solve/);
});

test('a failure that a test scripts goes through the solver', () => {
  const late = () => { throw new SolveFailed('timeout', 'late'); };
  assert.equal(new Harness(Halving, { solver: late }).evaluate()[0].error, 'timeout: late');
});

test('JSON texts are compared as values', () => {
  assert.ok(sameJson('{"a": 1, "b": [2]}', '{"b":[2.0],"a":1}'));
  assert.ok(!sameJson('[1, 2]', '[2, 1]'));
  assert.ok(!sameJson('[]', '{}'));
  assert.ok(!sameJson('null', '{}'));
  assert.ok(!sameJson('{', '{'));
});
