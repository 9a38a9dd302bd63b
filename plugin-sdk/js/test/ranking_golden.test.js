import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checks } from './golden/ranking.js';

const golden = JSON.parse(readFileSync(new URL('../../../tests/golden/ranking.json', import.meta.url), 'utf8'));

for (const { name, run } of checks(golden)) {
  test(name, run);
}

test('there are golden cases', () => {
  assert.ok(checks(golden).length >= 27);
});
