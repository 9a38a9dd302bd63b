// Generates the types of the contract, types/contract/, from wit/. To be run when wit/ changes:
// npm run contract

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const to = process.argv[2] ?? join(home, 'types/contract');
const worlds = readFileSync(join(home, 'wit/challenge/worlds.wit'), 'utf8');
const version = /^package proctor:challenge@(.+);$/m.exec(worlds)[1];
const scratch = mkdtempSync(join(tmpdir(), 'proctor-'));
try {
  const includes = ['info', 'controller', 'comparer', 'weights'].map(
    (name) => `  include proctor:challenge/${name}-plugin@${version};\n`,
  );
  mkdirSync(join(scratch, 'wit/deps'), { recursive: true });
  cpSync(join(home, 'wit/challenge'), join(scratch, 'wit/deps/challenge'), { recursive: true });
  writeFileSync(
    join(scratch, 'wit/world.wit'),
    `package proctor:project;\nworld plugin {\n${includes.join('')}}\n`,
  );
  const jco = process.env.JCO ?? join(home, 'node_modules/.bin/jco');
  execFileSync(jco, ['guest-types', join(scratch, 'wit'), '-n', 'plugin', '-o', join(scratch, 'types'), '-q']);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const names = readdirSync(join(scratch, 'types/interfaces')).sort();
  const header = '// Generated from wit/ by `npm run contract`. Do not edit.\n';
  for (const name of names) {
    const text = readFileSync(join(scratch, 'types/interfaces', name), 'utf8');
    writeFileSync(join(to, name.replace('proctor-challenge-', '')), header + cleaned(text));
  }
  const interfaces = names.map((name) => /^proctor-challenge-(.+)\.d\.ts$/.exec(name)[1]);
  const references = interfaces.map((name) => `/// <reference path="./${name}.d.ts" />\n`);
  const exported = ['types', 'info', 'runner', 'database'].map((name) => {
    const text = readFileSync(join(scratch, `types/interfaces/proctor-challenge-${name}.d.ts`), 'utf8');
    const declared = [...text.matchAll(/^ {2}export (?:type|interface) (\w+)/gm)].map((match) => match[1]);
    // What an interface only uses is exported by `types`.
    const own = declared.filter((type) => name === 'types' || !text.includes(`export type ${type} = import(`));
    return `export type { ${own.join(', ')} } from 'proctor:challenge/${name}@${version}';\n`;
  });
  writeFileSync(join(to, 'index.d.ts'), header + references.join('') + exported.join(''));
} finally {
  rmSync(scratch, { recursive: true });
}

function cleaned(text) {
  return text.replaceAll('./proctor-challenge-', './').replace(/[ \t]+$/gm, '');
}
