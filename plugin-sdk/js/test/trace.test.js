import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trace } from '../src/trace.js';

test('a position in the bundle is told as one in the files of the author', () => {
  globalThis.__proctorPlaces = {
    file: 'component.js',
    sources: ['challenge.js', 'rules.js'],
    lines: { 12: [1, 0, 40, 3, 20, 1, 7, 1] },
  };
  const error = new TypeError('x is undefined');
  error.stack = [
    'score@component.js:12:19',
    'rule@component.js:12:20',
    'evaluate@component.js:13:1',
    'export_controller@/tmp/ab/sources/initializer.js:875:28',
  ].join('\n');
  const told = trace(error);
  delete globalThis.__proctorPlaces;
  assert.equal(told, 'TypeError: x is undefined\n  at score (challenge.js:40:3)\n  at rule (rules.js:7:1)');
});
