import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness } from '@proctor/sdk/testing';
import JsonPatch from '../challenge.js';
import { apply } from '../patch.js';
import aligned from '../solvers/aligned.js';
import plain from '../solvers/plain.js';
import wrong from '../solvers/wrong.js';

const evaluate = (solver, options) => new Harness(JsonPatch, { solver, ...options }).evaluate();
const evaluation = (digest, logs) => ({ submission: { digest }, scoringLogs: logs });
const similarity = (candidate, logs, reference) => {
  const harness = new Harness(JsonPatch, { solver: candidate, seed: 1 });
  return harness.compare(evaluation('a', logs), [evaluation('b', reference)])[0].similarity;
};

test('every patch of the aligned solver is right, for many seeds', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    for (const log of evaluate(aligned, { seed, settings: { tasks: 4, edits: 9 } })) {
      assert.equal(log.error, undefined);
      assert.ok(log.score >= 0);
    }
  }
});

test('to do what everybody does is worth nothing', () => {
  assert.ok(evaluate(plain).every((log) => log.error === undefined && log.score === 0));
  const scores = evaluate(aligned).map((log) => log.score);
  assert.ok(scores.reduce((sum, score) => sum + score, 0) / scores.length > 0.1, scores.join());
});

test('a patch that makes another document is worth less than nothing', () => {
  for (const log of evaluate(wrong)) {
    assert.match(log.error, /makes another document/);
    assert.ok(log.score <= 0);
  }
});

test('a copy is found, also on the tasks of another day', () => {
  const [today, yesterday] = [evaluate(aligned, { seed: 1 }), evaluate(aligned, { seed: 2 })];
  assert.equal(similarity(aligned, today, today), 1);
  assert.equal(similarity(aligned, today, yesterday), 1);
  assert.ok(similarity(plain, evaluate(plain, { seed: 1 }), yesterday) < 0.2);
});

test('what all have in common makes no copy', () => {
  const logs = evaluate(plain, { seed: 1 });
  assert.equal(similarity(plain, logs, logs), 0);
});

const error = (patch) => {
  const solution = typeof patch === 'string' ? patch : JSON.stringify(patch);
  const [log] = new Harness(JsonPatch, { settings: { tasks: 1 }, solutions: [solution] }).evaluate();
  assert.ok(log.score <= 0);
  return log.error;
};

test('a patch that cannot be applied is the fault of the submission', () => {
  assert.match(error([{ op: 'remove', path: '/nothing' }]), /there is no \/nothing/);
  assert.match(error([{ op: 'remove', path: '' }]), /whole document/);
  assert.match(error([{ op: 'add', path: '/items/99', value: 1 }]), /beyond the end/);
  assert.match(error([{ op: 'add', path: '/items/x', value: 1 }]), /no number/);
  assert.match(error([{ op: 'move', from: '/items', path: '/items/0' }]), /into itself/);
  assert.match(error([{ op: 'copy', path: '/x', from: '/version/0' }]), /holds none/);
  assert.match(error([{ op: 'test', path: '/version' }]), /malformed solution: \[0\]\.op/);
  assert.match(error('{}'), /malformed solution/);
});

test('a patch can make neither endless copies nor endless levels', () => {
  const twice = Array.from({ length: 60 }, () => ({ op: 'copy', from: '', path: '/again' }));
  assert.match(error(twice), /more than \d+ characters/);
  const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
  assert.match(error(`[{"op":"add","path":"/x","value":${deep}}]`), /more than 64 levels/);
  const [levels, last] = ['/x'.repeat(64), '/x'.repeat(65)];
  assert.match(error([{ op: 'add', path: levels, value: 1 }]), /there is no \/x/);
  assert.match(error([{ op: 'add', path: last, value: 1 }]), /a path has more than 64 levels/);
  assert.match(error(Array.from({ length: 501 }, () => ({ op: 'remove', path: '/x' }))), /may have 500/);
});

test('operations are those of the standard', () => {
  const run = (document, ...patch) => apply(document, patch, 1000);
  assert.deepEqual(run({ a: [1, 3] }, { op: 'add', path: '/a/1', value: 2 }), { a: [1, 2, 3] });
  assert.deepEqual(run({ a: [1] }, { op: 'add', path: '/a/-', value: 2 }), { a: [1, 2] });
  assert.deepEqual(run({ 'a/b': 1, 'm~n': 2 }, { op: 'remove', path: '/a~1b' }, { op: 'replace', path: '/m~0n', value: 3 }), { 'm~n': 3 });
  assert.deepEqual(run({ a: [1, 2, 3] }, { op: 'move', from: '/a/0', path: '/a/2' }), { a: [2, 3, 1] });
  assert.deepEqual(run({ a: 1 }, { op: 'replace', path: '', value: [] }), []);
  const polluted = run({}, { op: 'add', path: '/__proto__', value: { evil: true } });
  assert.equal({}.evil, undefined);
  assert.deepEqual(Object.keys(polluted), ['__proto__']);
});
