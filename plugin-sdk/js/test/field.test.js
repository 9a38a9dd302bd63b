import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Challenge, field } from '@proctor/sdk';
import { VerdictRules } from '@proctor/sdk/ranking';
import { Harness } from '@proctor/sdk/testing';

class Sample extends Challenge {
  static name = 'sample';
  static version = '1.0.0';
  static settings = {
    tasks: field.integer({ default: 3, minimum: 1, maximum: 10, description: 'Tasks.' }),
    limits: field.object({
      words: field.list(field.string({ minLength: 1 }), { default: ['a'] }),
      mode: field.choice(['fast', 'slow'], { default: 'fast' }),
    }),
    rules: field.rules(VerdictRules),
    note: field.nullable(field.string()),
  };

  static checkSettings({ tasks, limits }) {
    const enough = tasks >= limits.words.length;
    return enough ? [] : [{ path: 'tasks', message: 'must be at least the number of words' }];
  }

  taskCount() {
    return 1;
  }

  makeTask() {
    return this.settings;
  }

  score() {
    return 1;
  }
}

const problems = (settings) => new Harness(Sample, { settings }).validateSettings();
const read = (settings) =>
  JSON.parse(new Harness(Sample, { settings, solver: () => 0 }).evaluate()[0].task);

test('an empty object gives the defaults', () => {
  assert.deepEqual(problems({}), []);
  const settings = read({});
  assert.equal(settings.tasks, 3);
  assert.deepEqual(settings.limits, { words: ['a'], mode: 'fast' });
  assert.equal(settings.note, null);
  assert.equal(settings.rules.acceptance.minScore, 0.4);
});

test('a problem names its path and what is allowed', () => {
  assert.deepEqual(problems({ tasks: 'x' }), [
    { path: 'tasks', message: 'is "x", must be a whole number from 1 to 10' },
  ]);
  assert.equal(problems({ tasks: 11 })[0].path, 'tasks');
  assert.equal(problems({ tasks: 1.5 })[0].path, 'tasks');
  assert.deepEqual(
    problems({ limits: { words: ['a', ''], mode: 'warp' } }).map(({ path }) => path),
    ['limits.words[1]', 'limits.mode'],
  );
  assert.equal(problems({ limits: null })[0].path, 'limits');
  assert.equal(problems([]).length, 1);
});

test('an unknown field is refused', () => {
  const [problem] = problems({ task: 1 });
  assert.equal(problem.path, 'task');
  assert.match(problem.message, /^unknown field; the fields are: tasks, limits, rules, note$/);
  assert.equal(problems({ limits: { word: [] } })[0].path, 'limits.word');
  assert.equal(problems({ ['__proto__x']: 1 }).length, 1);
  assert.equal(problems(JSON.parse('{"constructor": 1}')).length, 1);
});

test('every problem is told', () => {
  assert.equal(problems({ tasks: 0, more: 1, note: 2 }).length, 3);
});

test('of many problems the first are told', () => {
  const words = Array(50).fill('');
  const found = problems({ limits: { words } });
  assert.equal(found.length, 21);
  assert.equal(found[19].path, 'limits.words[19]');
  assert.deepEqual(found[20], { path: '', message: '… and 30 more' });
});

test('the path of a problem leads through lists and objects', () => {
  const shape = field.list(field.record(field.tuple([field.any(), field.object({ a: field.integer() })])));
  const value = [{}, { b: [0, { a: 1 }], c: [0, { a: 'x' }] }];
  assert.deepEqual(field.read(shape, value).problems.map(({ path }) => path), ['[1].c[1].a']);
  const problems = [];
  shape.read(value, 'tasks', problems);
  assert.equal(problems[0].path, 'tasks[1].c[1].a');
});

test('a check of the settings that fails is a problem', () => {
  const told = (checkSettings) => {
    class Checked extends Sample {
      static checkSettings = checkSettings;
    }
    const [{ path, message }, ...more] = new Harness(Checked).validateSettings();
    assert.deepEqual([path, more], ['', []]);
    return message;
  };
  assert.match(told((settings) => settings.a.b), /^checkSettings failed: TypeError: .* at .*field\.test\.js:\d+/);
  for (const found of [undefined, 'x', Promise.resolve([]), ['x'], [{ path: 'a' }]]) {
    assert.match(told(() => found), /must return a list/);
  }
});

test('fields that belong together are checked once each of them is right', () => {
  assert.equal(problems({ tasks: 1, limits: { words: ['a', 'b'] } })[0].path, 'tasks');
  assert.equal(problems({ tasks: 'x', limits: { words: ['a', 'b'] } }).length, 1);
});

test('rules have the names of the other SDKs', () => {
  const { rules } = read({ rules: { aggregate: 'max', acceptance: { min_score: 0.85 } } });
  assert.equal(rules.aggregate, 'max');
  assert.deepEqual(rules.acceptance, { minScore: 0.85, maxPenalty: 0.6 });
  assert.equal(problems({ rules: { min_score: 1 } })[0].path, 'rules.min_score');
  assert.equal(problems({ rules: { aggregate: 'median' } })[0].path, 'rules.aggregate');
});

test('a challenge has default rules of its own', () => {
  const shape = field.object({ rules: field.rules(VerdictRules, { defaults: { acceptance: { minScore: 0.1 } } }) });
  assert.equal(shape.read({}, '', []).rules.acceptance.minScore, 0.1);
  const read = shape.read({ rules: { acceptance: { max_penalty: 0.9 } } }, '', []);
  assert.deepEqual({ ...read.rules.acceptance }, { minScore: 0.1, maxPenalty: 0.9 });
  assert.equal(shape.schema.properties.rules.properties.acceptance.properties.min_score.default, 0.1);
});

test('the schema names fields, limits and defaults', () => {
  const schema = JSON.parse(new Harness(Sample).describe().settingsSchema);
  assert.deepEqual(schema.properties.tasks, {
    type: 'integer',
    minimum: 1,
    maximum: 10,
    description: 'Tasks.',
    default: 3,
  });
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.required, undefined);
  assert.equal(schema.properties.rules.properties.acceptance.properties.min_score.default, 0.4);
  assert.equal(schema.properties.rules.default.acceptance.min_score, 0.4);
});

test('a default is not shared', () => {
  const shape = field.object({ words: field.list(field.string(), { default: ['a'] }) });
  const first = shape.read({}, '', []);
  first.words.push('b');
  assert.deepEqual(shape.read({}, '', []).words, ['a']);
});

test('a field without a default is required', () => {
  const shape = field.object({ key: field.string() });
  const problems = [];
  shape.read({}, '', problems);
  assert.deepEqual(problems, [{ path: 'key', message: 'is missing' }]);
  assert.deepEqual(shape.schema.required, ['key']);
});
