import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '@proctor/sdk';

const bits = (seed, stream) => {
  const rng = new Rng(seed, stream);
  return [rng.bits(), rng.bits(), rng.bits()];
};

test('a seed gives the same numbers for ever', () => {
  // Tasks are made of them: other numbers would make other scores.
  assert.deepEqual(bits(0n, 0), [443589289, 1472243107, 1913443415]);
  assert.deepEqual(bits(2n ** 64n - 1n, 7), [2713102286, 3733909262, 4104710727]);
});

test('streams and seeds next to each other have nothing in common', () => {
  const all = [bits(1n, 0), bits(1n, 1), bits(2n, 0), bits(0n, 1), bits(0n, 2)].flat();
  assert.equal(new Set(all).size, all.length);
});

test('every whole number of a range comes up about as often', () => {
  const rng = new Rng(5n);
  const counts = [0, 0, 0, 0, 0, 0, 0];
  for (let drawn = 0; drawn < 7000; drawn += 1) {
    counts[rng.integer(-3, 3) + 3] += 1;
  }
  assert.ok(counts.every((count) => count > 850 && count < 1150), counts.join());
});

test('a range may have one number, and not none', () => {
  assert.equal(new Rng(1n).integer(4, 4), 4);
  assert.throws(() => new Rng(1n).integer(5, 4), RangeError);
  assert.throws(() => new Rng(1n).integer(0, 0.5), RangeError);
  assert.throws(() => new Rng(1n).choice([]), RangeError);
});

test('a number is at least 0 and below 1', () => {
  const rng = new Rng(9n);
  const drawn = Array.from({ length: 5000 }, () => rng.random());
  assert.ok(drawn.every((number) => number >= 0 && number < 1));
  const mean = drawn.reduce((sum, number) => sum + number, 0) / drawn.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, String(mean));
});

test('shuffling keeps every element', () => {
  const items = Array.from({ length: 50 }, (_, index) => index);
  const shuffled = new Rng(3n).shuffle([...items]);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual(shuffled.sort((a, b) => a - b), items);
  assert.equal(new Set(new Rng(3n).sample(items, 20)).size, 20);
});
