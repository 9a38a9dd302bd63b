import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const tsc = join(home, 'node_modules/.bin/tsc');
const skip = existsSync(tsc) ? false : 'SKIPPED: TypeScript is not installed, see README.md';

const run = (tool, ...words) => {
  const { status, stdout, stderr } = spawnSync(tool, words, { cwd: home, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
};

const files = (directory) =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true })
      .filter((name) => name.endsWith('.d.ts'))
      .map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  );

test('types/ is what the sources say', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'proctor-'));
  try {
    cpSync(join(home, 'types/contract'), join(scratch, 'contract'), { recursive: true });
    run(tsc, '-p', '.', '--outDir', scratch);
    assert.deepEqual(files(scratch), files(join(home, 'types')));
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test('a challenge in TypeScript is checked', { skip }, () => {
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'];
  run(tsc, ...options, 'test/types.ts');
});

test('the contract is the one that the types are of', () => {
  // Each function and record of these interfaces, by its name in JavaScript.
  for (const name of ['types', 'info', 'runner', 'database', 'controller', 'comparer', 'weights', 'context']) {
    const wit = readFileSync(join(home, `wit/challenge/${name}.wit`), 'utf8');
    const types = readFileSync(join(home, `types/contract/${name}.d.ts`), 'utf8');
    const version = /^package (proctor:challenge)@(.+);$/m.exec(wit)[2];
    assert.ok(types.includes(`proctor:challenge/${name}@${version}'`), name);
    const code = wit.replaceAll(/^\s*\/\/\/.*$/gm, '');
    for (const [, item] of code.matchAll(/^ +(?:record |variant |enum )?([a-z0-9-]+)(?: \{|: )/gm)) {
      const camel = item.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
      const pascal = camel[0].toUpperCase() + camel.slice(1);
      const known = types.includes(camel) || types.includes(pascal) || types.includes(`'${item}'`);
      assert.ok(known || item === 'interface', `${name}: ${item} is not in types/contract: npm run contract`);
    }
  }
});
